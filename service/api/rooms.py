"""Rooms as declared, and whether an experiment hides their values now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from math import isnan
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import WithJsonSchema

from service import embargo, seasons
from service.api.paging import Paging
from service.registry import outcomes, rooms
from service.web.reply import today

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.registry.tables import Room, Site

router = APIRouter(prefix="/api/v1/rooms", tags=["rooms"])
Part = Annotated[Paging, Depends()]
LONGEST, EARLIEST = timedelta(days=366), date(2000, 1, 1)


# OpenAPI's format `time` has an offset, which the hours of a building have not
LocalTime = Annotated[time, WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d(:\d\d)?$"})]


@dataclass(frozen=True)
class Hidden:
    """Values of a room are hidden from `since` on, until the experiment is over."""

    experiment: str
    since: date
    until: date


@dataclass(frozen=True)
class ApiRoom:
    """A room; `opens`, `closes` and `weekdays` (ISO, Monday is 1) are its site's, local time."""

    slug: str
    name: str
    site: str
    site_name: str
    floor: str | None
    capacity: int | None
    area_m2: float | None
    volume_m3: float | None
    opens: LocalTime
    closes: LocalTime
    weekdays: str
    hidden: Hidden | None


@dataclass(frozen=True)
class ApiDay:
    """An outcome of a room on a local day.

    `value` is in the outcome's unit, null where it is not defined; `coverage` is the share observed (0–1).
    """

    day: date
    outcome: str
    value: float | None
    coverage: float


@dataclass(frozen=True)
class ApiSeason:
    """A room over a season from `first` on: means of outcomes, on how many days each rests, share observed.

    `comfort` is, by quantity, the occupied minutes in categories I, II, III and IV of EN 16798-1.
    """

    first: date
    means: dict[str, float]
    days: dict[str, int]
    coverage: float | None
    comfort: dict[str, list[int]]


@dataclass(frozen=True)
class ApiVoices:
    """What was said of a room in the month from `first` on; `satisfied` is a share (0–1)."""

    first: date
    answers: int
    satisfied: float


@router.get("")
def list_rooms(request: Request, paging: Part) -> list[ApiRoom]:
    """Every room, by site and name."""
    with request.app.state.registry.session() as session:
        hidden = embargo.embargoes(session, today(request))
        found = [(room, site) for site in rooms.sites(session) for room in site.rooms]
        shown = paging.part(found, lambda each: each[0].slug)
        return [_room(room, site, hidden.get(room.slug)) for room, site in shown]


@router.get("/{slug}/days")
def list_days(
    request: Request,
    slug: str,
    first: Annotated[date | None, Query(description="By default four weeks before `last`")] = None,
    last: Annotated[date | None, Query(description="The last day; yesterday at the latest")] = None,
) -> list[ApiDay]:
    """What was measured of a room, by day and outcome, up to yesterday; 423 while an experiment runs in it.

    At most a year at a time. A room for one person has none: even its air would tell when somebody was there.
    """
    yesterday = today(request) - timedelta(days=1)
    until = min(last or yesterday, yesterday)
    since = first or max(until, EARLIEST) - timedelta(days=27)
    if until - since > LONGEST or since < EARLIEST:
        raise HTTPException(
            422, f"first: at most {LONGEST.days} days before last, and not before {EARLIEST}."
        )
    with request.app.state.registry.session() as session:
        room = _open(session, slug, today(request))
        told = [slug] if room.capacity != 1 else []
        found = outcomes.between(session, since, until, told).sort_values(["day", "outcome"])
    columns = found[["day", "outcome", "value", "coverage"]]
    return [
        ApiDay(day, outcome, None if isnan(value) else value, coverage)
        for day, outcome, value, coverage in columns.itertuples(index=False)
    ]


@router.get("/{slug}/seasons")
def list_seasons(request: Request, slug: str) -> list[ApiSeason]:
    """A room by season, up to yesterday, the latest of four first; 423 while an experiment runs in it."""
    with request.app.state.registry.session() as session:
        room = _open(session, slug, today(request))
        found = seasons.of_room(session, room, today(request))
    private = room.capacity == 1  # the minutes of all categories together are those somebody was there
    return [
        ApiSeason(
            each.first,
            dict(each.told.means),
            dict(each.told.days),
            each.told.coverage,
            {} if private else {quantity: list(minutes) for quantity, minutes in each.comfort.items()},
        )
        for each in found
    ]


@router.get("/{slug}/voices")
def list_voices(request: Request, slug: str) -> list[ApiVoices]:
    """What was said of a room in its last six whole months, the latest first.

    423 while an experiment runs in it. Months with few answers are not told: nobody is to be recognised.
    """
    fewest = request.app.state.settings.min_group
    with request.app.state.registry.session() as session:
        found = seasons.voices(session, _open(session, slug, today(request)), today(request), fewest)
    return [ApiVoices(each.first, each.answers, each.satisfied) for each in found]


def _open(session: Session, slug: str, day: date) -> Room:
    """The room, unless an experiment runs in it."""
    room = rooms.room(session, slug)
    if room is None:
        raise HTTPException(404, "There is no such room.")
    laid = embargo.embargoes(session, day).get(slug)
    if laid is not None:
        raise HTTPException(423, f"Hidden until the experiment {laid.slug} is over, on {laid.ends}.")
    return room


def _room(room: Room, site: Site, laid: embargo.Embargo | None) -> ApiRoom:
    return ApiRoom(
        slug=room.slug,
        name=room.name,
        site=site.slug,
        site_name=site.name,
        floor=room.floor,
        capacity=room.capacity,
        area_m2=room.area_m2,
        volume_m3=room.volume_m3,
        opens=site.opens,
        closes=site.closes,
        weekdays=site.weekdays,
        hidden=None if laid is None else Hidden(laid.slug, laid.since, laid.ends),
    )
