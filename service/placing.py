"""Which room a device is in, since when: said, corrected, taken back; what follows from it.

The days whose readings come to speak for another room are computed again, and a running experiment whose
rooms they are gets a deviation: its frozen looks stay as they are. What was measured under its seal before
today goes to no room that is free, until it is over; it may go to no room at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from service import embargo, version
from service.registry import devices, experiments
from service.registry.tables import Deviation, Device, Placement, Room

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from service.embargo import Embargo

CENTURY = range(2000, 2100)  # sensors are of it; a year beyond is a slip of the keyboard
MOMENT = timedelta(milliseconds=1)
DESCRIBED = frozenset(["label", "model", "position", "heartbeat_minutes", "continues_key"])
Refusal = Literal["ahead", "order", "overlap", "before", "sealed"]


class PlacingRefused(Exception):  # noqa: N818 - it says what happened
    """A stay that cannot be: `code` says why, `other` is the stay in its way, `laid` the seal it opens."""

    def __init__(self, code: Refusal, other: Stay | None = None, laid: Embargo | None = None) -> None:
        super().__init__(code)
        self.code, self.other, self.laid = code, other, laid


@dataclass(frozen=True)
class Stay:
    """A device in a room over [start, end), aware; `row` is the placement that says so, None if it is new."""

    room: Room
    start: datetime
    end: datetime | None
    row: Placement | None = None


def stays(device: Device) -> list[Stay]:
    """Where a device was, in order."""
    rows = sorted(device.placements, key=lambda row: row.start)
    return [Stay(row.room, row.start, row.end, row) for row in rows]


def here(device: Device, now: datetime) -> Placement | None:
    """Where a device is now."""
    return next((row for row in device.placements if row.holds(now)), None)


def seen(device: Device) -> str:
    """What somebody sees who opens the form: another value when it is sent says that it changed meanwhile."""
    facts = (device.label, device.model, device.position, device.heartbeat_minutes, device.continues_key)
    told = (f"{stay.room.slug} {stay.start.isoformat()} {stay.end}" for stay in stays(device))
    return version.of(*facts, *told)


def moved(device: Device, room: Room | None, since: datetime, now: datetime) -> list[Stay]:
    """The stays once the device is in `room` (None: in none) from `since` until further notice.

    What was said of later times no longer holds. Raises PlacingRefused.
    """
    if since > now:
        raise PlacingRefused("ahead")
    kept = [
        Stay(stay.room, stay.start, since if _goes_on(stay, since) else stay.end, stay.row)
        for stay in stays(device)
        if stay.start < since
    ]
    if room is None:
        return kept
    last = kept[-1] if kept else None
    if last is not None and last.room is room and last.end == since:
        return [*kept[:-1], Stay(room, last.start, None, last.row)]
    same = next((stay for stay in stays(device) if stay.start >= since and stay.room is room), None)
    return [*kept, Stay(room, since, None, same.row if same else None)]


def corrected(
    device: Device, row: Placement, start: datetime, end: datetime | None, now: datetime
) -> list[Stay]:
    """The stays once this one began and ended when it really did; a neighbour it touched gives way with it.

    Raises PlacingRefused.
    """
    if start > now or (end is not None and end > now):
        raise PlacingRefused("ahead")
    if end is not None and end <= start:
        raise PlacingRefused("order")
    wanted = [_beside(stay, row, start, end) for stay in stays(device)]
    for one, next_ in pairwise(wanted):
        if one.end is None or one.end > next_.start:
            raise PlacingRefused("overlap", next_ if one.row is row else one)
    for stay in wanted:
        if stay.end is not None and stay.end <= stay.start:
            raise PlacingRefused("before", stay)
    return wanted


def _beside(stay: Stay, row: Placement, start: datetime, end: datetime | None) -> Stay:
    """What becomes of a stay when that of `row` is [start, end): a neighbour that it touched gives way."""
    if stay.row is row:
        return replace(stay, start=start, end=end)
    if stay.end == row.start:
        return replace(stay, end=start)
    if end is not None and stay.start == row.end:
        return replace(stay, start=end)
    return stay


def keep(
    session: Session, device: Device, wanted: Sequence[Stay], who: str, now: datetime, zone: ZoneInfo
) -> list[str]:
    """Make these all the device's stays; the titles of the running experiments in which that is noted.

    Raises PlacingRefused where that would open a seal.
    """
    before = stays(device)
    laid = _opened(session, device, before, wanted, now, zone)
    if laid is not None:
        raise PlacingRefused("sealed", laid=laid)
    days, rooms = _differing(device, before, wanted, zone)
    rows = {id(stay.row) for stay in wanted if stay.row is not None}
    for stay in before:
        if id(stay.row) not in rows:
            device.placements.remove(stay.row)  # type: ignore[arg-type]  # these come from rows
            session.delete(stay.row)
    session.flush()
    for stay in wanted:
        row = stay.row or Placement(device=device)
        row.room, row.start, row.end = stay.room, stay.start, stay.end
        session.add(row)
    today = now.astimezone(zone).date()
    devices.mark_stale(session, {day for day in days if day <= today}, now)
    session.flush()
    return _noted(session, device, days, rooms, who, now, today) if days else []


def describe(
    session: Session,
    device: Device,
    said: Mapping[str, str | int | None],
    who: str,
    now: datetime,
    zone: ZoneInfo,
) -> list[str] | None:
    """Say of a device what DESCRIBED names; another heartbeat has the days it measured computed again.

    What `take_over` gives where it newly goes on for another device, else None. Raises PlacingRefused.
    """
    if said.get("heartbeat_minutes", device.heartbeat_minutes) != device.heartbeat_minutes:
        days = {day for stay in stays(device) for day in days_measured(device, stay.start, stay.end, zone)}
        devices.mark_stale(session, days, now)
    before = device.continues_key
    for name in DESCRIBED & said.keys():
        setattr(device, name, said[name])
    newly = device.continues_key if device.continues_key != before else None
    old = devices.find(session, newly) if newly else None
    return take_over(session, device, old, who, now, zone) if old else None


def take_over(
    session: Session, device: Device, old: Device, who: str, now: datetime, zone: ZoneInfo
) -> list[str] | None:
    """Have a device that is in no room yet go on where another was, from its own first message on.

    What the other is known by (place, pace) becomes its own where it has none. The titles as `keep` gives
    them; None when there is nothing to take over.
    """
    before = stays(old)
    if device.placements or not before:
        return None
    last = before[-1]
    since = min(device.first_seen or now, now)
    since = max(since, last.start + MOMENT) if last.end is None else max(since, last.end)
    device.position = device.position or old.position
    device.heartbeat_minutes = device.heartbeat_minutes or old.heartbeat_minutes
    titles = [] if last.end is not None else keep(session, old, moved(old, None, since, now), who, now, zone)
    return [*titles, *keep(session, device, [Stay(last.room, since, None)], who, now, zone)]


def days_measured(device: Device, start: datetime, end: datetime | None, zone: ZoneInfo) -> set[date]:
    """The local days on which the device may have measured within [start, end]."""
    if device.first_seen is None or device.last_seen is None:
        return set()
    first = max(start, device.first_seen)
    last = device.last_seen if end is None else min(end, device.last_seen)
    if first > last:
        return set()
    day, until = first.astimezone(zone).date(), last.astimezone(zone).date()
    return {day + timedelta(days=n) for n in range((until - day).days + 1)}


def _goes_on(stay: Stay, at: datetime) -> bool:
    return stay.end is None or stay.end > at


def _differing(
    device: Device, before: Sequence[Stay], after: Sequence[Stay], zone: ZoneInfo
) -> tuple[set[date], set[int]]:
    """The measured local days on which the device comes to be somewhere else, and the rooms concerned."""
    days: set[date] = set()
    rooms: set[int] = set()
    for start, end, *changed in _changes(before, after):
        days |= days_measured(device, start, end, zone)
        rooms |= {room.id for room in changed if room is not None}
    return days, rooms


def _changes(
    before: Sequence[Stay], after: Sequence[Stay]
) -> Iterator[tuple[datetime, datetime | None, Room | None, Room | None]]:
    """Start and end of each time at which the device comes to be elsewhere: where it was, where it is."""
    edges = sorted({edge for stay in (*before, *after) for edge in (stay.start, stay.end) if edge})
    for start, end in [*pairwise(edges), *([(edges[-1], None)] if edges else [])]:
        was, is_ = _room_at(before, start), _room_at(after, start)
        if was is not is_:
            yield start, end, was, is_


def _opened(
    session: Session,
    device: Device,
    before: Sequence[Stay],
    after: Sequence[Stay],
    now: datetime,
    zone: ZoneInfo,
) -> Embargo | None:
    """The seal out of which this would take readings of days before today, into a room that shows them.

    Whatever was said of the device since the switch counts: a stay that was taken back first, too. Today may
    be moved, since nobody can be kept from saying of the days to come that it is elsewhere.
    """
    today = now.astimezone(zone).date()
    hidden = embargo.embargoes(session, today)
    told = [(stay.room.slug, stay.start, stay.end or now) for stay in before]
    for slug, start, end in [*told, *devices.ever_told(session, device.key, now)]:
        laid = hidden.get(slug)
        if laid is None:
            continue
        first = max(start, datetime.combine(laid.since, time(), zone))
        last = min(end, datetime.combine(today, time(), zone))
        for begins, ends, _, room in _changes(before, after):
            shown = room is not None and hidden.get(room.slug) != laid
            if shown and max(begins, first) < min(ends or last, last):
                return laid
    return None


def _room_at(stays_: Sequence[Stay], at: datetime) -> Room | None:
    return next((stay.room for stay in stays_ if stay.start <= at and _goes_on(stay, at)), None)


def _noted(
    session: Session, device: Device, days: set[date], rooms: set[int], who: str, now: datetime, today: date
) -> list[str]:
    titles = []
    for experiment in experiments.running(session, today):
        names = sorted({arm.room.name for arm in experiment.arms if arm.room_id in rooms})
        if not names or experiment.starts is None or max(days) < experiment.starts:
            continue
        first, last = min(days), max(days)
        span = f"le {first:%d/%m/%Y}" if first == last else f"du {first:%d/%m/%Y} au {last:%d/%m/%Y}"
        what = f"Capteur {device.label or device.key} : sa salle a changé ({', '.join(names)}), {span}."
        session.add(Deviation(experiment=experiment, day=today, what=what, entered_by=who, entered_at=now))
        titles.append(experiment.title)
    return titles
