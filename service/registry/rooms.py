"""Rooms, their hours, and which device measured where."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, selectinload

from experiments.panel import OpenRoom, Placed
from service.registry.tables import Closure, Placement, Room, Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime, time

    from sqlalchemy.orm import Session

MINUTES_A_DAY = 24 * 60


def sites(session: Session) -> Sequence[Site]:
    """Every site with its rooms, by name."""
    return session.scalars(select(Site).options(joinedload(Site.rooms)).order_by(Site.name)).unique().all()


def site(session: Session, slug: str) -> Site | None:
    """The site of this address."""
    return session.scalar(select(Site).where(Site.slug == slug))


def first_slugs(session: Session, most: int) -> tuple[str, ...]:
    """Addresses of rooms, in their order, so many at most."""
    return tuple(session.scalars(select(Room.slug).order_by(Room.slug).limit(most)))


def room(session: Session, slug: str) -> Room | None:
    """The room of this address."""
    return session.scalar(select(Room).where(Room.slug == slug).options(joinedload(Room.site)))


def open_rooms(session: Session, day: date) -> list[OpenRoom]:
    """The rooms whose site is open on `day`, with that day's hours."""
    closed = set(session.scalars(select(Closure.site_id).where(Closure.day == day)))
    rooms = session.scalars(select(Room).options(joinedload(Room.site)).order_by(Room.slug))
    return [
        OpenRoom(each.slug, each.capacity, _minutes(each.site.opens), _minutes(each.site.closes, end=True))
        for each in rooms
        if str(day.isoweekday()) in each.site.weekdays and each.site_id not in closed
    ]


def open_days(session: Session, first: date, last: date) -> set[date]:
    """Days of [first, last] on which a site with rooms is open."""
    query = select(Site).where(Site.rooms.any()).options(selectinload(Site.closures))
    closed_on = [(site.weekdays, {each.day for each in site.closures}) for site in session.scalars(query)]
    span = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return {
        day
        for day in span
        if any(str(day.isoweekday()) in weekdays and day not in closed for weekdays, closed in closed_on)
    }


def placed_between(
    session: Session, start: datetime, end: datetime, rooms: Iterable[str] | None = None
) -> list[Placed]:
    """Placements that overlap [start, end), of these rooms or of all."""
    query = (
        select(Placement)
        .where(Placement.start < end, or_(Placement.end.is_(None), Placement.end > start))
        .options(joinedload(Placement.device), joinedload(Placement.room))
        .order_by(Placement.device_key, Placement.start)
    )
    wanted = None if rooms is None else set(rooms)
    return [
        Placed(each.device_key, each.room.slug, each.start, each.end, each.device.heartbeat_minutes)
        for each in session.scalars(query)
        if wanted is None or each.room.slug in wanted
    ]


def _minutes(at: time, *, end: bool = False) -> int:
    """Minutes after midnight; a closing time of 00:00 is the end of the day."""
    return at.hour * 60 + at.minute or (MINUTES_A_DAY if end else 0)
