"""Who sends messages, how much and how well."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from service import sources
from service.api.paging import Part

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"])


@router.get("")
def list_gateways(request: Request, paging: Part) -> list[sources.Source]:
    """Every source of messages over the last seven UTC days, those that were let in first.

    `unpromised` is the share that came at QoS 0, `refused` the share that waits in quarantine, wholly or in
    part; a source that nobody added has `added` false. `messages` has null for days under the seal of a
    running experiment, and `last_message` is then a day. No secret is among it.
    """
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        found = sources.everything(session, datetime.now(UTC), zone)
        return list(paging.part(found, lambda each: each.name))
