"""Before the start: what so many rooms can detect, and what could be said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import ceil, inf, prod, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import gammaincinv, nctdtr, nctdtrinc, stdtrit

from experiments.changes import day_effects
from experiments.design import Assignment
from experiments.estimate import GRADES, Grade, grade
from experiments.grid import read_grid
from experiments.inference import ENUMERATED, TIES
from experiments.lot import Block, Lot
from experiments.reason import DesignError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from experiments.changes import Floats

POWER = 0.8
INTERIM_FINAL = 0.9  # share of alpha left for the end where one interim look is planned
CURVE_CELLS = 4_000_000  # experiments × assignments simulated for one curve
CURVE_DRAWS = 2_000
SEED = 20_260_413
TIMES = (0.5, 1.0, 1.5, 2.0)  # of the planned days, in the table of days against rooms


class Spread(NamedTuple):
    """SD of room changes when nothing is changed, with an 80 % range, in the outcome's unit."""

    sd: float
    low: float
    high: float
    dates: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Alternative:
    """The same plan with some rooms more.

    `days` is how many days more, before and after together, would detect as small an effect with the rooms
    as planned (at least so many, where nobody said what lasts); None where no number of days would.
    """

    n_treated: int
    n_baseline: int
    p_floor: float
    grade: Grade
    mde80: float | None
    days: int | None = None


@dataclass(frozen=True)
class TradeOff:
    """What so many rooms detect over so many days, in the outcome's unit."""

    n_treated: int
    n_baseline: int
    days_before: int
    days_after: int
    mde80: float


@dataclass(frozen=True)
class Plan:
    """What `n_treated` + `n_baseline` rooms can tell, in the outcome's unit.

    `sd` is the SD of room changes, with a range when it comes from history. `mde80` is the effect whose
    interval excludes zero in 80 % of experiments, `mde80_generalise` the one for which « generalise » is
    said in 80 % (the lot drawn again and the smallest useful effect included). `alternatives` puts first the
    room that is worth most: a better grade, then the smallest effect for its price. `trade_offs` has fewer
    and more days, for the rooms as planned and for that one more. What cannot be had is None with a Reason.
    """

    n_treated: int
    n_baseline: int
    assignment: Assignment
    alpha: float
    p_floor: float
    grade: Grade
    multiplier: float | None
    multiplier_generalise: float | None
    sd: float | None
    sd_low: float | None
    sd_high: float | None
    mde80: float | None
    mde80_low: float | None
    mde80_high: float | None
    mde80_generalise: float | None
    useful: float | None
    p_generalise_useful: float | None  # P(generalise) if the effect is the smallest useful one
    p_generalise_1_5_useful: float | None  # the same at one and a half times that
    p_stop_none: float | None  # P(stop) if there is no effect
    p_guardrails_held: float | None  # P(all guardrails held) if nothing is harmed
    alternatives: tuple[Alternative, ...]
    reasons: tuple[Reason, ...]
    lasting: float = 0.0  # the part of `sd` that more days would not remove
    trade_offs: tuple[TradeOff, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"reasons": [reason.to_dict() for reason in self.reasons]}


def plan(  # noqa: PLR0913 - one keyword a fact of the plan
    n_treated: int,
    n_baseline: int,
    *,
    sd: float | None = None,
    lasting: float = 0.0,
    history: pd.DataFrame | None = None,
    days_before: int = 40,
    days_after: int = 40,
    useful: float | None = None,
    guardrails: Sequence[tuple[float, float]] = (),
    assignment: Assignment = "lot",
    alpha: float = 0.05,
    interim: bool = False,
) -> Plan:
    """What the design promises before it starts.

    `sd` is the SD of room changes; or `history`, a panel (`room, day, value`) in which nothing changed, from
    which it is taken at made-up dates with as many days on each side. `lasting` is the part of that SD which
    more days would not remove: shifts that rooms keep. `guardrails` are (margin, SD of room changes) couples.
    Raises DesignError.
    """
    if n_treated < 1 or n_baseline < 1:
        raise DesignError(f"{n_treated} treated and {n_baseline} baseline rooms: give one of each at least")
    if sd is not None and not 0 < sd < inf:
        raise DesignError(f"sd is {sd}: give a spread above 0")
    if useful is not None and not 0 < useful < inf:
        raise DesignError(f"useful is {useful}: give a size above 0")
    if days_before < 1 or days_after < 1:
        raise DesignError(f"{days_before} days before and {days_after} after: give one of each at least")
    level = alpha * INTERIM_FINAL if interim else alpha
    rooms = _rooms(n_treated, n_baseline, assignment, level, sd)
    spread = None if history is None or sd is not None else history_spread(history, days_before, days_after)
    blank = Plan(
        n_treated=n_treated,
        n_baseline=n_baseline,
        assignment=assignment,
        alpha=level,
        p_floor=rooms.p_floor,
        grade=rooms.grade,
        multiplier=multiplier(n_treated, n_baseline, level),
        multiplier_generalise=None,
        sd=sd if spread is None else spread.sd,
        sd_low=None if spread is None else spread.low,
        sd_high=None if spread is None else spread.high,
        mde80=None,
        mde80_low=None,
        mde80_high=None,
        mde80_generalise=None,
        useful=useful,
        p_generalise_useful=None,
        p_generalise_1_5_useful=None,
        p_stop_none=None,
        p_guardrails_held=None,
        alternatives=(),
        reasons=(*_grade_reasons(rooms, assignment, level), *(() if spread is None else spread.reasons)),
    )
    if lasting < 0 or lasting >= (inf if blank.sd is None else blank.sd):
        raise DesignError(f"lasting is {lasting}: give a part of the SD of room changes, {blank.sd}")
    return _promises(_traded_off(_generalising(blank), lasting, days_before, days_after), guardrails)


def longer(sd: float, lasting: float, times: float) -> float:
    """SD of room changes over so many times the days: all but what lasts shrinks (see `room_change_sd`)."""
    return sqrt((sd**2 - lasting**2) / times + lasting**2)


def days_worth(sd: float, wanted: float, lasting: float = 0.0) -> float:
    """Times the days that bring the SD of room changes down to `wanted`; infinity where none do."""
    left = wanted**2 - lasting**2
    return (sd**2 - lasting**2) / left if left > 0 else inf


def multiplier(n_treated: int, n_baseline: int, alpha: float = 0.05, power: float = POWER) -> float | None:
    """Smallest detectable effect ÷ SD of room changes, exact (noncentral t); None below three rooms."""
    df = n_treated + n_baseline - 2
    if df < 1:
        return None
    reach = stdtrit(df, 1 - alpha / 2)
    return float(nctdtrinc(df, 1 - power, reach) * sqrt(1 / n_treated + 1 / n_baseline))


def power(n_treated: int, n_baseline: int, effect: float, alpha: float = 0.05) -> float:
    """Chance that the interval excludes zero on the effect's side; `effect` in SDs of room changes."""
    df = n_treated + n_baseline - 2
    if df < 1:
        return 0.0
    return float(1 - nctdtr(df, effect / sqrt(1 / n_treated + 1 / n_baseline), stdtrit(df, 1 - alpha / 2)))


def room_change_sd(sigma: float, rho: float, days_before: int, days_after: int, omega: float = 0.0) -> float:
    """SD of room changes from typical values: day-to-day SD `sigma`, its AR(1) `rho`, lasting drift `omega`.

    `s² = σ²(1+ρ)/(1−ρ)(1/T0+1/T1) + ω²`: more days never remove ω, only more rooms do.
    """
    days = 1 / days_before + 1 / days_after
    return sqrt(sigma**2 * (1 + rho) / (1 - rho) * days + omega**2)


def history_spread(history: pd.DataFrame, days_before: int, days_after: int) -> Spread:
    """SD of room changes at every made-up date of a panel in which nothing changed.

    The 80 % range counts rooms − 1 degrees of freedom for each stretch of history that does not overlap.
    Raises PanelError, and DesignError for fewer than two rooms or days, or values that never vary.
    """
    table = read_grid(history).table
    table = table[:, np.isfinite(table).any(axis=0)]
    rooms, days = table.shape
    if rooms < 2 or days < 2:  # noqa: PLR2004 - a spread needs two, so does a change
        raise DesignError(
            f"the history has {rooms} room(s) and {days} day(s): at least two of each are needed"
        )
    wanted = days_before + days_after
    reasons: tuple[Reason, ...] = ()
    if days < wanted:
        reasons = (Reason("short_history", {"days": days, "needed": wanted}),)
        days_before = max(1, min(days - 1, days * days_before // wanted))
        days_after = days - days_before
    if np.isnan(table).any():
        table = table - day_effects(table, np.ones_like(table, dtype=bool))
    variances = _placebo_variances(table, days_before, days_after)
    if not len(variances):
        raise DesignError("the history has no date with values of two rooms on both sides")
    sd = float(np.sqrt(variances.mean()))
    if sd <= TIES * float(np.nanmax(np.abs(table))):
        raise DesignError("the history does not vary: nothing says how much rooms change on their own")
    df = (rooms - 1) * max(1, days // (days_before + days_after))
    low, high = (sd * sqrt(df / (2 * float(gammaincinv(df / 2, p)))) for p in (0.9, 0.1))
    return Spread(sd, low, high, len(variances), reasons)


def probability_generalise(
    n_treated: int, n_baseline: int, effect: float, useful: float = 0.0, alpha: float = 0.05
) -> float:
    """Chance of « generalise » with all guardrails held; `effect` and `useful` in SDs of room changes."""
    curve = _curve(n_treated, n_baseline, alpha)
    return float((np.maximum(curve.needed, useful - curve.luck) <= effect).mean())


def multiplier_generalise(
    n_treated: int, n_baseline: int, useful: float = 0.0, alpha: float = 0.05
) -> float | None:
    """Effect for which « generalise » is said in 80 %, in SDs of room changes; None where it never is."""
    if Lot((Block(n_treated + n_baseline, (n_treated,)),)).p_floor > alpha:
        return None
    curve = _curve(n_treated, n_baseline, alpha)
    return float(np.quantile(np.maximum(curve.needed, useful - curve.luck), POWER))


def _rooms(n1: int, n0: int, assignment: Assignment, alpha: float, sd: float | None) -> Alternative:
    floor = Lot((Block(n1 + n0, (n1,)),)).p_floor
    factor = multiplier(n1, n0, alpha)
    detectable = None if factor is None or sd is None else factor * sd
    return Alternative(n1, n0, floor, grade(n1, n0, floor, assignment, alpha), detectable)


def _grade_reasons(rooms: Alternative, assignment: Assignment, alpha: float) -> list[Reason]:
    if rooms.grade == "decision":
        return []
    reasons = []
    if rooms.n_treated == 1:
        reasons.append(Reason("one_treated"))
    if rooms.p_floor > alpha:
        counts = {"n_treated": rooms.n_treated, "n_baseline": rooms.n_baseline}
        reasons.append(Reason("few_rooms", counts | {"p_floor": rooms.p_floor, "alpha": alpha}))
    if assignment == "unknown":
        reasons.append(Reason("assignment_unknown"))
    return reasons


def _generalising(blank: Plan) -> Plan:
    """What needs no spread, and what it becomes with one."""
    n1, n0, sd = blank.n_treated, blank.n_baseline, blank.sd
    more = [_rooms(n1 + a, n0 + b, blank.assignment, blank.alpha, sd) for a, b in ((1, 0), (0, 1), (1, 1))]
    best = sorted(more, key=lambda rooms: (-GRADES.index(rooms.grade), _price(rooms, blank)))
    blank = replace(blank, alternatives=tuple(best))
    if sd is None or blank.multiplier is None:
        return replace(blank, reasons=(*blank.reasons, Reason("no_spread" if sd is None else "two_rooms")))
    useful = 0.0 if blank.useful is None else blank.useful / sd
    factor = multiplier_generalise(n1, n0, useful, blank.alpha) if blank.grade == "decision" else None
    return replace(
        blank,
        multiplier_generalise=factor,
        mde80=blank.multiplier * sd,
        mde80_low=None if blank.sd_low is None else blank.multiplier * blank.sd_low,
        mde80_high=None if blank.sd_high is None else blank.multiplier * blank.sd_high,
        mde80_generalise=None if factor is None else factor * sd,
    )


def _price(rooms: Alternative, blank: Plan) -> float:
    """A second room more must earn its place: the square root is what a room brings on its own."""
    added = rooms.n_treated + rooms.n_baseline - blank.n_treated - blank.n_baseline
    return (multiplier(rooms.n_treated, rooms.n_baseline, blank.alpha) or inf) * sqrt(added)


def _traded_off(planned: Plan, lasting: float, days_before: int, days_after: int) -> Plan:
    """Days against rooms: each alternative in days; fewer and more days, with and without the best one."""
    sd, factor = planned.sd, planned.multiplier
    if sd is None or factor is None:
        return planned
    priced = []
    for rooms in planned.alternatives:
        times = days_worth(sd, (rooms.mde80 or 0.0) / factor, lasting)
        days = None if times == inf else ceil((times - 1) * (days_before + days_after))
        priced.append(replace(rooms, days=days))
    table = [
        TradeOff(
            n1, n0, before, after, m * longer(sd, lasting, (before + after) / (days_before + days_after))
        )
        for n1, n0, m in (
            (planned.n_treated, planned.n_baseline, factor),
            (priced[0].n_treated, priced[0].n_baseline, (priced[0].mde80 or 0.0) / sd),
        )
        for before, after in ((round(t * days_before), round(t * days_after)) for t in TIMES)
        if before and after
    ]
    return replace(planned, lasting=lasting, alternatives=tuple(priced), trade_offs=tuple(table))


def _promises(planned: Plan, guardrails: Sequence[tuple[float, float]]) -> Plan:
    n1, n0, alpha = planned.n_treated, planned.n_baseline, planned.alpha
    if guardrails:
        held = prod(power(n1, n0, margin / spread, alpha) for margin, spread in guardrails)
        planned = replace(planned, p_guardrails_held=held)
        if held < POWER:
            weak = Reason("guardrails_weak", {"probability": held, "limit": POWER})
            planned = replace(planned, reasons=(*planned.reasons, weak))
    if planned.sd is None or planned.useful is None or planned.multiplier is None:
        return planned
    useful = planned.useful / planned.sd
    decided = planned.grade == "decision"
    return replace(
        planned,
        p_generalise_useful=probability_generalise(n1, n0, useful, useful, alpha) if decided else 0.0,
        p_generalise_1_5_useful=probability_generalise(n1, n0, 1.5 * useful, useful, alpha)
        if decided
        else 0.0,
        # with no effect the good end falls below δ as often as an effect of δ is detected
        p_stop_none=power(n1, n0, useful, alpha) if planned.grade != "none" else 0.0,
    )


def _placebo_variances(table: Floats, days_before: int, days_after: int) -> Floats:
    observed = np.isfinite(table)
    zeros = np.zeros((len(table), 1))
    count = np.concatenate([zeros, observed.cumsum(axis=1)], axis=1)
    level = np.where(observed, table, 0.0).sum(axis=1, keepdims=True) / np.maximum(count[:, -1:], 1)
    total = np.concatenate([zeros, np.where(observed, table - level, 0.0).cumsum(axis=1)], axis=1)
    cut = np.arange(days_before, table.shape[1] - days_after + 1)
    before, after = count[:, cut] - count[:, cut - days_before], count[:, cut + days_after] - count[:, cut]
    sums = total[:, cut] - total[:, cut - days_before], total[:, cut + days_after] - total[:, cut]
    changes = sums[1] / np.maximum(after, 1) - sums[0] / np.maximum(before, 1)
    known = (before > 0) & (after > 0)
    n = known.sum(axis=0)
    mean = np.where(known, changes, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, (changes - mean) ** 2, 0.0).sum(axis=0)
    return np.asarray((squares / np.maximum(n - 1, 1))[n > 1])


class _Curve(NamedTuple):
    """For simulated experiments without effect, in SDs of room changes: the effect each would have needed.

    `needed` so that interval and lot both say so, `luck` what its estimate was without any effect.
    """

    needed: Floats
    luck: Floats


@lru_cache(maxsize=64)
def _curve(n1: int, n0: int, alpha: float) -> _Curve:
    rng = np.random.default_rng(SEED)
    lot = Lot((Block(n1 + n0, (n1,)),))
    picks = lot.every() if lot.count <= min(CURVE_DRAWS, ENUMERATED) else lot.draw(rng, CURVE_DRAWS)
    size = int(min(20_000, max(2_000, CURVE_CELLS // len(picks))))
    changes = rng.standard_normal((size, n1 + n0))
    treated, baseline = changes[:, :n1], changes[:, n1:]
    luck = treated.mean(1) - baseline.mean(1)
    squares = treated.var(1) * n1 + baseline.var(1) * n0
    df = n1 + n0 - 2
    proven = stdtrit(df, 1 - alpha / 2) * np.sqrt(squares / df * (1 / n1 + 1 / n0)) - luck
    members = np.zeros((len(picks), n1 + n0))
    np.put_along_axis(members, picks, 1.0, axis=1)
    return _Curve(np.maximum(proven, _needed_by_lot(changes, members, n1, alpha)), luck)


def _needed_by_lot(changes: Floats, members: Floats, n1: int, alpha: float) -> Floats:
    """Smallest effect at which the lot drawn again gives p ≤ alpha, by bisection, all experiments at once."""
    n0 = changes.shape[1] - n1
    happened = np.arange(changes.shape[1]) < n1
    shared = members @ happened.astype(
        np.float64
    )  # treated rooms a draw has in common with the one that happened
    sums, squares = changes @ members.T, changes**2 @ members.T
    cross = (changes * happened) @ members.T
    sum_all, square_all = changes.sum(1), (changes**2).sum(1)
    sum_own, square_own = changes[:, :n1].sum(1), (changes[:, :n1] ** 2).sum(1)

    def statistic(sum1: Floats, square1: Floats, sum_: Floats, square_: Floats) -> Floats:
        sum0, square0 = sum_ - sum1, square_ - square1
        effect = np.abs(sum1 / n1 - sum0 / n0)
        if min(n1, n0) == 1:
            return np.asarray(effect)
        spread = (square1 - sum1**2 / n1) / n1**2 + (square0 - sum0**2 / n0) / n0**2
        return np.asarray(effect / np.sqrt(np.maximum(spread, 1e-15)))

    def p_value(effect: Floats) -> Floats:
        e = effect[:, None]
        total, square = (sum_all + n1 * effect), square_all + 2 * effect * sum_own + n1 * effect**2
        drawn = statistic(
            sums + e * shared, squares + 2 * e * cross + e**2 * shared, total[:, None], square[:, None]
        )
        own = statistic(
            sum_own + n1 * effect, square_own + 2 * effect * sum_own + n1 * effect**2, total, square
        )
        return np.asarray((drawn >= own[:, None] * (1 - TIES)).mean(1))

    # from "the estimate is zero", where no lot speaks for an effect, up to forty SDs
    low = -(changes[:, :n1].mean(1) - changes[:, n1:].mean(1))
    high = np.full(len(changes), 40.0)
    for _ in range(14):
        middle = (low + high) / 2
        enough = p_value(middle) <= alpha
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high)
