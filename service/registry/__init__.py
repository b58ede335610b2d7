"""The registry: what people declare, answer and decide, in SQLite or PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection

    from alembic.config import Config
    from sqlalchemy.engine import URL

MIGRATIONS = Path(__file__).parent / "migrations"


class RegistryError(Exception):
    """The registry cannot be used as it is; the sentence says what to do."""


class Registry:
    """Sessions on one database. Nothing is opened before the first session."""

    def __init__(self, url: str) -> None:
        try:
            self.url: URL = make_url(url)
        except ArgumentError as error:
            raise RegistryError("TEMOIN_DATABASE_URL should be like sqlite:///registry.db") from error
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
            yield session
            session.commit()

    def migrate(self) -> str:
        """Bring the schema to this version; the revision reached. Creates an SQLite file that is not there."""
        from alembic import command  # noqa: PLC0415 - 60 ms that only this needs

        if self.url.get_backend_name() == "sqlite" and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self.engine.begin() as connection:
            config = self._alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return self._revisions()[1]

    def check(self) -> None:
        """Raise RegistryError unless the database answers and its schema is this version's."""
        if self.url.get_backend_name() == "sqlite" and not Path(self.url.database or "").exists():
            raise RegistryError(f"There is no registry at {self.url.database}: run `temoin migrate` first.")
        try:
            current, wanted = self._revisions()
        except OperationalError as error:
            raise RegistryError(
                f"The registry at {self.url.host or self.url.database} does not answer."
            ) from error
        if current is None:
            raise RegistryError("The registry is empty: run `temoin migrate` first.")
        if current == wanted:
            return
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - only when something is wrong

        known = {script.revision for script in ScriptDirectory.from_config(self._alembic()).walk_revisions()}
        if current in known:
            raise RegistryError(
                f"The registry has an older schema ({current}, this version needs {wanted}): "
                "back it up, then run `temoin migrate`."
            )
        raise RegistryError(
            f"The registry was written by a newer Témoin (schema {current}): install that version again."
        )

    def _alembic(self) -> Config:
        from alembic.config import Config  # noqa: PLC0415 - see migrate

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        return config

    def _revisions(self) -> tuple[str | None, str]:
        from alembic.migration import MigrationContext  # noqa: PLC0415 - see migrate
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - see migrate

        wanted = ScriptDirectory.from_config(self._alembic()).get_current_head()
        if wanted is None:  # pragma: no cover - the package is broken
            raise RegistryError("This installation of Témoin has no migrations: install it again.")
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), wanted

    def close(self) -> None:
        """Let go of every connection; twice is fine."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _server(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Connection, _record: object) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "busy_timeout = 30000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
