"""The mover loses nothing, whatever decoder, store, quarantine and ledger do."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from sensors import move as move_module
from sensors.decode import Decoder
from sensors.landing import Landing
from sensors.move import Mover, Refusal, Sieve, Sighting
from sensors.quality import Gate
from sensors.reading import Message, Reading, ReadingsRefused, StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class FakeStore:
    """Keeps readings in a dictionary; refuses while `down`."""

    kept: dict[tuple[str, str, datetime], float] = field(default_factory=dict)
    down: int = 0

    def write(self, readings: Iterable[Reading]) -> None:
        """All or, while down, none."""
        if self.down:
            self.down -= 1
            raise StoreError("the store is down")
        self.kept |= {(one.device, one.metric, one.time): one.value for one in readings}


@dataclass
class FakeQuarantine:
    """One entry a message, in a dictionary."""

    entries: dict[tuple[str, int], Refusal] = field(default_factory=dict)

    def put(self, landing: str, refusals: Sequence[Refusal]) -> None:
        """Once, however often."""
        self.entries |= {(landing, refusal.landing_id): refusal for refusal in refusals}

    @property
    def reasons(self) -> list[str]:
        """Why, in order."""
        return [refusal.reason for refusal in self.entries.values()]


@dataclass
class FakeLedger:
    """Devices and days, as they are told."""

    seen: dict[str, Sighting] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)

    def record(self, seen: Mapping[str, Sighting], days: Collection[date]) -> None:
        """Once, however often."""
        self.seen |= seen
        self.days |= set(days)


@dataclass
class River:
    """A real landing and decoder between fakes."""

    landing: Landing
    store: FakeStore = field(default_factory=FakeStore)
    quarantine: FakeQuarantine = field(default_factory=FakeQuarantine)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    decoder: Decoder = field(default_factory=Decoder)

    def mover(self) -> Mover:
        """A mover between them."""
        sieve = Sieve(self.decoder, Gate(), PARIS)
        return Mover(self.landing, sieve, self.store, self.quarantine, self.ledger)

    def drain(self) -> Mover:
        """Move everything that landed."""
        mover = self.mover()
        while mover.step():
            pass
        return mover


@pytest.fixture
def river(tmp_path: Path) -> Iterator[River]:
    made = River(Landing(tmp_path / "mqtt.db"))
    yield made
    made.landing.close()


def native(time: datetime = NOON, received_at: datetime = NOON, **readings: float) -> Message:
    payload = json.dumps({"time": time.isoformat(), "readings": readings or {"co2": 612}}).encode()
    return Message("temoin/nord/loire", payload, received_at)


def test_good_readings_reach_store_and_ledger(river: River):
    river.landing.append([native(co2=612, temperature=21.5)])
    river.drain()
    assert river.store.kept == {
        ("nord/loire", "co2", NOON): 612.0,
        ("nord/loire", "temperature", NOON): 21.5,
    }
    assert river.ledger.seen == {"nord/loire": Sighting("nord", NOON, NOON)}
    assert river.landing.backlog == 0


def test_a_bad_payload_waits_with_its_bytes_and_the_next_good_one_goes_through(river: River):
    bad = Message("temoin/nord/loire", b"\xff\x00 not json", NOON)
    river.landing.append([bad] * 5000)
    river.landing.append([native()])
    mover = river.drain()
    assert len(river.store.kept) == 1
    assert len(river.quarantine.entries) == 5000
    assert {refusal.message for refusal in river.quarantine.entries.values()} == {bad}
    assert (mover.progress.moved, mover.progress.refused) == (5001, 5000)


def test_the_good_readings_of_a_bad_payload_are_kept(river: River):
    river.landing.append([native(co2=612, unheard_of=1)])
    river.drain()
    assert list(river.store.kept) == [("nord/loire", "co2", NOON)]
    assert river.quarantine.reasons[0].startswith("unknown_metric: ")


def test_what_the_gate_refuses_is_quarantined_beside_what_it_passes(river: River):
    river.landing.append([native(co2=612, temperature=900), native(time=NOON + timedelta(hours=1))])
    river.drain()
    assert list(river.store.kept) == [("nord/loire", "co2", NOON)]
    assert [reason.partition(":")[0] for reason in river.quarantine.reasons] == [
        "out_of_range",
        "clock_ahead",
    ]


def test_our_clock_stepped_back_an_hour_loses_nothing(river: River):
    hour = timedelta(hours=1)
    sent = [
        native(time=NOON + timedelta(minutes=n), received_at=NOON + timedelta(minutes=n)) for n in range(3)
    ]
    river.landing.append([*sent, *(replace(each, received_at=each.received_at - hour) for each in sent)])
    river.drain()
    assert len(river.store.kept) == 3
    assert [each.message.payload for each in river.quarantine.entries.values()] == [
        each.payload for each in sent
    ]
    assert {reason.partition(":")[0] for reason in river.quarantine.reasons} == {"clock_ahead"}
    river.landing.tidy(NOON - hour)
    assert len(river.landing.after(0, 9)) == 6


def test_a_bug_in_a_decoder_quarantines_its_payload_and_nothing_else(
    river: River, monkeypatch: pytest.MonkeyPatch
):
    decode = river.decoder.decode

    def buggy(topic: str, payload: bytes, received_at: datetime, retained: bool = False) -> list[Reading]:
        if topic.endswith("poison"):
            raise ZeroDivisionError
        return decode(topic, payload, received_at, retained)

    monkeypatch.setattr(river.decoder, "decode", buggy)
    river.landing.append([native(), Message("temoin/nord/poison", b"{}", NOON), native(co2=613)])
    river.drain()
    assert river.store.kept == {("nord/loire", "co2", NOON): 613.0}
    assert river.quarantine.reasons[0].startswith("internal: ")


def test_a_store_that_fails_moves_nothing(river: River):
    river.landing.append([native(), Message("temoin/nord/loire", b"bad", NOON)])
    river.store.down = 1
    mover = river.mover()
    with pytest.raises(StoreError):
        mover.step()
    assert river.landing.position == 0
    assert mover.step() == 2
    assert len(river.store.kept) == 1


def test_a_failing_store_is_tried_again_and_says_since_when(river: River, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(move_module, "IDLE", 0.01)
    river.landing.append([native()])
    river.store.down = 3
    mover, stop = river.mover(), threading.Event()
    running = threading.Thread(target=mover.run, args=(stop,))
    running.start()
    troubles = set()
    until = time.monotonic() + 5
    while river.landing.backlog and time.monotonic() < until:
        troubles.add((mover.progress.trouble, mover.progress.since is None))
        time.sleep(0.001)
    stop.set()
    running.join()
    assert ("the store is down", False) in troubles
    assert mover.progress.trouble is None
    assert len(river.store.kept) == 1


def test_a_mover_that_is_started_again_still_says_since_when_the_store_is_away(river: River):
    since = NOON - timedelta(hours=9)
    river.landing.append([native()])
    river.store.down = 1
    sieve = Sieve(river.decoder, Gate(), PARIS)
    waiting = ("the store is down", since)
    mover = Mover(river.landing, sieve, river.store, river.quarantine, river.ledger, waiting=waiting)
    stop = threading.Event()
    stop.wait = lambda _seconds: stop.set()  # type: ignore[method-assign,assignment]
    mover.run(stop)
    assert mover.progress.since == since
    stop.clear()
    mover.run(stop)
    assert mover.progress.since is None
    assert mover.progress.trouble is None
    assert len(river.store.kept) == 1


def test_a_second_mover_goes_on_where_the_first_was_killed(river: River):
    river.landing.append([native(co2=600 + n, time=NOON + timedelta(seconds=n)) for n in range(10)])
    river.landing.append([Message("temoin/nord/loire", b"bad", NOON)])
    first = river.mover()
    first.step()
    river.landing._connection.execute("UPDATE state SET position = 4")  # noqa: SLF001 - killed before it moved
    river.drain()
    assert len(river.store.kept) == 10
    assert len(river.quarantine.entries) == 1


def test_local_days_are_those_of_the_zone(river: River):
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    river.landing.append([native(time=late, received_at=late), native()])
    river.drain()
    assert river.ledger.days == {date(2026, 3, 2), date(2026, 3, 3)}


def test_a_batch_stops_at_its_readings_and_the_next_goes_on(river: River, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Sieve.sift, "__defaults__", (6,))
    river.landing.append([native(time=NOON + timedelta(seconds=n), co2=1000, light=1) for n in range(9)])
    mover = river.mover()
    assert [mover.step(), mover.step(), mover.step(), mover.step()] == [3, 3, 3, 0]
    assert len(river.store.kept) == 18


def test_an_empty_payload_that_was_understood_is_neither_stored_nor_refused(river: River):
    join = Message("application/7/device/24e124128c140101/event/join", b'{"deviceInfo": {}}', NOON)
    river.landing.append([join])
    river.drain()
    assert not river.store.kept
    assert river.landing.backlog == 0


@dataclass
class ChoosyStore(FakeStore):
    """Never takes a temperature."""

    def write(self, readings: Iterable[Reading]) -> None:
        """All but temperatures."""
        given = list(readings)
        super().write(one for one in given if one.metric != "temperature")
        refused = [(one, "no temperatures here") for one in given if one.metric == "temperature"]
        if refused:
            raise ReadingsRefused(refused)


def test_a_reading_the_store_will_never_take_goes_to_quarantine_with_its_message(tmp_path: Path):
    landing = Landing(tmp_path / "mqtt.db")
    payloads = [{"co2": 612}, {"co2": 613, "temperature": 21.5}, {"co2": 614}]
    at = NOON.isoformat()
    landing.append(
        Message(f"temoin/nord/{n}", json.dumps({"time": at, "readings": each}).encode(), NOON)
        for n, each in enumerate(payloads)
    )
    river = River(landing, store=ChoosyStore())
    mover = river.drain()
    assert sorted(river.store.kept.values()) == [612.0, 613.0, 614.0]
    (refusal,) = river.quarantine.entries.values()
    assert refusal.message.topic == "temoin/nord/1"
    assert refusal.reason == "store_refused: no temperatures here"
    assert mover.progress.refused == 1
    assert mover.step() == 0


def test_what_the_store_refuses_is_found_again_though_the_gate_would_now_judge_otherwise(tmp_path: Path):
    landing = Landing(tmp_path / "mqtt.db")
    landing.append([native(co2=612), native(temperature=21.5)])

    class Forgetful(Gate):
        """Lets everything through once, and then nothing."""

        times = 0

        def check(self, _reading: Reading, _received_at: datetime) -> str | None:
            """No word the first two times."""
            type(self).times += 1
            return None if self.times <= 2 else "clock_behind: since then"

    river = River(landing, store=ChoosyStore())
    sieve = Sieve(river.decoder, Forgetful(), PARIS)
    Mover(landing, sieve, river.store, river.quarantine, river.ledger).step()
    assert river.quarantine.reasons == ["store_refused: no temperatures here"]


def test_a_store_that_says_when_to_come_back_is_left_alone_until_then(tmp_path: Path, monkeypatch):
    landing = Landing(tmp_path / "mqtt.db")
    landing.append([Message("temoin/nord/a", b'{"readings": {"co2": 612}}', NOON)])
    river = River(landing)
    monkeypatch.setattr(
        river.store, "write", lambda _readings: (_ for _ in ()).throw(StoreError("busy", retry_after=17.0))
    )
    waited: list[float] = []
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda seconds: waited.append(seconds) or stop.set())
    river.mover().run(stop)
    assert waited == [17.0]
