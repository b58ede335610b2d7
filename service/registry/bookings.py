"""Bookings of rooms, and the days on which their calendars are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from service.registry.tables import Booking, Calendar, Room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

Span = tuple["datetime", "datetime"]


def replace_between(
    session: Session,
    room: Room,
    days: tuple[date, date],
    bounds: Span,
    found: Sequence[tuple[str, datetime, datetime]],
) -> int:
    """Make these (key, start, end) all the bookings of `room` that begin in `bounds`; how many were there.

    `days` are the first and last local day that the calendar tells of; those known before stay known.
    """
    inside = (Booking.room_id == room.id, Booking.start >= bounds[0], Booking.start < bounds[1])
    before = len(session.scalars(select(Booking.key).where(*inside)).all())
    session.execute(delete(Booking).where(*inside))
    keys = [key for key, _, _ in found]
    session.execute(delete(Booking).where(Booking.room_id == room.id, Booking.key.in_(keys)))  # moved in here
    if found:
        session.execute(
            insert(Booking),
            [{"room_id": room.id, "key": key, "start": start, "end": end} for key, start, end in found],
        )
    known = session.get(Calendar, room.id)
    if known is None:
        session.add(Calendar(room_id=room.id, first=days[0], last=days[1]))
    else:
        known.first, known.last = min(known.first, days[0]), max(known.last, days[1])
    return before


def of_day(session: Session, day: date, bounds: Span) -> dict[str, list[Span]]:
    """Room → its bookings that touch `bounds`, of every room whose calendar of `day` is known."""
    rooms = session.execute(
        select(Room.id, Room.slug)
        .join(Calendar, Calendar.room_id == Room.id)
        .where(Calendar.first <= day, Calendar.last >= day)
    ).all()
    found: dict[str, list[Span]] = {slug: [] for _, slug in rooms}
    slugs = {key: slug for key, slug in rooms}  # noqa: C416 - rows, not pairs
    query = select(Booking).where(Booking.start < bounds[1], Booking.end > bounds[0])
    for each in session.scalars(query):
        if each.room_id in slugs:
            found[slugs[each.room_id]].append((each.start, each.end))
    return found
