"""The registry behind the mover: quarantine and ledger, replay and drop, and what the command line says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from sensors.move import Refusal, Sighting
from sensors.reading import Message, StoreError
from service import replays, river
from service.cli.quarantine import quarantine_app
from service.registry import Registry, quarantine
from service.registry.tables import Device, QuarantineEntry, StaleDay
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensors.store import ReadingStore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GOOD = b'{"time": "2026-03-02T11:59:00Z", "readings": {"co2": 612, "temperature": 21.5}}'
HALF = b'{"time": "2026-03-02T11:59:00Z", "readings": {"co2": 613, "unheard_of": 1}}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    made = Registry(settings.registry_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def store(settings: Settings) -> Iterator[ReadingStore]:
    opened = river.open_store(settings)
    yield opened
    opened.close()


def refuse(registry: Registry, *payloads: bytes, reason: str = "unknown_format: of another firmware") -> None:
    refusals = [
        Refusal(number, Message("temoin/nord/loire", payload, NOON), reason)
        for number, payload in enumerate(payloads, 1)
    ]
    river.RegistryQuarantine(registry).put("mqtt-abc", refusals)


def statuses(registry: Registry) -> list[str]:
    with registry.session() as session:
        return [entry.status for entry in session.query(QuarantineEntry).order_by(QuarantineEntry.id)]


def test_a_message_refused_twice_is_one_entry(registry: Registry):
    refuse(registry, b"a", b"b")
    refuse(registry, b"a", b"b", b"c")
    assert statuses(registry) == ["waiting"] * 3


def test_bytes_and_reason_are_kept_as_they_were(registry: Registry):
    refuse(registry, b"\x00\xff", reason="bad_json: it has \0 in it")
    with registry.session() as session:
        (entry,) = quarantine.recent(session)
    assert (entry.payload, entry.code, entry.received_at) == (b"\x00\xff", "bad_json", NOON)
    assert entry.reason == "bad_json: it has \N{REPLACEMENT CHARACTER} in it"


def test_devices_are_entered_once_and_the_times_they_were_seen_widen(registry: Registry):
    ledger = river.RegistryLedger(registry)
    hour = timedelta(hours=1)
    ledger.record({"nord/a": Sighting("nord", NOON, NOON)}, [])
    ledger.record({"nord/a": Sighting("nord", NOON - hour, NOON + hour)}, [])
    ledger.record({"nord/a": Sighting("nord", NOON, NOON)}, [])
    with registry.session() as session:
        device = session.get(Device, "nord/a")
    assert device is not None
    assert (device.gateway, device.first_seen, device.last_seen) == ("nord", NOON - hour, NOON + hour)


def test_days_that_got_readings_are_stale(registry: Registry):
    ledger = river.RegistryLedger(registry)
    ledger.record({}, [date(2026, 3, 1), date(2026, 3, 2)])
    ledger.record({}, [date(2026, 3, 2)])
    with registry.session() as session:
        assert [row.day for row in session.query(StaleDay)] == [date(2026, 3, 1), date(2026, 3, 2)]


def test_a_registry_that_does_not_answer_is_a_store_error(settings: Settings):
    empty = Registry(settings.registry_url)
    with pytest.raises(StoreError, match="registry"):
        refuse(empty, b"a")
    empty.close()


def test_replay_stores_what_now_passes_and_leaves_the_rest_waiting(
    settings: Settings, registry: Registry, store: ReadingStore
):
    refuse(registry, GOOD, b"still bad", HALF)
    done = replays.replay(settings, registry, store)
    assert done == replays.Replayed(done=3, stored=1, readings=3, waiting=2)
    assert statuses(registry) == ["replayed", "waiting", "waiting"]
    frame = store.read(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert frame[["metric", "value"]].to_numpy().tolist() == [["co2", 613.0], ["temperature", 21.5]]
    with registry.session() as session:
        assert dict(quarantine.waiting_by_code(session)) == {
            "broken_json": 1,
            "unknown_metric": 1,
        }
        assert session.get(Device, "nord/loire") is not None
        assert session.get(StaleDay, date(2026, 3, 2)) is not None


def test_replay_twice_changes_nothing_more(settings: Settings, registry: Registry, store: ReadingStore):
    refuse(registry, GOOD)
    replays.replay(settings, registry, store)
    assert replays.replay(settings, registry, store) == replays.Replayed()


def test_replay_of_some_leaves_the_others_alone(settings: Settings, registry: Registry, store: ReadingStore):
    refuse(registry, GOOD, GOOD, GOOD)
    assert replays.replay(settings, registry, store, ids=[2]).stored == 1
    assert replays.replay(settings, registry, store, code="other").stored == 0
    assert statuses(registry) == ["waiting", "replayed", "waiting"]


def test_a_replay_of_many_goes_page_by_page(
    settings: Settings, registry: Registry, store: ReadingStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(quarantine, "PAGE", 2)
    refuse(registry, *[GOOD, b"bad"] * 3)
    assert replays.replay(settings, registry, store) == replays.Replayed(
        done=6, stored=3, readings=6, waiting=3
    )


def run(settings: Settings, *arguments: str) -> tuple[int, str]:
    environment = {"TEMOIN_DATA_DIR": str(settings.data_dir)}
    result = CliRunner().invoke(quarantine_app, arguments, env=environment)
    return result.exit_code, result.output or str(result.exception)


def test_the_command_lists_shows_replays_and_drops(settings: Settings, registry: Registry):
    refuse(registry, GOOD, b"\xff\xfe", b"{}")
    code, listed = run(settings, "list")
    assert code == 0
    assert "3  unknown_format" in listed
    assert run(settings, "show", "1", "--raw") == (0, GOOD.decode())
    assert "ff fe" in run(settings, "show", "2")[1]
    assert "1 messages replayed, 2 readings stored, 0 still wait" in run(settings, "replay", "1")[1]
    assert run(settings, "drop", "2", "--reason", "a test device")[0] == 0
    assert statuses(registry) == ["replayed", "dropped", "waiting"]
    assert "(dropped: a test device)" in run(settings, "list", "--status", "dropped")[1]


@pytest.mark.parametrize("arguments", [("replay",), ("drop", "1", "--reason", " "), ("replay", "1", "--all")])
def test_the_command_asks_which_and_why(settings: Settings, registry: Registry, arguments: tuple[str, ...]):
    refuse(registry, GOOD)
    assert run(settings, *arguments)[0] != 0
    assert statuses(registry) == ["waiting"]
