"""Devices that were seen, and the local days whose outcomes their readings change."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from service.registry.tables import Change, Device, DevicePhoto, Placement, Room, StaleDay
from service.registry.upsert import insert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from sensors.move import Sighting


def note_seen(session: Session, seen: Mapping[str, Sighting]) -> None:
    """Enter unknown devices and widen the times between which known ones were seen."""
    if not seen:
        return
    statement = insert(session, Device)
    new, known = statement.excluded, Device
    statement = statement.on_conflict_do_update(
        index_elements=[Device.key],
        set_={
            "first_seen": case((known.first_seen <= new.first_seen, known.first_seen), else_=new.first_seen),
            "last_seen": case((known.last_seen >= new.last_seen, known.last_seen), else_=new.last_seen),
        },
    )
    rows = [
        {"key": key, "gateway": one.gateway, "first_seen": one.first, "last_seen": one.last}
        for key, one in sorted(seen.items())  # one order in every process: no deadlock
    ]
    session.execute(statement, rows)


def mark_stale(session: Session, days: Collection[date], now: datetime) -> None:
    """Have the outcomes of these local days computed (again)."""
    if not days:
        return
    statement = insert(session, StaleDay)
    statement = statement.on_conflict_do_update(
        index_elements=[StaleDay.day], set_={"marked_at": statement.excluded.marked_at}
    )
    session.execute(statement, [{"day": day, "marked_at": now} for day in sorted(days)])


def everything(session: Session) -> Sequence[Device]:
    """Every device, by key."""
    return session.scalars(select(Device).order_by(Device.key)).all()


def some(session: Session, keys: Collection[str]) -> Sequence[Device]:
    """The devices of these keys, by key."""
    return session.scalars(select(Device).where(Device.key.in_(keys)).order_by(Device.key)).all()


def find(session: Session, key: str) -> Device | None:
    """The device of this key, with its placements and their rooms."""
    query = select(Device).where(Device.key == key)
    return session.scalar(query.options(selectinload(Device.placements).joinedload(Placement.room)))


def known(session: Session, keys: Collection[str]) -> set[str]:
    """Those of these keys that are devices."""
    return set(session.scalars(select(Device.key).where(Device.key.in_(keys))))


def photo_size(session: Session, key: str) -> tuple[int, int] | None:
    """Width and height of the photo of a device, where there is one."""
    query = select(DevicePhoto.width, DevicePhoto.height).where(DevicePhoto.device_key == key)
    found = session.execute(query).first()
    return None if found is None else (found.width, found.height)


def search(
    session: Session, wanted: str, now: datetime, limit: int, offset: int = 0
) -> tuple[list[tuple[Device, Placement | None]], int]:
    """Devices with where they are now, and how many there are in all.

    Those that are in no room come first, the last heard first; then the others by room. `wanted` is a part of
    the key, the label or the room's name, whatever its case.
    """
    here = and_(
        Placement.device_key == Device.key,
        Placement.start <= now,
        or_(Placement.end.is_(None), Placement.end > now),
    )
    query = select(Device, Placement).outerjoin(Placement, here).outerjoin(Room, Placement.room_id == Room.id)
    for word in wanted.lower().split():
        like = f"%{word.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        texts = (Device.key, func.coalesce(Device.label, ""), func.coalesce(Room.name, ""))
        query = query.where(or_(*(func.lower(text).like(like, escape="!") for text in texts)))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    unplaced = case((Room.name.is_(None), Device.last_seen))  # in a room the order tells nothing
    order = (
        Room.name.is_not(None),
        Room.name,
        unplaced.desc().nulls_last(),
        Device.key,
    )
    query = query.order_by(*order).limit(limit).offset(offset)
    return [
        (device, placement)
        for device, placement in session.execute(query.options(contains_eager(Placement.room)))
    ], total


def heard_since(session: Session, since: datetime) -> bool:
    """Whether anything at all was heard since then."""
    return session.scalar(select(Device.key).where(Device.last_seen >= since).limit(1)) is not None


def ever_told(session: Session, key: str, now: datetime) -> list[tuple[str, datetime, datetime]]:
    """Room, start and end of all that was ever told of where a device is, by the audit.

    What was corrected counts up to its correction: until then that was where the device measured.
    """
    of_stays = Change.kind == Placement.__tablename__
    own = select(Change.row).where(
        of_stays, Change.action == "created", Change.after["device_key"].as_string() == key
    )
    found: list[tuple[dict[str, Any], datetime]] = []
    standing: dict[str, dict[str, Any]] = {}
    for change in session.scalars(select(Change).where(of_stays, Change.row.in_(own)).order_by(Change.id)):
        told = standing.pop(change.row, {})
        found.append((told, change.at))
        if change.action != "deleted":
            standing[change.row] = told | change.after
    stays = [
        (told["room"], datetime.fromisoformat(told["start"]), told.get("end"), until)
        for told, until in [*found, *((each, now) for each in standing.values())]
        if told
    ]
    return [
        (room, start, until if end is None else min(until, datetime.fromisoformat(end)))
        for room, start, end, until in stays
    ]


def placed_now(session: Session, now: datetime) -> Sequence[Placement]:
    """Placements that hold now, with their device and room."""
    query = (
        select(Placement)
        .where(Placement.start <= now, or_(Placement.end.is_(None), Placement.end > now))
        .options(joinedload(Placement.device), joinedload(Placement.room))
        .order_by(Placement.device_key)
    )
    return session.scalars(query).all()


def count_placed(session: Session, now: datetime) -> int:
    """How many devices are in a room now."""
    here = (Placement.start <= now, or_(Placement.end.is_(None), Placement.end > now))
    return session.scalar(select(func.count(Placement.device_key.distinct())).where(*here)) or 0


def placements_of(session: Session, room_id: int) -> Sequence[Placement]:
    """Every placement in a room, past ones last, with its device."""
    query = (
        select(Placement)
        .where(Placement.room_id == room_id)
        .options(joinedload(Placement.device))
        .order_by(Placement.end.is_not(None), Placement.start.desc(), Placement.device_key)
    )
    return session.scalars(query).all()
