"""Simulated panels have exactly the effect and the flaws they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import compare
from experiments.simulate import Scenario, ballots, panel, stuffed, tables, working_days

QUIET = Scenario(rho=0.0, room=0.0, weekday=0.0, common=0.0)


def drawn(scenario: Scenario, n: int = 400) -> np.ndarray:
    return tables(scenario, np.random.default_rng(1), n)


def test_a_seed_gives_the_same_panel():
    assert panel(Scenario(), 4)[0].equals(panel(Scenario(), 4)[0])
    assert not panel(Scenario(), 4)[0].equals(panel(Scenario(), 5)[0])


def test_the_effect_is_the_one_asked_for():
    effects = [compare(*panel(Scenario(effect=2.0), seed)).effect for seed in range(60)]
    assert np.mean(effects) == pytest.approx(2.0, abs=4 * np.std(effects) / np.sqrt(60))


def test_days_follow_each_other_as_rho_says():
    table = drawn(Scenario(rho=0.6, room=0.0, weekday=0.0, common=0.0))
    assert np.mean(table[..., 1:] * table[..., :-1]) == pytest.approx(0.6, abs=0.02)
    assert table.var() == pytest.approx(1.0, abs=0.03)


def test_heavy_tails_keep_the_variance():
    table = drawn(Scenario(rho=0.0, room=0.0, weekday=0.0, common=0.0, tails=5.0))
    assert table.var() == pytest.approx(1.0, abs=0.05)
    assert np.mean(table**4) > 4.5


def test_common_shocks_reach_every_room():
    table = drawn(Scenario(rho=0.0, room=0.0, weekday=0.0, common=2.0))
    assert np.mean(table[:, 0] * table[:, 7]) == pytest.approx(4.0, abs=0.2)


def test_lasting_shifts_stay():
    table = drawn(Scenario(rho=0.0, room=0.0, weekday=0.0, common=0.0, lasting=3.0))
    assert np.mean((table[:, :, -1] - table[:, :, 0]) ** 2) == pytest.approx(2 + 9, rel=0.1)


def test_holes_and_failing_rooms_are_missing_not_zero():
    table = drawn(Scenario(holes=0.1, failing=0.5))
    assert np.isnan(table[:, :-1]).mean() == pytest.approx(0.1, abs=0.01)
    assert np.isnan(table[:, -1, 40:]).all()


def test_what_is_transferred_leaves_the_total_alone():
    plain, moved = drawn(QUIET, 3), drawn(Scenario(**{**vars_of(QUIET), "effect": 5.0, "transfer": 1.0}), 3)
    assert moved.sum(axis=1) == pytest.approx(plain.sum(axis=1))


def vars_of(scenario: Scenario) -> dict[str, float]:
    return {name: getattr(scenario, name) for name in ("rho", "room", "weekday", "common")}


def test_rounding_rounds():
    table = drawn(Scenario(rounding=0.5), 2)
    assert table * 2 == pytest.approx(np.round(table * 2))


def test_switch_dates_spread_as_asked():
    assert Scenario(apart=40).switches == (20, 40, 60)
    assert len(set(panel(Scenario(apart=40), 1)[1].switch.values())) == 3


def test_days_are_mondays_to_fridays():
    assert {day.isoweekday() for day in working_days(20)} == {1, 2, 3, 4, 5}


def test_answers_are_marks_and_move_with_the_effect():
    before, after = ballots(np.random.default_rng(2), 300, [50] * 4, [50] * 4, effect=[1.0, 0.0, 0.0, 0.0])
    assert {float(mark) for mark in np.unique(before[0])} <= {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}
    assert after[0].mean() - before[0].mean() > 0.8
    assert after[1].mean() == pytest.approx(before[1].mean(), abs=0.15)
    assert stuffed(after[0], 10)[:, -10:].min() == 7
