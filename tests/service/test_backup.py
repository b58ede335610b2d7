"""A copy taken while everything runs, and the same installation from it, in SQLite or PostgreSQL."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import MetaData, delete, func, insert, select
from typer.testing import CliRunner

from experiments.panel import DayOutcome
from sensors.landing import Landing
from sensors.move import Refusal
from sensors.reading import Message, Reading
from sensors.store_embedded import EmbeddedStore
from service import cli, replays, results, river
from service.backup import BackupError, backup, new_key, restore
from service.registry import Registry, experiments, outcomes, quarantine, users
from service.registry.tables import (
    Answer,
    Arm,
    Base,
    Device,
    Experiment,
    Lease,
    Measure,
    Outcome,
    QuarantineEntry,
    Room,
    Site,
)
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 2, 12, 0, 0, 123000, tzinfo=UTC)


def reading(minute: int) -> Reading:
    return Reading(
        "nord/loire", "co2", 400.0 + minute, "ppm", NOON + timedelta(minutes=minute), "device", "nord"
    )


@pytest.fixture
def installation(settings, registry):
    """A little of everything: rows of every kind of column, two landings, open and closed days, a key."""
    with registry.session() as session:
        users.add(
            session,
            "camille@ville.example",
            "Camille « Émile »",
            "facilities",
            "a long password of hers",
            NOON,
        )
        site = Site(slug="hall", name="Hôtel de ville")
        room = Room(slug="loire", name="Loire", site=site, capacity=8, area_m2=22.5)
        session.add_all([site, room, Device(key="nord/loire", gateway="nord", first_seen=NOON)])
        session.add(Lease(name="jobs", holder="somebody", until=NOON))
        session.flush()
        session.add(
            Outcome(
                room_id=room.id,
                day=date(2026, 3, 2),
                outcome="co2",
                version=1,
                value=0.1 + 0.2,
                coverage=1 / 3,
            )
        )
        session.execute(
            insert(Answer),
            [
                {
                    "room_id": room.id,
                    "day": date(2026, 3, n + 1),
                    "hour": 9,
                    "satisfaction": n % 7 + 1,
                    "flagged": False,
                }
                for n in range(20)
            ],
        )
        quarantine.put(session, "mqtt-1", [Refusal(1, Message("t", b"\xff\x00", NOON), "binary: x")])
    store = river.open_store(settings)
    store.write(reading(minute) for minute in range(100))
    store.settle(date(2026, 3, 5))
    store.write([reading(200)])
    store.close()
    for name in ("mqtt", "http"):
        landing = river.open_landing(settings, name)
        landing.append([Message("temoin/nord/loire", b'{"readings": {"co2": 612}}', NOON)])
        landing.close()
    settings.signing_key()
    return settings


def _new_database(url: str) -> str:
    import psycopg  # noqa: PLC0415 - only with the server

    name = f"restored_{time.monotonic_ns()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.rpartition("/")[0] + f"/{name}"


def everything(registry: Registry) -> dict[str, list[tuple[object, ...]]]:
    with registry.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name not in ("leases", "sessions")
        }


def readings(settings: Settings) -> list[float]:
    store = EmbeddedStore(settings.data_dir / "store")
    frame = store.read(NOON - timedelta(days=1), NOON + timedelta(days=1))
    store.close()
    return frame["value"].tolist()


def test_an_installation_restored_is_the_same(installation, registry, tmp_path):
    backup(installation, registry, tmp_path / "a.backup", NOON)
    other = Settings(data_dir=tmp_path / "other")
    again = Registry(other.registry_url)
    restore(other, again, tmp_path / "a.backup", NOON)
    assert everything(again) == everything(registry)
    assert readings(other) == readings(installation) == [400.0 + n for n in (*range(100), 200)]
    assert other.signing_key() == installation.signing_key()
    for name in ("mqtt", "http"):
        landing = Landing(other.data_dir / "landing" / f"{name}.db")
        assert [message.received_at for _, message in landing.after(0, 10)] == [NOON]
        landing.close()
    with again.session() as session:
        assert users.checked(session, "camille@ville.example", "a long password of hers") is not None
        assert session.scalar(select(func.count()).select_from(Lease)) == 0
    again.close()


def test_from_sqlite_into_postgresql_and_new_rows_get_new_numbers(
    installation, registry, postgresql, tmp_path
):
    backup(installation, registry, tmp_path / "a.backup", NOON)
    other = Settings(data_dir=tmp_path / "other", database_url=postgresql)
    again = Registry(other.registry_url)
    restore(other, again, tmp_path / "a.backup", NOON)
    assert everything(again) == everything(registry)
    with again.session() as session:
        session.add(Site(slug="other", name="Autre"))  # would take a number that is taken
    back = tmp_path / "b.backup"
    backup(other, again, back, NOON)
    third = Settings(data_dir=tmp_path / "third")
    sqlite = Registry(third.registry_url)
    restore(third, sqlite, back, NOON)
    assert everything(sqlite) == everything(again)
    sqlite.close()
    again.close()


def test_nothing_is_lost_or_doubled_when_messages_move_meanwhile(installation, registry, tmp_path):
    landing = river.open_landing(installation, "mqtt")
    stop = threading.Event()
    sent = 0

    def flow() -> None:
        nonlocal sent
        store = river.open_store(installation)
        mover = river.mover(installation, registry, store, landing)
        while not stop.is_set():
            at = (datetime.now(UTC) - timedelta(minutes=7) + timedelta(milliseconds=sent)).isoformat()
            body = json.dumps({"time": at, "seq": sent, "readings": {"co2": 1000 + sent}}).encode()
            landing.append([Message("temoin/nord/erdre", body, datetime.now(UTC))])
            sent += 1
            mover.step()
        store.close()

    flowing = threading.Thread(target=flow)
    flowing.start()
    try:
        while sent < 20:
            pass
        backup(installation, registry, tmp_path / "a.backup", NOON)
    finally:
        stop.set()
        flowing.join()
    landing.close()
    other = Settings(data_dir=tmp_path / "other")
    again = Registry(other.registry_url)
    restore(other, again, tmp_path / "a.backup", NOON)
    copy = river.open_landing(other, "mqtt")
    store = river.open_store(other)
    river.mover(other, again, store, copy).step()
    known = [json.loads(message.payload).get("seq") for _, message in copy.after(0, 10_000)]
    frame = store.read(NOON, datetime.now(UTC), devices=["nord/erdre"])
    assert sorted({*frame["value"]} | {1000.0 + n for n in known if n is not None}) == sorted(frame["value"])
    assert len(frame) >= 20
    for each in (copy, store, again):
        each.close()


def test_only_its_owner_reads_it_and_nothing_is_overwritten(installation, registry, tmp_path):
    made = tmp_path / "a.backup"
    backup(installation, registry, made, NOON)
    assert made.stat().st_mode & 0o777 == 0o600
    before = made.read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        backup(installation, registry, made, NOON)
    assert made.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.draft")] == []


def test_an_installation_that_is_there_is_left_alone(installation, registry, tmp_path):
    backup(installation, registry, tmp_path / "a.backup", NOON)
    with pytest.raises(BackupError, match="holds an installation"):
        restore(installation, registry, tmp_path / "a.backup", NOON)


@pytest.mark.parametrize("cut", [500, 5000])
def test_half_an_archive_makes_no_installation(installation, registry, tmp_path, cut):
    made = tmp_path / "a.backup"
    backup(installation, registry, made, NOON)
    made.write_bytes(made.read_bytes()[:-cut])
    other = Settings(data_dir=tmp_path / "other")
    with pytest.raises(BackupError, match="no whole backup"):
        restore(other, Registry(other.registry_url), made, NOON)
    assert not (other.data_dir / "store").exists()


def test_an_archive_that_leads_out_of_the_folder_is_refused(registry, tmp_path):
    made = tmp_path / "evil.backup"
    contents = {"format": 1, "schema": registry.schema, "files": {"../evil": "0" * 64}}
    (tmp_path / "contents").write_text(json.dumps(contents))
    with tarfile.open(made, "w:gz") as archive:
        archive.add(tmp_path / "contents", "temoin-backup.json")
    other = Settings(data_dir=tmp_path / "other")
    with pytest.raises(BackupError, match="leads out of the folder"):
        restore(other, Registry(other.registry_url), made, NOON)


def test_an_archive_of_a_newer_schema_says_what_to_do(installation, registry, tmp_path, monkeypatch):
    monkeypatch.setattr(Registry, "schema", "9999")
    backup(installation, registry, tmp_path / "a.backup", NOON)
    monkeypatch.undo()
    other = Settings(data_dir=tmp_path / "other")
    with pytest.raises(BackupError, match=r"made at schema 9999 by a newer Témoin"):
        restore(other, Registry(other.registry_url), tmp_path / "a.backup", NOON)
    assert not (other.data_dir / "registry.db").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_archive_of_an_older_schema_is_brought_to_this_one(kind, request, tmp_path):
    """On the day one needs it, the version that made it may be gone."""
    old = Registry(f"sqlite:///{tmp_path / 'old.db'}")
    old.migrate("0010")
    with old.engine.begin() as connection:
        connection.execute(insert(Site.__table__).values(slug="hall", name="Hôtel de ville"))
        connection.execute(insert(Device.__table__).values(key="nord/loire", gateway="nord", first_seen=NOON))
    made = tmp_path / "a.backup"
    _archive_of(old, "0010", made)
    url = _new_database(request.getfixturevalue("postgresql")) if kind == "postgresql" else None
    other = Settings(data_dir=tmp_path / "other", database_url=url)
    again = Registry(other.registry_url)
    restore(other, again, made, NOON)
    again.check()
    with again.session() as session:
        assert session.get(Device, "nord/loire").first_seen == NOON
        assert session.scalars(select(Site)).one().weekdays == "12345"
    again.close()
    old.close()


def _archive_of(registry: Registry, schema: str, made: Path) -> None:
    """As an older version would have written it: only the tables of its schema."""
    held = {}
    with tarfile.open(made, "w:gz") as archive, registry.engine.connect() as connection:
        found = MetaData()
        found.reflect(connection)
        files = {}
        for table in found.sorted_tables:
            if table.name != "alembic_version":
                rows = (dict(row._mapping) for row in connection.execute(select(table)))  # noqa: SLF001 - its public name
                files[f"registry/{table.name}.jsonl"] = "".join(
                    json.dumps(row, default=lambda value: value.isoformat()) + "\n" for row in rows
                )
        held = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
        files["temoin-backup.json"] = json.dumps({"format": 1, "schema": schema, "files": held})
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def test_what_the_registry_calls_replayed_is_in_the_store(installation, registry, tmp_path, monkeypatch):
    """Somebody replays a message while the copy is made, just before the registry's turn."""
    store = river.open_store(installation)
    with registry.session() as session:
        entry = session.scalars(select(QuarantineEntry)).one()
        at = (NOON - timedelta(minutes=5)).isoformat()
        entry.topic = "temoin/nord/loire"
        entry.payload = json.dumps({"time": at, "readings": {"co2": 777}}).encode()
    plain = Registry.snapshot

    @contextmanager
    def snapshot(self):
        assert replays.replay(installation, registry, store).stored == 1
        with plain(self) as connection:
            yield connection

    monkeypatch.setattr(Registry, "snapshot", snapshot)
    backup(installation, registry, tmp_path / "a.backup", NOON)
    store.close()
    other = Settings(data_dir=tmp_path / "other")
    again = Registry(other.registry_url)
    restore(other, again, tmp_path / "a.backup", NOON)
    with again.session() as session:
        assert session.scalars(select(QuarantineEntry)).one().status == "replayed"
    assert 777.0 in readings(other)
    again.close()


def test_what_is_past_its_retention_is_not_brought_back(installation, registry, tmp_path):
    landing = river.open_landing(installation, "mqtt")
    landing.append([Message("temoin/nord/loire", b"later", NOON)])
    landing.moved_to(2)
    landing.close()
    backup(installation, registry, tmp_path / "a.backup", NOON)
    other = Settings(data_dir=tmp_path / "other")
    again = Registry(other.registry_url)
    restore(other, again, tmp_path / "a.backup", NOON + timedelta(days=500))
    with again.session() as session:
        assert session.scalar(select(func.count()).select_from(Answer)) == 0
    copy = river.open_landing(other, "mqtt")
    assert [message.payload for _, message in copy.after(0, 10)] == [b"later"]  # the newest stays
    copy.close()
    again.close()


def test_the_copy_is_made_beside_the_archive(installation, registry, tmp_path, monkeypatch):
    """In a container /tmp is memory, and small."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    (tmp_path / "archives").mkdir()
    backup(installation, registry, tmp_path / "archives" / "a.backup", NOON)
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["a.backup"]


def test_settings_are_in_it_without_secrets(installation, registry, tmp_path):
    secret = {"mqtt_password": "s3cret-1", "influx_token": "s3cret-2", "secret_key": "s3cret-3" * 8}
    url = "postgresql://temoin:s3cret-4@db/temoin"
    given = Settings(data_dir=installation.data_dir, timezone="Europe/Lisbon", database_url=url, **secret)
    backup(given, registry, tmp_path / "a.backup", NOON)
    with tarfile.open(tmp_path / "a.backup") as archive:
        text = archive.extractfile("settings.json").read().decode()
    assert json.loads(text)["timezone"] == "Europe/Lisbon"
    assert "s3cret" not in text


def test_a_restore_that_fails_leaves_no_installation(installation, registry, tmp_path):
    backup(installation, registry, tmp_path / "a.backup", NOON)
    other = Settings(data_dir=tmp_path / "other", database_url=installation.registry_url)
    with pytest.raises(BackupError, match="registry is not empty"):
        restore(other, registry, tmp_path / "a.backup", NOON)
    assert list(other.data_dir.iterdir()) == []


def test_the_commands_say_what_they_did(installation, registry, tmp_path, monkeypatch):
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(installation.data_dir))
    made = CliRunner().invoke(cli.app, ["backup", str(tmp_path / "a.backup")])
    assert made.exit_code == 0
    (installation.data_dir / "landing" / "mqtt.client_id").write_text("temoin-ingest-1")
    made = CliRunner().invoke(cli.app, ["backup", str(tmp_path / "b.backup")])
    assert "2 landings, 1 days of readings" in made.output
    (tmp_path / "folder").mkdir()
    assert CliRunner().invoke(cli.app, ["backup", str(tmp_path / "folder")]).exit_code == 0
    assert [path.suffix for path in (tmp_path / "folder").iterdir()] == [".backup"]
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(tmp_path / "other"))
    done = CliRunner().invoke(cli.app, ["restore", str(tmp_path / "a.backup")])
    assert (done.exit_code, done.output.startswith("Restored ")) == (0, True)
    with registry.session() as session:
        assert sum(n for _code, n in quarantine.waiting_by_code(session)) == 1


def test_an_encrypted_archive_opens_with_its_key_only(installation, tmp_path, monkeypatch):
    def temoin(*words):
        return CliRunner().invoke(cli.app, [str(word) for word in words])

    made = temoin("backup", "--new-key", tmp_path / "key")
    name, _, recipient = made.output.strip().partition("=")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert temoin("backup", "--new-key", tmp_path / "key").exit_code == 1  # no key is ever overwritten
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(installation.data_dir))
    monkeypatch.setenv(name, recipient)
    assert temoin("backup", tmp_path / "a.backup").exit_code == 0
    sealed = (tmp_path / "a.backup").read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert [path.name for path in tmp_path.glob("*a.backup*")] == ["a.backup"]  # nothing in clear is left
    assert (tmp_path / "a.backup").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(tmp_path / "other"))
    new_key(tmp_path / "wrong")
    (tmp_path / "nothing").write_text("no key\n")
    for words, said in (
        ((), "is encrypted: say with --identity"),
        (("--identity", tmp_path / "wrong"), "does not open with"),
        (("--identity", tmp_path / "nothing"), "does not open with"),
        (("--identity", tmp_path / "absent"), "absent"),
    ):
        refused = temoin("restore", tmp_path / "a.backup", *words)
        assert refused.exit_code == 1
        assert said in str(refused.exception)
        assert list((tmp_path / "other").iterdir()) == []
    done = temoin("restore", tmp_path / "a.backup", "--identity", tmp_path / "key")
    assert (done.exit_code, done.output.startswith("Restored ")) == (0, True)


def test_a_restored_installation_gives_the_same_verdict_to_the_last_digit(installation, registry, tmp_path):
    """Before and after its look was frozen: the panel is computed again, or read from the look."""
    starts, switch, ends = date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 1)
    rng = np.random.default_rng(7)
    with registry.session() as session:
        site = session.scalars(select(Site)).one()
        rooms = [Room(slug=f"room-{n}", name=f"Salle {n}", site=site, capacity=10) for n in range(8)]
        primary = Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)
        trial = Experiment(
            slug="tables", title="Tables", declared_at=NOON - timedelta(days=90), starts=starts, ends=ends,
            washout=0, assignment="lot", measures=[primary],
            arms=[Arm(room=room, switch=switch if n < 3 else None) for n, room in enumerate(rooms)],
        )  # fmt: skip
        session.add(trial)
        session.flush()
        experiments.lock(session, trial, "Camille", NOON - timedelta(days=80))
        for day in (starts + timedelta(days=n) for n in range(56)):
            gained = [150 + 35.0 * (day >= switch and n < 3) + rng.normal(0, 12) for n in range(8)]
            found = [
                DayOutcome(room.slug, day, "occupied_minutes", 1, value, 0.95)
                for room, value in zip(rooms, gained, strict=True)
            ]
            outcomes.replace_day(session, day, found)

    def verdict(of: Registry) -> dict[str, object]:
        with of.session() as session:
            return results.result_of(session, experiments.find(session, "tables"), NOON.date()).to_dict()

    def restored(name: str) -> dict[str, object]:
        backup(installation, registry, tmp_path / f"{name}.backup", NOON)
        other = Settings(data_dir=tmp_path / name)
        again = Registry(other.registry_url)
        restore(other, again, tmp_path / f"{name}.backup", NOON)
        found = verdict(again)
        again.close()
        return found

    assert verdict(registry)["verdict"] == "generalise"
    assert restored("before") == verdict(registry)
    with registry.session() as session:
        results.take_look(session, experiments.find(session, "tables"), NOON, NOON.date())
        session.execute(delete(Outcome))
    assert restored("after") == verdict(registry)
