"""Messages that nobody knew, mapped and replayed: messages a second, and the quarantine page beside them.

python benchmarks/replay.py [messages, 200000] [page of so many, 1000000]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sensors.mapping import MappedField, Mapping
from sensors.move import Refusal
from sensors.reading import Message
from service import replays, river
from service.registry import Registry, mappings, quarantine
from service.settings import Settings

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
DEVICES = 50
BATCH = 2000
MAPPING = Mapping(
    "usine/+/etat", (MappedField("/v/t1", "temperature", "°C"), MappedField("/v/c", "co2", "ppm"))
)


def refused(number: int) -> Refusal:
    """One of many messages that no format knows."""
    at = START + timedelta(seconds=number)
    body = {"v": {"t1": 18 + number % 60 / 10, "c": 400 + number % 1600}, "fw": "1.4", "n": number}
    message = Message(f"usine/c{number % DEVICES}/etat", json.dumps(body).encode(), at)
    return Refusal(number, message, "unknown_format: neither topic nor shape is known")


def fill(registry: Registry, count: int, landing: str) -> float:
    """Refuse so many messages; seconds."""
    began = time.perf_counter()
    keep = river.RegistryQuarantine(registry)
    for first in range(1, count + 1, BATCH):
        keep.put(landing, [refused(number) for number in range(first, min(first + BATCH, count + 1))])
    return time.perf_counter() - began


def page(registry: Registry) -> float:
    """Milliseconds of what the quarantine page asks, median of 20."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        with registry.session() as session:
            quarantine.waiting_by_code(session)
            found = quarantine.causes(session)
            quarantine.count_causes(session)
            quarantine.recent(session, cause=found[0][0].id)
            mappings.latest(session)
            mappings.replays(session)
        times.append(time.perf_counter() - began)
    return 1000 * median(times)


def main() -> None:
    """Fill, look, map, replay; on a folder of its own that is deleted."""
    count, many = (int(given) for given in (sys.argv[1:] + ["200000", "1000000"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        registry = Registry(settings.registry_url)
        registry.migrate()
        store = river.open_store(settings)
        took = fill(registry, count, "mqtt")
        print(f"refused   {count:>9,} messages  {count / took:>9,.0f} a second")
        with registry.session() as session:
            row = mappings.keep(session, MAPPING, "-", START)
            mappings.ask(session, "-", START, mapping=row.number)
        began = time.perf_counter()
        replays.run_due(settings, registry, store, datetime.now(UTC))
        took = time.perf_counter() - began
        with registry.session() as session:
            done = mappings.replays(session, 1)[0]
        print(f"replayed  {done.stored:>9,} messages  {done.stored / took:>9,.0f} a second")
        fill(registry, many, "http")
        print(f"a page of {many:>9,} that wait {page(registry):>8.1f} ms")
        store.close()
        registry.close()


if __name__ == "__main__":
    main()
