"""Rooms by calendar week, Monday to Sunday, from outcomes of closed days; what runs is under seal."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from dashboards.pages.rooms import RoomWeek
from service.registry import outcomes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    import pandas as pd
    from sqlalchemy.orm import Session

    from experiments.profile import Profile
    from service.registry.tables import Room

WEEK = timedelta(days=7)
MIN_COVERAGE = 0.7  # a day less observed than this says nothing of its week
OBSERVED = "time_utilisation"  # the outcome whose coverage is told: who comes and goes
SHOWN = ("time_utilisation", "meetings", "co2_occupied", "temperature_in_band")
BESIDE = (
    "time_utilisation",
    "meetings",
    "seat_fill",
    "co2_occupied",
    "temperature_in_band",
    "sound_background",
)
MOST = 8  # weeks beside one another
PROFILE_DAYS = 56
OCCUPANCY = frozenset(["time_utilisation", "meetings", "occupied_minutes", "people_peak", "seat_fill"])


def monday(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


def full(today: date, count: int) -> list[date]:
    """The Mondays of the last full weeks, the earliest first."""
    return [monday(today) - n * WEEK for n in range(count, 0, -1)]


def of_rooms(
    session: Session,
    rooms: Mapping[str, int | None],
    weeks: Sequence[date],
    hidden: Collection[str],
    keys: Sequence[str] = SHOWN,
) -> dict[tuple[str, date], RoomWeek]:
    """Room and Monday → its week, for rooms given with their capacity; one query or two.

    Of rooms in `hidden` only the coverage is read. In a room for one person nothing tells who is there.
    """
    last = weeks[-1] + WEEK - timedelta(days=1)
    free = [slug for slug in rooms if slug not in hidden]
    found = outcomes.between(session, weeks[0], last, free, {*keys, OBSERVED})
    by_week = by_period(found, found["day"].map(monday), rooms, keys)
    sealed = [slug for slug in rooms if slug in hidden]
    if sealed:
        observed = outcomes.between(session, weeks[0], last, sealed, [OBSERVED]).assign(value=float("nan"))
        by_week |= by_period(observed, observed["day"].map(monday), rooms, ())
    return by_week


def by_period(
    found: pd.DataFrame, first: pd.Series[date], rooms: Mapping[str, int | None], keys: Collection[str]
) -> dict[tuple[str, date], RoomWeek]:
    """Room and first day of a period → its means over days that count; `first` is that day, row by row.

    `rooms` gives each room's capacity: in a room for one person nothing tells who is there.
    """
    found = found.assign(first=first)
    observed = found[found["outcome"] == OBSERVED].groupby(["room", "first"])["coverage"].mean()
    counted = (found["coverage"] >= MIN_COVERAGE) & found["value"].notna() & found["outcome"].isin(list(keys))
    means = found[counted].groupby(["room", "first", "outcome"])["value"].agg(["mean", "size"])
    values: dict[tuple[str, date], dict[str, float]] = defaultdict(dict)
    days: dict[tuple[str, date], dict[str, int]] = defaultdict(dict)
    for (room, start, key), mean, size in means.itertuples():
        if not (rooms[room] == 1 and key in OCCUPANCY):
            values[room, start][key] = mean
            days[room, start][key] = size
    share = dict(zip(observed.index, observed.tolist(), strict=True))
    return {place: RoomWeek(values[place], days[place], share.get(place)) for place in {*values, *share}}


def profile_of(session: Session, room: Room, today: date) -> Profile:
    """What the last weeks say of its air and size; of an office of one, nothing of who is there."""
    from experiments import profile  # noqa: PLC0415 - numpy, pandas: not before a page needs them

    wanted = [key for key in profile.OUTCOMES if not (room.capacity == 1 and key == "people_peak")]
    first = today - timedelta(days=PROFILE_DAYS)
    found = outcomes.between(session, first, today - timedelta(days=1), [room.slug], wanted)
    return profile.profile(found, room.capacity, room.volume_m3)
