"""How devices did, day by day."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from service.registry.tables import DeviceDay, Placement, Room

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from sensors import health


def replace_day(session: Session, day: date, found: Iterable[health.DeviceDay]) -> None:
    """Make these all there is of this day."""
    session.execute(delete(DeviceDay).where(DeviceDay.day == day))
    rows = [
        {
            "device_key": each.device,
            "day": day,
            "messages": each.messages,
            "interval": each.interval,
            "longest_gap": each.longest_gap,
            "stuck": ",".join(each.stuck),
            "apart": ",".join(each.apart),
            "battery": each.battery,
        }
        for each in found
    ]
    if rows:
        session.execute(insert(DeviceDay), rows)


def since(
    session: Session, first: date, devices: Collection[str] | None = None
) -> Mapping[str, Sequence[DeviceDay]]:
    """The days from `first` on, of each device or of these, oldest first."""
    found: dict[str, list[DeviceDay]] = defaultdict(list)
    query = select(DeviceDay).where(DeviceDay.day >= first).order_by(DeviceDay.day)
    if devices is not None:
        query = query.where(DeviceDay.device_key.in_(devices))
    for each in session.scalars(query):
        found[each.device_key].append(each)
    return found


def longest_gaps(session: Session, first: date, devices: Collection[str]) -> Mapping[str, Sequence[int]]:
    """The longest gap (s) of each day from `first` on that these devices spoke, by device."""
    found: dict[str, list[int]] = defaultdict(list)
    query = select(DeviceDay.device_key, DeviceDay.longest_gap).where(
        DeviceDay.day >= first, DeviceDay.messages > 0, DeviceDay.device_key.in_(devices)
    )
    for key, gap in session.execute(query):
        found[key].append(gap)
    return found


def of_rooms(session: Session, rooms: Collection[str], first: date, last: date) -> dict[str, list[DeviceDay]]:
    """The days from `first` to `last` of every device that ever was in one of these rooms, by device."""
    there = select(Placement.device_key).join(Room).where(Room.slug.in_(rooms))
    query = select(DeviceDay).where(DeviceDay.day.between(first, last), DeviceDay.device_key.in_(there))
    found: dict[str, list[DeviceDay]] = defaultdict(list)
    for each in session.scalars(query.order_by(DeviceDay.day)):
        found[each.device_key].append(each)
    return found


def forget(session: Session, before: date) -> None:
    """Delete the days before `before`."""
    session.execute(delete(DeviceDay).where(DeviceDay.day < before))
