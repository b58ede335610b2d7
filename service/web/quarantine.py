"""Messages that wait, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dashboards.pages import QuarantineLine, QuarantinePage
from service import embargo
from service.auth import Person, signed_in
from service.registry import quarantine
from service.web.reply import reply, today

router = APIRouter(include_in_schema=False)
SHOWN = 50
PREVIEW = 400  # bytes


@router.get("/quarantine")
def quarantine_page(
    request: Request, person: Annotated[Person, Depends(signed_in)], code: str | None = None
) -> Response:
    """The latest messages that wait, of one code or of all; their content only while nothing runs."""
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        counts = tuple(quarantine.waiting_by_code(session))
        # a payload may hold readings of a room under embargo
        sealed = bool(embargo.embargoes(session, today(request)))
        entries = tuple(
            QuarantineLine(
                entry.id,
                entry.received_at.astimezone(zone),
                entry.topic,
                entry.code,
                entry.reason,
                len(entry.payload),
                None if sealed else entry.payload[:PREVIEW].decode("utf-8", "backslashreplace"),
            )
            for entry in quarantine.recent(session, code, limit=SHOWN)
        )
    shown = None if code not in dict(counts) else code
    total = sum(n for each, n in counts if shown in (None, each))
    return reply(request, QuarantinePage(entries, counts, total, shown), person=person)
