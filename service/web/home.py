"""Today, and the pages that only explain."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dashboards.pages.about import AccessibilityPage, LookPage, MethodPage, SiteMapPage
from dashboards.pages.home import HomePage
from dashboards.render import assets
from service import today
from service.asked import now
from service.auth import SignedIn
from service.web.reply import error, reply

router = APIRouter(include_in_schema=False)


@router.get("/")
def home_page(request: Request, person: SignedIn) -> Response:
    """What needs somebody, what runs, what was learned."""
    preparing = getattr(request.app.state, "progress", None)  # set by the demonstration
    progress = None if preparing is None else preparing()
    at = now(request)
    if progress is not None:
        return reply(request, HomePage(at.date(), progress=progress), person=person)
    with request.app.state.registry.session() as session:
        page = today.of(session, request.app.state.settings, person, at)
    return reply(request, page, person=person)


@router.get("/method")
def method_page(request: Request, person: SignedIn) -> Response:
    """How Témoin compares."""
    return reply(request, MethodPage(), person=person)


@router.get("/plan")
def site_map_page(request: Request, person: SignedIn) -> Response:
    """Where everything is."""
    return reply(request, SiteMapPage(), person=person)


@router.get("/look")
def look_page(request: Request, person: SignedIn) -> Response:
    """What pages are made of."""
    return reply(request, LookPage(), person=person)


public = APIRouter(include_in_schema=False)


@public.get("/accessibilite")
def accessibility_page(request: Request) -> Response:
    """The declaration of accessibility, open to everybody."""
    settings = request.app.state.settings
    return reply(request, AccessibilityPage(settings.organisation, settings.accessibility_contact))


@public.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """A static file; its address holds its content's hash, so it never changes."""
    found = next((each for each in assets().values() if each.url == f"/static/{name}"), None)
    if found is None:
        return error(request, 404, "not_found")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)
