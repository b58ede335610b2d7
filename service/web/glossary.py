"""The words of the pages, on one page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dashboards.pages.about import GlossaryPage
from service.auth import Person, signed_in
from service.web.reply import reply

router = APIRouter(include_in_schema=False)


@router.get("/glossaire")
def glossary_page(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
    """What each word means."""
    return reply(request, GlossaryPage(), person=person)
