"""The embedded store among processes: kill -9 at any instant, readers while days are put away."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from sensors.reading import Reading, StoreError
from sensors.store_embedded import EmbeddedStore

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
AFTER = date(2026, 3, 20)

WRITING = """
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from sensors.reading import Reading
from sensors.store_embedded import EmbeddedStore
store, n = EmbeddedStore(Path(sys.argv[1])), int(sys.argv[2])
start = datetime(2026, 3, 2, tzinfo=UTC)
while True:
    times = [start + timedelta(minutes=7 * ((n + i) * 37 % 2000)) for i in range(40)]
    numbered = enumerate(times, n)
    store.write(Reading("nord/a", f"m{i}", float(i), "", t, "device", "nord") for i, t in numbered)
    n += 40
    print(n, flush=True)
    if n % 200 == 0:
        store.settle(date(2026, 3, 20))
        print(n, flush=True)
"""


def reading(value: float, time: datetime) -> Reading:
    return Reading("nord/loire", "co2", value, "ppm", time, "device", "nord")


def values(store: EmbeddedStore) -> list[float]:
    frame = store.read(MONDAY - timedelta(days=30), MONDAY + timedelta(days=60))
    return sorted(frame["value"].tolist())


def killed_after(path: Path, promised: int, lines: int) -> int:
    """Write in a process that is killed -9 after so many lines; the last number it promised."""
    command = [sys.executable, "-c", WRITING, str(path), str(promised)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            promised = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
    return int(rest[-1]) if rest else promised


def test_kill_9_at_any_instant_loses_nothing_that_was_written(tmp_path: Path):
    promised = 0
    for lines in (3, 6, 8, 13):
        promised = killed_after(tmp_path, promised, lines)
        store = EmbeddedStore(tmp_path)
        found = values(store)
        store.close()
        assert found == [float(number) for number in range(len(found))]
        assert promised <= len(found) <= promised + 40
        promised = len(found)


def test_killed_between_parquet_and_sqlite_a_row_is_still_there_once(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    store.write([reading(minute, MONDAY + timedelta(minutes=minute)) for minute in range(100)])
    columns = store._open_rows(0, 1 << 62, None, None)  # noqa: SLF001 - the first half of settling
    store._replace(tmp_path / "days" / "2026-03-02.parquet", columns)  # and no second half
    assert values(store) == [float(minute) for minute in range(100)]
    assert store.settle(AFTER) == [MONDAY.date()]
    assert values(store) == [float(minute) for minute in range(100)]
    store.close()


def test_readers_see_every_row_once_while_days_are_put_away(tmp_path: Path):
    writer, reader = EmbeddedStore(tmp_path), EmbeddedStore(tmp_path)
    expected = 600
    writer.write([reading(n, MONDAY + timedelta(minutes=10 * n)) for n in range(expected)])
    done = threading.Event()

    def disturb() -> None:
        for turn in range(12):
            writer.settle(AFTER)
            late = [reading(n, MONDAY + timedelta(minutes=10 * n)) for n in range(turn, expected, 7)]
            writer.write(late)
        done.set()

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    looked = 0
    while not done.is_set():
        assert values(reader) == [float(n) for n in range(expected)]
        looked += 1
    disturbing.join()
    assert looked > 5
    writer.close()
    reader.close()


def test_two_processes_objects_agree_on_the_names_of_series(tmp_path: Path):
    one, other = EmbeddedStore(tmp_path), EmbeddedStore(tmp_path)
    one.write([reading(1, MONDAY)])
    other.write([reading(2, MONDAY + timedelta(hours=1))])
    one.write([reading(3, MONDAY + timedelta(hours=2))])
    assert values(other) == [1.0, 2.0, 3.0]
    one.close()
    other.close()


def test_a_settled_day_is_a_parquet_file_that_any_tool_reads(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    store.write([reading(612, MONDAY)])
    store.settle(AFTER)
    rows = duckdb.sql(f"SELECT * FROM '{tmp_path}/days/2026-03-02.parquet'").fetchall()
    assert rows == [("nord/loire", "co2", MONDAY.replace(tzinfo=None), 612.0)]
    store.close()


def test_a_draft_left_by_a_killed_process_disturbs_nothing(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    (tmp_path / "days" / "2026-03-02.draft").write_bytes(b"half a fi")
    store.write([reading(1, MONDAY)])
    store.settle(AFTER)
    assert values(store) == [1.0]
    assert [path.name for path in (tmp_path / "days").iterdir()] == ["2026-03-02.parquet"]
    store.close()


def test_a_damaged_day_is_an_error_with_its_folder_not_missing_readings(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    (tmp_path / "days" / "2026-03-02.parquet").write_bytes(b"no parquet")
    with pytest.raises(StoreError, match="days"):
        values(store)
    store.close()


def test_a_full_disk_is_a_store_error_and_passes(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    assert store._writer is not None  # noqa: SLF001 - SQLite's own way to be full
    store._writer.execute("PRAGMA max_page_count = 12")  # noqa: SLF001 - likewise
    many = [reading(n, MONDAY + timedelta(seconds=n)) for n in range(20_000)]
    with pytest.raises(StoreError, match="full"):
        store.write(many)
    assert values(store) == []
    store._writer.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001 - and room again
    store.write(many)
    assert len(values(store)) == 20_000
    store.close()


def test_a_store_that_cannot_be_opened_says_where(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        EmbeddedStore(tmp_path / "file" / "store")


def test_writing_after_close_is_refused(tmp_path: Path):
    store = EmbeddedStore(tmp_path)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write([reading(1, MONDAY)])


def test_only_days_that_are_over_are_settled_and_those_that_got_late_readings_again(tmp_path: Path):
    store, next_day = EmbeddedStore(tmp_path), timedelta(days=1)
    store.write([reading(n, MONDAY + n * next_day) for n in range(3)])
    assert store.settle(date(2026, 3, 4)) == [date(2026, 3, 2), date(2026, 3, 3)]
    assert store.settle(date(2026, 3, 4)) == []
    store.write([reading(7, MONDAY + timedelta(hours=1))])
    assert store.settle(date(2026, 3, 4)) == [date(2026, 3, 2)]
    store.close()


def test_days_are_those_of_utc_in_summer_too(tmp_path: Path):
    store, midnight = EmbeddedStore(tmp_path), datetime(2026, 7, 1, tzinfo=UTC)
    store.write([reading(1, midnight - timedelta(milliseconds=1)), reading(2, midnight)])
    assert store.settle(date(2026, 7, 1)) == [date(2026, 6, 30)]
    store.close()
