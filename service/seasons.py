"""A room by season and what was said of it by month: how it changes over a year."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from dashboards.pages.rooms import RoomSeason, VoicesOfMonth
from service import weeks
from service.registry import answers, outcomes

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

    from service.registry.tables import Room

SEASONS_SHOWN = 4  # three whole ones and this one
MONTHS_OF_VOICES = 6
SATISFIED = 5  # of 7


def season(day: date) -> date:
    """The first day of its season: the first of December, March, June or September."""
    return date(day.year - (day.month < 3), day.month // 3 * 3 or 12, 1)  # noqa: PLR2004 - March


def of_room(session: Session, room: Room, today: date) -> tuple[RoomSeason, ...]:
    """The last seasons, up to yesterday, of which some day counts; the latest first."""
    from experiments.outcomes.comfort import CATEGORIES  # noqa: PLC0415 - numpy, pandas: not before a page asks

    first = _months_back(season(today), 3 * (SEASONS_SHOWN - 1))
    keys = {*weeks.SHOWN, "occupied_minutes", *(key for shares in CATEGORIES.values() for key in shares)}
    found = outcomes.between(session, first, today - timedelta(days=1), [room.slug], keys)
    starts = found["day"].map(season)
    by_season = weeks.by_period(found, starts, {room.slug: room.capacity}, weeks.SHOWN)
    return tuple(
        RoomSeason(start, told, _comfort(found[starts == start]))
        for (_, start), told in sorted(by_season.items(), reverse=True)
        if told.means
    )


def _comfort(found: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """Quantity → occupied minutes in each category, of days that count; without those nothing is known of."""
    from experiments.outcomes.comfort import CATEGORIES  # noqa: PLC0415 - see of_room
    from experiments.profile import category_minutes  # noqa: PLC0415 - likewise

    counted = found[found["coverage"] >= weeks.MIN_COVERAGE]
    cells = counted.pivot_table(index="day", columns="outcome", values="value")
    minutes = {quantity: category_minutes(cells, shares) for quantity, shares in CATEGORIES.items()}
    return {quantity: each for quantity, each in minutes.items() if sum(each)}


def voices(session: Session, room: Room, today: date, k: int) -> tuple[VoicesOfMonth, ...]:
    """Months, the latest first, in which at least `k` people answered.

    Whole months of the calendar that are over, as exports have them: no two groups that are shown overlap, so
    that none can be taken from another.
    """
    this_month = today.replace(day=1)
    first = _months_back(this_month, MONTHS_OF_VOICES)
    given = answers.between(session, [room.slug], first, this_month - timedelta(days=1))
    months = [
        VoicesOfMonth(month, len(rows), float((rows["satisfaction"] >= SATISFIED).mean()))
        for month, rows in given.groupby(given["day"].map(lambda day: day.replace(day=1)))
        if len(rows) >= k
    ]
    return tuple(reversed(months))


def _months_back(day: date, count: int) -> date:
    """The first day of the month so many months before."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)
