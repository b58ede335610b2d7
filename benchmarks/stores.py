"""InfluxDB beside the embedded store: the same readings written, a day of 50 rooms read into outcomes.

python benchmarks/stores.py [days]        needs influxd on PATH
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from experiments.panel import OpenRoom, Placed, day_bounds, outcomes_of_day
from sensors.reading import Reading
from sensors.simulate import fleet, measured, small_town
from sensors.store_embedded import EmbeddedStore

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the tests know how to run InfluxDB

from conftest import Influxd

PARIS = ZoneInfo("Europe/Paris")
ROOMS, DAY, MONDAY = 50, timedelta(days=1), date(2026, 3, 2)
UNITS = {"co2": "ppm", "temperature": "°C", "humidity": "%", "sound": "dB(A)", "people": "people"}


def readings(days: int) -> list[list[Reading]]:
    """What fifty rooms measure, a list a day."""
    town = small_town(ROOMS, PARIS)
    devices = fleet(town.rooms)
    told = []
    for day in (MONDAY + n * DAY for n in range(days)):
        made = {room.slug: town.day(room, day) for room in town.rooms}
        told.append(
            [
                Reading(device.key, metric, value, UNITS[metric], each.time, "device", device.gateway)
                for device in devices
                for each in measured(town, device, made[device.room])
                for metric, value in each.values.items()
            ]
        )
    return told


def main() -> None:
    """Measure and print."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    program = shutil.which("influxd")
    if program is None:
        sys.exit("InfluxDB 2.x is missing: put influxd on PATH")
    told = readings(days)
    count = sum(map(len, told))
    town = small_town(ROOMS, PARIS)
    devices = fleet(town.rooms)
    placed = [Placed(each.key, each.room, datetime(2026, 1, 1, tzinfo=UTC), None) for each in devices]
    print(f"{count} readings of {ROOMS} rooms over {days} days\n")
    heads = ("write s", "CPU µs each", "again s", "a day s", "latest s", "rows a day")
    print(f"{'store':<12}" + "".join(f"{head:>13}" for head in heads))
    with tempfile.TemporaryDirectory() as folder, Influxd(program, Path(folder)) as server:
        server.start()
        stores = {"embedded": EmbeddedStore(Path(folder) / "store"), "influxdb": server.set_up().store()}
        computed = {}
        for name, store in stores.items():
            began, cpu = time.perf_counter(), time.process_time()
            for day in told:
                store.write(day)
            wrote, spent = time.perf_counter() - began, time.process_time() - cpu
            began = time.perf_counter()
            for day in told:
                store.write(day)
            again = time.perf_counter() - began
            store.settle(MONDAY + days * DAY)
            middle = MONDAY + days // 2 * DAY
            began = time.perf_counter()
            start, end = day_bounds(middle, PARIS)
            frame = store.read(start - timedelta(hours=2), end)
            rooms = [OpenRoom(room.slug, room.capacity, 8 * 60, 19 * 60) for room in town.rooms]
            computed[name] = outcomes_of_day(frame, placed, rooms, middle, PARIS)
            took = time.perf_counter() - began
            began = time.perf_counter()
            store.latest()
            last = time.perf_counter() - began
            figures = (wrote, 1e6 * spent / count, again, took, last)
            print(f"{name:<12}" + "".join(f"{each:>13.2f}" for each in figures) + f"{len(frame):>13}")
            store.close()
    print(f"\noutcomes alike to the last digit: {computed['embedded'] == computed['influxdb']}")


if __name__ == "__main__":
    main()
