"""One contract for every store: what `sensors.store.ReadingStore` promises."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from sensors.reading import Reading
from sensors.store_embedded import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensors.store import ReadingStore

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["embedded", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReadingStore]:
    opened: ReadingStore
    if request.param == "embedded":
        opened = EmbeddedStore(tmp_path / "store")
    else:
        opened = request.getfixturevalue("influx").store()
    yield opened
    opened.close()


def reading(value: float, time: datetime, device: str = "nord/loire", metric: str = "co2") -> Reading:
    return Reading(device, metric, value, "ppm", time, "device", "nord")


def everything(store: ReadingStore) -> list[tuple[str, str, datetime, float]]:
    frame = store.read(MONDAY - 400 * DAY, MONDAY + 400 * DAY)
    return list(frame.itertuples(index=False, name=None))


def test_what_was_written_is_read_back_in_order(store: ReadingStore):
    later = MONDAY + timedelta(milliseconds=1)
    store.write(
        [
            reading(3, later),
            reading(2, MONDAY),
            reading(4, MONDAY, metric="temperature"),
            reading(1, MONDAY, device="nord/adour"),
        ]
    )
    assert everything(store) == [
        ("nord/adour", "co2", MONDAY, 1.0),
        ("nord/loire", "co2", MONDAY, 2.0),
        ("nord/loire", "co2", later, 3.0),
        ("nord/loire", "temperature", MONDAY, 4.0),
    ]


def test_the_last_received_wins(store: ReadingStore):
    store.write([reading(600, MONDAY), reading(601, MONDAY)])
    store.write([reading(602, MONDAY)])
    assert [value for *_, value in everything(store)] == [602.0]


def test_writing_twice_changes_nothing(store: ReadingStore):
    batch = [reading(minute, MONDAY + timedelta(minutes=minute)) for minute in range(100)]
    store.write(batch)
    before = everything(store)
    store.write(batch)
    assert everything(store) == before


def test_a_read_takes_its_start_and_leaves_its_end(store: ReadingStore):
    store.write([reading(hour, MONDAY + timedelta(hours=hour)) for hour in range(5)])
    frame = store.read(MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=3))
    assert frame["value"].tolist() == [1.0, 2.0]
    assert store.read(MONDAY, MONDAY).empty
    assert store.read(MONDAY + DAY, MONDAY).empty


@pytest.mark.parametrize("settled", [False, True])
def test_a_read_keeps_to_the_devices_and_metrics_asked_for(store: ReadingStore, settled: bool):
    for device in ("nord/adour", "nord/loire"):
        store.write([reading(1, MONDAY, device, metric) for metric in ("co2", "people")])
    if settled:
        store.settle(date(2027, 1, 1))
    frame = store.read(MONDAY, MONDAY + DAY, devices=["nord/adour"], metrics={"people", "sound"})
    assert frame[["device", "metric"]].to_numpy().tolist() == [["nord/adour", "people"]]
    assert store.read(MONDAY, MONDAY + DAY, devices=[]).empty
    assert store.read(MONDAY, MONDAY + DAY, metrics=["nothing"]).empty


@pytest.mark.parametrize("settled", [False, True])
def test_columns_are_the_same_full_or_empty(store: ReadingStore, settled: bool):
    store.write([reading(1, MONDAY)])
    if settled:
        store.settle(date(2027, 1, 1))
    types = {"device": "str", "metric": "str", "time": "datetime64[ms, UTC]", "value": "float64"}
    for frame in (
        store.read(MONDAY, MONDAY + DAY),
        store.read(MONDAY + DAY, MONDAY + 2 * DAY),
        store.latest(),
        store.latest(["nobody"]),
    ):
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == types


def test_latest_is_the_last_measured_not_the_last_received(store: ReadingStore):
    store.write([reading(2, MONDAY + DAY), reading(1, MONDAY)])
    store.write([reading(0, MONDAY - DAY), reading(9, MONDAY, device="nord/adour")])
    store.settle(date(2027, 1, 1))
    assert store.latest()["value"].tolist() == [9.0, 2.0]
    assert store.latest(["nord/loire"])["value"].tolist() == [2.0]


def test_settling_changes_nothing_that_is_read(store: ReadingStore):
    store.write(
        [reading(hour, MONDAY + timedelta(hours=hour), f"nord/{hour % 3}") for hour in range(24 * 4 + 5)]
    )
    before = everything(store)
    store.settle(date(2026, 3, 5))
    assert everything(store) == before


def test_a_late_reading_reopens_its_day(store: ReadingStore):
    store.write([reading(1, MONDAY), reading(2, MONDAY + timedelta(hours=2))])
    store.settle(date(2026, 3, 3))
    store.write([reading(7, MONDAY), reading(8, MONDAY + timedelta(hours=1))])
    expected = [7.0, 8.0, 2.0]
    assert [value for *_, value in everything(store)] == expected
    store.settle(date(2026, 3, 3))
    assert [value for *_, value in everything(store)] == expected


def test_a_batch_that_breaks_half_way_keeps_none(store: ReadingStore):
    def broken() -> Iterator[Reading]:
        yield reading(1, MONDAY, device="nord/new")
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        store.write(broken())
    assert everything(store) == []
    assert store.latest().empty
    store.write([reading(2, MONDAY, device="nord/new")])
    assert [value for *_, value in everything(store)] == [2.0]


def test_days_are_cut_at_utc_midnight_in_summer_too(store: ReadingStore):
    midnight = datetime(2026, 7, 1, tzinfo=UTC)
    store.write([reading(1, midnight - timedelta(milliseconds=1)), reading(2, midnight)])
    store.settle(date(2026, 7, 1))
    paris = store.read(midnight - timedelta(hours=2), midnight + timedelta(hours=22))
    assert paris["value"].tolist() == [1.0, 2.0]


def test_names_of_any_letters_come_back(store: ReadingStore):
    names = ["nord/salle « Loire »", "o'brien/';--", "东/会议室", "nord/a%b"]
    store.write([reading(1, MONDAY, device=name) for name in names])
    store.settle(date(2026, 3, 3))
    store.write([reading(2, MONDAY + DAY, device=name) for name in names])
    frame = store.read(MONDAY, MONDAY + 2 * DAY, devices=names)
    assert sorted(set(frame["device"])) == sorted(names)
    assert len(frame) == 2 * len(names)


def test_closing_twice_is_fine(store: ReadingStore):
    store.write([reading(1, MONDAY)])
    store.close()
    store.close()


def test_times_keep_their_milliseconds(store: ReadingStore):
    instant = MONDAY + timedelta(milliseconds=123)
    store.write([reading(1, instant)])
    store.settle(date(2026, 3, 3))
    assert store.read(MONDAY, MONDAY + DAY)["time"].tolist() == [pd.Timestamp(instant)]


def test_what_is_removed_is_gone_and_the_rest_stays(store: ReadingStore):
    later = MONDAY + timedelta(hours=1)
    readings = [reading(1, MONDAY), reading(2, later), reading(3, later, metric="temperature")]
    store.write([*readings, reading(4, later, device="nord/adour")])
    store.settle((MONDAY + DAY).date())  # also from a day that was put away
    keys = [("nord/loire", "co2", later), ("nord/nobody", "co2", later)]
    for _ in range(2):
        store.remove(keys)
        assert [row[3] for row in everything(store)] == [4.0, 1.0, 3.0]
        assert list(store.latest()["value"]) == [4.0, 1.0, 3.0]
        store.settle((MONDAY + DAY).date())
    assert list(store.latest(["nord/loire"])["value"]) == [1.0, 3.0]
    store.write(readings)
    assert [row[3] for row in everything(store)] == [4.0, 1.0, 2.0, 3.0]
    assert list(store.latest(["nord/loire"])["value"]) == [2.0, 3.0]


def test_a_device_that_is_removed_wholly_has_no_latest(store: ReadingStore):
    store.write([reading(1, MONDAY)])
    store.remove([("nord/loire", "co2", MONDAY)])
    assert everything(store) == []
    assert store.latest().empty
