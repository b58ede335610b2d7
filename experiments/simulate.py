"""Panels of known effect, seeded: what rooms do when nothing, or exactly so much, has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.design import Design

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.changes import Floats

WEEK = 5
FIRST_MONDAY = date(2026, 1, 5)


@dataclass(frozen=True)
class Scenario:
    """Rooms × working days in SDs of one room-day (σ = 1), treated rooms first.

    `effect` lifts treated rooms from their switch on. `rho` is the AR(1) of a room's days; `room`, `weekday`
    and `common` the SDs of room levels, weekday levels and of what a day does to all rooms; `lasting` the
    SD of a shift that one room keeps from a random day on, `lasting_common` that of a shift all rooms keep.
    `tails` is the df of Student's t for the days' noise (None: normal). `holes` is the share of room-days
    missing, `failing` the share of days after which the last baseline room falls silent. `apart` spreads the
    switch dates over as many days. `treated_noise` multiplies the noise of treated rooms, `transfer` is the
    share of the treated rooms' gain that the baseline rooms lose, `rounding` the step values are rounded to.
    """

    n_treated: int = 3
    n_baseline: int = 5
    days_before: int = 40
    days_after: int = 40
    effect: float = 0.0
    rho: float = 0.6
    room: float = 1.0
    weekday: float = 0.5
    common: float = 0.5
    lasting: float = 0.0
    lasting_common: float = 0.0
    tails: float | None = None
    holes: float = 0.0
    failing: float | None = None
    apart: int = 0
    treated_noise: float = 1.0
    transfer: float = 0.0
    rounding: float = 0.0

    @property
    def rooms(self) -> int:
        """Treated and baseline."""
        return self.n_treated + self.n_baseline

    @property
    def days(self) -> int:
        """Before and after."""
        return self.days_before + self.days_after

    @property
    def switches(self) -> tuple[int, ...]:
        """Index of each treated room's first day after the change."""
        if self.n_treated == 1:
            return (self.days_before,)
        first = self.days_before - self.apart // 2
        return tuple(first + round(self.apart * i / (self.n_treated - 1)) for i in range(self.n_treated))


def tables(scenario: Scenario, rng: np.random.Generator, experiments: int) -> Floats:
    """`experiments` panels as one array, experiments × rooms × days; NaN where a room-day is missing."""
    s, shape = scenario, (experiments, scenario.rooms, scenario.days)
    noise = _autoregressive(s, rng, shape)
    treated = np.arange(s.days) >= np.array(s.switches)[:, None]
    noise[:, : s.n_treated] *= s.treated_noise
    table = noise + s.room * rng.standard_normal((experiments, s.rooms, 1))
    table += s.weekday * rng.standard_normal((experiments, 1, WEEK))[:, :, np.arange(s.days) % WEEK]
    table += s.common * rng.standard_normal((experiments, 1, s.days))
    for size, rooms in ((s.lasting, s.rooms), (s.lasting_common, 1)):
        if size:
            start = rng.integers(1, s.days, (experiments, rooms, 1))
            table += size * rng.standard_normal((experiments, rooms, 1)) * (np.arange(s.days) >= start)
    table[:, : s.n_treated] += s.effect * treated
    if s.transfer:
        # what the treated rooms gain, the baseline rooms lose between them
        table[:, s.n_treated :] -= s.transfer * s.effect * treated.sum(axis=0) / s.n_baseline
    if s.rounding:
        table = np.round(table / s.rounding) * s.rounding
    if s.holes:
        table[rng.random(shape) < s.holes] = np.nan
    if s.failing is not None:
        table[:, -1, round(s.failing * s.days) :] = np.nan
    return table


def panel(scenario: Scenario, seed: int) -> tuple[pd.DataFrame, Design]:
    """One experiment as a frame `room, day, value` of working days from 5 January 2026, and its design."""
    table = tables(scenario, np.random.default_rng(seed), 1)[0]
    names = [f"room {i + 1:02d}" for i in range(scenario.rooms)]
    days = working_days(scenario.days)
    frame = pd.DataFrame(
        {
            "room": np.repeat(names, scenario.days),
            "day": np.tile(np.array(days, dtype=object), scenario.rooms),
            "value": table.reshape(-1),
        }
    )
    switch = {name: days[day] for name, day in zip(names, scenario.switches, strict=False)}
    baseline = tuple(names[scenario.n_treated :])
    return frame.dropna(ignore_index=True), Design(switch, baseline, assignment="lot", seed=seed)


def working_days(count: int) -> list[date]:
    """The first `count` Mondays to Fridays from 5 January 2026."""
    return [FIRST_MONDAY + timedelta(days=7 * (i // WEEK) + i % WEEK) for i in range(count)]


def ballots(
    rng: np.random.Generator,
    experiments: int,
    answers_before: Sequence[int],
    answers_after: Sequence[int],
    *,
    effect: Sequence[float] | float = 0.0,
    room: float = 0.5,
    drift: float = 0.2,
) -> tuple[list[Floats], list[Floats]]:
    """Ordinal answers 1–7 before and after, one array experiments × answers for each room.

    In SDs of one answer: `room` is the SD of rooms' levels, `drift` that of what each room's level changes by
    itself, `effect` what is added after (one number a room, or one for all).
    """
    effects = np.broadcast_to(np.asarray(effect, dtype=float), (len(answers_before),))
    before: list[Floats] = []
    after: list[Floats] = []
    for n0, n1, moved in zip(answers_before, answers_after, effects.tolist(), strict=True):
        level = room * rng.standard_normal((experiments, 1))
        later = level + moved + drift * rng.standard_normal((experiments, 1))
        before.append(_marks(level + rng.standard_normal((experiments, n0))))
        after.append(_marks(later + rng.standard_normal((experiments, n1))))
    return before, after


def _marks(opinions: Floats) -> Floats:
    """1–7, as people use the scale: more good marks than bad ones."""
    return (1 + np.searchsorted(np.linspace(-1.6, 0.9, 6), opinions)).astype(np.float64)


def stuffed(given: Floats, votes: int, mark: int = 7) -> Floats:
    """The same ballot with `votes` answers of the same mark added to each experiment."""
    return np.concatenate([given, np.full((given.shape[0], votes), float(mark))], axis=1)


def _autoregressive(s: Scenario, rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """Stationary AR(1) of variance one along the days."""
    shocks = rng.standard_normal(shape)
    if s.tails is not None:
        chi = rng.chisquare(s.tails, shape) / s.tails
        shocks *= sqrt((s.tails - 2) / s.tails) / np.sqrt(chi)
    for day in range(1, shape[2]):
        shocks[:, :, day] = s.rho * shocks[:, :, day - 1] + sqrt(1 - s.rho**2) * shocks[:, :, day]
    return shocks
