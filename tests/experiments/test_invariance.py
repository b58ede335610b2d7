"""What must not matter: names, order, units, a constant for a room or a day, the same file imported twice."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import Design, Estimate, compare
from experiments.simulate import Scenario, panel

SCENARIOS = [
    Scenario(days_before=15, days_after=15, effect=0.7),
    Scenario(days_before=15, days_after=15, holes=0.1),
    Scenario(days_before=15, days_after=15, apart=6),
    Scenario(days_before=15, days_after=15, apart=6, holes=0.1),
    Scenario(n_treated=8, n_baseline=9, days_before=12, days_after=12, effect=0.5),
    Scenario(n_treated=1, n_baseline=7, days_before=12, days_after=12),
]
any_panel = st.tuples(st.sampled_from(SCENARIOS), st.integers(0, 10_000))
quick = settings(max_examples=25, deadline=None, derandomize=True)


def close(one: Estimate, other: Estimate, scale: float = 1.0) -> None:
    """Every number equal to 1e-9, those in the outcome's unit after `scale`."""
    free = {
        "t",
        "df",
        "p_value",
        "p_randomised",
        "p_floor",
        "breakdown",
        "sd_ratio",
        "sd_ratio_history",
        "alpha",
    }
    skip = {
        "rooms",
        "excluded",
        "reasons",
        "grade",
        "n_treated",
        "n_baseline",
        "draws",
        "extreme",
        "assignments",
    }
    size = max(abs(one.effect), one.se)
    for field in fields(Estimate):
        if field.name in skip:
            continue
        first, second = getattr(one, field.name), getattr(other, field.name)
        assert (first is None) == (second is None), field.name
        if first is not None:
            factor, unit = (1.0, 1.0) if field.name in free else (scale, size * scale)
            assert second == pytest.approx(np.multiply(first, factor), rel=1e-9, abs=1e-9 * unit), field.name
    assert (one.extreme, one.draws, one.grade) == (other.extreme, other.draws, other.grade)
    assert sorted(reason.code for reason in one.reasons) == sorted(reason.code for reason in other.reasons)


@quick
@given(any_panel, st.randoms(use_true_random=False))
def test_neither_names_nor_order_matter(drawn, random):
    data, design = panel(*drawn)
    rooms = sorted(set(data.room))
    names = dict(
        zip(rooms, random.sample([f"salle {i}" for i in range(len(rooms))], len(rooms)), strict=True)
    )
    shuffled = data.assign(room=data.room.map(names)).sample(frac=1, random_state=random.randrange(2**31))
    renamed = Design(
        {names[room]: day for room, day in reversed(design.switch.items())},
        tuple(names[room] for room in reversed(design.baseline)),
        assignment="lot",
        seed=design.seed,
    )
    close(compare(data, design), compare(shuffled, renamed))


@quick
@given(any_panel, st.sampled_from([1e-10, 1e-3, 7.0, 1e10]))
def test_the_unit_only_scales_what_has_a_unit(drawn, scale):
    data, design = panel(*drawn)
    close(compare(data, design), compare(data.assign(value=data.value * scale), design), scale)


@quick
@given(any_panel, st.lists(st.floats(-100, 100), min_size=17, max_size=17))
def test_a_constant_for_each_room_does_not_matter(drawn, constants):
    data, design = panel(*drawn)
    codes, _ = pd.factorize(data.room)
    close(compare(data, design), compare(data.assign(value=data.value + np.array(constants)[codes]), design))


@quick
@given(any_panel, st.integers(0, 1_000))
def test_a_constant_for_each_day_does_not_matter(drawn, seed):
    data, design = panel(*drawn)
    codes, days = pd.factorize(data.day)
    moved = data.assign(value=data.value + np.random.default_rng(seed).normal(0, 20, len(days))[codes])
    close(compare(data, design), compare(moved, design))


@quick
@given(any_panel)
def test_the_same_file_imported_twice_counts_once(drawn):
    data, design = panel(*drawn)
    assert compare(pd.concat([data, data]), design) == compare(data, design)


@quick
@given(any_panel)
def test_better_and_worse_are_mirror_images(drawn):
    data, design = panel(*drawn)
    one, other = compare(data, design), compare(data.assign(value=-data.value), design)
    assert (other.effect, other.ci_low, other.ci_high) == pytest.approx(
        (-one.effect, -one.ci_high, -one.ci_low)
    )
    if not one.reason("sampled"):
        assert other.p_randomised == one.p_randomised
