"""A panel as an array: rooms × days, NaN where nothing was observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from numbers import Number

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.design import EPOCH, Day, day_number
from experiments.reason import PanelError

LARGEST = 1e100  # squares of larger values overflow, those of values below its inverse vanish
LARGEST_DAY = 2**53  # whole numbers up to here are exact


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

    The same row twice counts once; two values for one room and day, text or infinity in `value`, sizes whose
    squares no computer holds, and a day that is none raise PanelError.
    """
    if not isinstance(panel, pd.DataFrame):
        raise PanelError(f"the panel is a {type(panel).__name__}: give a pandas DataFrame")
    for column in ("room", "day", "value"):
        found = list(panel.columns).count(column)
        if found != 1:
            raise PanelError(f"the panel has {f'{found} columns' if found else 'no column'} {column!r}")
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
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise PanelError(f"room {twice} is written both as text and as a number")
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
        return _whole(days), False
    if any(isinstance(day, Number) for day in days):
        raise PanelError("some days are dates and some are numbers")
    texts = pd.api.types.is_string_dtype(days)
    stamps = pd.to_datetime(days, format="%Y-%m-%d" if texts else None, errors="coerce")
    if stamps.isna().any():
        wrong = days[int(np.argmax(stamps.isna()))]
        raise PanelError(f"day holds {wrong!r}, neither a date (2026-04-13) nor a whole number")
    if getattr(stamps, "tz", None) is not None:
        raise PanelError("day holds instants with a zone: give local dates")
    return stamps.to_numpy().astype("datetime64[D]").astype(np.int64), True


def _whole(days: pd.Index) -> NDArray[np.int64]:
    if pd.api.types.is_complex_dtype(days):
        raise PanelError("day holds complex numbers: give dates or whole numbers")
    numbers = np.asarray(days, dtype=np.float64)
    if not (np.isfinite(numbers) & (numbers == np.round(numbers))).all():
        raise PanelError("day holds a fraction: give dates or whole numbers")
    if np.abs(numbers).max() > LARGEST_DAY:
        raise PanelError(f"day holds {numbers[np.abs(numbers).argmax()]:g}: count days from a later one")
    return numbers.astype(np.int64)


def _values(column: pd.Series) -> NDArray[np.float64]:
    if column.dtype.kind in "mMc":
        raise PanelError(f"value holds {column.dtype}: give plain numbers")
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise PanelError(f"value holds text: {error}") from error
    if np.isinf(values).any():
        raise PanelError("value holds infinity")
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise PanelError(f"value is of the size of {largest:g}: give it in another unit")
    return values
