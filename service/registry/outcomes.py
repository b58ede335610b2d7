"""Outcomes by room and local day, and the days that wait to be computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sqlalchemy import delete, insert, select

from service.registry.tables import Outcome, Room, StaleDay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from experiments.panel import DayOutcome

COLUMNS = ["room", "day", "outcome", "value", "coverage", "version"]


def replace_day(session: Session, day: date, found: Iterable[DayOutcome]) -> None:
    """Make these all there is of this day."""
    ids = {slug: key for key, slug in session.execute(select(Room.id, Room.slug))}
    session.execute(delete(Outcome).where(Outcome.day == day))
    rows = [
        {
            "room_id": ids[each.room],
            "day": day,
            "outcome": each.outcome,
            "version": each.version,
            "value": each.value,
            "coverage": each.coverage,
        }
        for each in found
    ]
    if rows:
        session.execute(insert(Outcome), rows)


def between(
    session: Session,
    first: date,
    last: date,
    rooms: Collection[str] | None = None,
    keys: Collection[str] | None = None,
) -> pd.DataFrame:
    """Outcomes of [first, last]: columns as COLUMNS, `value` NaN where it is not defined."""
    query = (
        select(Room.slug, Outcome.day, Outcome.outcome, Outcome.value, Outcome.coverage, Outcome.version)
        .join(Room, Room.id == Outcome.room_id)
        .where(Outcome.day >= first, Outcome.day <= last)
    )
    if rooms is not None:
        query = query.where(Room.slug.in_(rooms))
    if keys is not None:
        query = query.where(Outcome.outcome.in_(keys))
    rows = [tuple(row) for row in session.execute(query)]  # pandas is ten times slower with SQLAlchemy's own
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"value": "float64", "coverage": "float64"})


def days(session: Session, first: date, last: date) -> set[date]:
    """Days of [first, last] that have outcomes."""
    query = select(Outcome.day).where(Outcome.day >= first, Outcome.day <= last).distinct()
    return set(session.scalars(query))


def stale_days(session: Session, before: date) -> list[tuple[date, datetime]]:
    """Days before `before` that wait to be computed, oldest first, with the time of their mark."""
    query = select(StaleDay.day, StaleDay.marked_at).where(StaleDay.day < before).order_by(StaleDay.day)
    return [(day, marked) for day, marked in session.execute(query)]


def computed(session: Session, day: date, marked_at: datetime) -> None:
    """Take the mark away, unless the day was marked again meanwhile."""
    session.execute(delete(StaleDay).where(StaleDay.day == day, StaleDay.marked_at == marked_at))
