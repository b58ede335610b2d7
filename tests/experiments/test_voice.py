"""Answers: ridits, top marks, and how few of them would turn a result."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.inference import pooled, t_quantile
from experiments.voice import answer_ratio, flips, ridit, top_share


def test_a_ridit_is_the_chance_that_an_answer_after_beats_one_before():
    before, after = [1, 2, 2, 5, 7], [2, 6, 7]
    wins = np.mean([100.0 * (a > b) + 50.0 * (a == b) for a in after for b in before])
    assert ridit(before, after) == pytest.approx(wins)


def test_the_same_answers_are_worth_fifty():
    assert ridit([1, 4, 4, 7], [7, 4, 1, 4]) == 50


def test_the_top_share_counts_the_two_best_marks():
    assert top_share([7, 6, 5, 1], best=7) == 50
    assert top_share([1, 1, 2, 3], best=2, worst_counted=1) == 75


def test_the_ratio_of_answers_looks_both_ways():
    assert answer_ratio(np.array([10.0, 10.0]), np.array([45.0])) == 4.5
    assert answer_ratio(np.array([45.0]), np.array([10.0])) == 4.5
    assert answer_ratio(np.array([0.0]), np.array([10.0])) is None


CHANGES = np.array([12.0, 10.0, 11.0, 0.0, -1.0, 1.0, 0.5, -0.5])
AFTER, ANSWERS = np.array([62.0, 60.0, 61.0]), np.array([40.0, 40.0, 40.0])


def proven(changes: np.ndarray) -> bool:
    interval = pooled(changes, 3)
    return abs(float(interval.effect)) > t_quantile(6, 0.05) * float(interval.se)


def with_answers(count: int, mark: float) -> np.ndarray:
    moved = CHANGES.copy()
    moved[:3] += (ANSWERS * AFTER + count * mark) / (ANSWERS + count) - AFTER
    return moved


def test_flips_is_the_smallest_number_that_turns_a_proven_effect():
    n = flips(CHANGES, 3, AFTER, ANSWERS, sign=1, alpha=0.05)
    assert proven(with_answers(n - 1, 0.0))
    assert not proven(with_answers(n, 0.0))


def test_flips_of_an_unproven_effect_are_marks_in_its_favour():
    changes = CHANGES.copy()
    changes[:3] = [1.0, -1.0, 0.5]
    n = flips(changes, 3, AFTER, ANSWERS, sign=1, alpha=0.05)
    assert 0 < n < 20


def test_what_a_thousand_answers_cannot_turn_has_no_number():
    assert flips(CHANGES * 1e6, 3, AFTER, np.full(3, 1e9), sign=1, alpha=0.05) is None
