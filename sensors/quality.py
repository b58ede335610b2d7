"""The gate before the store: what no sensor can have measured, or not at that time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sensors.instant import EARLIEST
from sensors.metrics import METRICS

if TYPE_CHECKING:
    from datetime import datetime

    from sensors.reading import Reading


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a reading through unless its value or its time is impossible.

    `max_ahead` is how far a device's clock may run before ours; `max_age` how old a reading may be when
    its message arrives (None: imports and replays by staff, as old as they like).
    """

    max_ahead: timedelta = timedelta(minutes=5)
    max_age: timedelta | None = timedelta(days=7)

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
        time = reading.time
        if time - received_at > self.max_ahead:
            return f"clock_ahead: time {time.isoformat()} was still to come at {received_at.isoformat()}"
        if time < EARLIEST:
            return f"clock_behind: time {time.isoformat()} is before 2000: the clock was never set"
        if self.max_age is not None and received_at - time > self.max_age:
            days = (received_at - time).days
            return f"late: time {time.isoformat()} is {days} days before its message came"
        return None
