"""One outcome of a few rooms, compared: the Estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from experiments.checks import (
    SD_RATIO_LIMIT,
    Placebo,
    detrended_effect,
    leave_one_out,
    leave_one_pair_out,
    placebo,
    sd_ratio,
    uneven,
)
from experiments.grid import Grid, read_grid
from experiments.inference import paired, pooled, randomise, randomise_pairs, t_p_value, t_quantile
from experiments.lot import Lot
from experiments.reason import DesignError, Reason
from experiments.selection import Selection, declared_rooms, lot_of, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from experiments.changes import Floats, Means
    from experiments.design import Assignment, Design
    from experiments.lot import Picks

Grade = Literal["decision", "indicative", "none"]
GRADES: tuple[Grade, ...] = ("none", "indicative", "decision")
# Panel days between switches up to which the interval was calibrated (docs/method.md). A baseline room's
# change is averaged over the dates and varies less: with many a treated room, that costs more, sooner.
DATES_APART, DATES_APART_FEW = 20, 5
MANY_BASELINE = 2


@dataclass(frozen=True)
class RoomChange:
    """One room's mean before and after, in the outcome's unit; `change` is after − before.

    Where room-days are missing, both means are those the room would have had if observed on every day. With
    several switch dates a baseline room's numbers are averages over the dates, weighted by the treated rooms
    that switched at each.
    """

    room: str
    treated: bool
    before: float
    after: float
    change: float
    days_before: int
    days_after: int


@dataclass(frozen=True)
class Estimate:
    """The effect of the change in the outcome's unit, baseline deducted, with what it is worth.

    None is "not estimable", and `reasons` says why; it also holds the cautions. `p_value`, `ci_low` and
    `ci_high` come from the same t distribution with `df` degrees of freedom (1 − `alpha` interval).
    `p_randomised` is the share of the `assignments` equally possible draws that are at least as extreme
    (`extreme` of the `draws` looked at). `grade` is the worse of the design as declared and as kept.
    """

    effect: float | None
    se: float | None
    t: float | None
    df: int | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_randomised: float | None
    p_floor: float
    grade: Grade
    alpha: float
    n_treated: int
    n_baseline: int
    rooms: tuple[RoomChange, ...]
    excluded: Mapping[str, Reason]
    reasons: tuple[Reason, ...]
    extreme: int | None = None
    draws: int | None = None
    assignments: int = 0
    effect_detrended: float | None = None
    leave_one_out: tuple[float, float] | None = None
    placebo: tuple[float, float] | None = (
        None  # lowest and highest effect at made-up dates before the first switch
    )
    breakdown: float | None = None  # how many times the largest placebo gap the effect survives
    sd_ratio: float | None = None  # SD of room changes, treated ÷ baseline
    sd_ratio_history: float | None = None  # the same over placebo dates

    @property
    def changes(self) -> dict[str, float]:
        """Room → change, in the outcome's unit."""
        return {room.room: room.change for room in self.rooms}

    def reason(self, code: str) -> Reason | None:
        """The reason of that code, if it is there."""
        return next((reason for reason in self.reasons if reason.code == code), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, `changes` included."""
        document = {item.name: getattr(self, item.name) for item in fields(self)}
        return document | {
            "changes": self.changes,
            "rooms": [{item.name: getattr(room, item.name) for item in fields(room)} for room in self.rooms],
            "excluded": {room: reason.to_dict() for room, reason in self.excluded.items()},
            "reasons": [reason.to_dict() for reason in self.reasons],
            "leave_one_out": None if self.leave_one_out is None else list(self.leave_one_out),
            "placebo": None if self.placebo is None else list(self.placebo),
        }


def compare(panel: pd.DataFrame, design: Design, alpha: float = 0.05) -> Estimate:
    """The effect of the change on one outcome: room changes, pooled t, exact randomisation, grade.

    `panel` has columns `room`, `day` (dates or integers) and `value` (no row, or NaN: not observed), in
    any order; no day is dropped but the washout. The answer is in the unit of `value`. Raises PanelError
    for a panel that is not one, DesignError for a level that is none; what cannot be estimated is None with
    a Reason.
    """
    return estimate(read_grid(panel), design, alpha)


def estimate(grid: Grid, design: Design, alpha: float, grade_alpha: float | None = None) -> Estimate:
    """`compare` on a grid; `grade_alpha` is what the grade asks of p_floor where a look spends less."""
    if not 0 < alpha < 1:
        raise DesignError(f"alpha is {alpha}: give a level between 0 and 1")
    level = alpha if grade_alpha is None else grade_alpha
    picked = select(grid, design)
    planned = grade_of(design, *declared_rooms(grid, design), level)
    treated, baseline = picked.rooms[: picked.n_treated], picked.rooms[picked.n_treated :]
    lot, _ = lot_of(design, treated, baseline)
    blank = Estimate(
        effect=None,
        se=None,
        t=None,
        df=None,
        ci_low=None,
        ci_high=None,
        p_value=None,
        p_randomised=None,
        p_floor=lot.p_floor,
        grade=worse(planned, grade_of(design, treated, baseline, level)),
        alpha=alpha,
        n_treated=len(treated),
        n_baseline=len(baseline),
        rooms=(),
        excluded=picked.excluded,
        reasons=(),
        assignments=lot.count,
    )
    if not treated or not baseline:
        missing = [
            Reason(code) for code, rooms in (("no_treated", treated), ("no_baseline", baseline)) if not rooms
        ]
        return replace(blank, p_floor=1.0, assignments=0, grade="none", reasons=tuple(missing))
    return _estimated(blank, picked, design)


def grade_of(design: Design, treated: Sequence[str], baseline: Sequence[str], alpha: float) -> Grade:
    """What so many rooms, so chosen, can carry."""
    lot, _ = lot_of(design, treated, baseline)
    return grade(len(treated), len(baseline), lot.p_floor, design.assignment, alpha)


def grade(
    n_treated: int, n_baseline: int, p_floor: float, assignment: Assignment, alpha: float = 0.05
) -> Grade:
    """`decision`, `indicative` or `none`, by `docs/method.md`, step 7."""
    if n_treated < 2 or n_baseline < 1:  # noqa: PLR2004 - one room is an anecdote
        return "none"
    if p_floor <= alpha and assignment != "unknown":
        return "decision"
    return "indicative" if n_treated + n_baseline - 2 >= 3 else "none"  # noqa: PLR2004 - three degrees of freedom


def worse(*grades: Grade) -> Grade:
    """The lowest of them."""
    return min(grades, key=GRADES.index)


def _estimated(blank: Estimate, picked: Selection, design: Design) -> Estimate:
    means = picked.means()
    by_date = np.stack([mean.change for mean in means], axis=-1)
    changes = picked.combine(by_date)
    differences = _pair_differences(picked, design, changes)
    interval = pooled(changes, picked.n_treated) if differences is None else paired(differences)
    effect = float(interval.effect)
    ratio = sd_ratio(changes, picked.n_treated)
    history = placebo(picked, design.min_days)
    estimated = replace(
        blank,
        effect=effect,
        rooms=_room_changes(picked, means),
        effect_detrended=detrended_effect(picked),
        leave_one_out=(
            leave_one_out(picked, by_date, changes)
            if differences is None
            else leave_one_pair_out(differences)
        ),
        placebo=None if history is None else (history.low, history.high),
        sd_ratio=ratio,
        sd_ratio_history=None if history is None else history.sd_ratio,
        reasons=_cautions(picked, ratio, history),
    )
    if interval.df < 1:
        return _with(estimated, Reason("two_rooms" if differences is None else "one_pair"))
    se = float(interval.se)
    if se <= _rounding(picked, blank):
        return _with(estimated, Reason("zero_variance"))
    t = effect / se
    reach = t_quantile(interval.df, blank.alpha) * se
    largest = 0.0 if history is None else history.largest
    estimated = replace(
        estimated,
        se=se,
        t=t,
        df=interval.df,
        ci_low=effect - reach,
        ci_high=effect + reach,
        p_value=t_p_value(t, interval.df),
        breakdown=(abs(effect) - reach) / largest if largest > 0 else None,
    )
    if largest > abs(effect):
        estimated = _with(estimated, Reason("placebo_large", {"gap": largest, "effect": effect}))
    return _randomised(estimated, by_date, differences, picked, design)


def _randomised(
    estimated: Estimate, by_date: Floats, differences: Floats | None, picked: Selection, design: Design
) -> Estimate:
    treated, baseline = picked.rooms[: picked.n_treated], picked.rooms[picked.n_treated :]
    lot, blocks = lot_of(design, treated, baseline)
    row = {room: i for i, room in enumerate(picked.rooms)}
    if differences is not None:
        drawn = randomise_pairs(differences, lot, design.seed)
    else:
        unchanged = by_date @ picked.shares[-1]
        if not np.isfinite(by_date).all():
            return _with(estimated, Reason("no_randomisation"))
        # rooms in the order of their changes: neither names nor rows can matter
        groups = [
            sorted((row[room] for room in block), key=lambda i: (unchanged[i], *by_date[i]))
            for block in blocks
        ]
        groups, lot = _ordered(groups, lot, unchanged)
        order = [i for group in groups for i in group]
        observed = _happened(groups, lot, picked)
        drawn = randomise(by_date[order], unchanged[order], lot, observed, design.seed)
    estimated = replace(estimated, p_randomised=drawn.p_value, extreme=drawn.extreme, draws=drawn.draws)
    return _with(estimated, Reason("sampled", {"draws": drawn.draws})) if drawn.sampled else estimated


def _ordered(groups: list[list[int]], lot: Lot, unchanged: Floats) -> tuple[list[list[int]], Lot]:
    """Blocks of a stratified lot by what is in them, not by the names of the strata."""
    order = sorted(
        range(len(groups)),
        key=lambda b: (lot.blocks[b].size, lot.blocks[b].takes, [float(unchanged[i]) for i in groups[b]]),
    )
    return [groups[b] for b in order], Lot(tuple(lot.blocks[b] for b in order))


def _happened(groups: list[list[int]], lot: Lot, picked: Selection) -> Picks:
    """The draw that happened: block after block, date after date, the positions of the rooms that got it."""
    date = picked.shares[: picked.n_treated].argmax(axis=1)
    positions, start = [], 0
    for group, block in zip(groups, lot.blocks, strict=True):
        for wanted in range(len(block.takes)):
            positions += [
                start + place for place, i in enumerate(group) if i < picked.n_treated and date[i] == wanted
            ]
        start += block.size
    return np.array(positions, dtype=np.int64)


def _pair_differences(picked: Selection, design: Design, changes: Floats) -> Floats | None:
    """Treated minus baseline of each pair kept, smallest first so that names cannot matter."""
    if design.pairs is None:
        return None
    row = {room: i for i, room in enumerate(picked.rooms)}
    differences = [changes[row[one]] - changes[row[other]] for one, other in design.pairs if one in row]
    return np.array(sorted(differences, key=abs))


def _room_changes(picked: Selection, means: list[Means]) -> tuple[RoomChange, ...]:
    sides = [np.stack(side, axis=-1) for side in zip(*means, strict=True)]
    before, after = (
        picked.combine(side) + common for side, common in zip(sides[:2], picked.common(), strict=True)
    )
    most = np.iinfo(np.int64).max
    days_before, days_after = (np.where(picked.shares > 0, side, most).min(axis=1) for side in sides[2:])
    return tuple(
        RoomChange(
            room=room,
            treated=i < picked.n_treated,
            before=float(before[i]),
            after=float(after[i]),
            change=float(after[i] - before[i]),
            days_before=int(days_before[i]),
            days_after=int(days_after[i]),
        )
        for i, room in enumerate(picked.rooms)
    )


def _cautions(picked: Selection, ratio: float | None, history: Placebo | None) -> tuple[Reason, ...]:
    reasons = []
    if picked.missing:
        reasons.append(Reason("missing_cells", {"share": picked.missing}))
    apart = int(picked.before.sum(axis=1).max() - picked.before.sum(axis=1).min())
    limit = DATES_APART if picked.n_baseline <= MANY_BASELINE * picked.n_treated else DATES_APART_FEW
    if apart > limit:
        reasons.append(Reason("dates_apart", {"days": apart, "limit": limit}))
    reasons += uneven(ratio, picked.n_treated, picked.n_baseline)
    if history is not None and history.sd_ratio is not None and history.sd_ratio > SD_RATIO_LIMIT:
        reasons.append(Reason("sd_ratio_history", {"ratio": history.sd_ratio, "limit": SD_RATIO_LIMIT}))
    lost = {room: reason for room, reason in picked.excluded.items() if reason.code != "pair_broken"}
    if lost:
        reasons.append(
            Reason(
                "rooms_lost", {"planned": len(picked.rooms) + len(picked.excluded), "kept": len(picked.rooms)}
            )
        )
    return tuple(reasons)


def _rounding(picked: Selection, blank: Estimate) -> float:
    """Below this a standard error is what the values' own last digits leave."""
    size = float(np.nanmax(np.abs(picked.table)))
    return 1e-13 * size * float(np.sqrt(1 / blank.n_treated + 1 / blank.n_baseline))


def _with(estimated: Estimate, reason: Reason) -> Estimate:
    return replace(estimated, reasons=(*estimated.reasons, reason))
