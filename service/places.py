"""Sites and rooms as staff write them down: hours, closures, sizes; one by one or from a spreadsheet.

What changes the meaning of readings that are there (hours, closures, seats) has the days concerned computed
again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, select

from service import version
from service.placing import CENTURY, days_measured
from service.registry import devices
from service.registry.tables import Base, Booking, Calendar, Closure, Room, Site

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy import Column
    from sqlalchemy.orm import Session

MOST_NAME, MOST_FLOOR, MOST_SLUG, MOST_REASON, MOST_PASTED = 120, 20, 60, 120, 500
LIMITS = {"capacity": (1, 2000), "area_m2": (1, 10_000), "volume_m3": (1, 100_000)}
COLUMNS = {
    "name": ("name", "nom", "salle", "room"),
    "capacity": ("capacity", "capacité", "capacite", "places", "seats"),
    "floor": ("floor", "étage", "etage", "niveau"),
    "area_m2": ("area", "surface", "m2", "m²", "area_m2"),
    "volume_m3": ("volume", "m3", "m³", "volume_m3"),
}
ORDER = tuple(COLUMNS)
CALENDAR = (Calendar.__table__, Booking.__table__)  # read from a file, it can be read again
UNIT = re.compile(r"\s*\(.*\)$")  # « Surface (m²) »


@dataclass(frozen=True)
class Facts:
    """What is said of a room, checked: `mistakes` by field, `long`, `missing`, `bad`, `range` or `twice`."""

    name: str
    floor: str | None = None
    capacity: int | None = None
    area_m2: float | None = None
    volume_m3: float | None = None
    mistakes: Mapping[str, str] = field(default_factory=dict)


def room_facts(typed: Mapping[str, str]) -> Facts:
    """What was typed of a room, as numbers; an empty field says nothing."""
    texts = {key: " ".join(typed.get(key, "").split()) for key in ORDER}
    mistakes = _text_mistakes("name", texts["name"], MOST_NAME, needed=True)
    mistakes |= _text_mistakes("floor", texts["floor"], MOST_FLOOR)
    numbers: dict[str, float | None] = {}
    for key, (low, high) in LIMITS.items():
        try:
            numbers[key] = float(texts[key].replace(",", ".").replace(" ", "")) if texts[key] else None
        except ValueError:
            mistakes[key] = "bad"
            continue
        value = numbers[key]
        if value is not None and not low <= value <= high:
            mistakes[key] = "range"
        elif key == "capacity" and value is not None and value != int(value):
            mistakes[key] = "bad"
    if mistakes:
        return Facts(texts["name"], texts["floor"], mistakes=mistakes)
    seats = numbers["capacity"]
    return Facts(
        texts["name"],
        texts["floor"] or None,
        int(seats) if seats is not None else None,
        numbers["area_m2"],
        numbers["volume_m3"],
    )


def save_room(
    session: Session, site: Site, room: Room | None, facts: Facts, now: datetime, zone: ZoneInfo
) -> Room:
    """Make the room so, or make it; other seats have its days computed again."""
    if room is None:
        room = Room(slug=free_slug(session, Room, facts.name), name=facts.name)
        site.rooms.append(room)
    elif room.capacity != facts.capacity:
        _mark(session, [room], now, zone)
    room.name, room.floor, room.capacity = facts.name, facts.floor, facts.capacity
    room.area_m2, room.volume_m3 = facts.area_m2, facts.volume_m3
    session.flush()
    return room


def pasted(text: str) -> list[tuple[int, Facts]]:
    """The rooms of a list copied from a spreadsheet, each with the number of its line.

    By a line of headings, or in the order name, seats, floor, area, volume. Lines without anything are passed
    over; at most 500 are read.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip(" \t;")]
    if not lines:
        return []
    separator = max("\t;", key=lines[0][1].count)
    heads = [UNIT.sub("", cell.strip().lower()) for cell in lines[0][1].split(separator)]
    named = {key: heads.index(name) for key, names in COLUMNS.items() for name in names if name in heads}
    places = named if "name" in named else {key: at for at, key in enumerate(ORDER)}
    rows = lines[1:] if "name" in named else lines
    found = []
    for number, line in rows[:MOST_PASTED]:
        cells = line.split(separator)
        found.append((number, room_facts({key: cells[at] for key, at in places.items() if at < len(cells)})))
    return _each_name_once(found)


def _each_name_once(rows: Iterable[tuple[int, Facts]]) -> list[tuple[int, Facts]]:
    """The rows, those of a name that stood above with the mistake `twice`: nobody said which holds."""
    names: set[str] = set()
    found = []
    for number, facts in rows:
        name = facts.name.casefold()
        again = {"name": "twice"} if name and name in names else {}
        found.append((number, replace(facts, mistakes={**facts.mistakes, **again})))
        names.add(name)
    return found


def save_pasted(
    session: Session, site: Site, rows: Iterable[tuple[int, Facts]], now: datetime, zone: ZoneInfo
) -> tuple[int, int]:
    """Keep these rooms of a site; those of the same name are changed. How many are new, how many changed."""
    known = {room.name.casefold(): room for room in site.rooms}
    new = changed = 0
    for _, facts in rows:
        room = known.get(facts.name.casefold())
        new, changed = new + (room is None), changed + (room is not None)
        known[facts.name.casefold()] = save_room(session, site, room, facts, now, zone)
    return new, changed


@dataclass(frozen=True)
class Hours:
    """What is said of a site, checked; `weekdays` as `12345`, Monday is 1."""

    name: str
    opens: time = time(8)
    closes: time = time(19)
    weekdays: str = "12345"
    mistakes: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)  # an hour that is none, to be corrected


def site_hours(name: str, opens: str, closes: str, weekdays: Iterable[str]) -> Hours:
    """What was typed of a site."""
    name = " ".join(name.split())
    mistakes = _text_mistakes("name", name, MOST_NAME, needed=True)
    told: dict[str, time] = {}
    for key, text in (("opens", opens), ("closes", closes)):
        try:
            at = time.fromisoformat(text.strip())
        except ValueError:
            mistakes[key] = "bad"
            continue
        if at.tzinfo is None:
            told[key] = at
        else:  # a building is where it is
            mistakes[key] = "bad"
    days = "".join(sorted({day for day in weekdays if day in set("1234567")}))
    if not days:
        mistakes["weekdays"] = "missing"
    if len(told) == 2 and told["opens"] >= told["closes"] != time(0):  # noqa: PLR2004 - both were read
        mistakes["closes"] = "order"
    typed = {"opens": opens, "closes": closes}
    wrong = {key: text for key, text in typed.items() if key not in told}
    return Hours(name, **told, weekdays=days, mistakes=mistakes, typed=wrong)


def save_site(session: Session, site: Site | None, hours: Hours, now: datetime, zone: ZoneInfo) -> Site:
    """Make the site so, or make it; other hours have the days of its rooms computed again."""
    if site is None:
        site = Site(slug=free_slug(session, Site, hours.name), name=hours.name)
        session.add(site)
    elif (site.opens, site.closes, site.weekdays) != (hours.opens, hours.closes, hours.weekdays):
        _mark(session, site.rooms, now, zone)
    site.name, site.opens, site.closes, site.weekdays = hours.name, hours.opens, hours.closes, hours.weekdays
    session.flush()
    return site


def forget_site(session: Session, site: Site) -> None:
    """Forget a site that has no room, and the days it was closed."""
    for closure in list(site.closures):
        session.delete(closure)
    session.flush()
    session.expire(site)
    session.delete(site)


def closure_mistakes(day: date, reason: str) -> dict[str, str]:
    """What is wrong with when and why a site is closed; why need not be said."""
    mistakes = {} if day.year in CENTURY else {"day": "bad"}
    return mistakes | _text_mistakes("reason", reason, MOST_REASON)


def close(session: Session, site: Site, days: Mapping[date, str], now: datetime) -> int:
    """Have the site closed on these days, for these reasons; how many were not known."""
    known = {closure.day: closure for closure in site.closures}
    for day, reason in days.items():
        if day in known:
            known[day].reason = reason[:MOST_REASON]
        else:
            site.closures.append(Closure(day=day, reason=reason[:MOST_REASON]))
    new = days.keys() - known.keys()
    devices.mark_stale(session, [day for day in new if day <= now.date()], now)
    session.flush()
    return len(new)


def open_again(session: Session, site: Site, day: date, now: datetime) -> None:
    """Have the site open on this day after all."""
    for closure in [each for each in site.closures if each.day == day]:
        session.delete(closure)
        devices.mark_stale(session, [day] if day <= now.date() else [], now)
    session.flush()
    session.expire(site, ["closures"])


def public_holidays(year: int) -> dict[date, str]:
    """The public holidays of France in a year, by their French names."""
    from holidays import country_holidays  # noqa: PLC0415 - 60 ms that a page without them need not pay

    found = sorted(country_holidays("FR", years=year, language="fr").items())
    return {day: name.replace("'", "’") for day, name in found}


def refers(session: Session, room: Room) -> bool:
    """Whether something rests on the room: whatever refers to it, but its calendar."""
    tables = (each for each in _referring() if each.table not in CALENDAR)
    return any(session.scalar(select(exists().where(each == room.id))) for each in tables)


def forget_room(session: Session, room: Room) -> None:
    """Forget a room on which nothing rests, and its calendar."""
    for each in _referring():
        if each.table in CALENDAR:
            session.execute(delete(each.table).where(each == room.id))
    session.delete(room)


def _referring() -> list[Column[Any]]:
    """The columns that refer to a room, of every table there is."""
    keys = (key for table in Base.metadata.sorted_tables for key in table.foreign_keys)
    return [key.parent for key in keys if key.column.table is Room.__table__]


def site_seen(site: Site | Hours) -> str:
    """What is seen of a site's name and hours."""
    return version.of(site.name, site.opens, site.closes, site.weekdays)


def room_seen(room: Room | Facts) -> str:
    """What is seen of a room."""
    return version.of(*(getattr(room, key) for key in ORDER))


def free_slug(session: Session, table: type[Room | Site], name: str) -> str:
    """An address made of the name that no other has."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: MOST_SLUG - 5] or table.__tablename__.rstrip("s")
    taken = set(session.scalars(select(table.slug).where(table.slug.like(f"{slug}%"))))
    return next(
        each for n in range(1, len(taken) + 2) if (each := slug if n == 1 else f"{slug}-{n}") not in taken
    )


def _mark(session: Session, rooms: Iterable[Room], now: datetime, zone: ZoneInfo) -> None:
    today = now.astimezone(zone).date()
    days = {
        day
        for room in rooms
        for placed in room.placements
        for day in days_measured(placed.device, placed.start, placed.end, zone)
    }
    devices.mark_stale(session, {day for day in days if day <= today}, now)


def _text_mistakes(key: str, text: str, most: int, *, needed: bool = False) -> dict[str, str]:
    if needed and not text:
        return {key: "missing"}
    if len(text) > most:
        return {key: "long"}
    return {} if text.isprintable() else {key: "bad"}
