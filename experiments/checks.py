"""What is put beside an estimate: one room, one trend or one drift that could have made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import fdtr

from experiments.changes import detrended_change
from experiments.reason import Reason

if TYPE_CHECKING:
    from experiments.changes import Floats
    from experiments.selection import Selection

SD_RATIO_LIMIT = 1.5  # beyond it the interval rejects up to 10.5 % instead of 5 (docs/method.md)


class Placebo(NamedTuple):
    """Effects at made-up dates before anything changed, and the spread of room changes there."""

    low: float
    high: float
    sd_ratio: float | None

    @property
    def largest(self) -> float:
        """The largest gap between the arms, in either direction."""
        return max(abs(self.low), abs(self.high))


def leave_one_out(picked: Selection, by_date: Floats, changes: Floats) -> tuple[float, float] | None:
    """Lowest and highest effect when one room is left out; None when each arm has only one.

    Without one of several treated rooms the baseline rooms answer for the dates that are left.
    """
    own, others = changes[: picked.n_treated], changes[picked.n_treated :]
    n1, n0 = len(own), len(others)
    effects = []
    if n1 > 1:
        shares = picked.shares[: picked.n_treated]
        left = (shares.sum(axis=0) - shares) / (n1 - 1)
        effects.append((own.sum() - own) / (n1 - 1) - left @ by_date[picked.n_treated :].mean(axis=0))
    if n0 > 1:
        effects.append(own.mean() - (others.sum() - others) / (n0 - 1))
    return _range(np.concatenate(effects)) if effects else None


def leave_one_pair_out(differences: Floats) -> tuple[float, float] | None:
    """The same for pairs, which leave together."""
    n = len(differences)
    return _range((differences.sum() - differences) / (n - 1)) if n > 1 else None


def detrended_effect(picked: Selection) -> float | None:
    """The effect net of each room's own straight trend before; a point only, its power is low."""
    values = picked.adjusted
    by_date = [
        detrended_change(values, picked.days, before, after)
        for before, after in zip(picked.before, picked.after, strict=True)
    ]
    changes = picked.combine(np.stack(by_date, axis=-1))
    return picked.effect(changes) if np.isfinite(changes).all() else None


def placebo(picked: Selection, min_days: int) -> Placebo | None:
    """Made-up dates inside the days before the first switch, each window at least a quarter of them."""
    values = picked.adjusted[:, picked.before.all(axis=0)]
    observed = np.isfinite(values)
    values, observed = values[:, observed.any(axis=0)], observed[:, observed.any(axis=0)]
    changes = placebo_changes(values, max(min_days, values.shape[1] // 4))
    if not changes.shape[1]:
        return None
    gaps = changes[: picked.n_treated].mean(axis=0) - changes[picked.n_treated :].mean(axis=0)
    return Placebo(float(gaps.min()), float(gaps.max()), _history_ratio(changes, picked.n_treated))


def placebo_changes(values: Floats, window: int) -> Floats:
    """Room changes at every made-up date with `window` days on each side, rooms × dates (perhaps none)."""
    days = values.shape[1]
    window = max(1, min(window, days // 2))
    observed = np.isfinite(values)
    count = observed.cumsum(axis=1)
    level = (
        np.where(observed, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(count[:, -1:], 1)
        if days
        else 0.0
    )
    total = np.where(observed, values - level, 0.0).cumsum(axis=1)
    cut = np.arange(window, days - window + 1)
    if not len(cut) or days < 2:  # noqa: PLR2004 - a day on each side
        return np.empty((len(values), 0))
    before, after = count[:, cut - 1], count[:, -1:] - count[:, cut - 1]
    sums = total[:, cut - 1]
    changes = (total[:, -1:] - sums) / np.maximum(after, 1) - sums / np.maximum(before, 1)
    both: Floats = changes[:, (np.minimum(before, after) > 0).all(axis=0)]
    return both


def sd_ratio(changes: Floats, n_treated: int) -> float | None:
    """SD of the treated rooms' changes ÷ that of the baseline rooms; None below two rooms an arm."""
    return _history_ratio(changes[:, None], n_treated)


def uneven(ratio: float | None, n_treated: int, n_baseline: int) -> tuple[Reason, ...]:
    """The caution for arms whose rooms moved unlike amounts; how often like rooms look so is an F ratio."""
    if ratio is None or max(ratio, 1 / ratio) <= SD_RATIO_LIMIT:
        return ()
    low, high = fdtr(n_treated - 1, n_baseline - 1, [SD_RATIO_LIMIT**-2, SD_RATIO_LIMIT**2]).tolist()
    return (Reason("sd_ratio", {"ratio": ratio, "limit": SD_RATIO_LIMIT, "chance": low + 1 - high}),)


def _history_ratio(changes: Floats, n_treated: int) -> float | None:
    treated, baseline = changes[:n_treated], changes[n_treated:]
    if len(treated) < 2 or len(baseline) < 2:  # noqa: PLR2004 - an SD needs two
        return None
    above, below = treated.var(axis=0, ddof=1).mean(), baseline.var(axis=0, ddof=1).mean()
    tiny = 1e-24 * max(float(np.abs(changes).max()) ** 2, np.finfo(float).tiny)
    return float(np.sqrt(above / below)) if min(above, below) > tiny else None


def _range(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())
