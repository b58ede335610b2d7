"""The words of the pages, on one page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dashboards.pages.about import GlossaryPage
from service.auth import SignedIn
from service.web.reply import reply

router = APIRouter(include_in_schema=False)


@router.get("/glossaire")
def glossary_page(request: Request, person: SignedIn) -> Response:
    """What each word means."""
    return reply(request, GlossaryPage(), person=person)
