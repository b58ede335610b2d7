"""What an outcome is: one number a room and local day, or a room and period, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from experiments.outcomes.signals import Signals

Family = Literal["occupancy", "comfort", "voice"]


class Cell(NamedTuple):
    """A room's value of one day (None: not defined that day) and the share of opening hours it rests on."""

    value: float | None
    coverage: float


@dataclass(frozen=True)
class OutcomeDefinition:
    """An outcome: its key, the version of its definition, unit, usual direction, decimals on a page.

    `of_day` computes it from a room's day; a voice outcome has none, it comes from answers.
    """

    key: str
    version: int
    unit: str
    family: Family
    better: Literal["higher", "lower"]
    decimals: int
    of_day: Callable[[Signals], Cell] | None = None
