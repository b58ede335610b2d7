"""Many experiments at once, through the very kernels of `compare`: how often it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.changes import Flags, Floats, day_effects, window_means
from experiments.inference import DRAWS, ENUMERATED, TIES, pooled, studentised, t_quantile
from experiments.lot import Block, Lot
from experiments.simulate import Scenario, tables

if TYPE_CHECKING:
    from experiments.lot import Picks

CHUNK = 500  # experiments worked on at once
LOT_CELLS = 4_000_000  # experiments × assignments looked at together


@dataclass(frozen=True)
class Trials:
    """One number an experiment: effect, standard error, p-value of the lot drawn again (or NaN)."""

    effect: Floats
    se: Floats
    df: int
    p_randomised: Floats
    p_floor: float

    def reach(self, alpha: float) -> Floats:
        """Half the width of the 1 − alpha interval."""
        return t_quantile(self.df, alpha) * self.se

    def excludes(self, value: float = 0.0, alpha: float = 0.05) -> Flags:
        """Whether the interval excludes a value, on either side."""
        return np.abs(self.effect - value) > self.reach(alpha)

    def generalises(self, useful: float, alpha: float = 0.05, p_alpha: float | None = None) -> Flags:
        """Interval above zero, lot agrees, estimate useful: « generalise » if the guardrails hold."""
        agrees = self.p_randomised <= (alpha if p_alpha is None else p_alpha) * (1 + TIES)
        return (self.effect - self.reach(alpha) > 0) & agrees & (self.effect >= useful)

    def futile(self, useful: float, alpha: float = 0.05) -> Flags:
        """Even the good end of the interval is below the smallest useful effect."""
        return self.effect + self.reach(alpha) < useful

    def beyond(self, margin: float, alpha: float = 0.05) -> Flags:
        """The whole interval beyond a margin of harm (harm is downwards)."""
        return self.effect + self.reach(alpha) < -margin

    def inside(self, margin: float, alpha: float = 0.05) -> Flags:
        """The whole interval inside it."""
        return self.effect - self.reach(alpha) > -margin


def trials(scenario: Scenario, experiments: int, seed: int, *, lots: bool = False) -> Trials:
    """`experiments` experiments of one scenario; with `lots` each draw is made again."""
    rng = np.random.default_rng(seed)
    sizes = [min(CHUNK, experiments - start) for start in range(0, experiments, CHUNK)]
    return joined([judged(scenario, tables(scenario, rng, size), lots=lots) for size in sizes])


def joined(parts: list[Trials]) -> Trials:
    """Several runs of one scenario as one."""
    arrays = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("effect", "se", "p_randomised")
    )
    effect, se, p_randomised = arrays
    return Trials(effect, se, parts[0].df, p_randomised, parts[0].p_floor)


def judged(scenario: Scenario, table: Floats, *, lots: bool = False) -> Trials:
    """Panels of one scenario (experiments × rooms × days, perhaps cut short) through the procedure."""
    if scenario.failing is not None:
        table = table[:, :-1]  # the silent room is left out by name
    by_date, shares = room_changes(scenario, table)
    changes = np.where(shares > 0, by_date * shares, 0.0).sum(-1)
    return from_changes(changes, scenario.n_treated, by_date if lots else None, shares)


def room_changes(scenario: Scenario, table: Floats) -> tuple[Floats, Floats]:
    """Room changes at each date (experiments × rooms × dates), and each room's shares of the dates."""
    n1, days = scenario.n_treated, np.arange(table.shape[2])
    dates = sorted(set(scenario.switches))
    untreated = np.ones(table.shape[1:], dtype=bool)
    untreated[:n1] = days < np.array(scenario.switches)[:, None]
    if len(dates) > 1 or np.isnan(table).any():
        table = table - day_effects(table, untreated)[:, None, :]
    changes = [window_means(table, days < date, days >= date).change for date in dates]
    own = np.array([[switch == date for date in dates] for switch in scenario.switches], dtype=np.float64)
    others = np.tile(own.mean(axis=0), (table.shape[1] - n1, 1))
    return np.stack(changes, axis=-1), np.concatenate([own, others])


def from_changes(
    changes: Floats, n_treated: int, by_date: Floats | None = None, shares: Floats | None = None
) -> Trials:
    """Trials from room changes (experiments × rooms); with `by_date` and `shares` the lot is drawn again."""
    interval = pooled(changes, n_treated)
    rooms = changes.shape[1]
    takes = (n_treated,) if shares is None else tuple(int(n) for n in shares[:n_treated].sum(axis=0))
    lot = Lot((Block(rooms, takes),))
    p_randomised = np.full(len(changes), np.nan)
    if by_date is not None and shares is not None:
        date = shares[:n_treated].argmax(axis=1)
        happened = np.concatenate([np.flatnonzero(date == wanted) for wanted in range(len(takes))])
        p_randomised = lots_again(by_date, by_date @ shares[-1], lot, happened)
    return Trials(interval.effect, interval.se, interval.df, p_randomised, lot.p_floor)


def lots_again(own: Floats, unchanged: Floats, lot: Lot, happened: Picks) -> Floats:
    """P of the lot drawn again, one an experiment; a sample of draws is shared by all of them."""
    sampled = lot.count > ENUMERATED
    picks = lot.draw(np.random.default_rng(1), DRAWS) if sampled else lot.every()
    centre = unchanged.mean(axis=1)
    size = np.abs(own - centre[:, None, None]).max(axis=(1, 2))
    own, unchanged = (
        (own - centre[:, None, None]) / size[:, None, None],
        (unchanged - centre[:, None]) / size[:, None],
    )
    step = max(1, LOT_CELLS // (len(picks) * picks.shape[1]))
    found = []
    for start in range(0, len(own), step):
        part = slice(start, start + step)
        real = studentised(own[part], unchanged[part], happened[None, :], lot.dates)
        drawn = studentised(own[part], unchanged[part], picks, lot.dates)
        found.append((drawn >= real * (1 - TIES) - 1e-12).sum(axis=1))
    extreme = np.concatenate(found)
    return np.asarray((extreme + 1) / (len(picks) + 1) if sampled else extreme / len(picks))


def ridits(before: Floats, after: Floats, marks: int = 7) -> Floats:
    """`voice.ridit` of many rooms at once: answers 1–`marks`, experiments × answers each."""
    scale = np.arange(1, marks + 1)
    reference = (before[:, :, None] == scale).mean(axis=1)
    rank = reference.cumsum(axis=1) - reference / 2
    return np.asarray(100 * ((after[:, :, None] == scale).mean(axis=1) * rank).sum(axis=1))
