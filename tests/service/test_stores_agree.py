"""InfluxDB and the embedded store give the same outcomes, to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import select

from sensors.store_embedded import EmbeddedStore
from service.demo.history import History
from service.demo.world import SEED, World
from service.registry import Registry, users
from service.registry.tables import Outcome
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Influx

    from sensors.store import ReadingStore

MONDAY = date(2026, 3, 30)  # the night before, clocks went forward
DAYS = [MONDAY - timedelta(days=3), MONDAY - timedelta(days=2), MONDAY - timedelta(days=1), MONDAY]


def outcomes(folder: Path, store: ReadingStore) -> dict[tuple[int, date, str], tuple[float | None, float]]:
    """What the demonstration's rooms came to on some days, computed from what this store gave back."""
    settings = Settings(data_dir=folder)
    folder.mkdir()
    registry = Registry(settings.registry_url)
    registry.migrate()
    until = datetime(2026, 3, 31, 8, tzinfo=UTC)
    with registry.session() as session:
        users.add(session, "camille@ville.example", "Camille Robert", "administrator", None, until)
    history = History(settings, registry, store, World(MONDAY, ZoneInfo("Europe/Paris"), 84, SEED), until)
    history.declare()
    history.make(DAYS, lambda: None)
    with registry.session() as session:
        found = {
            (row.room_id, row.day, row.outcome): (row.value, row.coverage)
            for row in session.scalars(select(Outcome))
        }
    registry.close()
    store.close()
    return found


def test_outcomes_are_the_same_from_either_store(influx: Influx, tmp_path: Path):
    embedded = outcomes(tmp_path / "one", EmbeddedStore(tmp_path / "store"))
    assert len({day for _room, day, _outcome in embedded}) >= 2
    assert any(value for value, _coverage in embedded.values())
    assert outcomes(tmp_path / "other", influx.store()) == embedded
