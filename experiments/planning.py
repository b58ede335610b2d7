"""Before the start: what could be detected, and what could be said."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.estimate import Grade
from experiments.reason import Reason


@dataclass(frozen=True)
class Plan:
    """What `n_treated` + `n_baseline` rooms can tell, in the outcome's unit.

    `sd` is the SD of room changes, with a range when it comes from history. `mde80` is the effect whose
    interval excludes zero in 80 % of experiments, `mde80_generalise` the one for which « generalise » is
    said in 80 %.
    """

    n_treated: int
    n_baseline: int
    p_floor: float
    grade: Grade
    multiplier: float | None
    sd: float | None
    sd_low: float | None
    sd_high: float | None
    mde80: float | None
    mde80_low: float | None
    mde80_high: float | None
    mde80_generalise: float | None
    p_generalise_useful: float | None  # P(generalise) if the effect is the smallest useful one
    p_generalise_1_5_useful: float | None  # the same at one and a half times that
    p_stop_none: float | None  # P(stop) if there is no effect
    p_guardrails_held: float | None  # P(all guardrails held) if nothing is harmed
    reasons: tuple[Reason, ...]


def plan(n_treated: int, n_baseline: int, *, sd: float | None = None) -> Plan:
    """What could be detected."""
    raise NotImplementedError
