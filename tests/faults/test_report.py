"""The fault report (`make faults`): what is done to the river, and where every confirmed message is then."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from paho.mqtt.publish import multiple

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; the siblings are needed

from parts import (
    START,
    Broker,
    Ingest,
    Key,
    Publisher,
    connected,
    moved_all,
    payload,
    self_signed,
    wait_until,
)

from sensors.landing import Landing
from service import river
from service.ingest import mover_status, receiver_status
from service.registry import Registry, quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.receive import ReceiverStatus

pytestmark = [pytest.mark.report, pytest.mark.machine_clock]
SECONDS = 3.0  # of messages before, during and after a fault
PADDING = b" " * 2000  # after the JSON, to fill a landing sooner
DISK = 40  # megabytes of the small disk
GROUP = "$share/faults-3f9c/temoin/#"


class Server(Protocol):
    """InfluxDB, as tests/conftest.py runs it."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def end(self) -> None:
        """SIGTERM."""

    def kill(self) -> None:
        """SIGKILL."""


@dataclass
class Scene:
    """A broker, an ingest that stores here or there, a publisher; `influxd` when that is the store."""

    broker: Broker
    ingest: Ingest
    influxd: Server | None
    key: Key | None  # what opens it
    others: list[Ingest] = field(default_factory=list)

    @property
    def server(self) -> Server:
        """InfluxDB, where it is the store."""
        assert self.influxd is not None
        return self.influxd

    @property
    def folder(self) -> Path:
        """The ingest's."""
        return self.ingest.settings.data_dir

    def another(self) -> Ingest:
        """One more ingest, on a folder of its own, started."""
        folder = self.folder.with_name(f"another-{len(self.others)}")
        other = self.ingest.beside(folder)
        registry = Registry(other.settings.registry_url)
        registry.migrate()
        registry.close()
        self.others.append(other)
        other.start()
        return other

    def status(self) -> ReceiverStatus:
        """What the receiver last said."""
        told = receiver_status(self.ingest.settings)
        assert told is not None
        return told


def kills(scene: Scene) -> None:
    """Twenty-five, at instants that nobody chose."""
    moments = random.Random(25)  # noqa: S311 - not a secret
    for number in range(25):
        time.sleep(moments.uniform(0.05, 2.0))
        if number % 2:
            scene.ingest.kill_receiver()
        else:
            scene.ingest.kill_mover()
            scene.ingest.start()
            wait_until(lambda: scene.ingest.receiver() is not None, what="a new receiver")


def broker_ended(scene: Scene) -> None:
    scene.broker.stop()
    time.sleep(1)
    scene.broker.start()


def broker_killed(scene: Scene) -> None:
    scene.broker.kill()
    time.sleep(1)
    scene.broker.start()


def certificate_expired(scene: Scene) -> None:
    certificate = scene.broker.certificate
    assert certificate is not None
    scene.broker.stop()
    self_signed(certificate, 0)
    scene.broker.start()
    wait_until(lambda: "expired" in (scene.status().trouble or ""), what="the certificate to be refused")
    scene.broker.stop()
    self_signed(certificate, 2)
    scene.broker.start()
    wait_until(lambda: connected(scene.ingest), 60, "the renewed certificate to be trusted")


def bad_payloads(scene: Scene) -> None:
    bad = [(f"temoin/bad/{n % 8}", b"\xff\x00 not a message %d" % n, 1, False) for n in range(5000)]
    multiple(bad, hostname="127.0.0.1", port=scene.broker.port)


def again_and_backwards(scene: Scene) -> None:
    numbers = random.Random(1).sample(range(400), 400)  # noqa: S311 - an order
    again = [(f"temoin/gateway/{n % 8}", payload(n), 1, False) for n in numbers for _ in range(2)]
    multiple(again, hostname="127.0.0.1", port=scene.broker.port)


def disk_full(scene: Scene) -> None:
    rubbish = scene.folder / "rubbish"
    with suppress(OSError), rubbish.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 100_000)
    time.sleep(8)
    rubbish.unlink()


def store_away(scene: Scene) -> None:
    scene.server.end()
    time.sleep(10)
    scene.server.start()


def store_killed(scene: Scene) -> None:
    for _ in range(5):
        scene.server.kill()
        scene.server.start()
        time.sleep(0.7)


def store_slow(_scene: Scene) -> None:
    """The store takes seconds a write from the beginning."""


def token_withdrawn(scene: Scene) -> None:
    assert scene.key is not None
    scene.key.set_active(yes=False)
    wait_until(lambda: "refuses the token" in (told(scene.ingest) or ""), 30, "the token to be refused")
    scene.key.set_active(yes=True)


def poison(scene: Scene) -> None:
    """One reading that InfluxDB never takes, among 5,000: somebody else writes whole numbers as sound."""
    assert scene.key is not None
    at = int(time.time() * 1000)
    scene.key.write(f"readings,device=other sound=3i {at}")
    bodies = [b'{"time": %d, "readings": {"co2": %d}}' % (at - n, 400 + n % 900) for n in range(5000)]
    bodies[1234] = b'{"time": %d, "readings": {"co2": 700, "sound": 38.5}}' % (at - 1234)
    messages = [(f"temoin/poison/{n % 8}", body, 1, False) for n, body in enumerate(bodies)]
    multiple(messages, hostname="127.0.0.1", port=scene.broker.port)
    wait_until(
        lambda: quarantined(scene.ingest, "store_refused") == [bodies[1234]],
        60,
        "the one to be in quarantine",
    )


def landing_full(scene: Scene) -> None:
    scene.server.end()
    fat = [(f"temoin/fat/{n % 8}", b'{"readings": {"co2": 612}}' + PADDING, 1, False) for n in range(3000)]
    multiple(fat, hostname="127.0.0.1", port=scene.broker.port)
    wait_until(lambda: scene.status().full, 30, "the landing to be full")
    scene.server.start()
    wait_until(lambda: not scene.status().full, 60, "room in the landing")


def another_of_the_same_name(scene: Scene) -> None:
    scene.another()
    time.sleep(6)


def one_of_two_killed(scene: Scene) -> None:
    other = scene.another()
    wait_until(lambda: connected(other))
    time.sleep(2)
    other.kill_receiver()
    other.kill_mover()
    time.sleep(2)
    other.start()


def broker_of_two_ended(scene: Scene) -> None:
    other = scene.another()
    wait_until(lambda: connected(other))
    broker_ended(scene)


def nothing(_scene: Scene) -> None:
    """Nothing is done."""


@dataclass(frozen=True)
class Fault:
    """What is done, where readings are kept, and what must be set for it."""

    what: str
    store: str
    do: Callable[[Scene], None]
    given: dict[str, str] = field(default_factory=dict)
    brokers_own: bool = False  # the broker itself may lose what it had confirmed, which is not ours

    def __str__(self) -> str:
        return f"{self.what} ({self.store})"


KILLS = "receiver and mover killed -9, 25 times"
SHARED = {"TEMOIN_MQTT_TOPICS": GROUP}
FAULTS = [
    Fault("nothing", "embedded", nothing),
    Fault(KILLS, "embedded", kills),
    Fault("broker ended, started again", "embedded", broker_ended),
    Fault("broker killed -9, started again", "embedded", broker_killed, brokers_own=True),
    Fault("the broker's certificate expired, renewed", "embedded", certificate_expired),
    Fault("5,000 payloads that nobody can read", "embedded", bad_payloads),
    Fault("400 messages twice more, in disorder", "embedded", again_and_backwards),
    Fault("disk full for 8 s", "embedded", disk_full, {"TEMOIN_DISK_SPARE_MB": "0"}),
    Fault("nothing", "influxdb", nothing),
    Fault(KILLS, "influxdb", kills),
    Fault("store away for 10 s", "influxdb", store_away),
    Fault("store killed -9, five times", "influxdb", store_killed),
    Fault("store slow, 5 s a write", "influxdb", store_slow),
    Fault("store away until the landing is full", "influxdb", landing_full, {"TEMOIN_LANDING_MAX_MB": "4"}),
    Fault("the store's token withdrawn, given back", "influxdb", token_withdrawn),
    Fault("one poison reading among 5,000", "influxdb", poison),
    Fault("400 messages twice more, in disorder", "influxdb", again_and_backwards),
    Fault(
        "another ingest of the same name beside it",
        "influxdb",
        another_of_the_same_name,
        {"TEMOIN_MQTT_CLIENT_ID": "same"},
    ),
    Fault("two share the work, one killed -9", "influxdb", one_of_two_killed, SHARED),
    Fault("two share the work, broker ended", "influxdb", broker_of_two_ended, SHARED, brokers_own=True),
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


@pytest.fixture
def folder(tmp_path: Path, fault: Fault) -> Iterator[Path]:
    """Where the ingest keeps things; a small disk of its own when it is to be filled."""
    made = tmp_path / "data"
    made.mkdir()
    if fault.do is not disk_full:
        yield made
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", made], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only: run as root, with CAP_SYS_ADMIN")
    yield made
    subprocess.run(["umount", made], check=True)


def set_up(fault: Fault, broker: Broker, folder: Path, request: pytest.FixtureRequest) -> Scene:
    """Broker, store and settings as the fault needs them; nothing is started but them."""
    given = {"TEMOIN_DATA_DIR": str(folder), "TEMOIN_MQTT_URL": broker.url, **fault.given}
    influxd = key = None
    if fault.do is certificate_expired:
        broker.stop()
        broker.certificate = self_signed(folder.with_name("broker.pem"), 2)
        broker.start()
        given |= {"TEMOIN_MQTT_URL": broker.tls_url, "TEMOIN_MQTT_CA": str(broker.certificate)}
    if fault.store == "influxdb":
        influxd = request.getfixturevalue("influxd")
        influxd.start()
        key = Key(influxd.set_up())
        port = slowed(influxd.port, 5.0) if fault.do is store_slow else influxd.port
        given |= {"TEMOIN_STORE": "influxdb", "TEMOIN_INFLUX_URL": f"http://127.0.0.1:{port}"}
        given["TEMOIN_INFLUX_TOKEN"] = key.token
    ingest = Ingest.given(given)
    registry = Registry(ingest.settings.registry_url)
    registry.migrate()
    registry.close()
    return Scene(broker, ingest, influxd, key)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(
    fault: Fault,
    broker: Broker,
    folder: Path,
    request: pytest.FixtureRequest,
    report_rows: list[tuple[object, ...]],
):
    scene = set_up(fault, broker, folder, request)
    scene.ingest.start()
    try:
        wait_until(lambda: connected(scene.ingest))
        publisher = Publisher(broker.port)
        time.sleep(SECONDS)
        fault.do(scene)
        time.sleep(SECONDS)
        confirmed = publisher.end(wait_until)
        for each in (scene.ingest, *scene.others):
            wait_until(lambda: quiet(each), 120, "everything to be moved")  # noqa: B023 - waited for here
    finally:
        ends = [each.stop() for each in (scene.ingest, *scene.others)]
    assert not any(ends)
    row = where(scene, confirmed)
    report_rows.append((fault.what, fault.store, *row.values()))
    assert row["ours"] == 0
    assert row["counted twice"] == 0
    assert fault.brokers_own or row["broker's"] == 0


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
    landed, waiting = Counter[int](), Counter[int]()
    for ingest in (scene.ingest, *scene.others):
        landed.update(n for n in map(number, raw(ingest)) if n is not None)
        waiting.update(n for n in map(number, quarantined(ingest)) if n is not None)
    stored = stored_numbers(scene.ingest)  # where there are several, they have one store
    expected = set(range(confirmed))
    there = {*stored, *waiting}
    return {
        "confirmed": confirmed,
        "stored": len(expected & set(stored)),
        "quarantined": len(expected & set(waiting)),
        "landed twice": sum(landed[n] > 1 for n in expected),
        "counted twice": sum(stored[n] > 1 or bool(stored[n] and waiting[n]) for n in expected),
        "ours": len((set(landed) & expected) - there),
        "broker's": len(expected - set(landed) - there),
    }


def stored_numbers(ingest: Ingest) -> Counter[int]:
    """How often each numbered message is in the store."""
    store = river.open_store(ingest.settings)
    frame = store.read(START, START + timedelta(days=1), metrics=["co2"])
    store.close()
    ours = frame[frame["device"].str.startswith("gateway/")]
    return Counter(((ours["time"] - START) // timedelta(milliseconds=1)).astype(int).tolist())


def quarantined(ingest: Ingest, code: str | None = None) -> list[bytes]:
    """Payloads in quarantine, of this code or all."""
    registry = Registry(ingest.settings.registry_url)
    with registry.session() as session:
        found = [bytes(entry.payload) for page in quarantine.chosen(session, code=code) for entry in page]
    registry.close()
    return found


def told(ingest: Ingest) -> str | None:
    """What the mover says it waits for."""
    status = mover_status(ingest.settings)
    return None if status is None else status.trouble


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
