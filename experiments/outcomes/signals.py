"""What a room was like, minute by minute, over one local day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Signals:
    """One room over the opening hours of one local day, a value a minute, NaN where nothing was observed.

    `occupied` is 1, 0 or NaN; `people` counts (NaN without a counter); `co2` ppm, `temperature` °C,
    `sound` dB(A). `estimated` says that occupancy was guessed from CO2. `booked` are the bookings, each
    (first minute, minute after the last) of the opening hours; None where no calendar of the room is known.
    """

    day: date
    occupied: Floats
    people: Floats
    co2: Floats
    temperature: Floats
    sound: Floats
    capacity: int | None
    estimated: bool = False
    booked: tuple[tuple[int, int], ...] | None = None

    @property
    def minutes(self) -> int:
        """Opening minutes of the day."""
        return len(self.occupied)

    @property
    def in_use(self) -> Bools:
        """Minutes known to be occupied."""
        used: Bools = self.occupied == 1
        return used

    def coverage(self, *signals: Floats) -> float:
        """Share of the opening minutes in which all these signals are known."""
        known = np.logical_and.reduce([np.isfinite(signal) for signal in signals])
        return float(known.mean()) if self.minutes else 0.0
