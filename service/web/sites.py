"""Sites and rooms, written down in the browser: hours, closures, seats; one by one or from a spreadsheet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages.places import PastedLine, RoomFactsPage, SiteLine, SitePage, SitesPage
from service import places
from service.asked import Sent, Typed, now
from service.auth import Facilities, Person, csrf_checked
from service.registry import rooms
from service.web.reply import Instead, error, reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.places import Facts, Hours
    from service.registry.tables import Site

router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
MOST_TEXT = 100_000


@router.get("/sites")
def sites_page(request: Request, person: Facilities) -> Response:
    """Every site, and a form for one more."""
    return _all(request, person, places.Hours(""))


@router.post("/sites", dependencies=CHECKED)
def add_site(request: Request, person: Facilities, form: Sent) -> Response:
    """One site more."""
    hours = _hours(form)
    if hours.mistakes:
        return _all(request, person, hours, 422)
    with request.app.state.registry.turn() as session:
        name = hours.name.casefold()
        known = next((site for site in rooms.sites(session) if site.name.casefold() == name), None)
        if known is not None and places.site_seen(known) != places.site_seen(hours):
            raise Instead(_all, request, person, replace(hours, mistakes={"name": "taken"}), 422)
        # sent twice it is one site
        site = known or places.save_site(session, None, hours, now(request), request.app.state.settings.zone)
        return _done(site.slug)


@router.get("/site/{slug}")
def site_page(request: Request, person: Facilities, slug: str, done: str = "") -> Response:
    """One site: its hours, its closures, its rooms."""
    return _one(request, person, slug, done=done)


@router.post("/site/{slug}", dependencies=CHECKED)
def change_site(request: Request, person: Facilities, slug: str, form: Sent) -> Response:
    """Its name, hours and weekdays."""
    hours = _hours(form)
    with request.app.state.registry.turn() as session:
        site = rooms.site(session, slug)
        if site is None:
            raise Instead(error, request, 404, "not_found")
        twice = places.site_seen(hours)  # sent so, it is no conflict
        if places.site_seen(site) not in (form.get("seen"), twice):
            raise Instead(_one, request, person, slug, hours=hours, status=409, meanwhile=True)
        if hours.mistakes:
            raise Instead(_one, request, person, slug, hours=hours, status=422, mistakes=hours.mistakes)
        places.save_site(session, site, hours, now(request), request.app.state.settings.zone)
    return _done(slug)


@router.post("/site/{slug}/closed", dependencies=CHECKED)
def close_site(
    request: Request, person: Facilities, slug: str, day: Typed = "", reason: Typed = "", year: Typed = ""
) -> Response:
    """Closed on a day, or on the public holidays of a year."""
    with request.app.state.registry.turn() as session:
        site = rooms.site(session, slug)
        if site is None:
            raise Instead(error, request, 404, "not_found")
        if year:
            if year not in {str(each) for each in _years(request)}:
                raise Instead(_one, request, person, slug, status=422, mistakes={"day": "bad"})
            places.close(session, site, places.public_holidays(int(year)), now(request))
            return _done(slug)
        reason = " ".join(reason.split())
        try:
            when = date.fromisoformat(day.strip())
        except ValueError:
            when = date.min  # no day of ours either
        mistakes = places.closure_mistakes(when, reason)
        if mistakes:
            typed = {"day": day, "reason": reason}
            raise Instead(_one, request, person, slug, status=422, mistakes=mistakes, typed=typed)
        places.close(session, site, {when: reason}, now(request))
    return _done(slug)


@router.post("/site/{slug}/open", dependencies=CHECKED)
def open_site(request: Request, person: Facilities, slug: str, day: Typed = "") -> Response:
    """Open on a day after all."""
    _ = person
    with request.app.state.registry.turn() as session:
        site = rooms.site(session, slug)
        if site is None:
            raise Instead(error, request, 404, "not_found")
        known = {closure.day.isoformat(): closure.day for closure in site.closures}
        if day in known:
            places.open_again(session, site, known[day], now(request))
    return _done(slug)


@router.post("/site/{slug}/rooms", dependencies=CHECKED)
def add_rooms(request: Request, person: Facilities, slug: str, form: Sent) -> Response:
    """Rooms from a list: shown first with what is wrong, then kept with `sure`."""
    text = str(form.get("list", ""))
    with request.app.state.registry.turn() as session:
        site = rooms.site(session, slug)
        if site is None:
            raise Instead(error, request, 404, "not_found")
        rows = places.pasted(text[:MOST_TEXT])
        wrong = any(facts.mistakes for _, facts in rows)
        if not rows:
            raise Instead(
                _one, request, person, slug, status=422, mistakes={"list": "missing"}, typed={"list": text}
            )
        if wrong or form.get("sure") != "yes":
            status = 422 if wrong else 200
            raise Instead(
                _one, request, person, slug, status=status, typed={"list": text}, rows=_lines(site, rows)
            )
        places.save_pasted(session, site, rows, now(request), request.app.state.settings.zone)
    return _done(slug)


@router.post("/site/{slug}/delete", dependencies=CHECKED)
def delete_site(request: Request, person: Facilities, slug: str) -> Response:
    """Forget a site that has no room."""
    with request.app.state.registry.turn() as session:
        site = rooms.site(session, slug)
        if site is None:
            raise Instead(error, request, 404, "not_found")
        if site.rooms:
            raise Instead(_one, request, person, slug, status=409, mistakes={"delete": "rooms"})
        places.forget_site(session, site)
    return RedirectResponse("/sites", 303)


@router.get("/rooms/{slug}/facts")
def room_facts_page(request: Request, person: Facilities, slug: str) -> Response:
    """What is said of a room."""
    return _room(request, person, slug)


@router.post("/rooms/{slug}/facts", dependencies=CHECKED)
def change_room(request: Request, person: Facilities, slug: str, form: Sent) -> Response:
    """Its name, floor, seats, area, volume."""
    typed = {key: str(form.get(key, "")) for key in places.ORDER}
    facts = places.room_facts(typed)
    with request.app.state.registry.turn() as session:
        room = rooms.room(session, slug)
        if room is None:
            raise Instead(error, request, 404, "not_found")
        twice = places.room_seen(facts)  # sent so, it is no conflict
        if places.room_seen(room) not in (form.get("seen"), twice):
            raise Instead(_room, request, person, slug, typed, 409, meanwhile=True)
        if facts.mistakes:
            raise Instead(_room, request, person, slug, typed, 422, mistakes=facts.mistakes)
        places.save_room(session, room.site, room, facts, now(request), request.app.state.settings.zone)
        return RedirectResponse(f"/site/{room.site.slug}?done=saved", 303)


@router.post("/rooms/{slug}/delete", dependencies=CHECKED)
def delete_room(request: Request, person: Facilities, slug: str) -> Response:
    """Forget a room on which nothing rests."""
    with request.app.state.registry.turn() as session:
        room = rooms.room(session, slug)
        if room is None:
            raise Instead(error, request, 404, "not_found")
        if places.refers(session, room):
            raise Instead(_room, request, person, slug, status=409, mistakes={"delete": "used"})
        site = room.site.slug
        places.forget_room(session, room)
    return _done(site)


def _done(slug: str) -> Response:
    return RedirectResponse(f"/site/{slug}?done=saved", 303)


def _hours(form: Mapping[str, object]) -> Hours:
    told = {key: str(form.get(key, "")) for key in ("name", "opens", "closes")}
    days = [str(day) for day in form.getlist("weekdays")] if hasattr(form, "getlist") else []
    return places.site_hours(told["name"], told["opens"], told["closes"], days)


def _years(request: Request) -> tuple[int, int, int]:
    year = now(request).year
    return year - 1, year, year + 1


def _lines(site: Site, rows: Sequence[tuple[int, Facts]]) -> tuple[PastedLine, ...]:
    known = {room.name.casefold() for room in site.rooms}
    return tuple(
        PastedLine(
            line, facts.name, facts.capacity, facts.floor, facts.area_m2, facts.volume_m3,
            known=facts.name.casefold() in known, mistakes=facts.mistakes,
        )
        for line, facts in rows
    )  # fmt: skip


def _all(request: Request, person: Person, hours: Hours, status: int = 200) -> Response:
    with request.app.state.registry.session() as session:
        lines = tuple(
            SiteLine(site.slug, site.name, site.opens, site.closes, site.weekdays, len(site.rooms))
            for site in rooms.sites(session)
        )
    return reply(request, SitesPage(lines, hours, hours.mistakes), status, person=person)


def _one(  # noqa: PLR0913 - what may be said of one site
    request: Request,
    person: Person,
    slug: str,
    *,
    hours: Hours | None = None,
    status: int = 200,
    mistakes: Mapping[str, str] | None = None,
    meanwhile: bool = False,
    typed: Mapping[str, str] | None = None,
    rows: tuple[PastedLine, ...] = (),
    done: str = "",
) -> Response:
    with request.app.state.registry.session() as session:
        site = rooms.site(session, slug)
        if site is None:
            return error(request, 404, "not_found")
        page = SitePage(
            site=SiteLine(site.slug, site.name, site.opens, site.closes, site.weekdays, len(site.rooms)),
            rooms=tuple((room.slug, room.name, room.floor, room.capacity) for room in site.rooms),
            closures=tuple((closure.day, closure.reason) for closure in site.closures),
            form=hours or places.Hours(site.name, site.opens, site.closes, site.weekdays),
            today=now(request).date(),
            years=_years(request),
            typed=typed or {},
            rows=rows,
            mistakes=mistakes or {},
            seen=places.site_seen(site),
            meanwhile=meanwhile,
            saved=done == "saved",
        )
    return reply(request, page, status, person=person)


def _room(
    request: Request,
    person: Person,
    slug: str,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
    *,
    mistakes: Mapping[str, str] | None = None,
    meanwhile: bool = False,
) -> Response:
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
        if room is None:
            return error(request, 404, "not_found")
        facts = {key: getattr(room, key) for key in places.ORDER}
        kept = {
            key: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            for key, value in facts.items()
        }
        page = RoomFactsPage(
            slug=room.slug, name=room.name, site=(room.site.slug, room.site.name), typed=typed or kept,
            kept=kept, mistakes=mistakes or {}, seen=places.room_seen(room), meanwhile=meanwhile,
        )  # fmt: skip
    return reply(request, page, status, person=person)
