"""Air, warmth and quiet while a room is used (noise: while it is not, since people speak)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.outcomes.definition import Cell, OutcomeDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.outcomes.signals import Bools, Floats, Signals

HIGH_CO2 = 1000.0  # ppm
VERY_HIGH_CO2 = 1700.0  # ppm
OUTDOOR_CO2 = 420.0  # ppm
# EN 16798-1, categories I, II and III; IV is what is worse (°C; ppm above outdoors)
HEATING_BANDS = ((21.0, 23.0), (20.0, 24.0), (19.0, 25.0))
OTHER_BANDS = ((23.5, 25.5), (23.0, 26.0), (22.0, 27.0))
CO2_BANDS = (550.0, 800.0, 1350.0)
HEATING_MONTHS = (10, 11, 12, 1, 2, 3, 4)
# of a fall that says how much air is changed: minutes, ppm above outdoors, values, share explained
LONG_ENOUGH, MIXING, FEWEST_VALUES, STRAIGHT = 40, 10, 4, 0.9
BEGINS_ABOVE, ENDS_ABOVE = 200.0, 50.0
BACKGROUND = 5  # percentile of the empty room's level: what the room itself makes heard


def _while(condition: Bools, signal: Floats) -> Floats:
    return signal[condition & np.isfinite(signal)]


def co2_occupied(signals: Signals) -> Cell:
    """Mean CO2 while occupied, in ppm; undefined on a day without a meeting."""
    met = _while(signals.in_use, signals.co2)
    return Cell(float(met.mean()) if len(met) else None, signals.coverage(signals.occupied, signals.co2))


def co2_high(signals: Signals) -> Cell:
    """Share of occupied minutes above 1000 ppm, in %."""
    met = _while(signals.in_use, signals.co2)
    value = float(100 * (met > HIGH_CO2).mean()) if len(met) else None
    return Cell(value, signals.coverage(signals.occupied, signals.co2))


def co2_very_high(signals: Signals) -> Cell:
    """Share of occupied minutes above 1700 ppm, in %: the second of the two shares that ICONE is made of."""
    met = _while(signals.in_use, signals.co2)
    value = float(100 * (met > VERY_HIGH_CO2).mean()) if len(met) else None
    return Cell(value, signals.coverage(signals.occupied, signals.co2))


def air_changes(signals: Signals) -> Cell:
    """Air changes an hour, from how fast CO2 falls once everybody has left; the median of the day's falls.

    ACH = −slope of ln(C − C_out) against hours (ASTM E741's decay, with what people breathed out as tracer
    gas). Undefined without a fall that begins 200 ppm above outdoors, lasts 40 min in an empty room with four
    values or more, ends 50 ppm above outdoors, and is straight (R² ≥ .9).
    """
    falls = [found for found in map(_fall, _emptied(signals)) if found is not None]
    value = float(np.median(falls)) if falls else None
    return Cell(value, signals.coverage(signals.occupied, signals.co2))


def _emptied(signals: Signals) -> list[Floats]:
    """CO2 over each stretch of minutes that follows a use and is known to be empty."""
    empty = (signals.occupied == 0) & np.isfinite(signals.co2)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty, [False]))))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [
        signals.co2[start:end]
        for start, end in spans
        if start > 0 and signals.occupied[start - 1] == 1 and end - start >= LONG_ENOUGH
    ]


def _fall(co2: Floats) -> float | None:
    told = np.concatenate(([0], np.flatnonzero(np.diff(co2)) + 1))  # a sensor tells every few minutes
    excess = co2[told] - OUTDOOR_CO2
    low = np.flatnonzero(excess < ENDS_ABOVE)
    if len(low):
        told, excess = told[: low[0]], excess[: low[0]]
    if len(told) < FEWEST_VALUES or told[-1] - told[0] < LONG_ENOUGH - MIXING or excess[0] < BEGINS_ABOVE:
        return None
    hours, logs = told / 60, np.log(excess)
    slope, start = np.polyfit(hours, logs, 1)
    left = logs - (slope * hours + start)
    straight = 1 - (left @ left) / np.sum((logs - logs.mean()) ** 2) if np.ptp(logs) > 0 else 0.0
    return -float(slope) if straight >= STRAIGHT and slope < 0 else None


def temperature_within(category: int) -> Callable[[Signals], Cell]:
    """Share of occupied minutes inside EN 16798-1 `category` (1 to 3) of the season or a better one, in %."""

    def share(signals: Signals) -> Cell:
        bands = HEATING_BANDS if signals.day.month in HEATING_MONTHS else OTHER_BANDS
        low, high = bands[category - 1]
        met = _while(signals.in_use, signals.temperature)
        value = float(100 * ((met >= low) & (met <= high)).mean()) if len(met) else None
        return Cell(value, signals.coverage(signals.occupied, signals.temperature))

    return share


def co2_within(category: int) -> Callable[[Signals], Cell]:
    """Share of occupied minutes inside EN 16798-1 `category` (1 to 3) or a better one, in %."""

    def share(signals: Signals) -> Cell:
        met = _while(signals.in_use, signals.co2)
        value = float(100 * (met <= OUTDOOR_CO2 + CO2_BANDS[category - 1]).mean()) if len(met) else None
        return Cell(value, signals.coverage(signals.occupied, signals.co2))

    return share


def sound_background(signals: Signals) -> Cell:
    """5th percentile of the level while empty, in dB(A); undefined on a day never empty."""
    empty = _while(signals.occupied == 0, signals.sound)
    value = float(np.percentile(empty, BACKGROUND)) if len(empty) else None
    return Cell(value, signals.coverage(signals.occupied, signals.sound))


DEFINITIONS = (
    OutcomeDefinition("co2_occupied", 1, "ppm", "comfort", "lower", 0, co2_occupied),
    OutcomeDefinition("co2_high", 1, "%", "comfort", "lower", 0, co2_high),
    OutcomeDefinition("co2_very_high", 1, "%", "comfort", "lower", 0, co2_very_high),
    OutcomeDefinition("air_changes", 1, "/h", "comfort", "higher", 1, air_changes),
    OutcomeDefinition("temperature_in_band", 1, "%", "comfort", "higher", 0, temperature_within(2)),
    OutcomeDefinition("sound_background", 1, "dB(A)", "comfort", "lower", 1, sound_background),
    OutcomeDefinition("temperature_category_1", 1, "%", "comfort", "higher", 0, temperature_within(1)),
    OutcomeDefinition("temperature_category_3", 1, "%", "comfort", "higher", 0, temperature_within(3)),
    OutcomeDefinition("co2_category_1", 1, "%", "comfort", "higher", 0, co2_within(1)),
    OutcomeDefinition("co2_category_2", 1, "%", "comfort", "higher", 0, co2_within(2)),
    OutcomeDefinition("co2_category_3", 1, "%", "comfort", "higher", 0, co2_within(3)),
)
# the shares inside categories I, II and III of a quantity, the best first
CATEGORIES = {
    "temperature": ("temperature_category_1", "temperature_in_band", "temperature_category_3"),
    "co2": ("co2_category_1", "co2_category_2", "co2_category_3"),
}
