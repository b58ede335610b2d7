"""What is promised before the start."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import DesignError, compare, plan
from experiments.planning import (
    days_worth,
    history_spread,
    longer,
    multiplier,
    multiplier_generalise,
    power,
    probability_generalise,
    room_change_sd,
)
from experiments.simulate import Scenario, panel


@pytest.mark.parametrize(
    ("rooms", "floor", "grade"),
    [
        *[
            ((1, 9), 0.1, "none"),
            ((2, 2), 1 / 3, "none"),
            ((2, 3), 0.1, "indicative"),
            ((3, 3), 0.1, "indicative"),
        ],
        *[((2, 6), 1 / 28, "decision"), ((3, 4), 1 / 35, "decision"), ((4, 4), 2 / 70, "decision")],
    ],
)
def test_the_grade_is_known_before_the_start(rooms, floor, grade):
    planned = plan(*rooms)
    assert (planned.p_floor, planned.grade) == (pytest.approx(floor), grade)


def test_rooms_chosen_anyhow_cannot_decide():
    planned = plan(3, 5, assignment="unknown", sd=1.0)
    assert planned.grade == "indicative"
    assert planned.mde80_generalise is None
    assert "assignment_unknown" in {reason.code for reason in planned.reasons}


def test_a_planned_interim_look_asks_more_of_the_rooms():
    """2 + 5: 1 in 21 = .0476, enough for .05 and too much for .045."""
    assert plan(2, 5).grade == "decision"
    assert plan(2, 5, interim=True).grade == "indicative"


def test_detectable_effects_are_in_the_outcome_s_unit():
    planned = plan(3, 5, sd=12.0)
    assert planned.mde80 == pytest.approx(12 * multiplier(3, 5))
    assert planned.mde80_generalise == pytest.approx(12 * multiplier_generalise(3, 5))
    assert planned.mde80 < planned.mde80_generalise


def test_at_the_detectable_effect_generalise_is_said_less_often():
    """docs/method.md: 67 % at 3 + 5, 63 % at 4 + 4, 65 % at 2 + 6."""
    for rooms, chance in (((3, 5), 0.67), ((4, 4), 0.63), ((2, 6), 0.65)):
        assert probability_generalise(*rooms, multiplier(*rooms)) == pytest.approx(chance, abs=0.015)


def test_with_the_effect_at_the_threshold_generalise_is_a_coin_toss_at_best():
    planned = plan(5, 10, sd=1.0, useful=10.0)
    assert planned.p_generalise_useful == pytest.approx(0.5, abs=0.02)
    assert planned.p_generalise_1_5_useful > 0.99
    assert planned.p_stop_none > 0.99


def test_guardrails_too_narrow_to_be_proven_held_are_announced():
    m = multiplier(3, 5)
    assert plan(3, 5, guardrails=[(m, 1.0)] * 3).p_guardrails_held == pytest.approx(0.51, abs=0.005)
    wide = plan(3, 5, guardrails=[(1.5 * m, 1.0)] * 3)
    assert wide.p_guardrails_held == pytest.approx(0.96, abs=0.01)
    assert "guardrails_weak" not in {reason.code for reason in wide.reasons}


def test_the_room_that_is_worth_most_goes_to_the_smaller_arm():
    first = plan(2, 8, sd=1.0).alternatives[0]
    assert (first.n_treated, first.n_baseline) == (3, 8)
    first = plan(6, 2, sd=1.0).alternatives[0]
    assert (first.n_treated, first.n_baseline) == (6, 3)


def test_history_gives_the_spread_of_room_changes_with_its_range():
    """AR(1) .6, 40 + 40 days: s² = (1.6 / .4)(1/40 + 1/40) = .2, s ≈ .43 (finite-sample)."""
    scenario = Scenario(n_treated=20, n_baseline=20, days_before=100, days_after=100)
    spread = history_spread(panel(scenario, 3)[0], 40, 40)
    assert spread.sd == pytest.approx(0.434, rel=0.15)
    assert spread.low < spread.sd < spread.high
    assert spread.dates == 121


def test_history_with_holes_and_common_shocks_gives_much_the_same():
    scenario = Scenario(n_treated=10, n_baseline=10, days_before=100, days_after=100, common=5.0)
    whole = history_spread(panel(scenario, 4)[0], 40, 40)
    data = panel(scenario, 4)[0]
    holed = history_spread(data.sample(frac=0.9, random_state=1), 40, 40)
    assert holed.sd == pytest.approx(whole.sd, rel=0.15)


def test_a_short_history_is_used_and_named():
    planned = plan(3, 5, history=panel(Scenario(days_before=15, days_after=15), 5)[0])
    reason = next(reason for reason in planned.reasons if reason.code == "short_history")
    assert reason.numbers == {"days": 30, "needed": 80}
    assert planned.mde80_low < planned.mde80 < planned.mde80_high


def test_more_days_never_remove_what_lasts():
    assert room_change_sd(1.0, 0.6, 40, 40) == pytest.approx(np.sqrt(0.2))
    assert room_change_sd(1.0, 0.6, 10**6, 10**6, omega=0.3) == pytest.approx(0.3, abs=1e-3)


def test_nothing_known_of_the_spread_is_a_reason_not_a_number():
    planned = plan(3, 5, useful=15.0)
    assert (planned.mde80, planned.p_stop_none) == (None, None)
    assert "no_spread" in {reason.code for reason in planned.reasons}
    json.dumps(planned.to_dict(), allow_nan=False)


def test_two_rooms_have_no_power():
    assert (multiplier(1, 1), power(1, 1, 100.0)) == (None, 0.0)
    assert plan(1, 1, sd=1.0).mde80 is None


@pytest.mark.parametrize(
    ("given", "words"),
    [({"sd": 0.0}, "sd"), ({"sd": float("nan")}, "sd"), ({"useful": -1.0}, "useful")],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(DesignError, match=words):
        plan(3, 5, **given)
    with pytest.raises(DesignError, match="one of each"):
        plan(0, 5)


def test_a_room_is_worth_the_days_that_detect_as_little():
    planned = plan(3, 5, sd=12.0, days_before=40, days_after=40)
    room = planned.alternatives[0]
    assert (room.n_treated, room.n_baseline) == (4, 5)
    for days, enough in ((room.days, True), (room.days - 1, False)):
        sd = longer(12.0, 0.0, (80 + days) / 80)
        assert (multiplier(3, 5) * sd <= room.mde80) is enough


def test_days_are_worth_less_where_something_lasts_and_nothing_where_all_does():
    """docs/method.md: more days never remove ω, only more rooms do."""
    days = [plan(3, 5, sd=12.0, lasting=part).alternatives[0].days for part in (0.0, 6.0, 10.0, 11.9)]
    assert days[:3] == sorted(days[:3])
    assert days[0] < days[2]
    assert days[3] is None
    assert longer(12.0, 6.0, 1e9) == pytest.approx(6.0)
    assert days_worth(12.0, 6.0, 6.0) == np.inf
    assert days_worth(12.0, longer(12.0, 6.0, 3.0), 6.0) == pytest.approx(3.0)


def test_a_longer_experiment_is_what_typical_values_say():
    sds = [room_change_sd(10, 0.6, days, days, 3.0) for days in (40, 80)]
    assert longer(sds[0], 3.0, 2.0) == pytest.approx(sds[1])


def test_days_against_rooms_is_a_table_of_both():
    planned = plan(3, 5, sd=12.0, lasting=4.0, days_before=40, days_after=30)
    cells = {(c.n_treated, c.n_baseline, c.days_before, c.days_after): c.mde80 for c in planned.trade_offs}
    assert len(cells) == 8
    assert cells[3, 5, 40, 30] == pytest.approx(planned.mde80)
    assert cells[4, 5, 40, 30] == pytest.approx(planned.alternatives[0].mde80)
    assert cells[3, 5, 20, 15] > cells[3, 5, 40, 30] > cells[3, 5, 80, 60] > cells[4, 5, 80, 60]
    assert json.loads(json.dumps(planned.to_dict()))["trade_offs"][0]["days_before"] == 20


def test_a_room_that_lifts_the_grade_is_worth_most_with_or_without_a_spread():
    for planned in (plan(2, 3), plan(2, 3, sd=1.0)):
        first = planned.alternatives[0]
        assert (first.n_treated, first.n_baseline, first.grade) == (3, 4, "decision")


def test_days_against_rooms_keeps_its_promise_in_simulated_experiments():
    """Independent days: four times the days halve the SD of room changes."""
    spreads = []
    for days in (20, 80):
        quiet = Scenario(days_before=days, days_after=days, rho=0.0, n_treated=10, n_baseline=10)
        rooms = [compare(*panel(quiet, seed)).changes for seed in range(40)]
        spreads.append(np.sqrt(np.mean([np.var(list(changes.values()), ddof=1) for changes in rooms])))
    assert longer(spreads[0], 0.0, 4.0) == pytest.approx(spreads[1], rel=0.05)


@pytest.mark.parametrize("wrong", [{"lasting": -1.0}, {"lasting": 2.0}, {"days_before": 0}])
def test_a_plan_of_impossible_days_or_spreads_is_refused(wrong):
    with pytest.raises(DesignError):
        plan(3, 5, sd=1.0, **wrong)
