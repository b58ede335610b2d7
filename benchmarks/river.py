"""CPU of a message from broker to embedded store, beside a bare consumer; and the store alone.

python benchmarks/river.py [messages]        needs Mosquitto; receiver and mover are processes of their own
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion
from receiver import MOSQUITTO, TOPICS, Broker, bare, ours

from sensors.landing import Landing
from sensors.quality import Gate
from sensors.reading import Reading
from sensors.store_embedded import EmbeddedStore
from service import river
from service.ingest import SPARING
from service.registry import Registry
from service.settings import Settings

WEEKS = 12
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def move(folder: Path) -> None:
    """Move everything landed, as `temoin ingest` does; payloads are older than the gate would have them."""
    settings = Settings(data_dir=folder)
    registry = Registry(settings.registry_url)
    registry.migrate()
    landing = Landing(folder / "mqtt.db")
    gc.set_threshold(*SPARING)
    store = river.open_store(settings)
    mover = river.mover(settings, registry, store, landing)
    mover._sieve = river.sieve(settings, registry, Gate(max_ahead=timedelta(days=9999), max_age=None))  # noqa: SLF001
    began = time.process_time()
    while mover.step():
        pass
    landing.tidy(datetime.now(UTC) - timedelta(days=30))
    print(time.process_time() - began)


def worker(kind: str, port: str, count: str, folder: str) -> None:
    """One stage in this process; prints its CPU time."""
    began = time.process_time()
    if kind == "mover":
        move(Path(folder))
        return
    if kind == "bare":
        bare(int(port), MQTTProtocolVersion.MQTTv311, int(count))
    else:
        ours(int(port), MQTTProtocolVersion.MQTTv311, int(count), Path(folder))
    print(time.process_time() - began)


def stage(kind: str, broker: Broker, count: int, folder: str) -> float:
    """CPU in µs a message of one stage in a process of its own."""
    command = [sys.executable, __file__, "worker", kind, str(broker.port), str(count), folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout) / count * 1e6


def whole_path(count: int) -> None:
    """Print what each stage costs, the best of three rounds, in one table."""
    broker = Broker()
    broker.subscribe(MQTTProtocolVersion.MQTTv311)
    best: dict[str, float] = {}
    for turn in range(3):
        with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
            broker.fill(turn * count, count)
            results = {"bare": stage("bare", broker, count, folder)}
            broker.fill(turn * count, count)
            results["receiver"] = stage("receiver", broker, count, folder)
            results["mover"] = stage("mover", broker, count, folder)
        best = {kind: min(cost, best.get(kind, cost)) for kind, cost in results.items()}
    broker.stop()
    total = best["receiver"] + best["mover"]
    print(f"{'stage':10} {'µs/message':>11}   ({count} messages of 4 values, 3.1.1, {len(TOPICS)} devices)")
    for kind, cost in best.items():
        print(f"{kind:10} {cost:11.1f}")
    print(f"whole path {total:11.1f}   {total / best['bare']:.2f} × bare")


def history() -> list[Reading]:
    """Twelve weeks of sixteen rooms: people every 5 minutes, five of climate every 10."""
    climate = (("co2", 612.0), ("temperature", 21.4), ("humidity", 41.0), ("sound", 38.0), ("battery", 90.0))
    readings = []
    for step in range(WEEKS * 7 * 288):
        instant = MONDAY + timedelta(minutes=5 * step)
        for room in range(16):
            readings.append(Reading(f"sim/p{room}", "people", 3.0, "people", instant, "device", "sim"))
            if step % 2 == 0:
                device = f"sim/c{room}"
                readings += [Reading(device, *each, "", instant, "device", "sim") for each in climate]
    return readings


def store_alone() -> None:
    """Print how fast the store takes, puts away and gives twelve weeks."""
    readings = history()
    with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
        store = EmbeddedStore(Path(folder))
        print(f"\n{'store':34} {'s':>8}   ({len(readings)} readings, {WEEKS} weeks, 16 rooms)")
        began = time.perf_counter()
        store.write(readings)
        print(f"{'write':34} {time.perf_counter() - began:8.2f}")
        print(f"{'read an open day':34} {best_read(store, 3, 4):8.4f}")
        began = time.perf_counter()
        store.settle(MONDAY.date() + timedelta(days=400))
        print(f"{'settle every day':34} {time.perf_counter() - began:8.2f}")
        print(f"{'read a settled day':34} {best_read(store, 3, 4):8.4f}")
        print(f"{'read a week of one room':34} {best_read(store, 0, 7, ['sim/p3', 'sim/c3']):8.4f}")
        print(f"{'read everything':34} {best_read(store, 0, WEEKS * 7):8.4f}")
        store.close()


def best_read(store: EmbeddedStore, first: int, last: int, devices: list[str] | None = None) -> float:
    """Seconds of the best of five reads of these days."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        store.read(MONDAY + timedelta(days=first), MONDAY + timedelta(days=last), devices)
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
    else:
        if Path(MOSQUITTO).exists():
            whole_path(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
        else:
            print("Mosquitto is not here (apt-get install mosquitto): the path is not measured.")
        store_alone()
