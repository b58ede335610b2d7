"""What was booked beside what happened."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from experiments.outcomes import OUTCOMES
from experiments.outcomes.booking import ad_hoc, early_end, no_show, overrun
from experiments.outcomes.signals import Signals
from experiments.panel import OpenRoom, Placed, outcomes_of_day

DAY = date(2026, 3, 3)


def day(booked, *used, unseen=(0, 0)):
    """Ten opening hours in minutes: when it was booked, used, and not seen."""
    occupied = np.zeros(600)
    for start, end in used:
        occupied[start:end] = 1
    occupied[slice(*unseen)] = np.nan
    unknown = np.full(600, np.nan)
    return Signals(DAY, occupied, unknown, unknown, unknown, unknown, 8, booked=booked)


@pytest.mark.parametrize("outcome", [no_show, ad_hoc, early_end, overrun])
def test_without_a_calendar_nothing_is_said(outcome):
    assert outcome(day(None, (60, 120))) == (None, 0.0)


@pytest.mark.parametrize("outcome", [no_show, early_end, overrun])
def test_a_day_on_which_nobody_booked_has_no_booking_to_judge(outcome):
    assert outcome(day((), (60, 120))) == (None, 1.0)


@pytest.mark.parametrize(
    ("used", "share"),
    [
        ([(60, 120)], 0),
        ([(55, 58)], 0),  # somebody who came early was there
        ([(69, 120)], 0),
        ([(70, 120)], 100),  # ten minutes are the grace
        ([], 100),
        ([(300, 360)], 100),
    ],
)
def test_a_booking_to_which_nobody_comes_within_ten_minutes_is_a_no_show(used, share):
    assert no_show(day(((60, 120),), *used)).value == share


def test_a_booking_that_was_not_seen_is_neither_held_nor_missed():
    assert no_show(day(((60, 120), (200, 260)), (200, 260), unseen=(60, 110))).value == 0
    assert no_show(day(((60, 120),), unseen=(60, 110))).value is None


def test_meetings_that_nobody_had_booked():
    assert ad_hoc(day(((60, 120),), (56, 118), (300, 360))).value == 50
    assert ad_hoc(day((), (300, 360))).value == 100
    assert ad_hoc(day(((60, 120),))).value is None


def test_an_early_end_is_what_was_left_unused():
    assert early_end(day(((60, 120), (300, 360)), (60, 90), (300, 360))).value == 15
    assert early_end(day(((60, 120),))).value is None  # a no-show ends nothing early


def test_an_overrun_ends_with_the_next_booking():
    assert overrun(day(((60, 120),), (60, 150))).value == 30
    assert overrun(day(((60, 120), (130, 190)), (60, 190))).value == 5  # ten of the first, none of the second
    assert overrun(day(((540, 600),), (540, 600))).value is None  # the room closes then


def test_the_panel_counts_bookings_in_local_opening_hours():
    paris = ZoneInfo("Europe/Paris")
    room = OpenRoom("loire", capacity=8, opens=8 * 60, closes=18 * 60)
    noon = datetime(2026, 3, 3, 12, 0, tzinfo=paris)
    at = [noon + timedelta(minutes=5 * n - 360) for n in range(145)]
    rows = [("g/a", "people", pd.Timestamp(t.astimezone(UTC)), float(14 <= t.hour < 15)) for t in at]
    readings = pd.DataFrame(rows, columns=["device", "metric", "time", "value"])
    placed = [Placed("g/a", "loire", noon - timedelta(days=9), None, None)]
    hour = timedelta(hours=1)
    bookings = {
        "loire": [
            (noon + 2 * hour, noon + 3 * hour),
            (noon - 2 * hour, noon - hour),
            (noon - 6 * hour, noon - 5 * hour),
        ]
    }
    found = {
        each.outcome: each.value for each in outcomes_of_day(readings, placed, [room], DAY, paris, bookings)
    }
    assert (found["no_show"], found["ad_hoc"], found["early_end"], found["overrun"]) == (50, 0, 0, 0)
    without = {each.outcome: each.value for each in outcomes_of_day(readings, placed, [room], DAY, paris)}
    assert without["no_show"] is None
    assert {each for each in found if OUTCOMES[each].key in ("no_show", "ad_hoc")} == {"no_show", "ad_hoc"}
