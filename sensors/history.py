"""History in a file, as readings: line by line, each good or with its fault."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sensors.history_map import Column, HistoryMap, column_by_name, guessed_map
from sensors.instant import instant, plausible, whole_milliseconds
from sensors.reading import HistoryRejected, Reading
from sensors.table import open_table
from sensors.wording import UnreadableError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from sensors.metrics import Metric
    from sensors.table import Table

_MISSING = frozenset(["", "nan", "na", "n/a", "null", "none", "-", "--", "#n/a", "nat"])
_STATES = {
    **dict.fromkeys(["1", "1.0", "true", "vrai", "yes", "oui", "on", "open", "occupied"], 1.0),
    **dict.fromkeys(["0", "0.0", "false", "faux", "no", "non", "off", "closed", "vacant"], 0.0),
}


@dataclass(frozen=True, slots=True)
class Line:
    """The readings of one line, or the fault that keeps it from having any."""

    number: int
    readings: list[Reading] = field(default_factory=list)
    fault: str | None = None


class CellError(Exception):
    """A cell that does not hold what its column should."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(f"column {column}: {sentence}")


def read_history(path: Path, history_map: HistoryMap | None, zone: tzinfo) -> Iterator[Line]:
    """Every line of a file in its order, as readings or as a fault naming line and column.

    Without a map the header must speak for itself: `device`, `time`, and columns whose names tell a
    metric or `metric` and `value`. Naive times are the map's zone's, else `zone`'s. Raises
    HistoryRejected when the file as a whole is not what the map says.
    """
    encoding, separator = (history_map.encoding, history_map.separator) if history_map else (None, None)
    with open_table(path, encoding, separator) as table:
        yield from _Lines(table, history_map or guessed_map(table.header), zone).read()


class _Lines:
    """Reads the rows of one table by one map."""

    def __init__(self, table: Table, history_map: HistoryMap, zone: tzinfo) -> None:
        self._table = table
        self._map = history_map
        self._zone = history_map.zone or zone
        self._place = self._places()
        self._device = [(text, None if name is None else self._at(name)) for text, name in history_map.device]
        self._time = [self._at(name) for name in history_map.time]
        self._long: tuple[int, int] | None = None
        if history_map.metric is not None and history_map.value is not None:
            self._long = (self._at(history_map.metric), self._at(history_map.value))
            self._wide = []
        else:
            self._wide = [(self._at(name), name, column) for name, column in history_map.columns.items()]
        self._zoned: bool | None = None
        self._last: dict[tuple[str, str], datetime] = {}  # by device and metric
        self._falling: set[tuple[str, str]] = set()  # those whose newest line came first

    def read(self) -> Iterator[Line]:
        """Every row as a line."""
        width = len(self._table.header)
        for number, cells in self._table.rows:
            try:
                if len(cells) != width:
                    raise CellError(  # noqa: TRY301 - one place names the line
                        self._table.header[min(len(cells), width) - 1],
                        f"the {self._table.word} has {len(cells)} fields and the header {width}",
                    )
                yield Line(number, self._readings(cells))
            except CellError as error:
                yield Line(number, fault=f"{self._table.word} {number}, {error}")

    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for index, name in enumerate(self._table.header):
            if name in places:
                raise HistoryRejected(f"line 1: two columns are called {name}")
            places[name] = index
        return places

    def _at(self, name: str) -> int:
        if name not in self._place:
            there = ", ".join(self._table.header[:20])
            raise HistoryRejected(f"line 1: there is no column {name}; the file has {there}")
        return self._place[name]

    def _readings(self, cells: Sequence[object]) -> list[Reading]:
        device = self._key(cells)
        values = list(self._values(cells))
        time = self._instant(cells, [(device, metric.key) for metric, _ in values])
        gateway = device.partition("/")[0]
        return [
            Reading(device, metric.key, value, metric.unit, time, "device", gateway)
            for metric, value in values
        ]

    def _key(self, cells: Sequence[object]) -> str:
        name = ""
        for text, place in self._device:
            part = "" if place is None else _said(cells[place])
            if place is not None and not part:
                raise CellError(self._table.header[place], "empty, and the device is named by it")
            name += text + part
        # our own export writes whole keys
        key = name if self._map.gateway == "import" and "/" in name else f"{self._map.gateway}/{name}"
        if not key.isprintable() or len(key) > 200:  # noqa: PLR2004 - the registry's width
            raise CellError("of the device", f"{shown(key)} is no name")
        return key

    def _instant(self, cells: Sequence[object], series: Sequence[tuple[str, str]]) -> datetime:
        column = " ".join(self._map.time)
        written = cells[self._time[0]]
        if len(self._time) > 1:
            written = " ".join(_said(cells[place]) for place in self._time)
        try:
            moment = self._moment(written)
            if moment is None:
                return instant(_epoch(written), UTC)
        except UnreadableError as error:
            raise CellError(column, str(error)) from error
        zoned = moment.tzinfo is not None
        if self._zoned is None:
            self._zoned = zoned
        elif self._zoned != zoned:
            before, here = ("a", "none") if self._zoned else ("no", "one")
            raise CellError(column, f"{shown(written)} has {here} while the times before have {before} zone")
        if not zoned:
            moment = self._local(moment, series, column)
        try:
            return plausible(whole_milliseconds(moment), written)
        except UnreadableError as error:
            raise CellError(column, str(error)) from error

    def _moment(self, written: object) -> datetime | None:
        """The time as written, None when it is a number since 1970."""
        if isinstance(written, datetime):
            return written
        if not isinstance(written, str):
            return None
        text = written.strip()
        try:
            if self._map.time_format is not None:
                return datetime.strptime(text, self._map.time_format)  # noqa: DTZ007 - the zone is given later
            if text.replace(".", "", 1).isdigit():
                return None
            return datetime.fromisoformat(text)
        except ValueError as error:
            wanted = self._map.time_format or "ISO 8601; if it is a date, give time.format in a map"
            raise UnreadableError("bad_time", f"{shown(text)} is not {wanted}") from error

    def _local(self, moment: datetime, series: Sequence[tuple[str, str]], column: str) -> datetime:
        """A naive time in its zone; the hour that comes twice in autumn is told by the order of lines.

        By those of the same device and metric: some files have a line a metric. Some have the newest first.
        """
        local = moment.replace(tzinfo=self._zone)
        utc = local.astimezone(UTC)
        if utc.astimezone(self._zone).replace(tzinfo=None) != moment:
            raise CellError(column, f"{moment} does not exist in {self._zone}: clocks went forward")
        again = local.replace(fold=1)
        if local.utcoffset() != again.utcoffset():
            utc = self._one_of(utc, again.astimezone(UTC), series)
        self._last.update(dict.fromkeys(series, utc))
        return utc

    def _one_of(self, first: datetime, second: datetime, series: Sequence[tuple[str, str]]) -> datetime:
        before = [self._last[each] for each in series if each in self._last]
        if all(last < first for last in before):
            self._falling.difference_update(series)
            return first
        if all(last > second for last in before):
            self._falling.update(series)
            return second
        return second if self._falling.isdisjoint(series) else first

    def _values(self, cells: Sequence[object]) -> Iterator[tuple[Metric, float]]:
        if self._long is not None:
            name, place = _said(cells[self._long[0]]), self._long[1]
            column = self._map.columns.get(name) if self._map.columns else column_by_name(name)
            columns = [] if column is None else [(place, self._table.header[place], column)]
        else:
            columns = self._wide
        for place, header, column in columns:
            value = self._value(cells[place], header, column)
            if value is not None:
                yield column.metric, value

    def _value(self, cell: object, header: str, column: Column) -> float | None:
        number: float | None
        if isinstance(cell, str):
            text = cell.strip()
            if text.lower() in _MISSING:
                return None
            number = _STATES.get(text.lower()) if column.metric.is_state else self._number(text)
        elif cell is None:
            return None
        else:
            number = _plain(cell, state=column.metric.is_state)
        if number is None or math.isinf(number):
            wanted = "yes or no" if column.metric.is_state else "a number"
            raise CellError(header, f"{shown(cell)} is not {wanted}")
        if math.isnan(number):
            return None
        if column.scale == 1.0 and column.offset == 0.0:
            return number
        return round(number * column.scale + column.offset, 6)

    def _number(self, text: str) -> float | None:
        try:
            return float(text)
        except ValueError:
            pass
        if self._table.separator == ",":
            return None  # 1,234: a thousand, or one and a bit?
        bare = "".join(text.split()).replace(",", ".", 1)  # Excel in France: 1 234,5
        try:
            return float(bare)
        except ValueError:
            return None


def _said(cell: object) -> str:
    """A cell as a name is written: 999169, not 999169.0."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _epoch(written: object) -> object:
    return float(written) if isinstance(written, str) else written


def _plain(cell: object, *, state: bool) -> float | None:
    if isinstance(cell, bool):
        return float(cell) if state else None
    try:
        return float(cell)  # type: ignore[arg-type] # int, float, Decimal; anything else is told below
    except (TypeError, ValueError, OverflowError):
        return None
