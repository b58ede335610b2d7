"""How much a room is used. Every share is of the *observed* opening minutes of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.outcomes.definition import Cell, OutcomeDefinition

if TYPE_CHECKING:
    from experiments.outcomes.signals import Bools, Signals

MERGED_GAP = 15  # minutes: people who step out come back to the same meeting
SHORTEST_MEETING = 10  # minutes: less is somebody fetching a chair


def _share_occupied(signals: Signals) -> float | None:
    known = np.isfinite(signals.occupied)
    return float(signals.in_use[known].mean()) if known.any() else None


def occupied_minutes(signals: Signals) -> Cell:
    """Occupied share of the observed opening minutes × opening minutes: what the whole day would give."""
    share = _share_occupied(signals)
    value = None if share is None else share * signals.minutes
    return Cell(value, signals.coverage(signals.occupied))


def time_utilisation(signals: Signals) -> Cell:
    """Occupied ÷ observed opening minutes, in %."""
    share = _share_occupied(signals)
    return Cell(None if share is None else 100 * share, signals.coverage(signals.occupied))


def seat_fill(signals: Signals) -> Cell:
    """Mean people while occupied ÷ capacity, in %; undefined without a counter, a capacity or a meeting."""
    counted = signals.in_use & np.isfinite(signals.people)
    coverage = signals.coverage(signals.people)
    if not signals.capacity or not counted.any():
        return Cell(None, coverage)
    return Cell(float(100 * signals.people[counted].mean() / signals.capacity), coverage)


def meetings(signals: Signals) -> Cell:
    """Meetings of the day: gaps up to 15 min merged, shorter than 10 min dropped."""
    if not np.isfinite(signals.occupied).any():
        return Cell(None, 0.0)
    return Cell(float(len(meeting_spans(signals.in_use))), signals.coverage(signals.occupied))


def meeting_spans(in_use: Bools) -> list[tuple[int, int]]:
    """`(first minute, minute after the last)` of each meeting."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], in_use, [False]))))
    spans: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and start - spans[-1][1] <= MERGED_GAP:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [(start, end) for start, end in spans if end - start >= SHORTEST_MEETING]


def people_peak(signals: Signals) -> Cell:
    """The most people at once; undefined without a counter or on a day without a meeting."""
    counted = signals.in_use & np.isfinite(signals.people)
    value = float(signals.people[counted].max()) if counted.any() else None
    return Cell(value, signals.coverage(signals.people))


DEFINITIONS = (
    OutcomeDefinition("occupied_minutes", 1, "min/day", "occupancy", "higher", 0, occupied_minutes),
    OutcomeDefinition("time_utilisation", 1, "%", "occupancy", "higher", 0, time_utilisation),
    OutcomeDefinition("seat_fill", 1, "%", "occupancy", "higher", 0, seat_fill),
    OutcomeDefinition("meetings", 1, "/day", "occupancy", "higher", 1, meetings),
    OutcomeDefinition("people_peak", 1, "people", "occupancy", "higher", 0, people_peak),
)
