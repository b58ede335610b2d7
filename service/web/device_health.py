"""What is wrong with devices, what harms a running experiment first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from dashboards.pages.devices import DeviceHealthPage, Fault
from service import device_health
from service.asked import now
from service.auth import SignedIn
from service.registry import devices
from service.web.reply import reply

if TYPE_CHECKING:
    from datetime import tzinfo

    from service.device_health import Finding

router = APIRouter(include_in_schema=False)


@router.get("/device-health")
def device_health_page(request: Request, person: SignedIn) -> Response:
    """Every fault of today, in the order of its harm."""
    zone, at = request.app.state.settings.zone, now(request)
    with request.app.state.registry.session() as session:
        faults = tuple(_fault(each, zone) for each in device_health.findings(session, at, zone))
        page = DeviceHealthPage(
            faults, watched=len({each.device_key for each in devices.placed_now(session, at)})
        )
    return reply(request, page, person=person)


def _fault(finding: Finding, zone: tzinfo) -> Fault:
    since, room = finding.since, finding.room
    return Fault(
        kind=finding.kind,
        device=finding.device.key,
        label=finding.device.label,
        since=since.astimezone(zone) if isinstance(since, datetime) else since,
        room=(room.slug, room.name) if room else None,
        trial=finding.experiment,
        metrics=finding.metrics,
        battery=finding.battery,
        usual_hours=finding.usual.total_seconds() / 3600 if finding.usual else None,
    )
