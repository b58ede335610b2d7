"""An instant as payloads and files write it: ISO 8601, or a number since 1970, its size telling its unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sensors.wording import UnreadableError, shown

if TYPE_CHECKING:
    from datetime import tzinfo

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_END = 1e11  # as seconds the year 5138, as milliseconds 1973: no reading is from between
_MILLISECONDS_END = 1e14  # likewise
_MICROSECONDS_END = 1e17
_NANOSECONDS_END = 1e20
_EPOCH_DIGITS = (10, 13, 16, 19)  # of a number since 1970 written as text, in this century
_YEAR = 366 * 86_400
_SHORTEST = len("2026-03-02T09:15")


def instant(value: object, zone: tzinfo, near: datetime | None = None) -> datetime:
    """`value` as aware UTC cut to whole milliseconds; a naive ISO time is `zone`'s.

    In the hour that clocks go through twice, a naive time is the one nearer to `near`, or else the first.
    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, also written as text.

    Raises UnreadableError (`bad_time`, `clock_behind` before 2000, `clock_ahead` from 2100).
    """
    if isinstance(value, str):
        moment = _from_iso(value, zone, near) if "-" in value else _from_epoch(_number(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _from_epoch(value)
    else:
        raise UnreadableError("bad_time", f"{shown(value)}, neither ISO 8601 nor a number since 1970")
    return plausible(moment, value)


def plausible(moment: datetime, written: object) -> datetime:
    """`moment` itself when a sensor of this century can have measured then; raises UnreadableError if not."""
    if moment < EARLIEST:
        raise UnreadableError("clock_behind", f"{shown(written)}, before 2000: the clock was never set")
    if moment >= LATEST:
        raise UnreadableError("clock_ahead", f"{shown(written)}, after 2099")
    return moment


def whole_milliseconds(moment: datetime) -> datetime:
    """An aware time in UTC, cut (not rounded) to milliseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _from_iso(text: str, zone: tzinfo, near: datetime | None) -> datetime:
    if len(text) < _SHORTEST:
        raise UnreadableError("bad_time", f"{shown(text)}, not an ISO 8601 date and time")
    try:
        moment = datetime.fromisoformat(f"{text[:-4]}Z" if text.endswith(" UTC") else text)
        if moment.tzinfo is None:
            moment = _localised(moment, zone, near)
        return whole_milliseconds(moment)
    except (ValueError, OverflowError) as error:
        raise UnreadableError("bad_time", f"{shown(text)}, not an ISO 8601 date and time") from error


def _localised(moment: datetime, zone: tzinfo, near: datetime | None) -> datetime:
    first, second = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if near is None or abs(first - near) <= abs(second - near) else second


def _number(text: str) -> float:
    """A number since 1970 written as text; raises UnreadableError."""
    whole, _, part = text.partition(".")
    if (
        len(whole) not in _EPOCH_DIGITS
        or not text.isascii()
        or not whole.isdigit()
        or (part and not part.isdigit())
    ):
        raise UnreadableError("bad_time", f"{shown(text)}, neither ISO 8601 nor a number since 1970")
    return float(text) if part else int(whole)


def _from_epoch(number: float) -> datetime:
    size = abs(number)
    if not size < _NANOSECONDS_END:  # NaN and infinity too
        raise UnreadableError("bad_time", f"{shown(number)}, no number since 1970")
    if number < 0:
        raise UnreadableError("clock_behind", f"{shown(number)}, before 1970: the clock was never set")
    if size < _SECONDS_END:
        micros = round(number * 1_000_000)  # first: 1680962879.62 s is …879.619999 in binary
    elif size < _MILLISECONDS_END:
        micros = round(number * 1000)
    else:
        micros = int(number) if size < _MICROSECONDS_END else int(number) // 1000
    return _EPOCH + timedelta(milliseconds=micros // 1000)


def never_set(value: object) -> bool:
    """Whether a time is what a clock says that nobody has set since it was switched on: 1970 or 2000."""
    if isinstance(value, str):
        return value[:4] in ("1970", "2000")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value < _YEAR
    return False
