"""The gate refuses what no sensor can have measured, or not at that time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sensors import Reading
from sensors.quality import Gate

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
GOOD = Reading("nord/loire-1", "co2", 612.0, "ppm", NOW, "device", "nord")


def code(reading: Reading, gate: Gate | None = None) -> str | None:
    reason = (gate or Gate()).check(reading, NOW)
    return None if reason is None else reason.partition(":")[0]


def test_a_good_reading_passes():
    assert code(GOOD) is None


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("co2", 90_000.0, "out_of_range"),
        ("co2", float("nan"), "not_finite"),
        ("temperature", 327.67, "sentinel"),
        ("temperature", 85.0, "sentinel"),
        ("presence", 2.0, "out_of_range"),
        ("kilowatts", 2.0, "unknown_metric"),
        ("co2", 400.0, None),
        ("presence", 1.0, None),
    ],
)
def test_an_impossible_value_does_not(metric: str, value: float, expected: str | None):
    assert code(GOOD._replace(metric=metric, value=value)) == expected


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (timedelta(minutes=4), None),
        (timedelta(minutes=6), "clock_ahead"),
        (timedelta(days=-6), None),
        (timedelta(days=-8), "late"),
        (timedelta(days=-20_000), "clock_behind"),
    ],
)
def test_an_impossible_time_does_not(offset: timedelta, expected: str | None):
    assert code(GOOD._replace(time=NOW + offset)) == expected


def test_an_import_may_be_as_old_as_it_likes():
    old = GOOD._replace(time=NOW - timedelta(days=4000))
    assert code(old) == "late"
    assert code(old, Gate(max_age=None)) is None
    assert code(old._replace(time=NOW + timedelta(days=1)), Gate(max_age=None)) == "clock_ahead"
