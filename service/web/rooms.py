"""The list of rooms, one room, and the poster that leads to its form."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboards.pages import (
    ComparePage,
    Daily,
    DeviceInRoom,
    Hidden,
    Now,
    PosterPage,
    RoomBeside,
    RoomLine,
    RoomPage,
    RoomsPage,
    RoomWeek,
    Series,
    SiteRooms,
)
from service import device_health, embargo, weeks
from service.auth import Person, signed_in
from service.registry import devices, experiments, outcomes, rooms
from service.web.form import form_url
from service.web.reply import error, now, reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from sqlalchemy.orm import Session

    from dashboards.pages import Mistake
    from experiments.profile import Profile
    from sensors.store import ReadingStore
    from service.embargo import Embargo
    from service.registry.tables import Placement, Room

router = APIRouter(include_in_schema=False)

# occupancy is told by stretches of 15 minutes at least, never live (docs: privacy), so `now` has none of it
LIVE = ("co2", "temperature", "humidity", "sound")
OVER_TIME = ("people", "presence", "co2", "temperature", "humidity", "sound", "light")
OCCUPANCY = frozenset(["people", "presence", "motion", "people_in", "people_out"])
DAILY = ("time_utilisation", "meetings", "co2_occupied", "temperature_in_band")
BESIDE = (
    "time_utilisation",
    "meetings",
    "seat_fill",
    "co2_occupied",
    "temperature_in_band",
    "sound_background",
)
MOST_BESIDE = 6
WEEKS_BESIDE = 8
DAYS_SHOWN = 84
PROFILE_DAYS = 56
MIN_COVERAGE = 0.7
FRESH = timedelta(hours=2)
SPANS = {"day": (timedelta(days=1), timedelta(minutes=15)), "week": (timedelta(days=7), timedelta(hours=1))}
LONGEST_HOLD = timedelta(hours=2)


@router.get("/rooms")
def rooms_page(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
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
            for each in device_health.findings(session, at, at.tzinfo or UTC, device_health.SILENT)
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
    person: Annotated[Person, Depends(signed_in)],
    room: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Rooms side by side: the same outcomes over the same weeks."""
    today = now(request).date()
    mondays = weeks.full(today, WEEKS_BESIDE)
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
    by_week = weeks.of_rooms(session, {each.slug: each.capacity for each in chosen}, mondays, hidden, BESIDE)
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
    return ComparePage(tuple(mondays), tuple(key for key in BESIDE if key in told), shown)


def _hidden(why: Embargo | None) -> Hidden | None:
    return None if why is None else Hidden(why.slug, why.title, why.ends)


@router.get("/rooms/{slug}")
def room_page(
    request: Request,
    slug: str,
    person: Annotated[Person, Depends(signed_in)],
    span: Literal["day", "week"] = "day",
    until: date | None = None,
) -> Response:
    """One room: a day or a week up to now, or to the end of the day `until`."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
        page = None if room is None else _page(request, session, room, span, until)
    return error(request, 404, "not_found") if page is None else reply(request, page, person=person)


@router.get("/rooms/{slug}/poster")
def poster_page(request: Request, slug: str, person: Annotated[Person, Depends(signed_in)]) -> Response:
    """The sheet to print and pin in the room."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
    if room is None:
        return error(request, 404, "not_found")
    return reply(request, PosterPage(room.slug, room.name, form_url(request, room.slug)), person=person)


def _page(
    request: Request, session: Session, room: Room, span: Literal["day", "week"], until: date | None
) -> RoomPage:
    at, store = now(request), request.app.state.store
    placed = devices.placements_of(session, room.id)
    hidden = embargo.embargoes(session, at.date()).get(room.slug)
    end = _end(placed, at, until, SPANS[span][1])
    start = end - SPANS[span][0]
    private = room.capacity == 1
    current = {each.device_key for each in placed if each.end is None}
    shown = hidden is None
    return RoomPage(
        slug=room.slug,
        name=room.name,
        site=room.site.name,
        floor=room.floor,
        capacity=room.capacity,
        area_m2=room.area_m2,
        start=start,
        end=end,
        span=span,
        past=end < at,
        now=_now(current, _live(store, current, at)) if shown and current else (),
        series=tuple(_series(store, placed, start, end, SPANS[span][1], private=private)) if shown else (),
        daily=tuple(_daily(session, room.slug, end.date(), private=private)) if shown else (),
        profile=_profile(session, room, at.date(), private=private) if shown else None,
        volume_m3=room.volume_m3,
        devices=tuple(_device(each, at) for each in placed),
        hidden=None if hidden is None else Hidden(hidden.slug, hidden.title, hidden.ends),
        experiments=tuple(experiments.of_room(session, room.id)),
        form_url=form_url(request, room.slug),
    )


def _profile(session: Session, room: Room, today: date, *, private: bool) -> Profile:
    """What the last weeks say of its air and size; of an office of one, nothing of who is there."""
    from experiments import profile  # noqa: PLC0415 - numpy, pandas: not before a page needs them

    wanted = [key for key in profile.OUTCOMES if not (private and key == "people_peak")]
    first = today - timedelta(days=PROFILE_DAYS)
    found = outcomes.between(session, first, today - timedelta(days=1), [room.slug], wanted)
    return profile.profile(found, room.capacity, room.volume_m3)


def _end(placed: Sequence[Placement], at: datetime, until: date | None, step: timedelta) -> datetime:
    """The end of the stretch: the day asked for, else now to a whole step, else when last heard of."""
    seen = [each.device.last_seen.astimezone(at.tzinfo) for each in placed if each.device.last_seen]
    heard = max(seen, default=at)
    if until is None and at - heard >= SPANS["day"][0]:
        until = heard.date()
    whole = at + (step - timedelta(seconds=at.timestamp() % step.total_seconds()))
    if until is None:
        return whole
    return min(whole, datetime.combine(until + timedelta(days=1), time(), at.tzinfo))


def _device(placement: Placement, at: datetime) -> DeviceInRoom:
    device, zone = placement.device, at.tzinfo
    return DeviceInRoom(
        key=device.key,
        label=device.label,
        start=placement.start.astimezone(zone),
        end=None if placement.end is None else placement.end.astimezone(zone),
        last_seen=device.last_seen.astimezone(zone) if device.last_seen else None,
        silent=placement.end is None and devices.is_silent(device, at),
    )


def _live(
    store: ReadingStore, keys: Iterable[str], at: datetime
) -> dict[str, dict[str, tuple[float, datetime]]]:
    """Device → metric → last value and when, of what is fresh."""
    found = store.latest(sorted(keys))
    live: dict[str, dict[str, tuple[float, datetime]]] = {}
    for device, metric, when, value in found.itertuples(index=False):
        if metric in LIVE and at - when <= FRESH:
            live.setdefault(device, {})[metric] = (value, when.to_pydatetime().astimezone(at.tzinfo))
    return live


def _now(keys: Iterable[str], live: dict[str, dict[str, tuple[float, datetime]]]) -> tuple[Now, ...]:
    shown = []
    for metric in LIVE:
        given = [live[key][metric] for key in keys if metric in live.get(key, {})]
        if given:
            value, when = max(given, key=lambda each: each[1])
            shown.append(Now(metric, value, when))
    return tuple(shown)


def _series(
    store: ReadingStore,
    placed: Sequence[Placement],
    start: datetime,
    end: datetime,
    step: timedelta,
    *,
    private: bool,
) -> Iterable[Series]:
    """A series per metric: the mean of each stretch, over the devices that were in the room then."""
    keys = {each.device_key for each in placed}
    if not keys:
        return
    begin = start - LONGEST_HOLD
    found = store.read(begin.astimezone(UTC), end.astimezone(UTC), keys, OVER_TIME)
    if found.empty:
        return
    found = found[_inside(found, placed)]
    bins = _bins(start, end, step)
    for metric in OVER_TIME:
        rows = found[found["metric"] == metric]
        if rows.empty or (private and metric in OCCUPANCY):
            continue
        values = _binned(rows, bins, step)
        if values.notna().any():
            yield Series(metric, tuple(zip(bins, _known(values), strict=True)))


def _known(values: pd.Series[float]) -> list[float | None]:
    return [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]


def _inside(found: pd.DataFrame, placed: Sequence[Placement]) -> pd.Series[bool]:
    """Whether each reading was taken while its device was in the room."""
    inside = found["time"].isna()
    for each in placed:
        mine = (found["device"] == each.device_key) & (found["time"] >= each.start)
        inside |= mine if each.end is None else mine & (found["time"] < each.end)
    return inside


def _bins(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    import pandas as pd  # noqa: PLC0415 - 150 ms that the form need not pay

    first = pd.Timestamp(start.astimezone(UTC)).floor(step)
    times = pd.date_range(first, end.astimezone(UTC), freq=step, inclusive="left")
    return [at.to_pydatetime().astimezone(start.tzinfo) for at in times]


def _binned(rows: pd.DataFrame, bins: list[datetime], step: timedelta) -> pd.Series[float]:
    """Means by bin; a bin without a reading takes the last one while that still holds, else it is a gap."""
    import pandas as pd  # noqa: PLC0415 - see _bins

    width = pd.Timedelta(step)
    held = pd.Timedelta(LONGEST_HOLD)
    gap = rows.sort_values("time").groupby("device")["time"].diff().median()
    if not pd.isna(gap):
        held = min(held, max(pd.Timedelta(3 * gap), pd.Timedelta(minutes=15)))
    means = rows.groupby(rows["time"].dt.floor(step))["value"].mean()
    index = pd.DatetimeIndex([at.astimezone(UTC) for at in bins]).astype(means.index.dtype)
    filled = means.reindex(index.union(means.index))
    limit = int(held / width)
    return (filled.ffill(limit=limit) if limit else filled).reindex(index)


def _daily(session: Session, slug: str, last: date, *, private: bool) -> Iterable[Daily]:
    first = last - timedelta(days=DAYS_SHOWN)
    found = outcomes.between(session, first, last, [slug], DAILY)
    for key in DAILY:
        rows = found[found["outcome"] == key].sort_values("day")
        if rows.empty or (private and key in ("time_utilisation", "meetings")):
            continue
        observed = rows["value"].where(rows["coverage"] >= MIN_COVERAGE)
        if observed.notna().any():
            yield Daily(
                key,
                tuple(zip(rows["day"], _known(observed), strict=True)),
            )
