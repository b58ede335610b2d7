"""The store that needs no server: open days in SQLite, closed UTC days as Parquet, one file a day.

Any process reads while one writes:
1. Writers take turns on `lock`; a batch is one fully synchronous SQLite transaction.
2. A day is put away by writing its Parquet file whole, replacing the old one atomically, and only then
   deleting its rows from SQLite. Killed in between, the rows are in both places, alike.
3. Readers look at SQLite first and at Parquet second, and SQLite wins: a row being put away is found
   once or twice, never not at all, and shown once.
4. A late reading of a day put away goes to SQLite and waits there for the next `settle`.
5. So does the mark of a removed one; nobody is shown marks, and `settle` leaves them out.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sensors.reading import Reading, StoreError
from sensors.store import WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    import duckdb
    import numpy as np
    import pandas as pd

    from sensors.store import Key

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1970, 1, 1)
MILLISECOND = timedelta(milliseconds=1)
DAY = 86_400_000  # ms
DUCKDB_MEMORY = "256MB"
DUCKDB_THREADS = 2
BUSY = 30.0  # seconds a process waits for another's transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, UNIQUE (device, metric));
CREATE TABLE IF NOT EXISTS readings (
  day INTEGER, series INTEGER, time INTEGER, value REAL NOT NULL, PRIMARY KEY (day, series, time)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (series INTEGER PRIMARY KEY, time INTEGER NOT NULL, value REAL NOT NULL);
"""
UPSERT = "INSERT INTO readings VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
UPSERT_LATEST = """
INSERT INTO latest VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET time = excluded.time, value = excluded.value WHERE excluded.time >= latest.time"""
OPEN_DAYS = """
WITH RECURSIVE found(day) AS (
  SELECT min(day) FROM readings
  UNION ALL
  SELECT (SELECT min(day) FROM readings WHERE day > found.day) FROM found WHERE found.day IS NOT NULL)
SELECT day FROM found WHERE day IS NOT NULL"""  # one step of the index a day, not one a row
MERGED = """
SELECT device, metric, time, value FROM read_parquet({files}) AS settled
ANTI JOIN open_rows USING (device, metric, time) WHERE {condition}
UNION ALL SELECT device, metric, time, value FROM open_rows ORDER BY device, metric, time"""
SETTLED = "SELECT device, metric, time, value FROM read_parquet({files}) AS settled WHERE {condition}"

Columns = dict[str, Any]  # device, metric: object arrays; time: datetime64[ms]; value: float64


class EmbeddedStore:
    """Readings in a folder: `open.db`, `days/YYYY-MM-DD.parquet`, `lock`; see `sensors.store`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._days = folder / "days"
        self._turn = threading.RLock()
        self._series: dict[tuple[str, str], int] = {}
        self._duckdb: duckdb.DuckDBPyConnection | None = None
        try:
            self._days.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._writer: sqlite3.Connection | None = self._connect()
            with self._exclusive():
                self._writer.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{folder}: the embedded store cannot be opened ({error})") from error

    def write(self, readings: Iterable[Reading]) -> None:
        """Keep these readings durably, or raise StoreError and keep none. Writing twice changes nothing.

        The iterable is consumed once, inside the transaction: it may be long, and should be quick.
        """
        latest: dict[int, tuple[int, float]] = {}
        with self._exclusive(), self._transaction() as connection:
            connection.executemany(UPSERT, self._rows(connection, readings, latest))
            connection.executemany(UPSERT_LATEST, ((series, *last) for series, last in latest.items()))

    def remove(self, keys: Iterable[Key]) -> None:
        """Take these readings back, there or not. Raises StoreError."""
        marks = [
            Reading(device, metric, WITHDRAWN, "", time, "received", "") for device, metric, time in keys
        ]
        self.write(marks)
        with self._exclusive():
            self._look_for_latest()

    def read(
        self,
        start: datetime,
        end: datetime,
        devices: Collection[str] | None = None,
        metrics: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Readings of [start, end), aware datetimes; None means all; columns and order as promised."""
        first, last = _milliseconds_from(start), _milliseconds_from(end)
        open_rows = self._open_rows(first, last, devices, metrics)
        files = self._files(first, last)
        if not files:
            return _frame(open_rows)
        return _frame(self._settled_rows(files, _condition(first, last, devices, metrics), open_rows))

    def _look_for_latest(self) -> None:
        """What is now the last reading of series whose last one was removed: within the year before."""
        with self._reader() as connection:
            query = "SELECT id, device, metric, time FROM latest JOIN series ON series = id WHERE value = ?"
            removed = connection.execute(query, (WITHDRAWN,)).fetchall()
        found = []
        for series, device, metric, time in removed:
            last = EPOCH + time * MILLISECOND
            frame = self.read(last - timedelta(days=366), last, [device], [metric]).tail(1)
            times, values = frame["time"].astype("int64"), frame["value"]
            found += [(series, int(time), float(value)) for time, value in zip(times, values, strict=True)]
        with self._transaction() as connection:
            connection.execute("DELETE FROM latest WHERE value = ?", (WITHDRAWN,))
            connection.executemany(UPSERT_LATEST, found)

    def latest(self, devices: Collection[str] | None = None) -> pd.DataFrame:
        """The last reading of each device and metric; columns as `read`."""
        with self._reader() as connection:
            rows = connection.execute(
                "SELECT device, metric, time, value FROM latest JOIN series ON series = id"
            ).fetchall()
        if devices is not None:
            wanted = set(devices)
            rows = [row for row in rows if row[0] in wanted]
        return _frame(_columns(sorted(rows)))

    def settle(self, before: date) -> list[date]:
        """Put away UTC days that ended before `before` in their final form; the days so treated."""
        limit = (before - FIRST_DAY).days
        with self._reader() as connection:
            days = [day for (day,) in connection.execute(OPEN_DAYS) if day < limit]
        for day in days:
            with self._exclusive():
                self._put_away(day)
        return [FIRST_DAY + timedelta(days=day) for day in days]

    def close(self) -> None:
        """Let go of every file and connection; twice is fine."""
        with self._turn:
            if self._duckdb is not None:
                self._duckdb.close()
                self._duckdb = None
            if self._writer is not None:
                self._writer.close()
                self._writer = None
                os.close(self._lock)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._folder / "open.db", timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """This thread of this process is the only one that changes the folder."""
        with self._turn:
            if self._writer is None:
                raise StoreError(f"{self._folder}: the store is closed")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._writer
        assert connection is not None  # noqa: S101 - _exclusive has looked
        kept = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            kept = True
        except sqlite3.Error as error:
            raise StoreError(f"{self._folder}: the store does not take readings ({error})") from error
        finally:
            if not kept:
                self._series.clear()  # it may hold series that were not kept
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.rollback()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that threads and processes read as they like."""
        address = f"{(self._folder / 'open.db').absolute().as_uri()}?mode=ro"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=BUSY, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._folder}: the embedded store cannot be read ({error})") from error

    def _rows(
        self,
        connection: sqlite3.Connection,
        readings: Iterable[Reading],
        latest: dict[int, tuple[int, float]],
    ) -> Iterator[tuple[int, int, int, float]]:
        known = self._series
        instant, time, day = None, 0, 0
        for reading in readings:
            if reading.time is not instant:
                instant = reading.time
                time = (instant - EPOCH) // MILLISECOND
                day = time // DAY
            value = reading.value
            name = (reading.device, reading.metric)
            series = known.get(name) or self._enter(connection, name)
            last = latest.get(series)
            if last is None or time >= last[0]:
                latest[series] = (time, value)
            yield day, series, time, value

    def _enter(self, connection: sqlite3.Connection, name: tuple[str, str]) -> int:
        """The id of a series this object has not met: perhaps another process has."""
        connection.execute("INSERT INTO series (device, metric) VALUES (?, ?) ON CONFLICT DO NOTHING", name)
        row = connection.execute("SELECT id FROM series WHERE device = ? AND metric = ?", name).fetchone()
        self._series[name] = int(row[0])
        return int(row[0])

    def _open_rows(
        self, first: int, last: int, devices: Collection[str] | None, metrics: Collection[str] | None
    ) -> Columns:
        with self._reader() as connection:
            connection.execute("BEGIN")
            names = {
                series: (device, metric)
                for series, device, metric in connection.execute("SELECT id, device, metric FROM series")
                if (devices is None or device in devices) and (metrics is None or metric in metrics)
            }
            days = [day for (day,) in connection.execute(OPEN_DAYS) if first // DAY <= day <= last // DAY]
            everything = devices is None and metrics is None
            rows: list[tuple[int, int, float]] = []
            for day in days:
                query = (
                    f"SELECT series, time, value FROM readings WHERE day = {day} AND time >= ? AND time < ?"
                )
                if not everything:
                    query += f" AND series IN ({','.join(map(str, names))})"
                rows += connection.execute(query, (first, last))
        return _named(rows, names)

    def _files(self, first: int, last: int) -> list[str]:
        """Parquet files of the UTC days of [first, last)."""
        names = (
            f"{FIRST_DAY + timedelta(days=first // DAY)}.parquet",
            f"{FIRST_DAY + timedelta(days=(last - 1) // DAY)}.parquet",
        )
        return [
            str(path)
            for path in sorted(self._days.iterdir())
            if path.suffix == ".parquet" and names[0] <= path.name <= names[1]
        ]

    def _settled_rows(
        self, files: list[str], condition: tuple[str, list[object]], open_rows: Columns | None
    ) -> Columns:
        import duckdb  # noqa: PLC0415 - 40 MB that a process which only writes does not need

        where, bound = condition
        try:
            with self._reading_engine().cursor() as cursor:
                if open_rows is None or not len(open_rows["time"]):
                    query = SETTLED + ("" if len(files) == 1 else " ORDER BY device, metric, time")
                else:
                    cursor.register("open_rows", _plain_frame(open_rows))
                    query = MERGED
                columns: Columns = cursor.execute(
                    query.format(files=files, condition=where), bound
                ).fetchnumpy()
        except duckdb.Error as error:
            raise StoreError(f"{self._days}: settled days cannot be read ({error})") from error
        return columns

    def _reading_engine(self) -> duckdb.DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - see _settled_rows

        with self._turn:
            if self._duckdb is None:
                engine = duckdb.connect(":memory:")
                for setting in (
                    f"threads = {DUCKDB_THREADS}",
                    f"memory_limit = '{DUCKDB_MEMORY}'",
                    f"temp_directory = '{_quoted(self._folder / 'spill')}'",
                    f"allowed_directories = ['{_quoted(self._folder.absolute())}']",
                    "enable_external_access = false",  # after the directories, which it then freezes
                    "lock_configuration = true",
                ):
                    engine.execute(f"SET {setting}")
                self._duckdb = engine
            return self._duckdb

    def _put_away(self, day: int) -> None:
        """The day's Parquet file anew, with what SQLite holds of it; then SQLite forgets it."""
        name = f"{FIRST_DAY + timedelta(days=day)}.parquet"
        target = self._days / name
        columns = self._open_rows(day * DAY, (day + 1) * DAY, None, None)
        if target.exists():
            columns = self._settled_rows([str(target)], ("true", []), columns)
        self._replace(target, _shown(columns))
        with self._transaction() as connection:
            connection.execute("DELETE FROM readings WHERE day = ?", (day,))

    def _replace(self, target: Path, columns: Columns) -> None:
        import duckdb  # noqa: PLC0415 - see _settled_rows

        draft = target.with_suffix(".draft")
        try:
            with self._reading_engine().cursor() as cursor:
                cursor.register("whole_day", _plain_frame(columns))
                cursor.execute(f"COPY whole_day TO '{_quoted(draft)}' (FORMAT parquet, COMPRESSION zstd)")
            _synchronise(draft)
            draft.replace(target)
            _synchronise(self._days)
        except (OSError, duckdb.Error) as error:
            raise StoreError(f"{target}: the day cannot be put away ({error})") from error


def _milliseconds_from(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up: the first that is not before `instant`."""
    return -((EPOCH - instant) // MILLISECOND)


def _condition(
    first: int, last: int, devices: Collection[str] | None, metrics: Collection[str] | None
) -> tuple[str, list[object]]:
    """WHERE clause and its bound values."""
    where = f"time >= make_timestamp({first * 1000}) AND time < make_timestamp({last * 1000})"
    bound: list[object] = []
    for column, wanted in (("device", devices), ("metric", metrics)):
        if wanted is None:
            continue
        where += f" AND {column} IN ({', '.join('?' * len(wanted))})" if wanted else " AND false"
        bound += wanted
    return where, bound


def _named(rows: list[tuple[int, int, float]], names: dict[int, tuple[str, str]]) -> Columns:
    """Rows of series, time and value as sorted columns."""
    import numpy as np  # noqa: PLC0415 - a process that only writes does not need it

    if not rows:
        return _columns([])
    ids, times, values = (np.array(column) for column in zip(*rows, strict=True))
    ranked = sorted(names, key=names.__getitem__)
    rank_of = np.zeros(max(ranked) + 1, dtype=np.int64)
    rank_of[ranked] = np.arange(len(ranked))
    ranks = rank_of[ids]
    order = np.lexsort((times, ranks))
    ranks = ranks[order]
    return {
        "device": np.array([names[series][0] for series in ranked], dtype=object)[ranks],
        "metric": np.array([names[series][1] for series in ranked], dtype=object)[ranks],
        "time": times[order].astype("datetime64[ms]"),
        "value": values[order].astype(np.float64),
    }


def _columns(rows: list[tuple[str, str, int, float]]) -> Columns:
    import numpy as np  # noqa: PLC0415 - see _named

    device, metric, time, value = zip(*rows, strict=True) if rows else ((), (), (), ())
    return {
        "device": np.array(device, dtype=object),
        "metric": np.array(metric, dtype=object),
        "time": np.array(time, dtype=np.int64).astype("datetime64[ms]"),
        "value": np.array(value, dtype=np.float64),
    }


def _plain_frame(columns: Columns) -> pd.DataFrame:
    """As DuckDB takes them: times without a zone, whole milliseconds."""
    import pandas as pd  # noqa: PLC0415 - see _named

    return pd.DataFrame({**columns, "time": columns["time"].astype("datetime64[ms]")})


def _shown(columns: Columns) -> Columns:
    """Without the marks of readings that were removed."""
    stays = columns["value"] != WITHDRAWN
    return columns if stays.all() else {name: column[stays] for name, column in columns.items()}


def _frame(columns: Columns) -> pd.DataFrame:
    """As the protocol promises them: str, str, datetime64[ms, UTC], float64."""
    import pandas as pd  # noqa: PLC0415 - see _named

    columns = _shown(columns)
    times: np.ndarray[Any, Any] = columns["time"].astype("datetime64[ms]")
    return pd.DataFrame(
        {
            "device": pd.Series(columns["device"], dtype="str"),
            "metric": pd.Series(columns["metric"], dtype="str"),
            "time": pd.Series(times).dt.tz_localize("UTC"),
            "value": columns["value"],
        }
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _synchronise(path: Path) -> None:
    """Have the disk hold what was written to a file, or to the list of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
