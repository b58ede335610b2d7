"""The draw by lot: recorded, repeatable, fair, and the same that the test draws again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from experiments import Design, DesignError, compare
from experiments.lot import Block, Lot, draw_by_lot, draw_pairs, match_pairs
from experiments.simulate import Scenario, panel

ROOMS = ["Loire", "Maine", "Vilaine", "Erdre", "Sèvre", "Layon", "Mayenne", "Sarthe"]


def test_a_seed_gives_the_same_rooms_whatever_their_order():
    assert draw_by_lot(ROOMS, 3, seed=7) == draw_by_lot(ROOMS[::-1], 3, seed=7)
    assert len({draw_by_lot(ROOMS, 3, seed=seed) for seed in range(200)}) > 40


def test_every_set_of_rooms_is_as_likely():
    counts = Counter(draw_by_lot(ROOMS[:5], 2, seed=seed) for seed in range(5_000))
    assert len(counts) == 10
    assert all(abs(n - 500) < 5 * np.sqrt(450) for n in counts.values())


def test_strata_get_their_share():
    strata = dict(zip(ROOMS, ["Nantes"] * 6 + ["Angers"] * 2, strict=True))
    for seed in range(50):
        drawn = draw_by_lot(ROOMS, 4, seed=seed, strata=strata)
        assert Counter(strata[room] for room in drawn) == {"Nantes": 3, "Angers": 1}


def test_all_or_none_cannot_be_drawn():
    for n in (0, 8):
        with pytest.raises(DesignError, match="cannot be drawn"):
            draw_by_lot(ROOMS, n, seed=1)


def test_pairs_are_of_like_size_within_a_site():
    sizes = {"a": 6, "b": 20, "c": 9, "d": 7, "e": 19, "f": 40}
    sites = dict.fromkeys("abcde", "Nantes") | {"f": "Angers"}
    assert match_pairs(sizes, sites) == (("a", "d"), ("e", "b"))


def test_one_room_of_each_pair_is_drawn():
    pairs = (("a", "d"), ("e", "b"), ("c", "f"))
    drawn = {draw_pairs(pairs, seed) for seed in range(100)}
    assert len(drawn) == 8
    assert all({frozenset(pair) for pair in way} == {frozenset(pair) for pair in pairs} for way in drawn)


@pytest.mark.parametrize(
    ("lot", "count", "floor"),
    [
        (Lot((Block(8, (3,)),)), 56, 1 / 56),
        (Lot((Block(8, (4,)),)), 70, 2 / 70),
        (Lot((Block(6, (2, 1)),)), 60, 1 / 60),
        (Lot((Block(2, (1,)),) * 6), 64, 2 / 64),
        (Lot((Block(4, (2,)), Block(4, (1,)))), 24, 1 / 24),
        (Lot((Block(2, (1,)),)), 2, 1.0),
    ],
)
def test_the_mechanism_counts_its_assignments_and_its_ties(lot, count, floor):
    assert lot.count == count
    assert lot.p_floor == floor
    every = lot.every()
    assert len(every) == count
    # sorting within a date makes equal assignments equal rows
    rows = {tuple(sorted(zip(lot.dates.tolist(), row, strict=True))) for row in every.tolist()}
    assert len(rows) == count


def test_draws_are_among_the_assignments_that_are_enumerated():
    lot = Lot((Block(5, (2, 1)), Block(3, (0, 1))))
    every = {tuple(sorted(zip(lot.dates.tolist(), row, strict=True))) for row in lot.every().tolist()}
    drawn = [
        tuple(sorted(zip(lot.dates.tolist(), row, strict=True)))
        for row in lot.draw(np.random.default_rng(1), 6_000).tolist()
    ]
    assert set(drawn) == every
    assert max(Counter(drawn).values()) < 1.5 * 6_000 / len(every)


def test_a_drawn_design_is_drawn_again_with_its_own_mechanism():
    """Within strata the most extreme assignment that could have been drawn is not the most extreme of all."""
    data, _ = panel(Scenario(n_treated=4, n_baseline=4, effect=4.0), seed=2)
    rooms = sorted(set(data.room))
    strata = {room: "north" if i % 2 else "south" for i, room in enumerate(rooms)}
    switch = dict.fromkeys(rooms[:4], sorted(set(data.day))[40])
    free = compare(data, Design(switch, assignment="lot"))
    within = compare(data, Design(switch, assignment="lot", strata=strata))
    assert (free.draws, within.draws) == (70, 36)
    assert within.p_randomised == 2 / 36
