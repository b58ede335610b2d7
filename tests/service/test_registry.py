"""The registry, the same on SQLite and on PostgreSQL."""

import threading
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from service.registry import Registry, RegistryError, quarantine
from service.registry.tables import Base, Lease, Room, Site


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
