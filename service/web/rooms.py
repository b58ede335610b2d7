"""The list of rooms, one room, and the poster that leads to its form."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from dashboards.pages.rooms import (
    ComparePage,
    Daily,
    DeviceInRoom,
    Hidden,
    NoticePage,
    PosterPage,
    RoomBeside,
    RoomLine,
    RoomPage,
    RoomsPage,
    RoomWeek,
    SiteRooms,
)
from service import device_health, embargo, notice, seasons, weeks
from service.asked import now
from service.auth import SignedIn
from service.registry import devices, experiments, outcomes, rooms
from service.room_form import form_url
from service.room_series import SPANS, known, series, stretch_end
from service.web.reply import error, reply

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from dashboards.pages.rooms import Mistake
    from service.embargo import Embargo
    from service.registry.tables import Placement, Room

router = APIRouter(include_in_schema=False)

DAILY = ("time_utilisation", "meetings", "co2_occupied", "temperature_in_band")
MOST_BESIDE = 6
DAYS_SHOWN = 84


@router.get("/rooms")
def rooms_page(request: Request, person: SignedIn) -> Response:
    """Every room by site, over the last two full weeks."""
    at = now(request)
    with request.app.state.registry.session() as session:
        hidden = embargo.embargoes(session, at.date())
        sites = rooms.sites(session)
        seats = {room.slug: room.capacity for site in sites for room in site.rooms}
        before, last = weeks.full(at.date(), 2)
        by_week = weeks.of_rooms(session, seats, [before, last], hidden)
        placed = Counter(each.room_id for each in devices.placed_now(session, at))
        silent = Counter(
            each.room.id
            for each in device_health.silences(session, at, at.tzinfo or UTC)
            if each.room is not None
        )

        def line(room: Room) -> RoomLine:
            why = hidden.get(room.slug)
            return RoomLine(
                slug=room.slug,
                name=room.name,
                floor=room.floor,
                capacity=room.capacity,
                devices=placed[room.id],
                silent=silent[room.id],
                last=by_week.get((room.slug, last), RoomWeek()),
                before=by_week.get((room.slug, before), RoomWeek()),
                hidden_by=None if why is None else why.slug,
                experiment=None if why is None else why.title,
            )

        shown = tuple(SiteRooms(site.slug, site.name, tuple(map(line, site.rooms))) for site in sites)
    return reply(request, RoomsPage(shown, last), person=person)


@router.get("/rooms/compare")
def compare_page(
    request: Request,
    person: SignedIn,
    room: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Rooms side by side: the same outcomes over the same weeks."""
    today = now(request).date()
    mondays = weeks.full(today, weeks.MOST)
    with request.app.state.registry.session() as session:
        known = {each.slug: each for site in rooms.sites(session) for each in site.rooms}
        wanted = list(dict.fromkeys(room or ()))
        if mistake := _mistake(wanted, known):
            page = ComparePage(tuple(mondays), mistake=mistake)
        else:
            page = _beside(session, [known[slug] for slug in wanted], mondays, today)
    return reply(request, page, 422 if page.mistake else 200, person=person)


def _mistake(wanted: Sequence[str], known: Mapping[str, Room]) -> Mistake:
    if not known.keys() >= set(wanted):
        return "unknown"
    if len(wanted) > MOST_BESIDE:
        return "many"
    return "few" if len(wanted) < 2 else ""  # noqa: PLR2004 - one room is beside nothing


def _beside(session: Session, chosen: Sequence[Room], mondays: Sequence[date], today: date) -> ComparePage:
    hidden = embargo.embargoes(session, today)
    by_week = weeks.of_rooms(
        session, {each.slug: each.capacity for each in chosen}, mondays, hidden, weeks.BESIDE
    )
    shown = tuple(
        RoomBeside(
            each.slug,
            each.name,
            each.site.name,
            each.capacity,
            tuple(by_week.get((each.slug, first), RoomWeek()) for first in mondays),
            _hidden(hidden.get(each.slug)),
        )
        for each in chosen
    )
    told = {key for each in shown for week in each.weeks for key in week.means}
    return ComparePage(tuple(mondays), tuple(key for key in weeks.BESIDE if key in told), shown)


def _hidden(why: Embargo | None) -> Hidden | None:
    return None if why is None else Hidden(why.slug, why.title, why.ends)


@router.get("/rooms/{slug}")
def room_page(
    request: Request,
    slug: str,
    person: SignedIn,
    span: Literal["day", "week"] = "week",
    until: date | None = None,
) -> Response:
    """One room: a day or a week to the end of the day `until`, which is yesterday at the latest."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
        page = None if room is None else _page(request, session, room, span, until)
    return error(request, 404, "not_found") if page is None else reply(request, page, person=person)


@router.get("/rooms/{slug}/poster")
def poster_page(request: Request, slug: str, person: SignedIn) -> Response:
    """The sheet to print and pin in the room."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
    if room is None:
        return error(request, 404, "not_found")
    return reply(request, PosterPage(room.slug, room.name, form_url(request, room.slug)), person=person)


@router.get("/rooms/{slug}/notice")
def notice_page(request: Request, slug: str, person: SignedIn) -> Response:
    """The sheet that says in the room what is measured there."""
    state = request.app.state
    with state.registry.session() as session:
        room = rooms.room(session, slug)
        if room is None:
            return error(request, 404, "not_found")
        at = now(request)
        here = {each.device_key for each in devices.placements_of(session, room.id) if each.holds(at)}
        told = notice.of_room(room, here, state.store, state.settings)
    return reply(request, NoticePage(room.slug, room.name, told), person=person)


def _page(
    request: Request, session: Session, room: Room, span: Literal["day", "week"], until: date | None
) -> RoomPage:
    at, state = now(request), request.app.state
    today = at.date()
    placed = devices.placements_of(session, room.id)
    sealed = embargo.embargoes(session, today)
    hidden, discreet = sealed.get(room.slug), embargo.discreet(session, sealed, at)
    end = stretch_end(placed, at, until)
    start = end - SPANS[span][0]
    here = {each.device_key for each in placed if each.holds(at)}
    silent = device_health.silent(session, [each.device for each in placed], at, state.settings.zone)
    page = RoomPage(
        slug=room.slug,
        name=room.name,
        site=room.site.name,
        floor=room.floor,
        capacity=room.capacity,
        area_m2=room.area_m2,
        start=start,
        end=end,
        notice=notice.of_room(room, here, state.store, state.settings),
        span=span,
        past=end.date() < today,
        volume_m3=room.volume_m3,
        devices=tuple(_device(each, at, silent, discreet) for each in placed),
        hidden=_hidden(hidden),
        experiments=tuple(experiments.of_room(session, room.id)),
        form_url=form_url(request, room.slug),
    )
    if hidden is not None:
        return page
    private = room.capacity == 1
    before, last = weeks.full(today, 2)
    by_week = weeks.of_rooms(session, {room.slug: room.capacity}, [before, last], ())
    return replace(
        page,
        weeks=(by_week.get((room.slug, last), RoomWeek()), by_week.get((room.slug, before), RoomWeek())),
        week=last,
        # of a room for one the air alone, by hour or by day, would tell when somebody was there
        series=() if private else tuple(series(state.store, placed, start, end, SPANS[span][1])),
        daily=() if private else tuple(_daily(session, room.slug, end.date() - timedelta(days=1))),
        profile=weeks.profile_of(session, room, today),
        seasons=seasons.of_room(session, room, today),
        voices=seasons.voices(session, room, today, state.settings.min_group),
    )


def _device(
    placement: Placement, at: datetime, silent: Collection[str], discreet: Collection[str]
) -> DeviceInRoom:
    device, zone = placement.device, at.tzinfo or UTC
    return DeviceInRoom(
        key=device.key,
        label=device.label,
        start=placement.start.astimezone(zone),
        end=None if placement.end is None else placement.end.astimezone(zone),
        last_seen=embargo.heard(device.last_seen, zone, by_day=device.key in discreet),
        silent=placement.holds(at) and device.key in silent,
    )


def _daily(session: Session, slug: str, last: date) -> Iterable[Daily]:
    first = last - timedelta(days=DAYS_SHOWN)
    found = outcomes.between(session, first, last, [slug], DAILY)
    for key in DAILY:
        rows = found[found["outcome"] == key].sort_values("day")
        if rows.empty:
            continue
        observed = rows["value"].where(rows["coverage"] >= weeks.MIN_COVERAGE)
        if observed.notna().any():
            yield Daily(
                key,
                tuple(zip(rows["day"], known(observed), strict=True)),
            )
