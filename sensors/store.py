"""Where readings are kept, as the rest of Témoin sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime

    import pandas as pd

    from sensors.reading import Reading

Key = tuple[str, str, "datetime"]  # device, metric, time: what a reading is one of
WITHDRAWN = -1e308  # stands, in a store, where a reading was removed: no sensor measures that


class ReadingStore(Protocol):
    """(device, metric, time in ms) → value; the last received wins.

    One process writes at a time, any number read meanwhile. Nothing about rooms, arms or
    experiments is in here.
    """

    def write(self, readings: Iterable[Reading]) -> None:
        """Keep these readings durably. Writing twice changes nothing.

        Raises StoreError: none or some are kept, and writing them all again is right. Raises
        ReadingsRefused when all are kept but some that the store will never take.
        """
        ...

    def remove(self, keys: Iterable[Key]) -> None:
        """Take these readings back, there or not; one written again is there again. Raises StoreError."""
        ...

    def read(
        self,
        start: datetime,
        end: datetime,
        devices: Collection[str] | None = None,
        metrics: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Readings of [start, end), aware datetimes; None means all.

        Columns `device` (str), `metric` (str), `time` (datetime64[ms, UTC]), `value` (float64),
        sorted by device, metric, time; the same columns when there is nothing.
        """
        ...

    def latest(self, devices: Collection[str] | None = None) -> pd.DataFrame:
        """The last reading of each device and metric; columns as `read`."""
        ...

    def settle(self, before: date) -> list[date]:
        """Put away UTC days that ended before `before` in their final form; the days so treated, if any."""
        ...

    def close(self) -> None:
        """Let go of every file and connection; twice is fine."""
        ...
