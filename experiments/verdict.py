"""From estimates and thresholds fixed beforehand to what may be said."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.checks import uneven
from experiments.design import Design, Measure, Protocol, day_number
from experiments.estimate import Estimate, Grade, estimate, grade_of, worse
from experiments.grid import Grid, read_grid
from experiments.inference import TIES
from experiments.reason import PanelError, Reason
from experiments.selection import count_days, declared_rooms
from experiments.voice import K_ANSWERS, RATIO_LIMIT, answer_ratio, flips
from experiments.wayout import ways_out

if TYPE_CHECKING:
    from collections.abc import Iterable

Status = Literal["idea", "planned", "running", "ended", "decided"]
Verdict = Literal["generalise", "adjust", "stop", "cannot_conclude"]
State = Literal["held", "crossed", "unclear", "not_estimable"]
Look = Literal["interim", "final"]
# Alpha spent by a union bound where one interim look is planned (docs/method.md, "Looking early")
INTERIM_SHARE, FINAL_SHARE = 0.1, 0.9
VOICE_DAYS = 1  # a voice panel has one row a room and period


@dataclass(frozen=True)
class Voices:
    """What a voice outcome rests on: answers a period, and how little it would take to move it.

    `ratio` is answers per room, the arm with more ÷ the arm with fewer; `flip` is how many extreme answers,
    added to each treated room after the switch, would change whether the interval holds zero (None: over
    1,000, or nothing to change).
    """

    answers: int
    answers_treated: int
    answers_baseline: int
    ratio: float | None
    flip: int | None


@dataclass(frozen=True)
class MeasureResult:
    """One outcome of the protocol: its estimate and what follows.

    `state` is a guardrail's (None for the others); `p_holm` a secondary's p-value, Holm-corrected over the
    secondaries.
    """

    measure: Measure
    estimate: Estimate
    state: State | None = None
    p_holm: float | None = None
    voices: Voices | None = None
    reasons: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "measure": asdict(self.measure),
            "estimate": self.estimate.to_dict(),
            "state": self.state,
            "p_holm": self.p_holm,
            "voices": None if self.voices is None else asdict(self.voices),
            "reasons": [reason.to_dict() for reason in self.reasons],
        }


@dataclass(frozen=True)
class RoomQuality:
    """How many days of a room count on each side of the switch (for the primary outcome)."""

    room: str
    treated: bool
    days_before: int
    days_after: int


@dataclass(frozen=True)
class SiteTotal:
    """What the rooms of the sites shared by both arms did together: sums of room means, and per room."""

    sites: tuple[str, ...]
    n_rooms: int
    before: float
    after: float
    change: float
    change_per_room: float


@dataclass(frozen=True)
class Result:
    """What may be said of an experiment: what its page, the API and `temoin analyse --design` show.

    `verdict` is None while `locked` or without a threshold; `grade` is the experiment's (design, exclusions,
    retrospective and voices taken together). `way_out` holds only what was tried and would lift the grade.
    """

    status: Status
    look: Look
    verdict: Verdict | None
    grade: Grade
    grade_planned: Grade
    fragile: bool
    reasons: tuple[Reason, ...]
    way_out: tuple[Reason, ...]
    primary: MeasureResult | None
    secondaries: tuple[MeasureResult, ...]
    guardrails: tuple[MeasureResult, ...]
    quality: tuple[RoomQuality, ...]
    transfer_possible: bool
    site_total: SiteTotal | None
    alpha: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as the API gives them."""
        document = {item.name: getattr(self, item.name) for item in fields(self)}
        return document | {
            "reasons": [reason.to_dict() for reason in self.reasons],
            "way_out": [reason.to_dict() for reason in self.way_out],
            "primary": None if self.primary is None else self.primary.to_dict(),
            "secondaries": [result.to_dict() for result in self.secondaries],
            "guardrails": [result.to_dict() for result in self.guardrails],
            "quality": [asdict(room) for room in self.quality],
            "site_total": None if self.site_total is None else asdict(self.site_total),
        }


def analyse(
    panel: pd.DataFrame, protocol: Protocol, status: Status = "ended", look: Look = "final"
) -> Result:
    """Everything the protocol lets one say of the panel, by the order of `docs/method.md`.

    `panel` has columns `room`, `day`, `outcome`, `value` and, for voices, `n` (answers). Until the end
    `verdict` and every estimate are None, reason `locked`. An interim look that ends nothing shows nothing.
    Raises PanelError.
    """
    grids = _grids(panel, protocol)
    blank = _blank(grids, protocol, status, look)
    if status not in ("ended", "decided") and look != "interim":
        waiting = () if status == "running" else (Reason("not_started"),)
        return replace(blank, reasons=(Reason("locked"), *waiting))
    results = [
        _measured(grids.get(measure.outcome), measure, protocol, blank) for measure in protocol.measures
    ]
    primary = next(result for result in results if result.measure.role == "primary")
    guardrails = tuple(_guarded(result) for result in results if result.measure.role == "guardrail")
    grade, causes = _grade(primary, protocol, blank)
    verdict, because = _decide(primary, guardrails, grade, look)
    if look == "interim" and verdict not in ("generalise", "stop"):
        return replace(blank, status="running", reasons=(Reason("locked"), Reason("interim_goes_on")))
    fragile = _fragile(primary.estimate)
    site_total = _site_total(primary, protocol)
    return replace(
        blank,
        verdict=verdict,
        grade=grade,
        fragile=bool(fragile),
        reasons=(*because, *causes, *fragile),
        way_out=ways_out(primary.estimate, protocol, _final_alpha(protocol), grade),
        primary=primary,
        guardrails=guardrails,
        secondaries=_holm([result for result in results if result.measure.role == "secondary"]),
        transfer_possible=site_total is not None,
        site_total=site_total,
    )


@dataclass(frozen=True)
class _Observed:
    """One outcome's rooms × days, with the counts of answers where it is a voice."""

    grid: Grid
    answers: NDArray[np.float64] | None


def _grids(panel: pd.DataFrame, protocol: Protocol) -> dict[str, _Observed]:
    if "outcome" not in panel.columns:
        raise PanelError("the panel has no column 'outcome'")
    codes, names = pd.factorize(panel["outcome"])
    wanted = {measure.outcome for measure in protocol.measures}
    rows = {
        str(name): np.flatnonzero(codes == code) for code, name in enumerate(names) if str(name) in wanted
    }
    return {name: _observed(panel.iloc[index], protocol) for name, index in rows.items()}


def _observed(panel: pd.DataFrame, protocol: Protocol) -> _Observed:
    if "n" not in panel.columns or panel["n"].isna().all():
        return _Observed(read_grid(panel).between(protocol.starts, protocol.ends), None)
    return _voices(panel, protocol)


def _voices(panel: pd.DataFrame, protocol: Protocol) -> _Observed:
    """Two periods a room, 0 before and 1 after: each room's second row lies on its own switch day."""
    values = read_grid(panel)
    counts = read_grid(panel.assign(value=panel["n"]))
    first = min(map(day_number, protocol.design.switch.values()), default=0)
    periods = [values.days < first, values.days >= first]
    grid, answers = (
        np.stack([_only(part.table[:, period]) for period in periods], axis=1) for part in (values, counts)
    )
    answers = np.nan_to_num(answers)
    enough = answers >= K_ANSWERS
    return _Observed(
        Grid(values.rooms, np.array([0, 1]), np.where(enough, grid, np.nan), dated=False), answers
    )


def _only(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The one value of each row; NaN where there is none."""
    seen = np.isfinite(values)
    if (seen.sum(axis=1) > 1).any():
        raise PanelError("a voice outcome has one row a room and period, not one a day")
    return np.where(seen.any(axis=1), np.where(seen, values, 0.0).sum(axis=1), np.nan)


def _blank(grids: dict[str, _Observed], protocol: Protocol, status: Status, look: Look) -> Result:
    """What may be said at any time: the grade as planned, and the days counted."""
    observed = grids.get(protocol.primary.outcome)
    grid = _empty(protocol) if observed is None else observed.grid
    design = _design_for(observed, protocol)
    planned = grade_of(design, *declared_rooms(grid, design), _final_alpha(protocol))
    planned = worse(planned, "indicative") if protocol.retrospective else planned
    return Result(
        status=status,
        look=look,
        verdict=None,
        grade=planned,
        grade_planned=planned,
        fragile=False,
        reasons=(),
        way_out=(),
        primary=None,
        secondaries=(),
        guardrails=(),
        quality=tuple(RoomQuality(*days) for days in count_days(grid, design)),
        transfer_possible=bool(_shared_sites(protocol, *declared_rooms(grid, design))),
        site_total=None,
        alpha=_alpha(protocol, look),
    )


def _empty(protocol: Protocol) -> Grid:
    dated = not isinstance(protocol.starts, int)
    return Grid((), np.empty(0, dtype=np.int64), np.empty((0, 0)), dated)


def _final_alpha(protocol: Protocol) -> float:
    return protocol.alpha * FINAL_SHARE if protocol.interim else protocol.alpha


def _alpha(protocol: Protocol, look: Look) -> float:
    return protocol.alpha * INTERIM_SHARE if look == "interim" else _final_alpha(protocol)


def _design_for(observed: _Observed | None, protocol: Protocol) -> Design:
    if observed is None or observed.answers is None:
        return protocol.design
    periods = dict.fromkeys(protocol.design.switch, 1)
    return replace(protocol.design, switch=periods, washout=0, min_days=VOICE_DAYS)


def _measured(
    observed: _Observed | None, measure: Measure, protocol: Protocol, blank: Result
) -> MeasureResult:
    design = _design_for(observed, protocol)
    grid = _empty(protocol) if observed is None else observed.grid
    estimated = estimate(grid, design, blank.alpha, _final_alpha(protocol))
    if observed is None or observed.answers is None:
        return MeasureResult(measure, estimated)
    return _heard(MeasureResult(measure, _named_answers(estimated, observed)), observed)


def _named_answers(estimated: Estimate, observed: _Observed) -> Estimate:
    """A room without k answers in a period says so in answers, not in days."""
    excluded = dict(estimated.excluded)
    for room, reason in excluded.items():
        if reason.code == "too_few_days" and observed.answers is not None:
            before, after = observed.answers[observed.grid.rooms.index(room)].astype(int).tolist()
            excluded[room] = Reason(
                "too_few_answers", {"before": before, "after": after, "needed": K_ANSWERS}
            )
    # two periods have neither trend nor made-up dates
    return replace(estimated, excluded=excluded, effect_detrended=None)


def _heard(result: MeasureResult, observed: _Observed) -> MeasureResult:
    estimated, answers = result.estimate, observed.answers
    if answers is None or not estimated.rooms:
        return result
    row = {room: i for i, room in enumerate(observed.grid.rooms)}
    counts = answers[[row[room.room] for room in estimated.rooms]]
    treated = np.array([room.treated for room in estimated.rooms])
    ratio = answer_ratio(counts[treated], counts[~treated])
    voices = Voices(
        answers=int(counts.sum()),
        answers_treated=int(counts[treated].sum()),
        answers_baseline=int(counts[~treated].sum()),
        ratio=ratio,
        flip=_flip(result, counts[treated, 1]),
    )
    if ratio is None or ratio <= RATIO_LIMIT:
        return replace(result, voices=voices)
    capped = replace(estimated, grade=worse(estimated.grade, "indicative"))
    reason = Reason("few_answers_ratio", {"ratio": ratio, "limit": RATIO_LIMIT})
    return replace(result, estimate=capped, voices=voices, reasons=(*result.reasons, reason))


def _flip(result: MeasureResult, answers: NDArray[np.float64]) -> int | None:
    estimated = result.estimate
    if estimated.se is None:
        return None
    changes = np.array([room.change for room in estimated.rooms])
    after = np.array([room.after for room in estimated.rooms if room.treated])
    return flips(changes, len(after), after, answers, sign=result.measure.sign, alpha=estimated.alpha)


def _guarded(result: MeasureResult) -> MeasureResult:
    """Held: the whole interval inside the margin. Crossed: the whole interval beyond it."""
    estimated, measure = result.estimate, result.measure
    if measure.margin is None or estimated.grade == "none":
        return replace(result, state="not_estimable")
    low, high = _good(estimated, measure)
    if low is None or high is None:
        return replace(result, state="not_estimable")
    state: State = "held" if low > -measure.margin else "crossed" if high < -measure.margin else "unclear"
    return replace(result, state=state)


def _good(estimated: Estimate, measure: Measure) -> tuple[float, float] | tuple[None, None]:
    """The interval with "better" upwards."""
    if estimated.ci_low is None or estimated.ci_high is None:
        return None, None
    low, high = sorted((measure.sign * estimated.ci_low, measure.sign * estimated.ci_high))
    return low, high


def _grade(primary: MeasureResult, protocol: Protocol, blank: Result) -> tuple[Grade, tuple[Reason, ...]]:
    """The grade after exclusions, and all that keeps it below `decision`."""
    estimated = primary.estimate
    final = _final_alpha(protocol)
    causes = list(primary.reasons)
    if estimated.n_treated == 1:
        causes.append(Reason("one_treated"))
    if estimated.p_floor > final and estimated.n_treated and estimated.n_baseline:
        counts = {"n_treated": estimated.n_treated, "n_baseline": estimated.n_baseline}
        causes.append(Reason("few_rooms", counts | {"p_floor": estimated.p_floor, "alpha": final}))
    if protocol.design.assignment == "unknown":
        causes.append(Reason("assignment_unknown"))
    if protocol.retrospective:
        causes.append(Reason("retrospective"))
    grade = worse(estimated.grade, blank.grade_planned)
    lost = estimated.reason("rooms_lost")
    if lost is not None and grade != blank.grade_planned:
        causes.append(lost)
    return grade, tuple(causes) if grade != "decision" else ()


def _decide(
    primary: MeasureResult, guardrails: tuple[MeasureResult, ...], grade: Grade, look: Look
) -> tuple[Verdict | None, tuple[Reason, ...]]:
    """Step 8 of `docs/method.md`, in its order."""
    estimated, measure = primary.estimate, primary.measure
    low, high = _good(estimated, measure)
    if low is None or high is None or estimated.effect is None:
        return "cannot_conclude", (Reason("not_estimable"), *estimated.reasons)
    if grade == "none":
        counts = {"n_treated": estimated.n_treated, "n_baseline": estimated.n_baseline}
        return "cannot_conclude", (Reason("grade_none", counts),)
    if measure.useful is None:
        return None, (Reason("no_threshold"),)
    guards = _guard_reasons(guardrails)
    against = _against(estimated, measure, high) + [g for g in guards if g.code == "guardrail_crossed"]
    if against:
        return "stop", tuple(against)
    missing = _missing(primary, measure.useful, low, look)
    missing += [g for g in guards if g.code != "guardrail_held"]
    if missing:
        return "adjust", tuple(missing)
    useful = Reason("useful", {"effect": estimated.effect, "useful": measure.useful})
    decided = grade == "decision"
    return "generalise" if decided else "adjust", (
        useful,
        *(() if decided else (Reason("indicative_only"),)),
        *guards,
    )


def _guard_reasons(guardrails: Iterable[MeasureResult]) -> list[Reason]:
    return [
        Reason(f"guardrail_{guard.state}", {"outcome": guard.measure.outcome})
        if guard.state == "not_estimable"
        else Reason(
            f"guardrail_{guard.state}", {"outcome": guard.measure.outcome, "margin": guard.measure.margin}
        )
        for guard in guardrails
    ]


def _against(estimated: Estimate, measure: Measure, high: float) -> list[Reason]:
    """What speaks for stopping: proven harm, or too small to be useful even at the good end."""
    if high < 0:
        return [Reason("harmful", {"ci_low": estimated.ci_low, "ci_high": estimated.ci_high})]
    if measure.useful is not None and high < measure.useful:
        return [Reason("futile", {"bound": measure.sign * high, "useful": measure.useful})]
    return []


def _missing(primary: MeasureResult, useful: float, low: float, look: Look) -> list[Reason]:
    """What keeps the effect itself from « generalise »."""
    estimated = primary.estimate
    effect = estimated.effect or 0.0
    missing = []
    if low <= 0:
        missing.append(Reason("uncertain", {"ci_low": estimated.ci_low, "ci_high": estimated.ci_high}))
    if primary.measure.sign * effect < useful and low > 0:
        missing.append(Reason("not_useful_yet", {"effect": effect, "useful": useful}))
    if low > 0 and not _chance_excluded(estimated, look):
        missing.append(_disagreement(estimated))
    if primary.voices is not None:
        missing.append(Reason("voices_alone"))
    return missing


def _chance_excluded(estimated: Estimate, look: Look) -> bool:
    """p_randomised small enough; where rooms are too few for the level, the floor (the grade then caps)."""
    if estimated.p_randomised is None:
        return False
    if look == "interim" or estimated.p_floor > estimated.alpha:
        return estimated.p_randomised <= max(estimated.alpha, estimated.p_floor) * (1 + TIES)
    return estimated.p_randomised <= estimated.alpha


def _disagreement(estimated: Estimate) -> Reason:
    numbers = {"p_value": estimated.p_value, "p_randomised": estimated.p_randomised, "alpha": estimated.alpha}
    return Reason("randomisation_disagrees", numbers)


def _fragile(estimated: Estimate) -> tuple[Reason, ...]:
    """Two ways of counting disagree, or the arms' rooms moved unlike amounts."""
    if estimated.p_value is None:
        return ()
    reasons = []
    if estimated.p_randomised is not None and estimated.p_floor <= estimated.alpha:
        by_t, by_lot = (p <= estimated.alpha for p in (estimated.p_value, estimated.p_randomised))
        if by_t != by_lot:
            reasons.append(_disagreement(estimated))
    reasons += uneven(estimated.sd_ratio, estimated.n_treated, estimated.n_baseline)
    return (Reason("fragile"), *reasons) if reasons else ()


def _holm(results: list[MeasureResult]) -> tuple[MeasureResult, ...]:
    """Holm (1979) on the t p-values of those that could be estimated."""
    known = sorted(
        (result.estimate.p_value, i)
        for i, result in enumerate(results)
        if result.estimate.p_value is not None
    )
    corrected: dict[int, float] = {}
    highest = 0.0
    for rank, (p_value, i) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p_value))
        corrected[i] = highest
    return tuple(replace(result, p_holm=corrected.get(i)) for i, result in enumerate(results))


def _shared_sites(protocol: Protocol, treated: Iterable[str], baseline: Iterable[str]) -> set[str]:
    """Sites with rooms of both arms: their users may simply have moved."""
    sites = protocol.sites
    here = {sites[room] for room in treated if room in sites}
    return here & {sites[room] for room in baseline if room in sites}


def _site_total(primary: MeasureResult, protocol: Protocol) -> SiteTotal | None:
    rooms = primary.estimate.rooms
    shared = _shared_sites(
        protocol, (r.room for r in rooms if r.treated), (r.room for r in rooms if not r.treated)
    )
    there = [room for room in rooms if protocol.sites.get(room.room) in shared]
    if not there or primary.voices is not None:
        return None
    before, after = sum(room.before for room in there), sum(room.after for room in there)
    return SiteTotal(
        sites=tuple(sorted(shared)),
        n_rooms=len(there),
        before=before,
        after=after,
        change=after - before,
        change_per_room=(after - before) / len(there),
    )
