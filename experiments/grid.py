"""A panel as an array: rooms × days, NaN where nothing was observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.design import EPOCH, Day, day_number
from experiments.reason import PanelError


@dataclass(frozen=True)
class Grid:
    """`table[i, t]` is room `rooms[i]` on day number `days[t]` (ascending; see `design.day_number`)."""

    rooms: tuple[str, ...]
    days: NDArray[np.int64]
    table: NDArray[np.float64]
    dated: bool  # days are dates, not integers

    def between(self, starts: Day, ends: Day) -> Grid:
        """The days from `starts` to `ends`, both included."""
        first, last = np.searchsorted(self.days, [day_number(starts), day_number(ends) + 1])
        return Grid(self.rooms, self.days[first:last], self.table[:, first:last], self.dated)

    def day(self, number: int) -> Day:
        """A day number as the panel wrote it."""
        return date.fromordinal(EPOCH.toordinal() + int(number)) if self.dated else int(number)


def read_grid(panel: pd.DataFrame) -> Grid:
    """The grid of a panel with columns `room`, `day`, `value`.

    The same row twice counts once; two values for one room and day, text or infinity in `value`, and a day
    that is none raise PanelError.
    """
    for column in ("room", "day", "value"):
        if column not in panel.columns:
            raise PanelError(f"the panel has no column {column!r}")
    room_codes, rooms = _rooms(panel["room"])
    day_codes, days, dated = _days(panel["day"])
    values = _values(panel["value"])
    grid = np.full((len(rooms), len(days)), np.nan)
    observed = ~np.isnan(values)
    cells = (room_codes * len(days) + day_codes)[observed]
    flat = grid.reshape(-1)
    flat[cells] = values[observed]
    if (clash := flat[cells] != values[observed]).any():
        first = cells[int(np.argmax(clash))]
        where = Grid(rooms, days, grid, dated)
        room, day = rooms[first // len(days)], where.day(days[first % len(days)])
        raise PanelError(f"room {room!r} has two values on {day}")
    return Grid(rooms, days, grid, dated)


def _rooms(column: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, names = pd.factorize(column)
    if (codes < 0).any():
        raise PanelError("a row has no room")
    texts = [str(name) for name in names]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts), dtype=np.int64)
    rank[order] = np.arange(len(texts))
    return rank[codes] if texts else codes.astype(np.int64), tuple(texts[i] for i in order)


def _days(column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    codes, uniques = pd.factorize(column)
    if (codes < 0).any():
        raise PanelError("a row has no day")
    numbers, dated = _day_numbers(pd.Index(uniques))
    days, inverse = np.unique(numbers, return_inverse=True)
    return inverse.astype(np.int64)[codes] if len(days) else codes.astype(np.int64), days, dated


def _day_numbers(days: pd.Index) -> tuple[NDArray[np.int64], bool]:
    if not len(days):
        return np.empty(0, dtype=np.int64), True
    if pd.api.types.is_bool_dtype(days):
        raise PanelError("day holds true and false: give dates or whole numbers")
    if pd.api.types.is_numeric_dtype(days):
        numbers = np.asarray(days, dtype=np.float64)
        if not (np.isfinite(numbers) & (numbers == np.round(numbers))).all():
            raise PanelError("day holds a fraction: give dates or whole numbers")
        return numbers.astype(np.int64), False
    try:
        stamps = pd.to_datetime(days, format=None if not pd.api.types.is_string_dtype(days) else "%Y-%m-%d")
    except (ValueError, TypeError) as error:
        raise PanelError(f"day holds something that is neither a date nor a whole number: {error}") from error
    if getattr(stamps, "tz", None) is not None:
        raise PanelError("day holds instants with a zone: give local dates")
    return stamps.to_numpy().astype("datetime64[D]").astype(np.int64), True


def _values(column: pd.Series) -> NDArray[np.float64]:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise PanelError(f"value holds text: {error}") from error
    if np.isinf(values).any():
        raise PanelError("value holds infinity")
    return values
