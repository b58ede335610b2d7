"""Nothing acknowledged is lost: real Mosquitto, `temoin ingest`, kill -9, and every number counted."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.publish import multiple
from parts import BAD_EVERY, START, Publisher, connected, moved_all, payload

from sensors.store_embedded import EmbeddedStore
from service.ingest import receiver_status, troubles
from service.registry import Registry, quarantine

if TYPE_CHECKING:
    from collections.abc import Callable

    from parts import Broker, Ingest

pytestmark = pytest.mark.machine_clock


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


@pytest.mark.slow
def test_kills_of_receiver_and_mover_lose_nothing_and_store_nothing_twice(
    broker: Broker, ingest: Ingest, eventually: Callable[..., None]
):
    ingest.start()
    eventually(lambda: connected(ingest))
    publisher = Publisher(broker.port)
    for _ in range(4):  # `make faults` does more
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
    assert missing == set()
    # what carries no time of its own, unread here, may wait twice: a starved broker sends again
    assert set(double) <= set(refused)
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
