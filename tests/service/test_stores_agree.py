"""InfluxDB and the embedded store give the same outcomes, to the last digit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from sensors.store_embedded import EmbeddedStore
from service import results
from service.demo.history import History
from service.demo.world import SEED, World
from service.registry import Registry, experiments, users
from service.registry.tables import Outcome
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Influx

    from sensors.store import ReadingStore

MONDAY = date(2026, 3, 30)  # the night before, clocks went forward
UNTIL = datetime(2026, 3, 31, 8, tzinfo=UTC)
DAYS = [MONDAY - timedelta(days=3), MONDAY - timedelta(days=2), MONDAY - timedelta(days=1), MONDAY]


def made(folder: Path, store: ReadingStore) -> tuple[Registry, History]:
    """An installation whose readings are kept there, declared and still without a past."""
    settings = Settings(data_dir=folder)
    folder.mkdir()
    registry = Registry(settings.registry_url)
    registry.migrate()
    with registry.session() as session:
        users.add(session, "camille@ville.example", "Camille Robert", "administrator", None, UNTIL)
    history = History(settings, registry, store, World(MONDAY, ZoneInfo("Europe/Paris"), 84, SEED), UNTIL)
    history.declare()
    return registry, history


def outcomes(folder: Path, store: ReadingStore) -> dict[tuple[int, date, str], tuple[float | None, float]]:
    """What the demonstration's rooms came to on some days, computed from what this store gave back."""
    registry, history = made(folder, store)
    history.make(DAYS, lambda: None)
    with registry.session() as session:
        found = {
            (row.room_id, row.day, row.outcome): (row.value, row.coverage)
            for row in session.scalars(select(Outcome))
        }
    registry.close()
    store.close()
    return found


def told(folder: Path, store: ReadingStore) -> dict[str, str]:
    """What the pages and the API say of each experiment of the whole demonstration, as JSON."""
    registry, history = made(folder, store)
    history.make(history.every_day(), lambda: None)
    store.settle(UNTIL.date())
    history.conclude()
    found = {}
    with registry.session() as session:
        for experiment in experiments.everything(session):
            result = results.result_of(session, experiment, UNTIL.date())
            found[experiment.slug] = json.dumps(None if result is None else result.to_dict(), sort_keys=True)
    registry.close()
    store.close()
    return found


def test_outcomes_are_the_same_from_either_store(influx: Influx, tmp_path: Path):
    embedded = outcomes(tmp_path / "one", EmbeddedStore(tmp_path / "store"))
    assert len({day for _room, day, _outcome in embedded}) >= 2
    assert any(value for value, _coverage in embedded.values())
    assert outcomes(tmp_path / "other", influx.store()) == embedded


@pytest.mark.report
def test_every_experiment_of_the_demonstration_ends_the_same_from_either_store(
    influx: Influx, tmp_path: Path
):
    embedded = told(tmp_path / "one", EmbeddedStore(tmp_path / "store"))
    assert sum('"effect": ' in result for result in embedded.values()) >= 3
    assert told(tmp_path / "other", influx.store()) == embedded
