"""Rooms as declared, whether an experiment hides their values now, and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field, WithJsonSchema

from dashboards.pages.rooms import Notice
from service import device_health, embargo, notice, places, room_series, seasons, weeks
from service.api.mistakes import refuse
from service.api.paging import Part
from service.api.said import HOUR, Day, Said
from service.api.unchanged import Have
from service.asked import now, today
from service.auth import needs
from service.registry import devices, experiments, outcomes, rooms
from service.room_form import form_url

if TYPE_CHECKING:
    from collections.abc import Container

    from sqlalchemy.orm import Session

    from service.registry.tables import Placement, Room, Site

router = APIRouter(prefix="/api/v1/rooms", tags=["rooms"])
FACILITIES = [Depends(needs("facilities"))]
LONGEST = timedelta(days=366)


LocalTime = Annotated[time, WithJsonSchema({"type": "string", "pattern": HOUR})]


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
class ApiThere:
    """A device in a room from `start` (included) to `end` (excluded; null while it is there), UTC.

    `last_seen` is its local day alone where it was, or is now, in a room under seal or for one person: it
    would tell who is there.
    """

    device: str
    label: str | None
    start: datetime
    end: datetime | None
    last_seen: datetime | date | None
    silent: bool


@dataclass(frozen=True)
class ApiRoomWhole(ApiRoom):
    """A room and what is in it: devices there now first, then those that were; experiments, the latest first.

    `form` is the address behind its QR code, `notice` what its sensors measure and how long that is kept.
    `version` changes with what people say of it.
    """

    devices: list[ApiThere]
    experiments: list[str]
    form: str
    notice: Notice
    version: str


class RoomFacts(Said):
    """What is to be said of a room: what is left out stays, null takes away."""

    name: str = Field("", min_length=1, max_length=places.MOST_NAME)
    floor: str | None = Field(None, max_length=places.MOST_FLOOR)
    capacity: int | None = Field(None, ge=1, le=places.LIMITS["capacity"][1])
    area_m2: float | None = Field(None, ge=1, le=places.LIMITS["area_m2"][1])
    volume_m3: float | None = Field(None, ge=1, le=places.LIMITS["volume_m3"][1])

    def checked(self, room: Room | None = None) -> places.Facts:
        """What was said, over what is; raises HTTPException 422."""
        told: dict[str, Any] = {} if room is None else {key: getattr(room, key) for key in places.ORDER}
        told |= self.model_dump(exclude_unset=True)
        facts = places.room_facts({key: str(value) for key, value in told.items() if value is not None})
        refuse(facts.mistakes)
        return facts


class NewRoom(RoomFacts):
    """What is to be said of a room more."""

    name: str = Field(min_length=1, max_length=places.MOST_NAME)


@dataclass(frozen=True)
class ApiPoint:
    """The mean over the stretch that begins at this instant (UTC); null where nothing was measured."""

    at: datetime
    value: float | None


@dataclass(frozen=True)
class ApiSeries:
    """One metric over a day by quarter hours, or over a week by hours."""

    metric: str
    points: list[ApiPoint]


@dataclass(frozen=True)
class ApiProfile:
    """What the last eight weeks say of a room; each number with the days it rests on, null where too few.

    `icone` is 0 to 5; `air_changes` in 1/h, `fresh_air` in L/s; `largest` people are not exceeded on nine of
    ten days in use, which leaves `spare` seats.
    """

    icone: int | None
    air_days: int
    air_changes: float | None
    fresh_air: float | None
    fall_days: int
    largest: int | None
    spare: int | None
    group_days: int


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
        return [room_of(room, site, hidden.get(room.slug)) for room, site in shown]


@router.get("/{slug}")
def get_room(request: Request, slug: str) -> ApiRoomWhole:
    """One room, with the devices in it and the experiments it takes or took part in."""
    with request.app.state.registry.session() as session:
        return _whole(request, session, _known(session, slug))


@router.patch("/{slug}", dependencies=FACILITIES)
def change_room(request: Request, slug: str, said: RoomFacts, have: Have) -> ApiRoomWhole:
    """Its name, floor, seats, area, volume; other seats have its days computed again."""
    with request.app.state.registry.turn() as session:
        room = _known(session, slug)
        have.check(places.room_seen(room))
        facts, zone = said.checked(room), request.app.state.settings.zone
        places.save_room(session, room.site, room, facts, datetime.now(UTC), zone)
        session.commit()  # nobody waits while the store is asked
        return _whole(request, session, room)


@router.delete("/{slug}", dependencies=FACILITIES)
def delete_room(request: Request, slug: str) -> ApiRoomWhole:
    """Forget a room on which nothing rests, and its calendar; answers with what it was."""
    with request.app.state.registry.turn() as session:
        room = _known(session, slug)
        if places.refers(session, room):
            raise HTTPException(409, "A sensor was in it, or an experiment, answers or days rest on it.")
        was = _whole(request, session, room)
        places.forget_room(session, room)
        return was


@router.get("/{slug}/series")
def list_series(
    request: Request,
    slug: str,
    span: Annotated[Literal["day", "week"], Query(description="By quarter hours, or by hours")] = "week",
    until: Annotated[Day | None, Query(description="The last day; yesterday at the latest")] = None,
) -> list[ApiSeries]:
    """What was measured in a room within a day or a week; 423 while an experiment runs in it.

    A room for one person has none: even its air would tell when somebody was there.
    """
    if until is not None and until < room_series.EARLIEST:
        raise HTTPException(422, f"until: not before {room_series.EARLIEST}.")
    with request.app.state.registry.session() as session:
        room = _open(session, slug, today(request))
        placed = [] if room.capacity == 1 else devices.placements_of(session, room.id)
        end = room_series.stretch_end(placed, now(request), until)
        length, step = room_series.SPANS[span]
        found = room_series.series(request.app.state.store, placed, end - length, end, step)
        return [
            ApiSeries(each.metric, [ApiPoint(at.astimezone(UTC), value) for at, value in each.points])
            for each in found
        ]


@router.get("/{slug}/profile")
def get_profile(request: Request, slug: str) -> ApiProfile:
    """What the last eight weeks say of a room's air and size; 423 while an experiment runs in it."""
    with request.app.state.registry.session() as session:
        room = _open(session, slug, today(request))
        found = weeks.profile_of(session, room, today(request))
    return ApiProfile(**{name: getattr(found, name) for name in ApiProfile.__dataclass_fields__})


@router.get("/{slug}/days")
def list_days(
    request: Request,
    slug: str,
    first: Annotated[Day | None, Query(description="By default four weeks before `last`")] = None,
    last: Annotated[Day | None, Query(description="The last day; yesterday at the latest")] = None,
) -> list[ApiDay]:
    """What was measured of a room, by day and outcome, up to yesterday; 423 while an experiment runs in it.

    At most a year at a time. A room for one person has none: even its air would tell when somebody was there.
    """
    yesterday = today(request) - timedelta(days=1)
    until = min(last or yesterday, yesterday)
    since = first or max(until, room_series.EARLIEST) - timedelta(days=27)
    if until - since > LONGEST or since < room_series.EARLIEST:
        raise HTTPException(
            422, f"first: at most {LONGEST.days} days before last, and not before {room_series.EARLIEST}."
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


def _known(session: Session, slug: str) -> Room:
    room = rooms.room(session, slug)
    if room is None:
        raise HTTPException(404, "There is no such room.")
    return room


def _open(session: Session, slug: str, day: date) -> Room:
    """The room, unless an experiment runs in it."""
    room = _known(session, slug)
    laid = embargo.embargoes(session, day).get(slug)
    if laid is not None:
        raise HTTPException(423, f"Hidden until the experiment {laid.slug} is over, on {laid.ends}.")
    return room


def room_of(room: Room, site: Site, laid: embargo.Embargo | None) -> ApiRoom:
    """A room as it is told."""
    return ApiRoom(**_facts(room, site, laid))


def _facts(room: Room, site: Site, laid: embargo.Embargo | None) -> dict[str, Any]:
    return {
        **{key: getattr(room, key) for key in ("slug", "name", "floor", "capacity", "area_m2", "volume_m3")},
        **{key: getattr(site, key) for key in ("opens", "closes", "weekdays")},
        "site": site.slug,
        "site_name": site.name,
        "hidden": None if laid is None else Hidden(laid.slug, laid.since, laid.ends),
    }


def _whole(request: Request, session: Session, room: Room) -> ApiRoomWhole:
    at, state = now(request), request.app.state
    placed = devices.placements_of(session, room.id)
    silent = device_health.silent(session, [each.device for each in placed], at, state.settings.zone)
    here = {each.device_key for each in placed if each.holds(at)}
    hidden = embargo.embargoes(session, at.date())
    discreet = embargo.discreet(session, hidden, at)
    return ApiRoomWhole(
        **_facts(room, room.site, hidden.get(room.slug)),
        devices=[_there(each, at, discreet, silent=each.device_key in silent) for each in placed],
        experiments=[slug for slug, _ in experiments.of_room(session, room.id)],
        form=form_url(request, room.slug),
        notice=notice.of_room(room, here, state.store, state.settings),
        version=places.room_seen(room),
    )


def _there(placed: Placement, at: datetime, discreet: Container[str], *, silent: bool) -> ApiThere:
    by_day = placed.device_key in discreet
    heard = embargo.heard(placed.device.last_seen, at.tzinfo or UTC, by_day=by_day)
    return ApiThere(
        device=placed.device_key,
        label=placed.device.label,
        start=placed.start,
        end=placed.end,
        last_seen=heard.astimezone(UTC) if isinstance(heard, datetime) else heard,
        silent=silent and placed.holds(at),
    )
