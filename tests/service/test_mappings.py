"""Quarantine by cause, mappings version by version, and what a replay makes of both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sensors.mapping import MappedField, Mapping, MappingRefused
from sensors.move import Refusal
from sensors.reading import Message
from service import replays, river
from service.cli.quarantine import quarantine_app
from service.jobs import Jobs
from service.registry import Registry, audit, mappings, quarantine
from service.registry.tables import Device, QuarantineCause, QuarantineEntry, StaleDay
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensors.store import ReadingStore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RIGHT = Mapping("usine/+", (MappedField("/t1", "temperature", "°C"), MappedField("/c", "co2", "ppm")))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def registry(either_registry: Registry) -> Registry:
    return either_registry


@pytest.fixture
def store(settings: Settings) -> Iterator[ReadingStore]:
    opened = river.open_store(settings)
    yield opened
    opened.close()


def message(payload: object, topic: str = "usine/c17", at: datetime = NOON) -> Message:
    return Message(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), at)


def refuse(registry: Registry, *messages: Message, first: int = 1, code: str = "unknown_format") -> None:
    refusals = [Refusal(number, each, f"{code}: why") for number, each in enumerate(messages, first)]
    river.RegistryQuarantine(registry).put("mqtt-abc", refusals)


def causes(registry: Registry) -> list[tuple[str, str, str, int]]:
    with registry.session() as session:
        return [(each.code, each.gateway, each.shape, each.waiting) for each, _ in quarantine.causes(session)]


def exact(registry: Registry) -> bool:
    """Whether the counts kept are those that counting gives."""
    with registry.session() as session:
        kept = {each.id: each.waiting for each in session.query(QuarantineCause)}
        counted = dict.fromkeys(kept, 0)
        for entry in session.query(QuarantineEntry).filter_by(status="waiting"):
            counted[entry.cause_id] += 1
        return kept == counted


def readings(store: ReadingStore) -> list[list[Any]]:
    frame = store.read(NOON - timedelta(days=9), NOON + timedelta(days=9))
    return frame[["device", "metric", "value"]].to_numpy().tolist()


def say(registry: Registry, mapping: Mapping, number: int | None = None, now: datetime = NOON) -> int:
    """Keep a mapping and ask for its replay, as the page does; its number."""
    with registry.session() as session:
        row = mappings.keep(session, mapping, "Camille", now, number)
        mappings.ask(session, "Camille", now, mapping=row.number)
        return row.number


def due(settings: Settings, registry: Registry, store: ReadingStore) -> tuple[int, int, int, int]:
    """Do what was asked for; of the last: messages stored and waiting, readings stored and removed."""
    assert replays.run_due(settings, registry, store, NOON + MINUTE) == 1
    with registry.session() as session:
        last = mappings.replays(session, 1)[0]
        assert last.ended_at is not None
        assert last.done == last.total
        return last.stored, last.waiting, last.readings, last.removed


def test_what_waits_is_grouped_by_reason_gateway_and_names(registry):
    refuse(
        registry, message({"t1": 20, "c": 1}), message({"c": 2, "t1": 21}, "usine/c18"), message([{"x": 1}])
    )
    refuse(registry, message({"c": 2, "t1": 21}, at=NOON + MINUTE), message(b"\xff"), first=4)
    refuse(registry, message({"t1": 20, "c": 1}))  # landed twice
    assert causes(registry) == [
        ("unknown_format", "usine", "{c, t1}", 3),
        ("unknown_format", "usine", "[{x}]", 1),
        ("unknown_format", "usine", "(binary)", 1),
    ]
    with registry.session() as session:
        cause, latest = quarantine.causes(session)[0]
        assert (cause.first_at, cause.last_at) == (NOON, NOON + MINUTE)
        assert latest.id == 4
        assert quarantine.waiting_by_code(session) == [("unknown_format", 5)]
        assert quarantine.count_causes(session) == 3
    assert exact(registry)


def test_a_gateway_that_invents_names_has_so_many_causes_and_no_more(registry, monkeypatch):
    monkeypatch.setattr(quarantine, "MOST_CAUSES", 3)
    refuse(registry, *(message({f"x{number}": 1}) for number in range(9)))
    assert sorted(shape for _, _, shape, _ in causes(registry)) == ["{x0}", "{x1}", "{x2}", "…"]
    assert exact(registry)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"null", b'{"a\\u0000\\u202e": 1}', b"x" * 200_000, b"[[[1]]]"]
)
def test_whatever_came_has_a_shape(registry, payload):
    refuse(registry, message(payload))
    ((_, _, shape, count),) = causes(registry)
    assert count == 1
    assert len(shape) <= 200
    assert shape.isprintable()


def test_what_is_dropped_is_counted_no_more_and_forgotten_later(registry):
    refuse(registry, *(message({"x": number}) for number in range(5)))
    with registry.session() as session:
        cause = quarantine.causes(session)[0][0].id
        assert quarantine.drop(session, "a test", NOON, cause=cause) == 5
        assert quarantine.drop(session, "a test", NOON, cause=cause) == 0
        assert quarantine.count_causes(session) == 0
    assert exact(registry)
    with registry.session() as session:
        assert quarantine.forget(session, NOON) == 0
        assert quarantine.forget(session, NOON + MINUTE) == 5
    refuse(registry, message({"x": 1}, at=NOON + MINUTE), first=9)
    with registry.session() as session:
        assert quarantine.causes(session)[0][0].first_at == NOON + MINUTE


def test_a_mapping_is_replayed_as_if_it_had_always_been_known(settings, registry, store):
    refuse(registry, message({"t1": 21.4, "c": 612}), message({"t1": 21.6, "c": 9e9}), message({"other": 1}))
    say(registry, RIGHT)
    assert due(settings, registry, store) == (1, 2, 3, 0)
    assert readings(store) == [["usine/c17", "co2", 612.0], ["usine/c17", "temperature", 21.6]]
    assert [(code, count) for code, _, _, count in causes(registry)] == [
        ("unknown_format", 1),
        ("out_of_range", 1),
    ]
    assert exact(registry)
    with registry.session() as session:
        assert session.get(StaleDay, NOON.date()) is not None


def test_a_replay_waits_until_every_mover_knows_and_is_done_once(settings, registry, store):
    refuse(registry, message({"t1": 21.4}))
    say(registry, RIGHT)
    assert replays.run_due(settings, registry, store, NOON) == 0
    assert due(settings, registry, store)[0] == 1
    assert replays.run_due(settings, registry, store, NOON + MINUTE) == 0


def test_a_corrected_mapping_takes_back_what_the_wrong_one_made(settings, registry, store):
    refuse(registry, message({"t1": 21.4, "c": 612}), message({"t1": 22, "c": 700}, "usine/c18"))
    wrong = Mapping("usine/+", (MappedField("/t1", "humidity", "%"), MappedField("/c", "co2", "ppm")))
    number = say(registry, wrong)
    assert due(settings, registry, store) == (2, 0, 4, 0)
    assert say(registry, RIGHT, number) == number
    assert due(settings, registry, store) == (2, 0, 4, 2)
    assert readings(store) == [
        ["usine/c17", "co2", 612.0],
        ["usine/c17", "temperature", 21.4],
        ["usine/c18", "co2", 700.0],
        ["usine/c18", "temperature", 22.0],
    ]


def test_messages_that_came_after_the_mapping_are_corrected_from_the_landing(settings, registry, store):
    wrong = Mapping("usine/+", (MappedField("/t1", "humidity", "%"),))
    number = say(registry, wrong)
    landing = river.open_landing(settings, "mqtt")
    landing.append(
        [message({"t1": 21.4}, at=datetime.now(UTC)), message({"x": 1}), message(b"no", "other/a")]
    )
    mover = river.mover(settings, registry, store, landing)
    while mover.step():
        pass
    assert [row[1] for row in store.latest().itertuples(index=False)] == ["humidity"]
    say(registry, RIGHT, number)
    replays.run_due(settings, registry, store, NOON + MINUTE)
    assert [row[1] for row in store.latest().itertuples(index=False)] == ["temperature"]
    assert exact(registry)
    landing.close()


def test_a_mapping_withdrawn_lets_its_messages_wait_again(settings, registry, store):
    refuse(registry, message({"t1": 21.4}))
    number = say(registry, RIGHT)
    due(settings, registry, store)
    with registry.session() as session:
        mappings.withdraw(session, number, "Camille", NOON)
        mappings.ask(session, "Camille", NOON, mapping=number)
    assert due(settings, registry, store) == (0, 1, 0, 1)
    assert readings(store) == []
    with registry.session() as session:
        assert [row.version for row in mappings.versions(session, number)] == [2, 1]
        assert mappings.current(session) == []
    assert exact(registry)


def test_two_mappings_never_speak_of_one_topic(registry):
    say(registry, RIGHT)
    with registry.session() as session, pytest.raises(MappingRefused, match="mapping 1") as caught:
        mappings.keep(session, Mapping("usine/#", RIGHT.fields), "Camille", NOON)
    assert caught.value.code == "overlap"
    with registry.session() as session:
        mappings.keep(session, Mapping("usine/+/x", RIGHT.fields), "Camille", NOON)


def test_a_replay_stopped_half_way_goes_on_later(settings, registry, store, monkeypatch):
    monkeypatch.setattr(replays, "BATCH", 2)
    refuse(registry, *(message({"t1": 20 + number}, f"usine/c{number}") for number in range(6)))
    say(registry, RIGHT)
    left = iter([True, True, False])
    assert replays.run_due(settings, registry, store, NOON + MINUTE, lambda: next(left)) == 0
    with registry.session() as session:
        half = mappings.replays(session, 1)[0]
        assert (half.done, half.total, half.ended_at) == (4, 6, None)
    due(settings, registry, store)
    assert len(readings(store)) == 6
    assert exact(registry)


def test_one_cause_alone_is_replayed(settings, registry, store):
    good = {"time": "2026-03-02T11:59:00Z", "readings": {"co2": 612}}
    refuse(registry, message(good, "temoin/nord/a"))
    refuse(registry, message(good, "temoin/sud/a"), first=2)
    with registry.session() as session:
        cause = next(each.id for each, _ in quarantine.causes(session) if each.gateway == "sud")
        asked = mappings.ask(session, "Camille", NOON, cause=cause)
        assert mappings.ask(session, "Camille", NOON, cause=cause) is asked
    assert due(settings, registry, store) == (1, 0, 1, 0)
    assert [gateway for _, gateway, _, _ in causes(registry)] == ["nord"]


def test_the_jobs_do_it_and_compute_the_days(settings, registry, store):
    refuse(registry, message({"t1": 21.4}))
    say(registry, RIGHT)
    jobs = Jobs(settings, registry, store)
    assert jobs.once(NOON + MINUTE).more
    assert readings(store) == [["usine/c17", "temperature", 21.4]]
    assert not jobs.once(NOON + MINUTE).more
    jobs.release()


def test_who_said_what_is_in_the_audit(registry):
    say(registry, RIGHT)
    with registry.session() as session:
        assert audit.latest(session, 1)[0].kind == "mappings"


def command(settings: Settings, *arguments: str) -> tuple[int, str]:
    environment = {"TEMOIN_DATA_DIR": str(settings.data_dir)}
    result = CliRunner().invoke(quarantine_app, arguments, env=environment)
    return result.exit_code, result.output or str(result.exception)


def test_the_command_guesses_tries_keeps_and_withdraws(settings: Settings, tmp_path: Path):
    registry = Registry(settings.registry_url)
    registry.migrate()
    refuse(registry, message({"v": {"t1": 21.4, "co2": 612}}))
    code, guessed = command(settings, "guess", "1")
    assert code == 0
    document = json.loads(guessed)
    assert [field["metric"] for field in document["fields"]] == ["co2"]
    document["fields"].append({"pointer": "/v/t1", "metric": "temperature", "unit": "°C", "scale": 1.0})
    file = tmp_path / "usine.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    code, tried = command(settings, "map", str(file), "--dry-run")
    assert (code, "temperature 21.4 °C" in tried) == (0, True)
    assert "No mapping holds" in command(settings, "mappings")[1]
    assert "Mapping 1, version 1" in command(settings, "map", str(file))[1]
    assert "Mapping 1, version 2" in command(settings, "map", str(file), "--number", "1")[1]
    assert "version 2" in command(settings, "mappings")[1]
    assert command(settings, "withdraw", "1")[0] == 0
    assert command(settings, "withdraw", "1")[0] != 0
    registry.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no JSON"), ("[]", "no mapping"), ('{"topic": "#", "fields": []}', "cannot vary")],
)
def test_the_command_refuses_a_wrong_file(settings: Settings, tmp_path: Path, text: str, words: str):
    registry = Registry(settings.registry_url)
    registry.migrate()
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    code, said = command(settings, "map", str(tmp_path / "x.json"))
    assert code != 0
    assert words in said
    registry.close()


def test_the_command_takes_no_name_that_another_device_has(settings: Settings, tmp_path: Path):
    registry = Registry(settings.registry_url)
    registry.migrate()
    with registry.session() as session:
        session.add(Device(key="usine/nord", gateway="usine"))
    file, field = tmp_path / "usine.json", {"pointer": "/co2", "metric": "co2", "unit": "ppm", "scale": 1.0}
    named = {"topic": "usine/c1/etat", "fields": [field], "device_from": "name", "device": "nord"}
    file.write_text(json.dumps(named | {"time_from": "reception"}), encoding="utf-8")
    for arguments in (("--dry-run",), ()):
        code, said = command(settings, "map", str(file), *arguments)
        assert (code != 0, "there is a device usine/nord already" in said) == (True, True)
    registry.close()
