"""The fault report (`make faults`): what is done to the river, and where every confirmed message is then."""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.publish import multiple

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; the siblings are needed

from parts import START, Broker, Ingest, Publisher, connected, moved_all, payload, wait_until

from sensors.landing import Landing
from service import river
from service.registry import Registry, quarantine
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.report
SECONDS = 3.0  # of messages before, during and after a fault
PADDING = b" " * 2000  # after the JSON, to fill a landing sooner


@dataclass
class Scene:
    """A broker, an ingest that stores here or there, a publisher; `influxd` when that is the store."""

    broker: Broker
    ingest: Ingest
    influxd: object = None
    seconds: float = SECONDS
    extra: list[Ingest] = field(default_factory=list)

    def wait(self) -> None:
        """Let messages flow for a while."""
        time.sleep(self.seconds)


def kills(scene: Scene) -> None:
    for _ in range(5):
        scene.ingest.kill_receiver()
        time.sleep(1.3)
        scene.ingest.kill_mover()
        scene.ingest.start()
        time.sleep(1.0)


def broker_ended(scene: Scene) -> None:
    scene.broker.stop()
    time.sleep(1)
    scene.broker.start()


def broker_killed(scene: Scene) -> None:
    scene.broker.kill()
    time.sleep(1)
    scene.broker.start()


def bad_payloads(scene: Scene) -> None:
    bad = [(f"temoin/bad/{n % 8}", b"\xff\x00 not a message %d" % n, 1, False) for n in range(5000)]
    multiple(bad, hostname="127.0.0.1", port=scene.broker.port)


def again_and_backwards(scene: Scene) -> None:
    numbers = random.Random(1).sample(range(400), 400)  # noqa: S311 - an order
    again = [(f"temoin/gateway/{n % 8}", payload(n), 1, False) for n in numbers for _ in range(2)]
    multiple(again, hostname="127.0.0.1", port=scene.broker.port)


def store_away(scene: Scene) -> None:
    scene.influxd.end()
    time.sleep(10)
    scene.influxd.start()


def landing_full(scene: Scene) -> None:
    scene.influxd.end()
    status = scene.ingest.settings.data_dir / "landing" / "mqtt.receiver.json"
    fat = [(f"temoin/fat/{n % 8}", b'{"readings": {"co2": 612}}' + PADDING, 1, False) for n in range(3000)]
    multiple(fat, hostname="127.0.0.1", port=scene.broker.port)
    wait_until(lambda: json.loads(status.read_text())["full"], 30, "the landing to be full")
    scene.influxd.start()
    wait_until(lambda: not json.loads(status.read_text())["full"], 60, "room in the landing")


def another_of_the_same_name(scene: Scene) -> None:
    folder = scene.ingest.settings.data_dir.with_name("another")
    other = Ingest(
        scene.ingest.settings.model_copy(update={"data_dir": folder}),
        {"TEMOIN_MQTT_URL": scene.broker.url, "TEMOIN_DATA_DIR": str(folder)},
    )
    registry = Registry(other.settings.registry_url)
    registry.migrate()
    registry.close()
    other.start()
    scene.extra.append(other)
    time.sleep(6)


def slow(_scene: Scene) -> None:
    """The store takes seconds a write from the beginning."""


def nothing(_scene: Scene) -> None:
    """Nothing is done."""


FAULTS: list[tuple[str, str, Callable[[Scene], None]]] = [
    ("nothing", "embedded", nothing),
    ("receiver and mover killed -9, five times each", "embedded", kills),
    ("broker ended, started again", "embedded", broker_ended),
    ("broker killed -9, started again", "embedded", broker_killed),
    ("5,000 payloads that nobody can read", "embedded", bad_payloads),
    ("400 messages twice more, in disorder", "embedded", again_and_backwards),
    ("another ingest of the same name beside it", "embedded", another_of_the_same_name),
    ("nothing", "influxdb", nothing),
    ("receiver and mover killed -9, five times each", "influxdb", kills),
    ("store away for 10 s", "influxdb", store_away),
    ("store slow, 2 s a write", "influxdb", slow),
    ("store away until the landing is full", "influxdb", landing_full),
    ("400 messages twice more, in disorder", "influxdb", again_and_backwards),
]


def slowed(port: int, seconds: float) -> int:
    """A port that passes on to `port` what it gets, each piece so much later, until this process ends."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            client, _ = listening.accept()
            with suppress(OSError):
                server = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=pump, args=(client, server, seconds), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, 0.0), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(listening.getsockname()[1])


def pump(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 20):
            time.sleep(seconds)
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(("fault", "store", "do"), FAULTS, ids=[f"{a} ({b})" for a, b, _ in FAULTS])
def test_fault(
    fault: str, store: str, do: Callable[[Scene], None], broker: Broker, tmp_path: Path, request, report_rows
):
    folder = tmp_path / "data"
    environment = {
        "TEMOIN_DATA_DIR": str(folder),
        "TEMOIN_MQTT_URL": broker.url,
        "TEMOIN_LANDING_MAX_MB": "4",
    }
    given: dict[str, object] = {"data_dir": folder, "mqtt_url": broker.url}
    influxd = None
    if store == "influxdb":
        influxd = request.getfixturevalue("influxd")
        influxd.start()
        server = influxd.set_up()
        port = slowed(influxd.port, 2.0) if do is slow else influxd.port
        environment |= {"TEMOIN_STORE": "influxdb", "TEMOIN_INFLUX_TOKEN": server.token}
        environment |= {"TEMOIN_INFLUX_URL": f"http://127.0.0.1:{port}"}
        given |= {"store": "influxdb", "influx_url": server.url, "influx_token": server.token}
    settings = Settings(**given)  # type: ignore[arg-type]
    registry = Registry(settings.registry_url)
    registry.migrate()
    registry.close()
    scene = Scene(broker, Ingest(settings, environment), influxd)
    scene.ingest.start()
    try:
        wait_until(lambda: connected(scene.ingest))
        publisher = Publisher(broker.port)
        scene.wait()
        do(scene)
        scene.wait()
        confirmed = publisher.end(wait_until)
        for each in (scene.ingest, *scene.extra):
            wait_until(lambda: quiet(each), 120, "everything to be moved")  # noqa: B023 - waited for here
    finally:
        ends = [each.stop() for each in (scene.ingest, *scene.extra)]
    assert not any(ends)
    row = where(scene, confirmed)
    report_rows.append((fault, store, *row.values()))
    assert row["ours"] == 0
    if do is not broker_killed:
        assert row["broker's"] == 0


def quiet(ingest: Ingest) -> bool:
    """Whether nothing waits and nothing has come for a second."""
    if not moved_all(ingest, 1):
        return False
    before = last(ingest)
    time.sleep(1)
    return moved_all(ingest, 1) and last(ingest) == before


def last(ingest: Ingest) -> int:
    landing = Landing(ingest.settings.data_dir / "landing" / "mqtt.db")
    try:
        return landing.position
    finally:
        landing.close()


def where(scene: Scene, confirmed: int) -> dict[str, int]:
    """Of the numbered messages the broker confirmed: where each is; what the broker lost is its own."""
    landed: set[int] = set()
    for ingest in (scene.ingest, *scene.extra):
        landed |= {n for n in map(number, raw(ingest)) if n is not None}
    stored, waiting = set(), set()
    for ingest in (scene.ingest, *scene.extra):
        store = river.open_store(ingest.settings)
        frame = store.read(START, START + timedelta(days=1), metrics=["co2"])
        store.close()
        stored |= set(((frame["time"] - START) // timedelta(milliseconds=1)).astype(int).tolist())
        registry = Registry(ingest.settings.registry_url)
        with registry.session() as session:
            payloads = [bytes(entry.payload) for page in quarantine.chosen(session) for entry in page]
        registry.close()
        waiting |= {n for n in map(number, payloads) if n is not None}
    expected = set(range(confirmed))
    return {
        "confirmed": confirmed,
        "stored": len(stored & expected),
        "quarantined": len(waiting & expected),
        "ours": len((landed & expected) - stored - waiting),
        "broker's": len(expected - landed - stored - waiting),
    }


def raw(ingest: Ingest) -> Iterator[bytes]:
    """Every payload that is still in the landing."""
    landing = Landing(ingest.settings.data_dir / "landing" / "mqtt.db")
    position = 0
    while batch := landing.after(position, 5000):
        yield from (message.payload for _, message in batch)
        position = batch[-1][0]
    landing.close()


def number(payload: bytes) -> int | None:
    """A numbered message's number."""
    if payload.startswith(b"broken "):
        return int(payload.split()[1])
    with suppress(ValueError):
        told = json.loads(payload)
        if isinstance(told, dict):
            return told.get("seq")
    return None
