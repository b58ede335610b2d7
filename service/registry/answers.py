"""Anonymous answers to the form: kept one by one for a while, never shown in small groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from service.registry.tables import Answer, Room, SpentNonce

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from sqlalchemy.orm import Session

COLUMNS = ["room", "day", "satisfaction", "helped", "temperature", "discomfort"]


def spend(session: Session, nonce: str, expires: datetime) -> bool:
    """Use up a form's nonce; False when it was used before."""
    try:
        with session.begin_nested():
            session.add(SpentNonce(nonce=nonce, expires=expires))
    except IntegrityError:
        return False
    return True


def count_since(session: Session, room_id: int, day: date, hour: int) -> int:
    """Answers of a room in one local hour: what the limit per room and hour is held against."""
    query = select(func.count()).where(Answer.room_id == room_id, Answer.day == day, Answer.hour == hour)
    return session.scalar(query) or 0


def between(session: Session, rooms: Collection[str], first: date, last: date) -> pd.DataFrame:
    """Answers of [first, last] in these rooms that were not flagged: columns as COLUMNS."""
    query = (
        select(
            Room.slug, Answer.day, Answer.satisfaction, Answer.helped, Answer.temperature, Answer.discomfort
        )
        .join(Room, Room.id == Answer.room_id)
        .where(Room.slug.in_(rooms), Answer.day >= first, Answer.day <= last, Answer.flagged.is_(False))
        .order_by(Answer.id)
    )
    rows = [tuple(row) for row in session.execute(query)]  # pandas is ten times slower with SQLAlchemy's own
    return pd.DataFrame(rows, columns=COLUMNS)


def total(session: Session, rooms: Collection[str], first: date, last: date) -> int:
    """How many answers these rooms had in [first, last]."""
    query = (
        select(func.count())
        .select_from(Answer)
        .join(Room, Room.id == Answer.room_id)
        .where(Room.slug.in_(rooms), Answer.day >= first, Answer.day <= last)
    )
    return session.scalar(query) or 0


def remarks(session: Session, rooms: Collection[str], first: date, last: date) -> list[str]:
    """Free remarks of [first, last] in these rooms, the latest first."""
    query = (
        select(Answer.remark)
        .join(Room, Room.id == Answer.room_id)
        .where(Room.slug.in_(rooms), Answer.day >= first, Answer.day <= last, Answer.flagged.is_(False))
        .where(Answer.remark.is_not(None))
        .order_by(Answer.day.desc(), Answer.id.desc())
    )
    return [remark for remark in session.scalars(query) if remark]


def forget(session: Session, answers_before: date, remarks_before: date, now: datetime) -> None:
    """Delete what must go: old answers, old remarks, nonces that have expired."""
    session.execute(delete(Answer).where(Answer.day < answers_before))
    session.execute(update(Answer).where(Answer.day < remarks_before).values(remark=None))
    session.execute(delete(SpentNonce).where(SpentNonce.expires < now))
