"""Nothing acknowledged is lost: real Mosquitto, `temoin ingest`, kill -9, and every number counted."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.publish import multiple

from sensors.landing import Landing
from sensors.store_embedded import EmbeddedStore
from service.ingest import receiver_status, troubles
from service.registry import Registry, quarantine

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Broker, Ingest

DEVICES = 8
BAD_EVERY = 50  # one message in so many is no JSON: it must end in quarantine, with its number
RATE = 400.0  # messages a second
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


@dataclass
class Publisher:
    """Numbered messages at QoS 1, for as long as it is asked; `confirmed` counts the broker's PUBACKs."""

    port: int
    published: int = 0
    confirmed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def _on_publish(self, *_: object) -> None:
        self.confirmed += 1

    def _publish(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            if self.published < (time.monotonic() - began) * RATE:
                topic = f"temoin/gateway/{self.published % DEVICES}"
                self._client.publish(topic, payload(self.published), qos=1)
                self.published += 1
            else:
                time.sleep(0.002)

    def end(self, eventually: Callable[..., None]) -> int:
        """Publish no more; how many messages the broker confirmed, which is all of them."""
        self._stop.set()
        self._thread.join()
        eventually(lambda: self.confirmed == self.published, what="every PUBACK")
        self._client.disconnect()
        self._client.loop_stop()
        return self.confirmed


def payload(number: int) -> bytes:
    """A native message whose time and value tell its number; some are broken on purpose."""
    if number % BAD_EVERY == BAD_EVERY - 1:
        return b"broken %d" % number
    at = START + timedelta(milliseconds=number)
    return json.dumps(
        {"time": at.isoformat(), "seq": number, "readings": {"co2": 400 + number % 5000}}
    ).encode()


def moved_all(ingest: Ingest, published: int) -> bool:
    """Whether so many messages have landed, and been moved."""
    landing = Landing(ingest.settings.data_dir / "landing" / "mqtt.db")
    try:
        return landing.position >= published and landing.backlog == 0
    finally:
        landing.close()


def stored_numbers(ingest: Ingest) -> Counter[int]:
    store = EmbeddedStore(ingest.settings.data_dir / "store")
    frame = store.read(START, START + timedelta(days=1), metrics=["co2"])
    store.close()
    numbers = ((frame["time"] - START) // timedelta(milliseconds=1)).astype(int)
    assert (frame["value"] == 400 + numbers % 5000).all()
    return Counter(numbers.tolist())


def quarantined_numbers(ingest: Ingest) -> Counter[int]:
    registry = Registry(ingest.settings.registry_url)
    with registry.session() as session:
        pages = list(quarantine.chosen(session))
    registry.close()
    return Counter(int(entry.payload.split()[1]) for page in pages for entry in page)


def count(ingest: Ingest, published: int) -> tuple[set[int], Counter[int], Counter[int]]:
    """Numbers that are missing, that are there twice, and that are in quarantine."""
    stored, refused = stored_numbers(ingest), quarantined_numbers(ingest)
    there = stored + refused
    missing = set(range(published)) - set(there)
    return missing, Counter({number: n for number, n in there.items() if n > 1}), refused


def connected(ingest: Ingest) -> bool:
    status = receiver_status(ingest.settings)
    return status is not None and status.connected


@pytest.mark.slow
def test_ten_kills_of_receiver_and_mover_lose_and_double_nothing(
    broker: Broker, ingest: Ingest, eventually: Callable[..., None]
):
    ingest.start()
    eventually(lambda: connected(ingest))
    publisher = Publisher(broker.port)
    for _ in range(10):
        ingest.kill_receiver()
        time.sleep(1.6)  # it is started again after a second, and works
        ingest.kill_mover()
        ingest.start()
        eventually(lambda: ingest.receiver() is not None, what="a new receiver")
        time.sleep(1.2)
    published = publisher.end(eventually)
    eventually(lambda: moved_all(ingest, published), 60, "everything to be moved")
    assert ingest.stop() == 0
    missing, double, refused = count(ingest, published)
    assert (missing, double) == (set(), Counter())
    assert set(refused) == set(range(BAD_EVERY - 1, published, BAD_EVERY))


def test_sigterm_ends_both_and_a_broker_that_restarts_is_met_again(
    broker: Broker, ingest: Ingest, eventually: Callable[..., None]
):
    ingest.start()
    eventually(lambda: connected(ingest))
    eventually(lambda: troubles(ingest.settings, datetime.now(UTC)) == [], what="no trouble")
    broker.stop()
    eventually(lambda: "receiver waits" in " ".join(troubles(ingest.settings, datetime.now(UTC))))
    broker.start()
    eventually(lambda: connected(ingest))
    publisher = Publisher(broker.port)
    eventually(lambda: publisher.published > BAD_EVERY)
    published = publisher.end(eventually)
    eventually(lambda: moved_all(ingest, published))
    receiver = ingest.receiver()
    assert receiver is not None
    assert ingest.stop() == 0
    assert not receiver.is_running()
    missing, double, _ = count(ingest, published)
    assert (missing, double) == (set(), Counter())
    assert receiver_status(ingest.settings).connected is False  # type: ignore[union-attr] # it wrote one


def test_a_second_ingest_on_the_same_folder_is_refused_with_a_sentence(
    ingest: Ingest, eventually: Callable[..., None]
):
    ingest.start()
    eventually(lambda: connected(ingest))
    second = ingest.once_more()
    assert second.returncode == 1
    assert "is held by another receiver" in second.stderr
    assert second.stderr.count("\n") == 1


def test_hostile_payloads_end_in_quarantine_and_the_next_good_message_goes_through(
    broker: Broker, ingest: Ingest, eventually: Callable[..., None]
):
    hostile = [
        ("temoin/nord/a", b""),
        ("temoin/nord/a", bytes(range(256))),
        ("temoin/nord/a", b"x" * 10_000_000),
        ("temoin/nord/a", b"[" * 10_000 + b"]" * 10_000),
        ("temoin/nord/a", b'{"readings": {"co2": NaN}}'),
        ("temoin/nord/a", b'{"readings": {"co2": 1e999}}'),
        ("temoin/nord/a", b'{"readings": {"co2": ' + b"9" * 5000 + b"}}"),
        ("temoin/nord/", b'{"readings": {"co2": 612}}'),
        ("temoin/nord/a", b'{"time": "1970-01-01T00:00:00Z", "readings": {"co2": 612}}'),
        ("temoin/nord/a", b'{"time": "2100-06-01T00:00:00Z", "readings": {"co2": 612}}'),
        ("application/who/knows", b'{"a": 1}'),
    ]
    ingest.start()
    eventually(lambda: connected(ingest))
    multiple([(topic, body, 1, False) for topic, body in hostile], hostname="127.0.0.1", port=broker.port)
    multiple([("temoin/nord/a", payload(0), 1, False)], hostname="127.0.0.1", port=broker.port)
    eventually(lambda: moved_all(ingest, len(hostile) + 1))
    assert ingest.stop() == 0
    assert stored_numbers(ingest) == Counter([0])
    registry = Registry(ingest.settings.registry_url)
    with registry.session() as session:
        entries = [entry for page in quarantine.chosen(session) for entry in page]
    registry.close()
    assert [(entry.topic, entry.payload) for entry in entries] == hostile
    assert all(": " in entry.reason and entry.code != "internal" for entry in entries)
