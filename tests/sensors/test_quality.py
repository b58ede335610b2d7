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


@pytest.mark.parametrize(
    ("ahead", "zone"),
    [
        (timedelta(hours=1, seconds=-40), True),
        (timedelta(hours=2), True),
        (timedelta(minutes=40), False),
        (timedelta(hours=20), False),
        (timedelta(days=300), False),
    ],
)
def test_a_clock_ahead_by_whole_hours_is_told_from_one_that_is_merely_wrong(ahead: timedelta, zone: bool):
    reason = Gate().check(GOOD._replace(time=NOW + ahead), NOW)
    assert reason is not None
    assert reason.startswith("clock_ahead: ")
    assert ("another zone" in reason) is zone


def codes(
    lags: list[timedelta], every: timedelta = timedelta(minutes=10), source: str = "device"
) -> list[str | None]:
    """What the gate says of messages that come regularly, each so much behind."""
    gate, found = Gate(), []
    for number, lag in enumerate(lags):
        received = NOW + number * every
        for metric in ("co2", "humidity"):  # a message has several readings
            reading = GOOD._replace(
                metric=metric, value=400.0 if metric == "co2" else 40.0, time=received - lag
            )
            reason = gate.check(reading._replace(time_source=source), received)  # type: ignore[arg-type]
        found.append(reason and reason.partition(":")[0])
    return found


def test_a_clock_always_an_hour_behind_is_found_at_the_sixth_message():
    assert codes([timedelta(hours=1, seconds=4)] * 8) == [None] * 5 + ["clock_behind"] * 3


def test_a_clock_that_was_set_right_is_trusted_again():
    assert codes([timedelta(hours=2)] * 6 + [timedelta(seconds=3)] * 2)[-3:] == ["clock_behind", None, None]


@pytest.mark.parametrize(
    "lags",
    [
        [
            timedelta(hours=3) - number * timedelta(minutes=10) for number in range(10)
        ],  # a buffer that empties
        [timedelta(minutes=25)] * 10,  # slow, but no zone
        [timedelta(seconds=2)] * 10,
    ],
)
def test_a_late_message_is_no_wrong_clock(lags: list[timedelta]):
    assert codes(lags) == [None] * 10


@pytest.mark.parametrize("cadence", [10, 30, 60])
def test_a_backlog_that_comes_all_at_once_is_no_wrong_clock(cadence: int):
    lags = [timedelta(seconds=cadence * number) for number in range(3 * 3600 // cadence, 0, -1)]
    assert codes(lags, every=timedelta(0)) == [None] * len(lags)


def test_who_reports_by_the_hour_may_be_an_hour_behind():
    assert codes([timedelta(hours=1)] * 10, every=timedelta(hours=1)) == [None] * 10


def test_the_networks_clock_is_not_doubted():
    assert codes([timedelta(hours=1)] * 10, source="network") == [None] * 10
