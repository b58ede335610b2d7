"""A room's calendar, from an ICS or CSV file: when it was booked, and nothing else.

Titles, organisers and guests are read past; what makes one booking the same at the next import is kept as a
keyed hash, which nobody can turn back.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from experiments.panel import day_bounds
from service.registry import bookings, devices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Room
    from service.settings import Settings

PAST, AHEAD = timedelta(days=800), timedelta(days=60)  # nobody compares more; a series may go on for ever
MOST_BYTES, MOST_BOOKINGS = 20_000_000, 20_000
LONGEST = timedelta(days=1)  # more is no meeting: a room that was blocked
FRENCH_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d(?::\d\d)?)")
GONE = frozenset({"cancelled", "canceled", "declined", "annulé", "annulée", "refusé", "refusée"})
COLUMNS = {
    "start": ("start", "begin", "from", "début", "debut"),
    "end": ("end", "until", "to", "fin"),
    "status": ("status", "state", "statut", "état", "etat"),
    "id": ("id", "uid", "booking", "réservation", "reservation"),
}


class CalendarRejected(Exception):  # noqa: N818 - it says what happened
    """The file cannot be read as a calendar: nothing of it was kept."""


@dataclass(frozen=True)
class Booked:
    """One booking as its calendar has it; aware."""

    uid: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Kept:
    """What an import did: bookings kept, those it replaced, days they are of, and what was left out."""

    bookings: int
    replaced: int
    first: date
    last: date
    cancelled: int = 0
    too_long: int = 0
    outside: int = 0


def keep(session: Session, settings: Settings, room: Room, name: str, content: bytes, now: datetime) -> Kept:
    """Keep the bookings of `room` from a file; between its first and last day it is the whole calendar.

    Raises CalendarRejected. Doing it twice changes nothing; the days concerned are computed again.
    """
    if len(content) > MOST_BYTES:
        raise CalendarRejected(f"{name} has more than {MOST_BYTES // 1_000_000} MB: export a shorter time.")
    zone, today = settings.zone, now.astimezone(settings.zone).date()
    first, last = today - PAST, today + AHEAD
    ics = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:15].upper() == b"BEGIN:VCALENDAR"
    read = _from_ics(content, first, last, zone) if ics else _from_csv(content, zone)
    found: dict[str, Booked] = {}
    counts = {"cancelled": 0, "too_long": 0, "outside": 0}
    for booked, status in read:
        if booked.end <= booked.start:
            raise CalendarRejected(
                f"{name}: a booking of {booked.start:%Y-%m-%d %H:%M} ends before it begins."
            )
        if status.strip().lower() in GONE:
            counts["cancelled"] += 1
        elif booked.end - booked.start > LONGEST:
            counts["too_long"] += 1
        elif not first <= booked.start.astimezone(zone).date() <= last:
            counts["outside"] += 1
        else:
            found[_key(settings, room, booked)] = booked
            if len(found) > MOST_BOOKINGS:
                raise CalendarRejected(
                    f"{name} has more than {MOST_BOOKINGS} bookings: export a shorter time."
                )
    if not found:
        raise CalendarRejected(f"{name} has no booking of the last {PAST.days} days that counts.")
    starts = sorted(each.start.astimezone(zone).date() for each in found.values())
    days = starts[0], starts[-1]
    bounds = day_bounds(days[0], zone)[0], day_bounds(days[1], zone)[1]
    rows = [(key, each.start, each.end) for key, each in found.items()]
    replaced = bookings.replace_between(session, room, days, bounds, rows)
    span = (days[1] - days[0]).days + 1
    past = (days[0] + timedelta(days=n) for n in range(span))
    devices.mark_stale(session, [day for day in past if day <= today], now)
    return Kept(len(found), replaced, *days, counts["cancelled"], counts["too_long"], counts["outside"])


def _key(settings: Settings, room: Room, booked: Booked) -> str:
    secret = settings.signing_key().encode()
    said = f"booking\n{room.slug}\n{booked.uid}\n{booked.start.astimezone(UTC).isoformat()}"
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()[:32]


def _from_ics(content: bytes, first: date, last: date, zone: ZoneInfo) -> Iterable[tuple[Booked, str]]:
    from icalendar import Calendar  # noqa: PLC0415 - only to read one
    from recurring_ical_events import of  # noqa: PLC0415 - likewise

    try:
        calendar = Calendar.from_ical(content)
        if any(_restless(event) for event in calendar.walk("VEVENT")):
            raise CalendarRejected("a booking repeats every minute or second: that is no meeting.")
        begins = datetime.combine(first, time(), zone)
        for number, event in enumerate(of(calendar, skip_bad_series=True).after(begins)):
            if number > 2 * MOST_BOOKINGS:
                raise CalendarRejected(f"it has more than {MOST_BOOKINGS} bookings: export a shorter time.")
            start, end = event.start, event.end
            if not (isinstance(start, datetime) and isinstance(end, datetime)):
                continue  # a whole day blocks a room, nobody meets
            if _aware(start, zone).date() > last:
                return
            booked = Booked(str(event.get("UID", "")), _aware(start, zone), _aware(end, zone))
            yield booked, str(event.get("STATUS", ""))
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise CalendarRejected(f"this is no calendar that can be read ({error}).") from error


def _restless(event: Any) -> bool:  # noqa: ANN401 - its library ships no such type
    rules = event.get("RRULE", [])
    return any(
        str(often).upper() in {"SECONDLY", "MINUTELY"}
        for rule in (rules if isinstance(rules, list) else [rules])
        for often in rule.get("FREQ", [])
    )


def _from_csv(content: bytes, zone: ZoneInfo) -> Iterable[tuple[Booked, str]]:
    text = _decoded(content)
    head, _, _ = text.partition("\n")
    separator = max(";,\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=separator)
    columns = {
        wanted: next((name for name in rows.fieldnames or () if name.strip().lower() in names), None)
        for wanted, names in COLUMNS.items()
    }
    if columns["start"] is None or columns["end"] is None:
        raise CalendarRejected(
            "the first line has to name the columns start and end (status and id are welcome); "
            f"it has {', '.join(rows.fieldnames or ()) or 'nothing'}."
        )
    for line, row in enumerate(rows, 2):
        if not any((value or "").strip() for value in row.values() if isinstance(value, str)):
            continue
        start, end = (_instant(row.get(columns[each] or ""), line, each, zone) for each in ("start", "end"))
        uid = (row.get(columns["id"] or "") or "").strip() or f"{start.isoformat()} {end.isoformat()}"
        yield Booked(uid, start, end), row.get(columns["status"] or "") or ""


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")  # Excel's own


def _instant(value: object, line: int, column: str, zone: ZoneInfo) -> datetime:
    text = str(value or "").strip()
    french = FRENCH_DATE.fullmatch(text)
    try:
        return _aware(
            datetime.fromisoformat("{2}-{1}-{0} {3}".format(*french.groups()) if french else text), zone
        )
    except ValueError:
        said = f"line {line}, column {column}: « {text[:40]} » is no date and time."
        raise CalendarRejected(said) from None


def _aware(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)
