"""The mover after an outage: how many times the arrival rate it moves, and its memory from beginning to end.

python benchmarks/catchup.py [messages]        by default an hour of 100 messages a second
"""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from sensors.quality import Gate
from sensors.reading import Message
from service import river
from service.ingest import SPARING
from service.registry import Registry
from service.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the tests know how to run InfluxDB

from conftest import Influxd

ARRIVALS, HOUR, DEVICES = 100, 3600, 500  # messages a second, seconds
START = datetime(2026, 3, 2, tzinfo=UTC)


def fill(folder: Path, count: int) -> None:
    """Land so many messages, each device's a few seconds apart."""
    landing = river.open_landing(Settings(data_dir=folder), "mqtt")
    for first in range(0, count, 5000):
        landing.append(message(number) for number in range(first, min(first + 5000, count)))
    landing.close()


def message(number: int) -> Message:
    """A native message of four values."""
    at = START + timedelta(seconds=number / ARRIVALS)
    values = {"co2": 400 + number % 1600, "temperature": 21.4, "humidity": 41.5, "people": number % 9}
    body = {"time": at.isoformat(timespec="milliseconds"), "seq": number, "readings": values}
    return Message(f"temoin/city/d{number % DEVICES}", json.dumps(body).encode(), at)


def move(folder: str, url: str, token: str) -> None:
    """Move everything in this process; prints seconds and memory (MB) at a tenth, at half and at the end."""
    given = {"store": "influxdb", "influx_url": url, "influx_token": token} if url else {}
    settings = Settings(data_dir=Path(folder), **given)  # type: ignore[arg-type]
    registry = Registry(settings.registry_url)
    registry.migrate()
    store, landing = river.open_store(settings), river.open_landing(settings, "mqtt")
    mover = river.mover(settings, registry, store, landing)
    mover._sieve = river.sieve(settings, registry, Gate(max_age=None))  # noqa: SLF001 - these messages are of another year
    gc.set_threshold(*SPARING)
    total, began, marks = landing.backlog, time.perf_counter(), []
    process, moved = psutil.Process(), 0
    while step := mover.step():
        moved += step
        while len(marks) < 2 and moved >= total * (0.1, 0.5)[len(marks)]:  # noqa: PLR2004 - the two marks
            marks.append(process.memory_info().rss / 1e6)
    print(time.perf_counter() - began, *marks, process.memory_info().rss / 1e6)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ARRIVALS * HOUR
    print(f"{count} messages of 4 values waited\n")
    heads = ("messages/s", "× arrivals", "MB at 10 %", "at 50 %", "at the end")
    print(f"{'store':<12}" + "".join(f"{head:>12}" for head in heads))
    program = shutil.which("influxd")
    for name in ("embedded", "influxdb"):
        if name == "influxdb" and program is None:
            print("influxdb    InfluxDB 2.x is missing: put influxd on PATH")
            continue
        with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
            data = Path(folder) / "data"
            fill(data, count)
            with Influxd(program or "", Path(folder)) as server:
                url = token = ""
                if name == "influxdb":
                    server.start()
                    url, token = server.url, server.set_up().token
                command = [sys.executable, __file__, "move", str(data), url, token]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, *memory = map(float, done.stdout.split())
        rate = count / seconds
        figures = (rate, rate / ARRIVALS, *memory)
        print(f"{name:<12}" + "".join(f"{each:>12.0f}" for each in figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["move"]:
        move(*sys.argv[2:])
    else:
        main()
