"""Which rooms and room-days can be compared, and which cannot, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.changes import Flags, Floats, Means, connected, day_effects, window_means
from experiments.design import day_number
from experiments.lot import Block, Lot
from experiments.reason import DesignError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.design import Design
    from experiments.grid import Grid


@dataclass(frozen=True)
class Selection:
    """The rooms compared (treated first) and their observed room-days.

    `table` is rooms × days, NaN where a room-day is missing or nothing says what the day did; `before` and
    `after` flag the days of each window, dates × days; `shares` says which dates a room answers for, rooms ×
    dates: a treated room its own, a baseline room those of the treated rooms, in proportion.
    """

    rooms: tuple[str, ...]
    n_treated: int
    days: Floats
    table: Floats
    day: Floats | None
    before: Flags
    after: Flags
    shares: Floats
    excluded: dict[str, Reason]
    missing: float

    @property
    def n_baseline(self) -> int:
        """Rooms compared that were not changed."""
        return len(self.rooms) - self.n_treated

    @property
    def adjusted(self) -> Floats:
        """Values net of what the day did to every room; as they are where that cancels anyway."""
        return self.table if self.day is None else self.table - self.day

    def combine(self, by_date: Floats) -> Floats:
        """One number a room from one per room and date (Lee & Wooldridge 2025, eq. 7.18–7.19)."""
        if by_date.shape[-1] == 1:
            return np.asarray(by_date[..., 0])
        # a date a room does not answer for may be undefined there
        return np.asarray(np.where(self.shares > 0, by_date * self.shares, 0.0).sum(-1))

    def effect(self, changes: Floats) -> float:
        """Mean of the treated rooms minus mean of the baseline rooms."""
        return float(changes[: self.n_treated].mean() - changes[self.n_treated :].mean())

    def means(self) -> list[Means]:
        """Room means around each date, net of what the days did."""
        windows = zip(self.before, self.after, strict=True)
        return [window_means(self.adjusted, before, after) for before, after in windows]

    def common(self) -> tuple[float, float]:
        """What the days did before and after, the same for all rooms: added back where means are shown."""
        if self.day is None:
            return 0.0, 0.0
        known = np.isfinite(self.day)
        weights = self.shares[: self.n_treated].mean(axis=0)
        sides = ([self.day[known & days].mean() for days in flags] for flags in (self.before, self.after))
        before, after = (float(weights @ np.array(side)) for side in sides)
        return before, after


def select(grid: Grid, design: Design) -> Selection:
    """The rooms with enough days on each side of their date, by the rules of `docs/method.md`, step 3."""
    _check_days(grid, design)
    treated, baseline, excluded = _declared(grid, design)
    while True:
        picked = _pick(grid, design, treated, baseline, excluded)
        # first what a room itself lacks, then what the others' silence costs it
        own = _rows(grid, picked.rooms)
        short = (
            _too_short(picked, own, design) or _too_short(picked, picked.table, design) or _cut_off(picked)
        )
        if not short:
            return picked
        excluded |= short | _partners(short, design, treated + baseline)
        treated = [room for room in treated if room not in excluded]
        baseline = [room for room in baseline if room not in excluded]


def declared_rooms(grid: Grid, design: Design) -> tuple[list[str], list[str]]:
    """Treated and baseline rooms as declared, present in the panel or not."""
    if design.pairs is not None:
        return [pair[0] for pair in design.pairs], [pair[1] for pair in design.pairs]
    if design.baseline is not None:
        return list(design.switch), list(design.baseline)
    return list(design.switch), [room for room in grid.rooms if room not in design.switch]


def lot_of(design: Design, treated: Sequence[str], baseline: Sequence[str]) -> tuple[Lot, list[list[str]]]:
    """The mechanism that could have drawn these rooms, and the rooms of each of its blocks."""
    rooms = [*treated, *baseline]
    if design.pairs is not None:
        groups = [list(pair) for pair in design.pairs if pair[0] in treated]
        return Lot(tuple(Block(2, (1,)) for _ in groups)), groups
    dates = sorted({day_number(design.switch[room]) for room in treated})
    strata = design.strata or {}
    names = sorted({strata.get(room, "") for room in rooms})
    groups = [[room for room in rooms if strata.get(room, "") == name] for name in names]
    blocks = []
    for group in groups:
        numbers = [day_number(design.switch[room]) for room in group if room in design.switch]
        blocks.append(Block(len(group), tuple(numbers.count(date) for date in dates)))
    return Lot(tuple(blocks)), groups


def _check_days(grid: Grid, design: Design) -> None:
    dated = {not isinstance(day, int) for day in design.switch.values()}
    if len(grid.days) and dated and dated != {grid.dated}:
        kinds = ("dates", "integers") if grid.dated else ("integers", "dates")
        raise DesignError(f"the panel's days are {kinds[0]}, the switches are {kinds[1]}")


def _declared(grid: Grid, design: Design) -> tuple[list[str], list[str], dict[str, Reason]]:
    treated, baseline = declared_rooms(grid, design)
    absent = {room: Reason("absent") for room in (*treated, *baseline) if room not in grid.rooms}
    absent |= _partners(absent, design, treated + baseline)
    return (
        sorted(room for room in treated if room not in absent),
        sorted(room for room in baseline if room not in absent),
        absent,
    )


def _partners(left: dict[str, Reason], design: Design, rooms: Sequence[str]) -> dict[str, Reason]:
    partners = {}
    for pair in design.pairs or ():
        for room, partner in (pair, pair[::-1]):
            if partner in left and room not in left and room in rooms:
                partners[room] = Reason("pair_broken", {"partner": partner})
    return partners


def _pick(
    grid: Grid, design: Design, treated: list[str], baseline: list[str], excluded: dict[str, Reason]
) -> Selection:
    rooms = (*treated, *baseline)
    values = _rows(grid, rooms)
    own = [day_number(design.switch[room]) for room in treated]
    dates = sorted(set(own))
    before = np.array([grid.days < date for date in dates], dtype=bool).reshape(len(dates), len(grid.days))
    first = [int(np.searchsorted(grid.days, date)) + design.washout for date in dates]
    after = np.array([np.arange(len(grid.days)) >= start for start in first], dtype=bool)
    after = after.reshape(before.shape)
    observed = np.isfinite(values)
    untreated = np.ones_like(observed)
    for row, date in enumerate(own):
        untreated[row] = grid.days < date
    window = (before | after).any(axis=0) & observed.any(axis=0)
    holes = bool((~observed[:, window]).any())
    day = None
    if (holes or len(dates) > 1) and treated and baseline and connected(untreated & observed).all():
        day = day_effects(values, untreated)
    if holes:
        # on a day without an untreated room nothing says what the day did
        values = np.where((untreated & observed).any(axis=0), values, np.nan)
    return Selection(
        rooms=rooms,
        n_treated=len(treated),
        days=grid.days.astype(np.float64),
        table=values,
        day=day,
        before=before,
        after=after,
        shares=_date_shares(design, treated, baseline, dates),
        excluded=excluded,
        missing=float((~observed[:, window]).mean()) if holes else 0.0,
    )


def _date_shares(design: Design, treated: list[str], baseline: list[str], dates: list[int]) -> Floats:
    own = np.array(
        [[day_number(design.switch[room]) == date for date in dates] for room in treated], dtype=float
    )
    own = own.reshape(len(treated), len(dates))
    if design.pairs is None:
        others = np.tile(own.mean(axis=0), (len(baseline), 1)) if treated else np.empty((len(baseline), 0))
        return np.concatenate([own, others])
    partner = {pair[1]: pair[0] for pair in design.pairs}
    rows = [own[treated.index(partner[room])] for room in baseline]
    return np.concatenate([own, np.array(rows).reshape(len(baseline), len(dates))])


def _rows(grid: Grid, rooms: Sequence[str]) -> Floats:
    index = {room: i for i, room in enumerate(grid.rooms)}
    return np.asarray(grid.table[np.array([index[room] for room in rooms], dtype=np.intp)])


def _too_short(picked: Selection, values: Floats, design: Design) -> dict[str, Reason]:
    """Rooms with too few days; treated rooms first, for their dates are asked of the baseline rooms."""
    if not picked.n_treated:
        return {}
    observed = np.isfinite(values).astype(np.float64)
    asked = picked.shares > 0
    limit = np.iinfo(np.int64).max
    before = np.where(asked, observed @ picked.before.T, limit).min(axis=1)
    after = np.where(asked, observed @ picked.after.T, limit).min(axis=1)
    short = np.minimum(before, after) < design.min_days
    rows = np.flatnonzero(short[: picked.n_treated])
    if len(rows) in (0, picked.n_treated):  # without a treated room left, no better date will be asked
        rows = np.flatnonzero(short)
    return {
        picked.rooms[i]: Reason(
            "too_few_days", {"before": int(before[i]), "after": int(after[i]), "needed": design.min_days}
        )
        for i in rows.tolist()
    }


def _cut_off(picked: Selection) -> dict[str, Reason]:
    """Rooms that share no untreated day with the others."""
    if not picked.missing or not picked.n_treated or not picked.n_baseline:
        return {}
    untreated = np.isfinite(picked.table)
    for row in range(picked.n_treated):
        untreated[row] &= picked.before[int(picked.shares[row].argmax())]
    together = connected(untreated)
    return {picked.rooms[i]: Reason("no_common_days") for i in np.flatnonzero(~together).tolist()}


def count_days(grid: Grid, design: Design) -> list[tuple[str, bool, int, int]]:
    """Room, treated, observed days before and after its date; a baseline room counts from the first date."""
    treated, baseline = declared_rooms(grid, design)
    first = min(map(day_number, design.switch.values()), default=0)
    counts = []
    for room in (*treated, *baseline):
        date = day_number(design.switch[room]) if room in design.switch else first
        row = grid.table[grid.rooms.index(room)] if room in grid.rooms else np.full(len(grid.days), np.nan)
        start = int(np.searchsorted(grid.days, date))
        seen = np.isfinite(row)
        counts.append(
            (room, room in design.switch, int(seen[:start].sum()), int(seen[start + design.washout :].sum()))
        )
    return counts
