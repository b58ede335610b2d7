"""Why a number is missing, or what to keep in mind beside it: data, put into words by `dashboards`.

ExperimentError
├── DesignError     a design or protocol that contradicts itself; the sentence names the field
└── PanelError      a panel that is not one: a column missing, text in a value, two values for a room and day
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Every code a Reason may carry → the numbers that come with it. `dashboards.words` has a sentence for each.
REASONS: dict[str, tuple[str, ...]] = {
    # a room left out
    "absent": (),  # the panel has no value of this room
    "too_few_days": ("before", "after", "needed"),
    "too_few_answers": ("before", "after", "needed"),
    "pair_broken": ("partner",),  # its partner was left out
    "no_common_days": (),  # shares no untreated day with the others, so nothing says what the days did to it
    # not estimable
    "no_treated": (),
    "no_baseline": (),
    "two_rooms": (),  # an effect, but nothing to tell it from chance
    "one_pair": (),
    "zero_variance": (),  # all rooms changed by exactly as much: no measure of chance
    "no_randomisation": (),  # a permuted date leaves a room without a day on one side
    # cautions beside an estimate
    "missing_cells": ("share",),  # share (0–1) of room-days missing; days adjusted by a two-way fit
    "dates_apart": (
        "days",
        "limit",
    ),  # switches further apart than was calibrated: the interval is a little short
    # treated against baseline, SD of room changes; chance of it where all rooms are alike
    "sd_ratio": ("ratio", "limit", "chance"),
    "sd_ratio_history": ("ratio", "limit"),  # the same over placebo dates before the first switch
    "placebo_large": ("gap", "effect"),  # before anything changed, the arms already drifted apart by as much
    "few_answers_ratio": ("ratio", "limit"),  # arms with unlike counts of answers: at most indicative
    "sampled": ("draws",),  # p_randomised from a sample of the assignments
    # the grade
    "one_treated": (),
    "few_rooms": ("n_treated", "n_baseline", "p_floor", "alpha"),
    "assignment_unknown": (),
    "retrospective": (),
    "grade_none": ("n_treated", "n_baseline"),
    "rooms_lost": ("planned", "kept"),
    # the verdict
    "locked": (),
    "not_started": (),
    "interim_goes_on": (),  # the interim look ended nothing, so it shows nothing
    "not_estimable": (),
    "no_threshold": (),
    "useful": ("effect", "useful"),
    "not_useful_yet": (
        "effect",
        "useful",
    ),  # proven different from zero, but the estimate is below the threshold
    "uncertain": ("ci_low", "ci_high"),  # the interval holds zero
    "harmful": ("ci_low", "ci_high"),
    "futile": ("bound", "useful"),  # even the good end of the interval is below the threshold
    "randomisation_disagrees": ("p_value", "p_randomised", "alpha"),
    "guardrail_held": ("outcome", "margin"),
    "guardrail_unclear": ("outcome", "margin"),
    "guardrail_crossed": ("outcome", "margin"),
    "guardrail_not_estimable": ("outcome",),
    "indicative_only": (),  # everything else was there; the grade forbids « generalise »
    "voices_alone": (),  # an open form alone never generalises
    "fragile": (),  # see sd_ratio, randomisation_disagrees
    # the way out of « cannot conclude » or of « indicative », each tried before it is said
    "add_rooms": ("treated", "baseline", "n_treated", "n_baseline", "grade"),
    "more_days": ("rooms", "days", "grade"),
    "new_protocol": ("grade",),  # the same rooms, declared before the switch, drawn by lot
    "draw_by_lot": ("grade",),
    # planning
    "short_history": ("days", "needed"),
    "no_spread": (),  # neither history nor a typical spread was given
    "guardrails_weak": ("probability", "limit"),  # harmless, yet too seldom proven so
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code of `REASONS` and the numbers its sentence needs."""

    code: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As the API gives it: `{"code", "numbers"}`."""
        return {"code": self.code, "numbers": dict(self.numbers)}


class ExperimentError(ValueError):
    """Root of what this package raises."""


class DesignError(ExperimentError):
    """A design or protocol that contradicts itself."""


class PanelError(ExperimentError):
    """A panel that cannot be read as one value per room and day."""
