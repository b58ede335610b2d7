"""What tests of the service start from: settings, a registry of either kind, a person signed in."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient

from service import cli
from service.app import create_app
from service.registry import Registry, users
from service.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith("TEMOIN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no .env
    yield
    structlog.reset_defaults()  # a command may have sent the logs to a stream that is gone


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An SQLite registry to be copied, which takes a fortieth of the time to migrate one."""
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    registry = Registry(f"sqlite:///{path}")
    registry.migrate()
    registry.close()
    return path


def _copied(migrated: Path, registry: Registry) -> None:
    path = Path(registry.url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated, path)


@pytest.fixture
def registry(settings, migrated):
    """A migrated SQLite registry."""
    registry = Registry(settings.registry_url)
    _copied(migrated, registry)
    yield registry
    registry.close()


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


# ------------------------------------------------------------------------------------------- PostgreSQL


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a real PostgreSQL in a temporary folder, on loopback, as a user that is not root."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    tools = found[-1].parent
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/temoin-pg-XXXXXX"], text=True).strip())  # noqa: S108 - another user must reach it
    as_user = []
    if os.getuid() == 0:
        try:
            pwd.getpwnam("nobody")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user nobody")
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    port = _free_port()
    subprocess.run(
        [*as_user, tools / "initdb", "-D", folder / "db", "-A", "trust", "-U", "postgres", "-N"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    server = subprocess.Popen(
        [*as_user, tools / "postgres", "-D", folder / "db", "-h", "127.0.0.1", "-p", str(port), "-k", "",
         "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        for _ in range(100):
            ready = subprocess.run(
                [tools / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True, check=False
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        else:
            pytest.skip("PostgreSQL did not start within 10 s")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_registry(request, settings):
    """A registry without a schema, of each kind."""
    if request.param == "sqlite":
        registry = Registry(settings.registry_url)
    else:
        registry = Registry(_new_database(request.getfixturevalue("postgresql")))
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def migrated_database(postgresql) -> str:
    """The name of a migrated database, likewise."""
    url = _new_database(postgresql)
    registry = Registry(url)
    registry.migrate()
    registry.close()
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def either_registry(request, settings):
    """A migrated registry of each kind."""
    if request.param == "sqlite":
        registry = Registry(settings.registry_url)
        _copied(request.getfixturevalue("migrated"), registry)
    else:
        template = request.getfixturevalue("migrated_database")
        registry = Registry(_new_database(request.getfixturevalue("postgresql"), template))
    yield registry
    registry.close()


def _new_database(url: str, template: str = "template1") -> str:
    import psycopg  # noqa: PLC0415 - only with the server

    name = f"temoin_{time.monotonic_ns()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return url.rpartition("/")[0] + f"/{name}"


# ------------------------------------------------------------------------------------------------- the app


@pytest.fixture
def app(settings, registry):
    app = create_app(settings, registry)
    yield app
    app.state.store.close()


@pytest.fixture
def stranger(app) -> TestClient:
    """A browser that nobody signed in on."""
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def browser_of(app, registry):
    """A browser on which somebody of this role is signed in; `.csrf` is what its forms carry."""

    def browser(role: str = "reader") -> TestClient:
        email = f"{role}@ville.example"
        with registry.session() as session:
            user = users.find(session, email) or users.add(
                session, email, role.title(), role, None, datetime.now(UTC)
            )
            token = users.open_session(session, user, datetime.now(UTC), timedelta(hours=1))
        client = TestClient(app, follow_redirects=False)
        client.cookies.set("temoin", token)
        client.csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/method").text)[1]
        return client

    return browser


@pytest.fixture
def reader(browser_of) -> TestClient:
    return browser_of("reader")


@pytest.fixture
def temoin(registry, settings, monkeypatch, capsys):
    """Run a command in this process, on the registry of the test: exit code, stdout, stderr."""
    monkeypatch.setenv("TEMOIN_DATABASE_URL", str(registry.url))
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["temoin", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
