"""What several weeks say of one room, and when they say nothing."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from experiments.outcomes import OUTCOMES
from experiments.outcomes.comfort import air_changes
from experiments.outcomes.signals import Signals
from experiments.profile import OUTCOMES as WANTED
from experiments.profile import Profile, profile

MONDAY = date(2026, 3, 2)


def weeks(coverage=1.0, **values):
    """Rows of so many days: a list of values an outcome, or one for twenty days."""
    rows = [
        (MONDAY + timedelta(days=n), outcome, float(value), coverage)
        for outcome, given in values.items()
        for n, value in enumerate(given if isinstance(given, list) else [given] * 20)
    ]
    return pd.DataFrame(rows, columns=["day", "outcome", "value", "coverage"])


def test_what_it_reads_exists():
    assert set(WANTED) <= OUTCOMES.keys()


@pytest.mark.parametrize(
    ("above_1000", "above_1700", "icone", "called"),
    [
        (0, 0, 0, "none"),
        (100, 0, 3, "high"),  # always between 1000 and 1700: 2.5, which reads 3
        (70, 0, 2, "medium"),  # 1.91
        (100, 100, 5, "extreme"),
        (50, 0, 1, "low"),  # 1.46
        (60, 20, 3, "high"),  # log2(2) · 2.5 = 2.5
        (90, 60, 4, "very_high"),  # log2(3.1) · 2.5 = 4.08
    ],
)
def test_icone_reads_as_the_formula_says(above_1000, above_1700, icone, called):
    found = profile(weeks(occupied_minutes=120, co2_high=above_1000, co2_very_high=above_1700))
    assert (found.icone, found.air_days) == (icone, 20)
    assert found.confinement == called


def test_a_day_of_long_meetings_counts_for_more():
    short_and_bad, long_and_good = [10] * 10 + [400] * 10, [100.0] * 10 + [0.0] * 10
    found = profile(
        weeks(occupied_minutes=short_and_bad, co2_high=long_and_good, co2_very_high=long_and_good)
    )
    assert found.icone == 0


@pytest.mark.parametrize(
    "rows", [weeks(), weeks(occupied_minutes=[120] * 9, co2_high=[10] * 9, co2_very_high=[0] * 9)]
)
def test_too_few_days_say_nothing(rows):
    assert profile(rows, 8, 40).icone is None
    assert profile(rows, 8, 40).largest is None


def test_days_that_were_hardly_seen_are_left_out():
    assert profile(weeks(coverage=0.4, people_peak=4, air_changes=1.2), 8, 40) == Profile()


def test_nine_days_of_ten_decide_the_size():
    found = profile(weeks(people_peak=[4] * 18 + [8] * 2), capacity=12)
    assert (found.largest, found.spare, found.group_days) == (5, 7, 20)
    assert profile(weeks(people_peak=4)).spare is None  # nobody said how many seats there are


def test_fresh_air_needs_the_volume():
    found = profile(weeks(air_changes=[1.0, 1.2, 9.0]), volume_m3=60)
    assert (found.air_changes, found.fall_days) == (1.2, 3)
    assert found.fresh_air == pytest.approx(20)
    assert profile(weeks(air_changes=[1.0, 1.2, 9.0])).fresh_air is None
    assert profile(weeks(air_changes=[1.0, 1.2])).air_changes is None


# ------------------------------------------------------------------------------- how fast the air is changed


def meeting(rate, empty=90, every=10, start=1400.0, noise=0.0):
    """An hour's meeting, then so many empty minutes at `rate` air changes an hour, told every few minutes."""
    minutes = np.arange(empty)
    co2 = 420 + (start - 420) * np.exp(-rate * minutes / 60)
    co2 = co2 + np.random.default_rng(1).normal(0, noise, empty)
    told = co2[(minutes // every) * every]
    occupied = np.concatenate([np.ones(60), np.zeros(empty)])
    unknown = np.full(60 + empty, np.nan)
    signal = np.concatenate([np.full(60, start), told])
    return Signals(MONDAY, occupied, unknown, signal, unknown, unknown, 8)


@pytest.mark.parametrize("rate", [0.3, 1.0, 2.5])
def test_a_fall_gives_back_the_rate_it_was_made_with(rate):
    assert air_changes(meeting(rate)).value == pytest.approx(rate, rel=0.02)
    assert air_changes(meeting(rate, noise=8.0)).value == pytest.approx(rate, rel=0.12)


@pytest.mark.parametrize(
    "day",
    [
        meeting(1.0, empty=30),  # too short
        meeting(1.0, every=30),  # too few values
        meeting(1.0, start=580.0),  # hardly above outdoors
        meeting(0.0, noise=30.0),  # nothing falls
        meeting(0.3, noise=200.0),  # no line
    ],
)
def test_a_fall_that_says_nothing_gives_no_number(day):
    assert air_changes(day).value is None


def test_an_empty_morning_is_no_fall():
    """Nobody was there before: what falls is last night's air, or the window."""
    whole = meeting(1.0)
    late = Signals(
        MONDAY,
        whole.occupied[60:],
        whole.people[60:],
        whole.co2[60:],
        whole.temperature[60:],
        whole.sound[60:],
        8,
    )
    assert air_changes(late).value is None
