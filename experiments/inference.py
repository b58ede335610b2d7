"""How far chance alone may go: the t of room changes, and the lot drawn again."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

if TYPE_CHECKING:
    from experiments.changes import Floats
    from experiments.lot import Lot, Picks

ENUMERATED = 20_000  # above as many assignments, a sample is looked at
DRAWS = 9_999
TIES = 1e-9  # relative: two draws whose statistics differ by less are the same


class Interval(NamedTuple):
    """A t interval; arrays where the changes have leading axes."""

    effect: Floats
    se: Floats
    df: int


class Randomised(NamedTuple):
    """`extreme` of `draws` assignments are at least as far out as the one that happened."""

    extreme: int
    draws: int
    sampled: bool

    @property
    def p_value(self) -> float:
        """A sampled p counts the assignment that happened among the draws (Phipson & Smyth 2010)."""
        return (self.extreme + 1) / (self.draws + 1) if self.sampled else self.extreme / self.draws


def pooled(changes: Floats, n_treated: int) -> Interval:
    """Two-sample t on room changes, treated rooms first, N − 2 df (Donald & Lang 2007, sec. II)."""
    treated, baseline = changes[..., :n_treated], changes[..., n_treated:]
    n1, n0 = treated.shape[-1], baseline.shape[-1]
    mean1, mean0 = treated.mean(-1), baseline.mean(-1)
    squares = ((treated - mean1[..., None]) ** 2).sum(-1) + ((baseline - mean0[..., None]) ** 2).sum(-1)
    df = n1 + n0 - 2
    return Interval(mean1 - mean0, np.sqrt(squares / max(df, 1) * (1 / n1 + 1 / n0)), df)


def paired(differences: Floats) -> Interval:
    """One-sample t on the differences of pairs, pairs − 1 df."""
    n = differences.shape[-1]
    mean = differences.mean(-1)
    squares = ((differences - mean[..., None]) ** 2).sum(-1)
    return Interval(mean, np.sqrt(squares / max(n - 1, 1) / n), n - 1)


def t_quantile(df: int, alpha: float) -> float:
    """How many standard errors the two-sided 1 − alpha interval reaches on each side."""
    return float(stdtrit(df, 1 - alpha / 2))


def t_p_value(t: float, df: int) -> float:
    """Two-sided."""
    return float(2 * stdtr(df, -abs(t)))


def studentised(own: Floats, unchanged: Floats, picks: Picks, dates: Picks) -> Floats:
    """|effect| of each draw in units of its own spread: `τ* / √(SS_T/N1² + SS_B/N0²)`.

    `own` (…, rooms, dates) is a room's change at each date, `unchanged` (…, rooms) its change as a baseline
    room; both centred and of size 1. With one room in an arm the spread of that arm is unknown and |effect|
    itself is given. Answers (…, draws).
    """
    n1 = picks.shape[1]
    n0 = unchanged.shape[-1] - n1
    treated: Floats = own[..., picks, dates]
    left = treated if own.shape[-1] == 1 else unchanged[..., picks]
    sum1 = treated.sum(-1)
    sum0 = unchanged.sum(-1)[..., None] - left.sum(-1)
    effect = np.abs(sum1 / n1 - sum0 / n0)
    if min(n1, n0) == 1:
        return np.asarray(effect)
    square1 = (treated**2).sum(-1)
    square0 = (unchanged**2).sum(-1)[..., None] - (square1 if left is treated else (left**2).sum(-1))
    spread = (square1 - sum1**2 / n1) / n1**2 + (square0 - sum0**2 / n0) / n0**2
    # below 1e-15 the spread is rounding: such draws are compared by their effect
    return np.asarray(effect / np.sqrt(np.maximum(spread, 1e-15)))


def randomise(own: Floats, unchanged: Floats, lot: Lot, observed: Picks, seed: int) -> Randomised:
    """The share of draws at least as extreme as the one that happened.

    Rooms come in the lot's order of positions; `observed` is the row of positions that happened.
    """
    centre = unchanged.mean()
    size = max(float(np.abs(own - centre).max()), float(np.abs(unchanged - centre).max()))
    own, unchanged = (own - centre) / size, (unchanged - centre) / size
    picks, sampled = _draws(lot, seed)
    happened = studentised(own, unchanged, observed[None, :], lot.dates)[0]
    return _count(studentised(own, unchanged, picks, lot.dates), happened, sampled=sampled)


def randomise_pairs(differences: Floats, lot: Lot, seed: int) -> Randomised:
    """Within each pair either room could have been treated; the sum of squares is the same in each draw."""
    differences = differences / np.abs(differences).max()
    picks, sampled = _draws(lot, seed)
    signs = 1 - 2 * (picks - 2 * np.arange(len(differences)))
    return _count(np.abs(signs @ differences), float(np.abs(differences.sum())), sampled=sampled)


def _count(statistics: Floats, happened: float, *, sampled: bool) -> Randomised:
    extreme = int((statistics >= happened * (1 - TIES) - 1e-12).sum())
    return Randomised(extreme, len(statistics), sampled)


@lru_cache(maxsize=16)
def _draws(lot: Lot, seed: int) -> tuple[Picks, bool]:
    if lot.count <= ENUMERATED:
        return lot.every(), False
    return lot.draw(np.random.default_rng(seed), DRAWS), True
