"""What was booked beside what happened. Undefined where no calendar of the room is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.outcomes.definition import Cell, OutcomeDefinition
from experiments.outcomes.occupancy import meeting_spans

if TYPE_CHECKING:
    from experiments.outcomes.signals import Signals

EARLY, GRACE = 5, 10  # minutes around its beginning in which somebody has to be there
KNOWN = 0.8  # of a booking's minutes: what was not seen is neither held nor missed
Span = tuple[int, int]


def no_show(signals: Signals) -> Cell:
    """Share of bookings to which nobody came within ten minutes, in %; undefined without a booking."""
    return _share([not _came(signals, span) for span in _seen(signals)], signals)


def ad_hoc(signals: Signals) -> Cell:
    """Share of meetings that nobody had booked, in %; undefined on a day without a meeting."""
    if signals.booked is None:
        return Cell(None, 0.0)
    booked = np.zeros(signals.minutes, dtype=bool)
    for start, end in signals.booked:
        booked[max(start - EARLY, 0) : end] = True
    return _share([not booked[start:end].any() for start, end in meeting_spans(signals.in_use)], signals)


def early_end(signals: Signals) -> Cell:
    """Minutes of a booking that was held left unused at its end, on average."""
    left = [end - 1 - _last_use(signals, start, end) for start, end in _held(signals)]
    return Cell(float(np.mean(left)) if left else None, _coverage(signals))


def overrun(signals: Signals) -> Cell:
    """Minutes that people stayed after the end of a booking that was held, on average, the next one apart."""
    stayed = [_stay(signals, end) for _, end in _held(signals) if end < signals.minutes]
    return Cell(float(np.mean(stayed)) if stayed else None, _coverage(signals))


def _share(found: list[bool], signals: Signals) -> Cell:
    return Cell(100 * sum(found) / len(found) if found else None, _coverage(signals))


def _coverage(signals: Signals) -> float:
    return 0.0 if signals.booked is None else signals.coverage(signals.occupied)


def _seen(signals: Signals) -> list[Span]:
    """The bookings of the day of which enough is known."""
    known = np.isfinite(signals.occupied)
    return [span for span in signals.booked or () if known[slice(*span)].mean() >= KNOWN]


def _came(signals: Signals, span: Span) -> bool:
    start, end = span
    return bool(signals.in_use[max(start - EARLY, 0) : min(start + GRACE, end)].any())


def _held(signals: Signals) -> list[Span]:
    return [span for span in _seen(signals) if _came(signals, span)]


def _last_use(signals: Signals, start: int, end: int) -> int:
    used = np.flatnonzero(signals.in_use[start:end])
    return start + int(used[-1]) if len(used) else start


def _stay(signals: Signals, end: int) -> int:
    following = min((start for start, _ in signals.booked or () if start >= end), default=signals.minutes)
    gone = np.flatnonzero(~signals.in_use[end:following])
    return int(gone[0]) if len(gone) else following - end


DEFINITIONS = (
    OutcomeDefinition("no_show", 1, "%", "occupancy", "lower", 0, no_show),
    OutcomeDefinition("ad_hoc", 1, "%", "occupancy", "lower", 0, ad_hoc),
    OutcomeDefinition("early_end", 1, "min", "occupancy", "lower", 0, early_end),
    OutcomeDefinition("overrun", 1, "min", "occupancy", "lower", 0, overrun),
)
