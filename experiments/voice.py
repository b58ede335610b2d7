"""Answers on short scales: what they are worth before they become room changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.inference import pooled, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.changes import Floats

K_ANSWERS = 5  # fewer in a room and period are neither shown nor compared; an installation may ask for more
RATIO_LIMIT = 2.0  # answers a room, one arm against the other: beyond it t rejects up to 10 %
MOST_FLIPS = 1_000


def ridit(before: Sequence[int], after: Sequence[int]) -> float:
    """How many of 100 answers after beat one before, ties counting half (Bross 1958); 50 is "no change"."""
    reference = np.sort(np.asarray(before))
    below = np.searchsorted(reference, after, side="left")
    upto = np.searchsorted(reference, after, side="right")
    return float(100 * ((below + upto) / 2 / len(reference)).mean())


def top_share(answers: Sequence[int], best: int, worst_counted: int | None = None) -> float:
    """Share (%) of answers among the two best marks (or from `worst_counted` up to `best`)."""
    marks = np.asarray(answers)
    lowest = best - 1 if worst_counted is None else worst_counted
    return float(100 * ((marks >= lowest) & (marks <= best)).mean())


def answer_ratio(treated: Floats, baseline: Floats) -> float | None:
    """Answers a room, the arm with more ÷ the arm with fewer."""
    if not len(treated) or not len(baseline):
        return None
    low, high = sorted((float(treated.mean()), float(baseline.mean())))
    return high / low if low > 0 else None


def flips(
    changes: Floats, n_treated: int, after: Floats, answers: Floats, *, sign: int, alpha: float
) -> int | None:
    """How many extreme answers, added to each treated room after the switch, change what the interval says.

    `after` and `answers` are the treated rooms' means (0–100) and counts after. A proven effect is attacked
    by the worst answers until the interval holds zero, an unproven one by the best until it no longer does.
    """
    reach = t_quantile(len(changes) - 2, alpha)
    interval = pooled(changes, n_treated)
    proven = abs(float(interval.effect)) > reach * float(interval.se)
    upwards = (interval.effect < 0) if proven else (sign > 0)
    added = np.arange(1, MOST_FLIPS + 1)[:, None]
    shifted = (answers * after + added * (100.0 if upwards else 0.0)) / (answers + added) - after
    tried = np.tile(changes, (MOST_FLIPS, 1))
    tried[:, :n_treated] += shifted
    result = pooled(tried, n_treated)
    excludes = np.abs(result.effect) > reach * result.se
    right_side = excludes & (np.sign(result.effect) == (1 if upwards else -1))
    flipped = ~excludes if proven else right_side
    return int(np.argmax(flipped)) + 1 if flipped.any() else None
