"""A file of history is stored whole or not at all, its devices are entered, its days computed again."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from sensors.history_map import load_map
from sensors.reading import HistoryRejected
from sensors.store_embedded import EmbeddedStore
from service.history import HistoryFile, Survey, import_history
from service.registry import Registry
from service.registry.tables import Device, StaleDay

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
MAP = 'gateway = "bms"\ndevice = "id"\ntime = "time"\n[columns]\nco2 = "co2"\nrh = "humidity"\n'
GOOD = "id,time,co2,rh\nloire,2025-10-12T23:30:00+02:00,543,41\nloire,2025-10-13T08:00:00+02:00,612,42\n"
SHARED = Path(os.environ.get("TEMOIN_TEST_SHARED", Path(__file__).parents[3] / "shared"))
B4B = SHARED / "data" / "b4b_3rooms_raw.csv.gz"


class House:
    """A store, a registry and a folder to put files in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = EmbeddedStore(folder / "store")
        self.registry = Registry(f"sqlite:///{folder / 'registry.db'}")
        self.registry.migrate()

    def imports(self, text: str, *, keep_good: bool = False) -> Survey:
        """Import a file of this text."""
        path, toml = self.folder / "history.csv", self.folder / "map.toml"
        path.write_text(text, encoding="utf-8")
        toml.write_text(MAP, encoding="utf-8")
        file = HistoryFile(path, load_map(toml), PARIS, NOW)
        return import_history(file, self.store, self.registry, keep_good=keep_good)

    def values(self) -> list[float]:
        """Everything in the store."""
        return sorted(self.store.read(*EVER)["value"])

    def stale(self) -> list[date]:
        """The days to be computed again."""
        with self.registry.session() as session:
            return sorted(session.scalars(select(StaleDay.day)))


@pytest.fixture
def house(tmp_path: Path):
    house = House(tmp_path)
    yield house
    house.store.close()
    house.registry.close()


def test_readings_devices_and_days_arrive(house: House):
    survey = house.imports(GOOD)
    assert (survey.lines, survey.readings) == (2, 4)
    assert house.values() == [41, 42, 543, 612]
    assert house.stale() == [date(2025, 10, 12), date(2025, 10, 13)]
    with house.registry.session() as session:
        device = session.get(Device, "bms/loire")
        assert device is not None
        assert (device.gateway, device.last_seen) == ("bms", datetime(2025, 10, 13, 6, tzinfo=UTC))


def test_twice_is_once(house: House):
    house.imports(GOOD)
    house.imports(GOOD)
    assert house.values() == [41, 42, 543, 612]


def test_a_bad_line_keeps_everything_out(house: House):
    with pytest.raises(HistoryRejected, match="line 4, column co2: 'many' is not a number"):
        house.imports(GOOD + "loire,2025-10-14T08:00:00Z,many,42\n")
    assert house.values() == []
    assert house.stale() == []


def test_the_good_lines_can_be_kept(house: House):
    survey = house.imports(GOOD + "loire,2025-10-14T08:00:00Z,many,42\n", keep_good=True)
    assert house.values() == [41, 42, 543, 612]
    assert survey.faults == ["line 4, column co2: 'many' is not a number"]


def test_what_no_sensor_can_have_measured_is_left_out_and_told(house: House):
    survey = house.imports(GOOD + "loire,2025-10-14T08:00:00Z,0,43\nloire,2026-03-03T08:00:00Z,700,44\n")
    assert house.values() == [41, 42, 43, 543, 612]
    assert survey.refused == {
        "bms/loire co2 out_of_range": 1,
        "bms/loire co2 clock_ahead": 1,
        "bms/loire humidity clock_ahead": 1,
    }
    assert survey.refusals[0] == "line 4: co2: 0 is not between 200 and 40000 ppm"


def test_a_file_without_one_good_reading_is_rejected(house: House):
    with pytest.raises(HistoryRejected, match="no reading"):
        house.imports("id,time,co2,rh\nloire,2025-10-12T23:30:00+02:00,,\n")


@pytest.mark.skipif(not B4B.exists(), reason=f"{B4B} is not here: three real rooms were not imported")
def test_three_real_rooms_are_imported(house: House):
    toml = Path(__file__).parents[1] / "histories" / "brains4buildings.toml"
    file = HistoryFile(B4B, load_map(toml), PARIS, NOW)
    survey = import_history(file, house.store, house.registry)
    assert survey.lines == 82_477
    assert len(survey.devices) == 12
    frame = house.store.read(*EVER, devices=["b4b/999169-CO2-meter-SCD4x"])
    first = frame.groupby("metric").first()["value"].to_dict()
    assert first == {"co2": 543.0, "humidity": 49.4, "people": 1.0, "temperature": 21.1}
