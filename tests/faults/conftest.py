"""A broker, an ingest on a folder with a registry, and the table of the fault report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `parts` is a sibling

from parts import MOSQUITTO, Broker, Ingest, wait_until

from service.registry import Registry
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS: list[tuple[object, ...]] = []
HEADS = ("what was done", "store", "confirmed", "stored", "quarantined")
HEADS += ("landed twice", "counted twice", "lost by us", "by the broker")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not here: apt-get install mosquitto")
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def ingest(tmp_path: Path, broker: Broker) -> Iterator[Ingest]:
    data = tmp_path / "data"
    settings = Settings(data_dir=data, mqtt_url=broker.url)
    registry = Registry(settings.registry_url)
    registry.migrate()
    registry.close()
    running = Ingest(settings, {"TEMOIN_DATA_DIR": str(data), "TEMOIN_MQTT_URL": broker.url})
    yield running
    running.stop()


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def report_rows() -> list[tuple[object, ...]]:
    """Rows of the fault report, printed once all tests have run."""
    return ROWS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the fault report, when there is one."""
    if ROWS:
        terminalreporter.section("where every confirmed message is")
        for row in (HEADS, *ROWS):
            what, store, *figures = map(str, row)
            terminalreporter.write_line(f"{what:<48}{store:<10}" + "".join(f"{each:>14}" for each in figures))
