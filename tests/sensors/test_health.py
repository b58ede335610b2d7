"""How a device did on a day: what spoke how often, what stood still, what its neighbours contradict."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from sensors.health import APART, DeviceDay, day_health

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)


def frame(*told):
    """Readings of (device, metric, minutes, values)."""
    rows = [
        (device, metric, START + timedelta(minutes=float(minute)), float(value))
        for device, metric, minutes, values in told
        for minute, value in zip(minutes, np.broadcast_to(values, np.shape(minutes)), strict=True)
    ]
    table = pd.DataFrame(rows, columns=["device", "metric", "time", "value"])
    table["time"] = pd.to_datetime(table["time"], utc=True).astype("datetime64[ms, UTC]")
    return table.sort_values(["device", "metric", "time"], ignore_index=True)


TEN = np.arange(0, 1440, 10)
ALIVE = 600 + TEN % 70


def test_how_often_it_speaks_and_its_longest_silence():
    minutes = [m for m in TEN if not 600 <= m < 840]
    (found,) = day_health(
        frame(("g/a", "co2", minutes, np.array(minutes) % 90)), {"g/a": "loire"}, START, END
    )
    assert (found.messages, found.interval, found.longest_gap) == (120, 600, 250 * 60)
    assert (found.stuck, found.apart, found.battery) == ((), (), None)


def test_several_values_of_one_instant_are_one_message():
    (found,) = day_health(
        frame(("g/a", "co2", TEN, ALIVE), ("g/a", "temperature", TEN, 20 + ALIVE / 100)),
        {"g/a": "loire"},
        START,
        END,
    )
    assert found.messages == len(TEN)


def test_a_device_that_said_nothing_has_a_day_of_silence():
    empty = frame(("g/other", "co2", [], []))
    assert day_health(empty, {"g/a": "loire"}, START, END) == [DeviceDay("g/a", 0, None, 86400)]


def test_the_longest_silence_may_be_at_either_end_of_a_day_of_any_length():
    short = END - timedelta(hours=1)  # the day on which clocks go forward
    (found,) = day_health(
        frame(("g/a", "co2", [0, 10, 20, 25 * 60], [1, 2, 3, 4])), {"g/a": "r"}, START, short
    )
    assert (found.messages, found.longest_gap) == (3, 23 * 3600 - 20 * 60)


@pytest.mark.parametrize(
    ("metric", "minutes", "values", "stuck"),
    [
        ("co2", TEN, 612, ("co2",)),
        ("co2", TEN, ALIVE, ()),
        ("co2", TEN[:60], 612, ()),  # ten hours
        ("co2", [0, 700, 1400], 612, ()),  # a device that speaks when something changes
        ("people", TEN, 0, ()),  # an empty room is no fault
        ("presence", TEN, 0, ()),
    ],
)
def test_what_shows_one_value_all_day_is_stuck_if_it_should_move(metric, minutes, values, stuck):
    (found,) = day_health(frame(("g/a", metric, minutes, values)), {"g/a": "loire"}, START, END)
    assert found.stuck == stuck


@pytest.mark.parametrize(("off", "apart"), [(APART["co2"] + 1, ("co2",)), (APART["co2"] - 1, ())])
def test_two_sensors_of_one_room_that_disagree_are_both_named(off, apart):
    told = frame(
        ("g/a", "co2", TEN, ALIVE), ("g/b", "co2", TEN + 3, ALIVE + off), ("g/c", "co2", TEN, ALIVE + 900)
    )
    found = day_health(told, {"g/a": "loire", "g/b": "loire", "g/c": "erdre"}, START, END)
    assert [each.apart for each in found] == [apart, apart, ()]


def test_of_three_sensors_the_one_that_is_off_is_named_alone():
    told = frame(("g/a", "co2", TEN, ALIVE), ("g/b", "co2", TEN, ALIVE), ("g/c", "co2", TEN, ALIVE + 280))
    found = day_health(told, dict.fromkeys(("g/a", "g/b", "g/c"), "loire"), START, END)
    assert [each.apart for each in found] == [(), (), ("co2",)]


def test_a_few_hours_together_say_nothing():
    told = frame(("g/a", "co2", TEN[:30], ALIVE[:30]), ("g/b", "co2", TEN[:30], ALIVE[:30] + 900))
    assert [each.apart for each in day_health(told, dict.fromkeys(("g/a", "g/b"), "r"), START, END)] == [
        (),
        (),
    ]


def test_the_last_level_of_the_battery_is_kept():
    (found,) = day_health(frame(("g/a", "battery", [0, 600], [80, 12])), {"g/a": "loire"}, START, END)
    assert found.battery == 12
