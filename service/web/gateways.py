"""Who sends messages, how much, how well, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from dashboards.pages.devices import GatewayLine, GatewaysPage
from service import sources
from service.asked import now
from service.auth import SignedIn
from service.web.reply import reply

if TYPE_CHECKING:
    from datetime import tzinfo

    from service.sources import Source

router = APIRouter(include_in_schema=False)


@router.get("/gateways")
def gateways_page(request: Request, person: SignedIn) -> Response:
    """Every source of messages, those that were let in first."""
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        lines = tuple(_line(each, zone) for each in sources.everything(session, now(request), zone))
    return reply(request, GatewaysPage(lines), person=person)


def _line(source: Source, zone: tzinfo) -> GatewayLine:
    until = source.token_until
    return GatewayLine(
        name=source.name,
        added=source.added,
        last_message=source.last_message,
        silent=source.silent,
        messages=source.messages,
        unpromised=source.unpromised,
        refused=source.refused,
        devices=source.devices,
        token=source.token,
        token_until=until.astimezone(zone) if until else None,
    )
