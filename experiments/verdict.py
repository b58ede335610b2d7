"""From estimates and thresholds fixed beforehand to what may be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from experiments.design import Measure, Protocol
from experiments.estimate import Estimate, Grade
from experiments.reason import Reason

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["idea", "planned", "running", "ended", "decided"]
Verdict = Literal["generalise", "adjust", "stop", "cannot_conclude"]
State = Literal["held", "crossed", "unclear", "not_estimable"]
Look = Literal["interim", "final"]


@dataclass(frozen=True)
class Voices:
    """What a voice outcome rests on: answers a period, and how little it would take to move it.

    `ratio` is answers per room, the arm with more ÷ the arm with fewer; `flip` is how many extreme answers, added
    to each treated room after the switch, would change whether the interval holds zero (None: over 1,000).
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
        raise NotImplementedError


def analyse(
    panel: pd.DataFrame, protocol: Protocol, status: Status = "ended", look: Look = "final"
) -> Result:
    """Everything the protocol lets one say of the panel, by the order of `docs/method.md`.

    `panel` has columns `room`, `day`, `outcome`, `value` and, for voices, `n` (answers). Until the end
    `verdict` and every estimate are None, reason `locked`. An interim look that ends nothing shows nothing. Raises PanelError.
    """
    raise NotImplementedError
