"""The registry, the same on SQLite and on PostgreSQL."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from service.registry import Registry, RegistryError, quarantine
from service.registry.tables import (
    Base,
    Experiment,
    Identity,
    Import,
    Lease,
    Replay,
    Room,
    SecondFactor,
    Share,
    Site,
    User,
)
from service.registry.tables import Session as SignedIn


def together(works):
    """Run all at the same time; one that waits for ever fails the test instead of holding it up."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)


def test_the_migrations_give_exactly_the_tables(either_registry):
    with either_registry.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_registry_of_this_version_passes_the_check(either_registry):
    either_registry.check()


def test_migrating_twice_changes_nothing(either_registry):
    assert either_registry.migrate() == either_registry.migrate()


def test_two_migrations_at_once_take_turns(empty_registry):
    faults = []

    def migrate() -> None:
        other = Registry(empty_registry.url.render_as_string(hide_password=False))
        try:
            other.migrate()
        except RegistryError as error:
            faults.append(error)
        finally:
            other.close()

    together([migrate] * 3)
    assert faults == []
    empty_registry.check()


def test_an_empty_registry_is_refused_and_says_what_to_do(empty_registry):
    with pytest.raises(RegistryError, match="run `temoin migrate`"):
        empty_registry.check()


@pytest.mark.parametrize(("revision", "says"), [("0000", "newer Témoin"), ("9999", "newer Témoin")])
def test_a_schema_this_version_does_not_know_is_refused(either_registry, revision, says):
    with either_registry.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": revision})
    with pytest.raises(RegistryError, match=says):
        either_registry.check()


def test_an_older_schema_is_refused_and_says_what_to_do(either_registry, monkeypatch):
    now = either_registry.migrate()
    monkeypatch.setattr(Registry, "_revisions", lambda _self: ["later", now])
    with pytest.raises(
        RegistryError, match=rf"older schema \({now}, this version needs later\).*temoin migrate"
    ):
        either_registry.check()


def test_a_session_keeps_all_or_nothing(either_registry):
    def interrupted() -> None:
        with either_registry.session() as session:
            session.add(Site(slug="hv", name="Hôtel de ville"))
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with either_registry.session() as session:
        assert session.scalars(select(Site)).all() == []


def test_what_a_savepoint_kept_goes_with_its_session(either_registry):
    def interrupted() -> None:
        with either_registry.session() as session:
            with session.begin_nested():
                session.add(Site(slug="hv", name="Hôtel de ville"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with either_registry.session() as session:
        assert session.scalars(select(Site)).all() == []


def test_a_room_needs_its_site(either_registry):
    with pytest.raises(IntegrityError), either_registry.session() as session:
        session.add(Room(slug="a", name="A", site_id=12))


def test_a_naive_time_is_refused(either_registry, now):
    with pytest.raises(Exception, match="naive"), either_registry.session() as session:
        session.add(Lease(name="jobs", holder="me", until=now.replace(tzinfo=None)))


def test_times_come_back_aware(either_registry, now):
    with either_registry.session() as session:
        session.add(Lease(name="jobs", holder="me", until=now))
    with either_registry.session() as session:
        assert session.scalars(select(Lease)).one().until == now


def test_writers_wait_for_each_other_and_readers_do_not(either_registry):
    """Two sessions that read and then write never fail for one another."""
    with either_registry.session() as session:
        session.add(Site(slug="hv", name="0"))

    def count() -> None:
        with either_registry.session() as session:
            site = session.scalars(select(Site).with_for_update()).one()
            session.execute(text("UPDATE sites SET name = CAST(CAST(name AS INTEGER) + 1 AS VARCHAR)"))
            assert site.slug == "hv"

    together([count] * 12)
    with either_registry.session() as session:
        assert session.scalars(select(Site)).one().name == "12"


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/temoin"])
def test_a_bad_url_names_the_setting(url):
    with pytest.raises(RegistryError, match="TEMOIN_DATABASE_URL"):
        Registry(url)


def test_a_server_that_does_not_answer_is_one_sentence():
    registry = Registry("postgresql://temoin@127.0.0.1:9/temoin")
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 does not answer"):
        registry.check()


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    path = tmp_path / "registry.db"
    path.write_text("this is a letter, not a database; it is long enough to be read as a header " * 20)
    with pytest.raises(RegistryError, match="cannot be used"):
        Registry(f"sqlite:///{path}").check()


def test_closing_twice_is_fine(registry):
    registry.close()
    registry.close()


def test_what_waited_before_there_were_causes_is_one_cause_a_code(empty_registry):
    empty_registry.migrate("0012")
    with empty_registry.engine.begin() as connection:
        for number, (code, status) in enumerate(
            [("empty", "waiting"), ("empty", "waiting"), ("empty", "dropped"), ("late", "replayed")], 1
        ):
            connection.execute(
                text(
                    "INSERT INTO quarantine (landing, landing_id, received_at, topic, payload, retained,"
                    " code, reason, status)"
                    " VALUES ('mqtt', :n, :at, 'a/b', :payload, :no, :code, 'why', :status)"
                ),
                {"n": number, "at": f"2026-03-0{number} 09:00:00", "payload": b"x", "no": False,
                 "code": code, "status": status},
            )  # fmt: skip
    empty_registry.migrate()
    with empty_registry.session() as session:
        ((cause, latest),) = quarantine.causes(session)
        assert (cause.code, cause.waiting, latest.landing_id) == ("empty", 2, 3)
        assert quarantine.drop(session, "old", datetime.now(UTC), code="empty") == 2
        assert quarantine.causes(session) == []


OLD = """
INSERT INTO sites (id, slug, name, opens, closes, weekdays) VALUES (1, 'm', 'M', '08:00', '19:00', '12345');
INSERT INTO rooms (id, slug, name, site_id) VALUES (1, 'loire', 'Loire', 1);
INSERT INTO users (id, email, name, role, active, created_at)
    VALUES (1, 'm@v.example', 'Marie', 'reader', true, '2026-01-01 00:00:00'),
           (2, 'n@v.example', 'Nora', 'reader', true, '2026-01-01 00:00:00');
INSERT INTO sessions (token_sha256, kind, user_id, expires) VALUES ('a', 'session', 2, '2027-01-01 00:00:00');
INSERT INTO identities (issuer, subject, user_id, linked_at) VALUES ('i', 's', 2, '2026-01-01 00:00:00');
INSERT INTO experiments (id, slug, title, declared_at, washout, min_days, min_coverage, assignment, seed, alpha, interim, sheet)
    VALUES (1, 'x', 'X', '2026-01-01 00:00:00', 5, 10, 0.7, 'unknown', 0, 0.05, false, '{}');
INSERT INTO arms (experiment_id, room_id) VALUES (1, 1)
"""  # noqa: E501
LATER = """
UPDATE experiments SET owner_id = 2;
INSERT INTO second_factors (user_id, sealed_secret, recovery_sha256, last_step, enrolled_at)
    VALUES (2, 's', '[]', 1, '2026-01-01 00:00:00')
"""


def write(registry, statements):
    with registry.engine.begin() as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)


def test_migrating_loses_nothing_that_refers_to_what_is_rebuilt(empty_registry):
    """Who signs in how, whose an experiment is, its rooms: SQLite deletes them with a dropped table."""
    empty_registry.migrate("0019")
    write(empty_registry, OLD)
    empty_registry.migrate("0023")
    write(empty_registry, LATER)
    empty_registry.migrate()
    with empty_registry.session() as session:
        experiment = session.scalars(select(Experiment)).one()
        assert (experiment.owner.name, [arm.room.name for arm in experiment.arms]) == ("Nora", ["Loire"])
        for table in (SignedIn, Identity, SecondFactor):
            assert session.scalars(select(table.user_id)).all() == [2]
    test_a_room_needs_its_site(empty_registry)


def test_a_migration_that_leaves_something_in_the_air_is_taken_back(registry):
    with closing(sqlite3.connect(registry.url.database)) as other:
        other.execute("INSERT INTO rooms (slug, name, site_id) VALUES ('a', 'A', 12)")
        other.commit()
    with pytest.raises(RegistryError, match="A row of rooms refers to one of sites that is not there"):
        registry.migrate()


def test_a_number_is_not_given_to_another_once_it_was_somebodys(empty_registry, now):
    """Those of before the migration neither: an address or a line of the log speaks of one thing only."""

    def four(n):
        return [
            User(email=f"{n}@v.example", name="Z", created_at=now),
            Import(name="a.csv", size=1, added_at=now, added_by="m"),
            Share(token_sha256=n, experiment=trial, made_at=now, made_by="m", expires=now, frozen={}),
            Replay(asked_at=now, asked_by="m"),
        ]

    def numbers_once_gone(n):
        with empty_registry.session() as session:
            rows = four(n)
            session.add_all(rows)
            session.flush()
            numbers = [row.id for row in rows]
        with empty_registry.session() as session:
            for row in rows:
                session.delete(session.get(type(row), row.id))
        return numbers

    trial = Experiment(slug="x", title="X", declared_at=now, sheet={})
    empty_registry.migrate("0023")
    with empty_registry.session() as session:
        session.add_all(four("a"))
    empty_registry.migrate()
    assert [numbers_once_gone(n) for n in "bc"] == [[2] * 4, [3] * 4]
