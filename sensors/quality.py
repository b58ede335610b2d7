"""The gate before the store: what no sensor can have measured, or not at that time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sensors.instant import EARLIEST
from sensors.metrics import METRICS

if TYPE_CHECKING:
    from datetime import datetime

    from sensors.reading import Reading

HOUR = timedelta(hours=1)
FARTHEST_ZONE = 14  # hours
WHOLE_HOUR = timedelta(minutes=2)  # around which a difference is taken for a zone's
STEADY = 6  # messages in a row with the same difference
OFTEN = timedelta(minutes=30)  # between them: who reports by the hour may well be an hour behind
_MOST_DEVICES = 20_000


class _Lag(NamedTuple):
    """By how many whole hours a device's clock differs, for how many messages, the last one's two times."""

    hours: int
    messages: int
    time: datetime
    received_at: datetime


class Clocks:
    """Finds devices whose clock keeps another zone's time: always the same whole hours behind.

    A buffer that empties comes closer with each message, a clock in a wrong zone never does. In memory only:
    after a restart it takes six messages to find one again.
    """

    def __init__(self) -> None:
        self._lags: dict[str, _Lag] = {}

    def hours_behind(self, device: str, time: datetime, received_at: datetime) -> int:
        """The whole hours by which the device's last six messages all were behind; 0 when they were not."""
        before = self._lags.get(device)
        if before is None or before.time != time:
            before = self._observed(before, device, time, received_at)
        return before.hours if before.messages >= STEADY else 0

    def _observed(self, before: _Lag | None, device: str, time: datetime, received_at: datetime) -> _Lag:
        lag = received_at - time
        hours = round(lag / HOUR)
        behind = 0 < hours <= FARTHEST_ZONE and abs(lag - hours * HOUR) <= WHOLE_HOUR
        same = before is not None and before.hours == hours and received_at - before.received_at <= OFTEN
        if behind and before is not None and same and _hurried(before, time, received_at):
            return before
        messages = (before.messages if before is not None and same else 0) + 1 if behind else 0
        if len(self._lags) >= _MOST_DEVICES:
            self._lags.clear()
        found = self._lags[device] = _Lag(hours, messages, time, received_at)
        return found


def _hurried(before: _Lag, time: datetime, received_at: datetime) -> bool:
    """Whether a message came faster than it was measured: a buffer empties, at once or a batch at a time."""
    return (received_at - before.received_at) * 2 < time - before.time


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a reading through unless its value or its time is impossible.

    `max_ahead` is how far a device's clock may run before ours; `max_age` how old a reading may be when
    its message arrives (None: imports and replays by staff, as old as they like, and whatever their zone).
    """

    max_ahead: timedelta = timedelta(minutes=5)
    max_age: timedelta | None = timedelta(days=7)
    clocks: Clocks = field(default_factory=Clocks, compare=False)

    def check(self, reading: Reading, received_at: datetime) -> str | None:
        """Why the reading may not be stored, as `code: sentence`; None when it may.

        Codes: unknown_metric, out_of_range, sentinel, not_finite, clock_behind, clock_ahead, late.
        """
        metric = METRICS.get(reading.metric)
        if metric is None:
            return f"unknown_metric: {reading.metric} is no metric"
        value = reading.value
        if not metric.low <= value <= metric.high or value in metric.sentinels:
            code, sentence = metric.fault(value) or ("out_of_range", "it is implausible")
            return f"{code}: {reading.metric}: {sentence}"
        return self._time_fault(reading, received_at)

    def _time_fault(self, reading: Reading, received_at: datetime) -> str | None:
        time = reading.time
        if time - received_at > self.max_ahead:
            return _ahead(time, received_at)
        if time < EARLIEST:
            return f"clock_behind: time {time.isoformat()} is before 2000: the clock was never set"
        if self.max_age is None:
            return None
        if received_at - time > self.max_age:
            days = (received_at - time).days
            return f"late: time {time.isoformat()} is {days} days before its message came"
        if reading.time_source == "device":
            hours = self.clocks.hours_behind(reading.device, time, received_at)
            if hours:
                return (
                    f"clock_behind: the clock is {hours} h behind in each of the last {STEADY} messages: "
                    "it keeps another zone's time"
                )
        return None


def _ahead(time: datetime, received_at: datetime) -> str:
    ahead = time - received_at
    hours = round(ahead / HOUR)
    said = f"clock_ahead: time {time.isoformat()} was still to come at {received_at.isoformat()}"
    if 0 < hours <= FARTHEST_ZONE and abs(ahead - hours * HOUR) <= WHOLE_HOUR:
        return f"{said}, by {hours} h: the clock keeps another zone's time"
    return said
