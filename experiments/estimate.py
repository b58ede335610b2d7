"""One outcome of a few rooms, compared: the Estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from experiments.reason import Reason

if TYPE_CHECKING:
    import pandas as pd

    from experiments.design import Design

Grade = Literal["decision", "indicative", "none"]


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
    `ci_high` come from the same t distribution with `df` degrees of freedom (`1 - alpha` interval);
    `p_randomised` is the share of the `assignments` equally possible draws whose studentised effect is at least
    as large (`extreme` of `draws` looked at). `grade` is the worse of the design as declared and as kept.
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

    `panel` has columns `room`, `day` (dates or integers) and `value` (missing rows or NaN: not observed), in
    any order; no day is dropped but the washout. The answer is in the unit of `value`. Raises PanelError for a
    panel that is not one; what cannot be estimated is None with a Reason.
    """
    raise NotImplementedError
