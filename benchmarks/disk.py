"""Bytes on disk: a raw message in the landing, a reading in the embedded store and in InfluxDB.

python benchmarks/disk.py [days]        fifty rooms; InfluxDB needs influxd on PATH
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sensors.reading import Message
from sensors.store_embedded import EmbeddedStore
from service import river
from service.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the tests know how to run InfluxDB

from conftest import Influxd
from stores import MONDAY, ROOMS, readings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensors.reading import Reading


def messages(day: Iterable[Reading]) -> Iterable[Message]:
    """The native messages that carry these readings, one a device and instant."""
    values: dict[tuple[str, datetime], dict[str, float]] = defaultdict(dict)
    for each in day:
        values[each.device, each.time][each.metric] = each.value
    for number, ((device, at), found) in enumerate(sorted(values.items(), key=lambda item: item[0][1])):
        body = {"time": at.isoformat(timespec="milliseconds"), "seq": number, "readings": found}
        yield Message(f"temoin/{device}", json.dumps(body).encode(), at)


def size(folder: Path) -> int:
    """What its files take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Measure and print."""
    days = readings(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
    count = sum(map(len, days))
    told = [list(messages(day)) for day in days]
    sent = sum(map(len, told))
    print(f"{len(days)} days of {ROOMS} rooms: {sent} messages, {count} readings\n")
    with tempfile.TemporaryDirectory(prefix="temoin-bench-") as name:
        folder = Path(name)
        landing = river.open_landing(Settings(data_dir=folder / "data"), "mqtt")
        for day in told:
            landing.append(day)
        print(f"{'landing, as it arrives':<32}{landing.size / sent:>8.0f} bytes a message")
        landing.moved_to(sent)
        landing.tidy(datetime.now(UTC) - timedelta(days=100_000))
        print(f"{'landing, moved and compressed':<32}{landing.size / sent:>8.0f}")
        landing.close()
        store = EmbeddedStore(folder / "store")
        for day in days:
            store.write(day)
        store.settle(MONDAY + timedelta(days=len(days) + 30))
        store.close()
        closed, space = size(folder / "store" / "days"), size(folder / "store")
        print(f"{'embedded store, closed days':<32}{closed / count:>8.1f} bytes a reading")
        print(f"{'  its file of open days':<32}{(space - closed) / 1e6:>8.1f} MB")
        program = shutil.which("influxd")
        if program is None:
            print("InfluxDB 2.x is missing: put influxd on PATH")
            return
        for wait in ("CACHE_SNAPSHOT_WRITE_COLD_DURATION", "COMPACT_FULL_WRITE_COLD_DURATION"):
            os.environ[f"INFLUXD_STORAGE_{wait}"] = "1s"  # else it puts away after ten minutes and four hours
        with Influxd(program, folder) as server:
            server.start()
            influx = server.set_up().store("bench")
            for day in days:
                influx.write(day)
            influx.close()
            until = time.monotonic() + 60
            while any((folder / "engine" / "wal").rglob("*.wal")) and time.monotonic() < until:
                time.sleep(0.5)
            time.sleep(5)
            kept = sum(path.stat().st_size for path in (folder / "engine").rglob("*.tsm"))
            print(f"{'InfluxDB, put away':<32}{kept / count:>8.1f} bytes a reading")
            print(f"{'  and whatever it holds':<32}{(size(folder / 'engine') - kept) / 1e6:>8.1f} MB")


if __name__ == "__main__":
    main()
