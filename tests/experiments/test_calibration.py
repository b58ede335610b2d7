"""A thousand experiments a cell, seeded: how often the comparison is wrong. In full: `make calibration`.

Limits are those of docs/method.md plus three standard errors of a thousand experiments.
"""

from __future__ import annotations

import numpy as np
import pytest

from experiments import compare
from experiments.calibration import from_changes, judged, ridits, trials
from experiments.planning import multiplier, multiplier_generalise, probability_generalise
from experiments.simulate import Scenario, ballots, panel, stuffed, tables
from experiments.voice import ridit

EXPERIMENTS = 1_000


def limit(rate: float) -> float:
    return rate + 3 * np.sqrt(rate * (1 - rate) / EXPERIMENTS)


@pytest.mark.parametrize(
    "scenario",
    [Scenario(), Scenario(holes=0.1), Scenario(apart=12), Scenario(apart=12, holes=0.1)],
    ids=["complete", "holes", "dates", "both"],
)
def test_the_kernels_under_test_are_those_of_compare(scenario):
    table = tables(scenario, np.random.default_rng(11), 1)
    batch = judged(scenario, table, lots=True)
    one = compare(*panel(scenario, 11))
    assert (batch.effect[0], batch.se[0]) == pytest.approx((one.effect, one.se), rel=1e-9)
    assert batch.p_randomised[0] == pytest.approx(one.p_randomised)


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        Scenario(n_treated=2, n_baseline=3),
        Scenario(n_treated=2, n_baseline=10),
        Scenario(n_treated=4, n_baseline=4),
        Scenario(n_treated=5, n_baseline=10),
        Scenario(holes=0.1),
        Scenario(lasting=0.5),
        Scenario(lasting_common=2.0, common=2.0),
        Scenario(apart=20),
        Scenario(tails=3.0),
        Scenario(rounding=1.0),
        Scenario(failing=0.5),
    ],
    ids=lambda s: (
        f"{s.n_treated}+{s.n_baseline} "
        + " ".join(
            name
            for name in ("holes", "lasting", "lasting_common", "apart", "tails", "rounding", "failing")
            if getattr(s, name)
        )
    ),
)
def test_nothing_changed_and_the_interval_seldom_says_otherwise(scenario):
    assert trials(scenario, EXPERIMENTS, seed=1).excludes().mean() <= limit(0.055)


def test_dates_forty_days_apart_cost_a_little_and_are_flagged():
    assert trials(Scenario(apart=40), EXPERIMENTS, seed=1).excludes().mean() <= limit(0.063)


def test_the_lot_drawn_again_keeps_its_level():
    for scenario in (Scenario(), Scenario(holes=0.1), Scenario(apart=20)):
        assert (trials(scenario, EXPERIMENTS, seed=2, lots=True).p_randomised <= 0.05).mean() <= limit(0.05)


def test_intervals_cover_the_true_effect():
    covered = ~trials(Scenario(effect=1.3), EXPERIMENTS, seed=3).excludes(1.3)
    assert 0.95 - 0.021 <= covered.mean() <= 0.95 + 0.021


def test_power_of_three_against_five_is_three_in_four():
    """An effect of one σ of a room-day, AR(1) .6, 40 + 40 days."""
    assert trials(Scenario(effect=1.0), EXPERIMENTS, seed=4).excludes().mean() == pytest.approx(
        0.75, abs=0.045
    )


def test_naive_ways_of_counting_are_shown_failing():
    """A t-test on room-days, treated against baseline after the switch: what web A/B tools do."""
    table = tables(Scenario(), np.random.default_rng(5), EXPERIMENTS)[:, :, 40:]
    treated, baseline = table[:, :3].reshape(EXPERIMENTS, -1), table[:, 3:].reshape(EXPERIMENTS, -1)
    gap = treated.mean(1) - baseline.mean(1)
    se = np.sqrt(treated.var(1, ddof=1) / treated.shape[1] + baseline.var(1, ddof=1) / baseline.shape[1])
    assert (np.abs(gap) > 1.96 * se).mean() > 0.6


def test_without_effect_generalise_is_said_in_less_than_one_in_forty():
    assert trials(Scenario(), EXPERIMENTS, seed=6, lots=True).generalises(useful=1e-9).mean() <= limit(0.025)


def test_generalise_is_said_as_often_as_planning_promised():
    """Room changes of SD 1, straight from the normal: the promise of `temoin plan` for 3 + 5 and 4 + 4."""
    for n1, n0 in ((3, 5), (4, 4)):
        effect = multiplier(n1, n0)
        changes = np.random.default_rng(7).standard_normal((10_000, n1 + n0))
        changes[:, :n1] += effect
        shares = np.ones((n1 + n0, 1))
        said = from_changes(changes, n1, changes[:, :, None], shares).generalises(useful=0.0).mean()
        assert said == pytest.approx(probability_generalise(n1, n0, effect), abs=0.02)


def test_three_harmless_guardrails_seldom_stop_a_harmless_layout():
    margin = multiplier(3, 5)  # in SDs of room changes
    changes = np.random.default_rng(8).standard_normal((3, EXPERIMENTS, 8))
    crossed = np.any([from_changes(outcome, 3).beyond(margin) for outcome in changes], axis=0)
    assert crossed.mean() <= 0.003
    held = np.all([from_changes(outcome, 3).inside(margin) for outcome in changes], axis=0)
    assert held.mean() == pytest.approx(0.51, abs=0.05)


def test_a_large_useful_effect_is_never_stopped():
    changes = np.random.default_rng(9).standard_normal((EXPERIMENTS, 8))
    useful = multiplier(3, 5)
    changes[:, :3] += 2 * useful
    assert not from_changes(changes, 3).futile(useful).any()


def test_one_interim_look_does_not_spend_more_than_was_planned():
    """Half-time at .005 (the lot at its floor), the end at .045."""
    scenario = Scenario()
    table = tables(scenario, np.random.default_rng(10), EXPERIMENTS)
    half, end = judged(scenario, table[:, :, :60], lots=True), judged(scenario, table, lots=True)
    early = half.generalises(1e-9, 0.005, max(0.005, half.p_floor))
    assert (early | end.generalises(1e-9, 0.045)).mean() <= limit(0.02)


def test_treated_rooms_twice_as_noisy_are_liberal_as_documented():
    """9.3 % at 3 + 5: not hidden, flagged by the SD ratio; balanced arms suffer less."""
    assert trials(Scenario(treated_noise=2.0), 4_000, seed=11).excludes().mean() == pytest.approx(
        0.093, abs=0.02
    )


def test_ordinal_answers_in_equal_numbers_keep_the_level():
    before, after = ballots(np.random.default_rng(12), EXPERIMENTS, [30] * 8, [30] * 8)
    changes = np.stack([ridits(*room) for room in zip(before, after, strict=True)], axis=1)
    assert from_changes(changes, 3).excludes().mean() <= limit(0.055)


def test_a_stuffed_ballot_raises_false_success_which_is_why_voices_alone_never_generalise():
    before, after = ballots(np.random.default_rng(13), EXPERIMENTS, [60] * 8, [60] * 8)
    after = [stuffed(room, 40) if i < 3 else room for i, room in enumerate(after)]
    changes = np.stack([ridits(*room) for room in zip(before, after, strict=True)], axis=1)
    assert from_changes(changes, 3, changes[:, :, None], np.ones((8, 1))).generalises(1e-9).mean() > 0.5


def test_many_ridits_are_those_of_one_room():
    rng = np.random.default_rng(14)
    before, after = rng.integers(1, 8, (3, 20)).astype(float), rng.integers(1, 8, (3, 31)).astype(float)
    each = [ridit(b.astype(int).tolist(), a.astype(int).tolist()) for b, a in zip(before, after, strict=True)]
    assert ridits(before, after) == pytest.approx(each)


@pytest.mark.parametrize(
    ("rooms", "m"),
    [
        ((2, 5), 3.29),
        ((2, 6), 3.28),
        ((3, 4), 3.65),
        ((3, 5), 2.86),
        ((4, 4), 2.89),
        ((4, 5), 2.30),
        ((5, 5), 2.08),
    ],
)
def test_effects_that_generalise_four_times_in_five(rooms, m):
    """docs/method.md, "Planning"."""
    assert multiplier_generalise(*rooms) == pytest.approx(m, abs=0.04)
