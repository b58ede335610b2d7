"""The registry: what people declare, answer and decide, in SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.orm import Session

from service.registry import audit, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection as SqliteConnection

    from alembic.config import Config
    from sqlalchemy.engine import URL

MIGRATIONS = Path(__file__).parent / "migrations"
MOST = 80  # connections beyond the pool: forty threads of the web may each hold two for a moment
MIGRATING = 0x7E401  # any constant: the PostgreSQL lock that migrations take turns on
_URL_ADVICE = "TEMOIN_DATABASE_URL should be like sqlite:///registry.db or postgresql://user@host/temoin"


class RegistryError(Exception):
    """The registry cannot be used as it is; the sentence says what to do."""


class Registry:
    """Sessions on one database. Nothing is opened before the first session."""

    def __init__(self, url: str, who: str = "temoin") -> None:
        """`who` the audit names for changes that nobody signed in makes: a program, who runs a command."""
        self.who = who
        try:
            self.url: URL = make_url(url)
        except ArgumentError as error:
            raise RegistryError(f"{_URL_ADVICE}; this is no database URL.") from error
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise RegistryError(f"{_URL_ADVICE}; {self.url.get_backend_name()} is not known here.")
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine, made on first use."""
        if self._engine is None:
            opened = _sqlite if self.url.get_backend_name() == "sqlite" else _server
            self._engine = opened(self.url)
        return self._engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session committed on success and rolled back on error; objects stay readable afterwards."""
        with Session(self.engine, expire_on_commit=False) as session:
            session.info["who"] = audit.acting.get() or self.who
            yield session
            session.commit()

    @contextmanager
    def turn(self) -> Iterator[Session]:
        """A session for who compares before they write: one at a time, in either database."""
        with self.session() as session:
            turn.take(session)
            yield session

    def migrate(self, revision: str = "head") -> str:
        """Bring the schema to this version, or to an older revision, wholly or not at all; where it is then.

        Creates an SQLite file that is not there. Two at once take turns. Raises RegistryError.
        """
        from alembic import command  # noqa: PLC0415 - 60 ms that only this needs

        try:
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            with self.engine.begin() as connection:
                _take_turns(connection)
                config = self._alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
                _check_references(connection)
        except (DatabaseError, OSError) as error:
            raise self._unusable(error) from error
        return self._head() if revision == "head" else revision

    def knows(self, revision: str) -> bool:
        """Whether this version can begin from a registry of that revision."""
        return revision in self._revisions()

    def check(self) -> None:
        """Raise RegistryError unless the database answers and its schema is this version's."""
        if self._file is not None and not self._file.exists():
            raise RegistryError(f"There is no registry at {self._file}: run `temoin migrate` first.")
        wanted = self._head()
        try:
            current = self._revision()
        except DatabaseError as error:
            raise self._unusable(error) from error
        if current is None:
            raise RegistryError("The registry is empty: run `temoin migrate` first.")
        if current == wanted:
            return
        if current in self._revisions():
            raise RegistryError(
                f"The registry has an older schema ({current}, this version needs {wanted}): "
                "back it up, then run `temoin migrate`."
            )
        raise RegistryError(
            f"The registry was written by a newer Témoin (schema {current}, this version knows {wanted}): "
            "install that version again."
        )

    @property
    def schema(self) -> str:
        """The revision of this version's schema."""
        return self._head()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that sees the whole registry as it is now, whatever others write meanwhile."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")  # its driver begins no transaction for a SELECT
            else:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
            connection.rollback()

    def close(self) -> None:
        """Let go of every connection; twice is fine."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @property
    def _file(self) -> Path | None:
        """The SQLite file, where that is what the registry is."""
        on_disk = self.url.get_backend_name() == "sqlite" and self.url.database not in (None, "", ":memory:")
        return Path(self.url.database or "") if on_disk else None

    def _unusable(self, error: DatabaseError | OSError) -> RegistryError:
        if self._file is not None:
            why = error.orig if isinstance(error, DatabaseError) else error.strerror
            return RegistryError(f"The registry {self._file} cannot be used: {why}.")
        if isinstance(error, OperationalError):
            return RegistryError(
                f"The registry at {self.url.host or 'localhost'}:{self.url.port or 5432} does not answer; "
                "see TEMOIN_DATABASE_URL."
            )
        return RegistryError(f"The registry at {self.url.host} refuses: {error}")

    def _revision(self) -> str | None:
        from alembic.migration import MigrationContext  # noqa: PLC0415 - see migrate

        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def _head(self) -> str:
        return self._revisions()[0]

    def _revisions(self) -> list[str]:
        """Every revision this version knows, the newest first."""
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - see migrate

        return [script.revision for script in ScriptDirectory.from_config(self._alembic()).walk_revisions()]

    def _alembic(self) -> Config:
        from alembic.config import Config  # noqa: PLC0415 - see migrate

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        return config


def _take_turns(connection: Connection) -> None:
    """SQLite rebuilds a table by dropping it, which would delete what refers to its rows, or fail."""
    if connection.dialect.name == "sqlite":
        connection.detach()  # so that nobody else gets it: it does not look after references
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")


def _check_references(connection: Connection) -> None:
    """What was not looked after, at the end: https://www.sqlite.org/lang_altertable.html, section 7."""
    if connection.dialect.name == "sqlite":
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if lost is not None:
            raise RegistryError(
                f"A row of {lost[0]} refers to one of {lost[2]} that is not there; nothing was changed."
            )


def _server(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            max_overflow=MOST,
            hide_parameters=True,  # errors are logged
            connect_args={"connect_timeout": 10},
        )
    except ModuleNotFoundError as error:
        raise RegistryError("PostgreSQL needs its driver: pip install 'temoin[postgresql]'.") from error


def _log_ahead(connection: SqliteConnection) -> None:
    """Have the file in WAL mode; SQLite does not wait while another connection makes that very change."""
    for pause in (*[0.05] * 200, None):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if pause is None or "locked" not in str(error):
                raise
            time.sleep(pause)
        else:
            return


def _sqlite(url: URL) -> Engine:
    """Reads never wait; a session's first write takes the one writer's turn at once (BEGIN IMMEDIATE)."""
    engine = create_engine(
        url,
        max_overflow=MOST,
        hide_parameters=True,  # errors are logged
        connect_args={"timeout": 30, "check_same_thread": False, "isolation_level": "IMMEDIATE"},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: SqliteConnection, _record: object) -> None:
        for pragma in ("busy_timeout = 30000", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _log_ahead(connection)

    @event.listens_for(engine, "savepoint")
    def begin(connection: Connection, _name: str) -> None:
        # sqlite3 begins no transaction for a savepoint, and releasing an outermost one would commit
        driver = connection.connection.driver_connection
        if driver is not None and not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
