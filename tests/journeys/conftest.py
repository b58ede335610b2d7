"""The city served: to a client that is signed in, to a visitor, to a real browser."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `city` is a sibling

from city import SLUGS, World, declare, readings

from service.app import create_app
from service.auth import COOKIE
from service.registry import Registry, users
from service.registry.tables import Device, Placement, Room
from service.river import open_store
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all journeys: they read it, and only add answers."""
    folder: Path = tmp_path_factory.mktemp("city")
    settings = Settings(data_dir=folder, secret_key="journeys-" + "x" * 40, timezone="Europe/Paris")
    registry, store = Registry(settings.registry_url), open_store(settings)
    registry.migrate()
    now = datetime.now(UTC)
    with registry.session() as session:
        user = users.add(session, "camille@ville.example", "Camille Orvault", "facilities", None, now)
        token = users.open_session(session, user, now, timedelta(hours=12))
        declare(session)
        for slug, room in {room.slug: room for room in session.scalars(select(Room))}.items():
            if slug in SLUGS[:12]:
                seen = now - timedelta(hours=9) if slug == "cens" else now
                device = Device(
                    key=f"city/{slug}",
                    gateway="city",
                    label="Ambiance",
                    first_seen=now - timedelta(days=90),
                    last_seen=seen,
                )
                session.add_all(
                    [device, Placement(device=device, room=room, start=now - timedelta(days=90), end=None)]
                )
    store.write(list(readings(now)))
    yield World(settings, registry, store, token)
    store.close()
    registry.close()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """A browser without a screen, signed in."""
    with TestClient(create_app(world.settings, world.registry, world.store)) as client:
        client.cookies.set(COOKIE, world.token)
        client.headers["accept-language"] = "fr"
        yield client


@pytest.fixture
def visitor(world: World) -> Iterator[TestClient]:
    """Somebody with a phone and no account."""
    with TestClient(create_app(world.settings, world.registry, world.store)) as client:
        client.headers["accept-language"] = "fr"
        yield client


@pytest.fixture(scope="session")
def address(world: World) -> Iterator[str]:
    """The world served on loopback, for a real browser."""
    config = uvicorn.Config(
        create_app(world.settings, world.registry, world.store), port=0, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)
