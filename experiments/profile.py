"""What several weeks say of one room: its air, how fast that is changed, and whether its size fits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log10
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

OUTCOMES = ("occupied_minutes", "co2_high", "co2_very_high", "air_changes", "people_peak")
FEWEST_DAYS, FEWEST_FALLS = 10, 3
LITTLE_SEEN = 0.5  # a day less covered than this is left out
LITRES, HOUR = 1000, 3600
Confinement = Literal["none", "low", "medium", "high", "very_high", "extreme"]
LEVELS: tuple[Confinement, ...] = ("none", "low", "medium", "high", "very_high", "extreme")


@dataclass(frozen=True, slots=True)
class Profile:
    """Each number with the days it rests on; None where they are too few.

    `icone` is 0 to 5 (`LEVELS`), over `air_days` days in use; `air_changes` is in 1/h and `fresh_air` in L/s,
    the median of `fall_days` days; `largest` people are not exceeded on nine of ten of `group_days` days in
    use, which leaves `spare` seats.
    """

    icone: int | None = None
    air_days: int = 0
    air_changes: float | None = None
    fresh_air: float | None = None
    fall_days: int = 0
    largest: int | None = None
    spare: int | None = None
    group_days: int = 0

    @property
    def confinement(self) -> Confinement | None:
        """What `icone` is called."""
        return None if self.icone is None else LEVELS[self.icone]


def profile(found: pd.DataFrame, capacity: int | None = None, volume_m3: float | None = None) -> Profile:
    """The profile of one room.

    `found` has columns day, outcome, value and coverage (0–1): a row a day and outcome of OUTCOMES.
    """
    seen = found[(found["coverage"] >= LITTLE_SEEN) & found["value"].notna()]
    table = seen.pivot_table(index="day", columns="outcome", values="value", aggfunc="last")
    table = table.reindex(columns=list(OUTCOMES))
    air = table.dropna(subset=["occupied_minutes", "co2_high", "co2_very_high"])
    air = air[air["occupied_minutes"] > 0]
    falls, groups = table["air_changes"].dropna(), table["people_peak"].dropna()
    changes = float(falls.median()) if len(falls) >= FEWEST_FALLS else None
    largest = int(np.ceil(np.percentile(groups, 90))) if len(groups) >= FEWEST_DAYS else None
    return Profile(
        icone=_icone(air) if len(air) >= FEWEST_DAYS else None,
        air_days=len(air),
        air_changes=changes,
        fresh_air=changes * volume_m3 * LITRES / HOUR if changes is not None and volume_m3 else None,
        fall_days=len(falls),
        largest=largest,
        spare=capacity - largest if capacity and largest is not None else None,
        group_days=len(groups),
    )


def _icone(air: pd.DataFrame) -> int:
    """ICONE, the French index of air stuffiness, rounded to 0–5.

    (2.5 ÷ log10 2) · log10(1 + f1 + 3 f2), f1 the share of occupied time above 1000 and up to 1700 ppm, f2
    above 1700; here each day counts by its occupied minutes.
    """
    minutes = air["occupied_minutes"].to_numpy()
    above = float(np.average(air["co2_high"], weights=minutes)) / 100
    far_above = float(np.average(air["co2_very_high"], weights=minutes)) / 100
    return int(2.5 / log10(2) * log10(1 + above - far_above + 3 * far_above) + 0.5)


def category_minutes(cells: pd.DataFrame, shares: Sequence[str]) -> tuple[int, ...]:
    """Occupied minutes in each EN 16798-1 category, the last for what is worse than all; (0,) where unknown.

    `cells` has a row a room and day: `occupied_minutes`, and in each column of `shares` the share (%) of them
    in that category or a better one.
    """
    wanted = ["occupied_minutes", *shares]
    if not set(wanted) <= set(cells.columns):
        return (0,)
    known = cells[wanted].dropna()
    within = known[list(shares)].mul(known["occupied_minutes"] / 100, axis=0).sum().tolist()
    edges = [0.0, *within, float(known["occupied_minutes"].sum())]
    return tuple(round(high - low) for low, high in pairwise(edges))
