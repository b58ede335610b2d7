"""What is wrong with devices, what harms a running experiment first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from service import device_health
from service.api.paging import Part
from service.asked import now
from service.device_health import Kind

if TYPE_CHECKING:
    from service.device_health import Finding

router = APIRouter(prefix="/api/v1/device-health", tags=["devices"])


@dataclass(frozen=True)
class ApiFault:
    """One thing wrong with a device; `since` is an instant (UTC) or a local day, null where never well.

    `experiment` is the running one that loses days meanwhile; `metrics` are those concerned; longer than
    `usual_minutes` is silence for this device.
    """

    id: str
    kind: Kind
    device: str
    label: str | None
    since: datetime | date | None
    room: str | None
    experiment: str | None
    metrics: list[str]
    battery: float | None
    usual_minutes: float | None


@router.get("")
def list_faults(request: Request, paging: Part) -> list[ApiFault]:
    """Every fault of today, in the order of its harm; nothing of what devices measured."""
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        found = [_fault(each) for each in device_health.findings(session, now(request), zone)]
        return list(paging.part(found, lambda each: each.id))


def _fault(found: Finding) -> ApiFault:
    since = found.since.astimezone(UTC) if isinstance(found.since, datetime) else found.since
    return ApiFault(
        id=":".join([found.kind, found.device.key, *found.metrics]),
        kind=found.kind,
        device=found.device.key,
        label=found.device.label,
        since=since,
        room=None if found.room is None else found.room.slug,
        experiment=None if found.experiment is None else found.experiment[0],
        metrics=list(found.metrics),
        battery=found.battery,
        usual_minutes=None if found.usual is None else found.usual.total_seconds() / 60,
    )
