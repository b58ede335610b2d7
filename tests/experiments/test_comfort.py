"""Shares of occupied time by EN 16798-1 category."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from experiments.outcomes import OUTCOMES
from experiments.outcomes.comfort import CATEGORIES
from experiments.outcomes.signals import Signals

WINTER, SUMMER = date(2026, 1, 12), date(2026, 7, 6)


def share(key: str, signals: Signals) -> float | None:
    of_day = OUTCOMES[key].of_day
    assert of_day is not None
    return of_day(signals).value


def room(day: date, *, temperature: list[float], co2: list[float], occupied: list[float]) -> Signals:
    unknown = np.full(len(occupied), np.nan)
    return Signals(day, np.array(occupied), unknown, np.array(co2), np.array(temperature), unknown, 8)


def shares(quantity: str, signals: Signals) -> list[float | None]:
    return [share(key, signals) for key in CATEGORIES[quantity]]


@pytest.mark.parametrize(
    ("day", "degrees"), [(WINTER, [22, 20.5, 19.5, 18, 30]), (SUMMER, [24, 23.2, 22.5, 21, 17])]
)
def test_the_bands_of_the_season_nest(day, degrees):
    signals = room(day, temperature=degrees, co2=[500.0] * 5, occupied=[1, 1, 1, 1, 0])
    assert shares("temperature", signals) == [25, 50, 75]


def test_co2_is_counted_above_outdoors():
    signals = room(WINTER, temperature=[21] * 4, co2=[969, 1219, 1769, 1771], occupied=[1, 1, 1, 1])
    assert shares("co2", signals) == [25, 50, 75]


def test_a_day_without_a_meeting_has_no_category():
    signals = room(WINTER, temperature=[21], co2=[500], occupied=[0])
    assert shares("temperature", signals) == [None] * 3
