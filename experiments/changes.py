"""Room changes: mean after minus mean before, days adjusted where room-days are missing.

Arrays are rooms × days, with any number of leading axes (experiments); NaN is "not observed".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Means(NamedTuple):
    """Per room, over one window before and one after a date: means in the outcome's unit, days counted."""

    before: Floats
    after: Floats
    days_before: NDArray[np.int64]
    days_after: NDArray[np.int64]

    @property
    def change(self) -> Floats:
        """After minus before."""
        return self.after - self.before


def day_effects(values: Floats, untreated: Flags) -> Floats:
    """Least-squares d of `y = a_room + d_day` over the untreated observed cells; NaN on a day without one.

    The two-way fit that alternating projections converge to, solved directly for the rooms once the days are
    swept out (rooms × rooms). Rooms and days must be connected (see `connected`).
    """
    cells = untreated & np.isfinite(values)
    weight = cells.astype(np.float64)
    per_room = weight.sum(-1)
    # room levels first: a constant added to a room must not cost digits
    level = np.where(cells, values, 0.0).sum(-1) / np.maximum(per_room, 1)
    y = np.where(cells, values - level[..., None], 0.0)
    per_day = weight.sum(-2)
    share = weight / np.maximum(per_day, 1)[..., None, :]
    n = values.shape[-2]
    normal = np.eye(n) * np.maximum(per_room, 1)[..., None] - share @ np.swapaxes(weight, -1, -2)
    right = y.sum(-1) - (share @ y.sum(-2)[..., None])[..., 0]
    # the level of all rooms together is free: pin their sum at zero
    room = np.linalg.solve(normal + np.max(per_room, axis=-1)[..., None, None] / n, right[..., None])[..., 0]
    day = (y.sum(-2) - (room[..., None, :] @ weight)[..., 0, :]) / np.maximum(per_day, 1)
    return np.where(per_day > 0, day, np.nan)


def connected(untreated: Flags) -> Flags:
    """Which rooms share untreated days, directly or through others, with the best connected room."""
    cells = untreated.astype(np.float64)
    reach = (cells @ cells.T) > 0
    while True:
        further = (reach.astype(np.float64) @ reach) > 0
        if (further == reach).all():
            best: Flags = reach[int(np.argmax(reach.sum(axis=1)))]
            return best
        reach = further


def window_means(values: Floats, before: Flags, after: Flags) -> Means:
    """Room means over the observed days of `before` and of `after` (flags over days)."""
    seen = np.isfinite(values)
    return Means(
        _mean(values, seen & before),
        _mean(values, seen & after),
        (seen & before).sum(-1),
        (seen & after).sum(-1),
    )


def detrended_change(values: Floats, days: Floats, before: Flags, after: Flags) -> Floats:
    """Mean after minus the room's own straight line through its days before.

    Lee & Wooldridge (2025), procedure 3.1. NaN for a room with fewer than three days before.
    """
    pre = np.isfinite(values) & before
    count = pre.sum(-1)
    x = np.where(pre, days, 0.0)
    centre = x.sum(-1) / np.maximum(count, 1)
    spread = np.where(pre, days - centre[..., None], 0.0)
    level = _mean(values, pre)
    square = (spread**2).sum(-1)
    slope = (spread * np.where(pre, values - level[..., None], 0.0)).sum(-1) / np.where(
        square > 0, square, 1.0
    )
    line = level[..., None] + slope[..., None] * (days - centre[..., None])
    enough = (count >= 3) & (square > 0)  # noqa: PLR2004 - two points always lie on a line
    return np.where(enough, _mean(values - line, np.isfinite(values) & after), np.nan)


def _mean(values: Floats, cells: Flags) -> Floats:
    count = cells.sum(-1)
    total = np.where(cells, values, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
