"""Air, warmth and quiet while a room is used (noise: while it is not, since people speak)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.outcomes.definition import Cell, OutcomeDefinition

if TYPE_CHECKING:
    from experiments.outcomes.signals import Bools, Floats, Signals

HIGH_CO2 = 1000.0  # ppm
# EN 16798-1, category II, as read in facts: heating season, other season (°C)
HEATING_BAND, OTHER_BAND = (20.0, 24.0), (23.0, 26.0)
HEATING_MONTHS = (10, 11, 12, 1, 2, 3, 4)
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


def temperature_in_band(signals: Signals) -> Cell:
    """Share of occupied minutes inside EN 16798-1 category II of the season, in %."""
    low, high = HEATING_BAND if signals.day.month in HEATING_MONTHS else OTHER_BAND
    met = _while(signals.in_use, signals.temperature)
    value = float(100 * ((met >= low) & (met <= high)).mean()) if len(met) else None
    return Cell(value, signals.coverage(signals.occupied, signals.temperature))


def sound_background(signals: Signals) -> Cell:
    """5th percentile of the level while empty, in dB(A); undefined on a day never empty."""
    empty = _while(signals.occupied == 0, signals.sound)
    value = float(np.percentile(empty, BACKGROUND)) if len(empty) else None
    return Cell(value, signals.coverage(signals.occupied, signals.sound))


DEFINITIONS = (
    OutcomeDefinition("co2_occupied", 1, "ppm", "comfort", "lower", 0, co2_occupied),
    OutcomeDefinition("co2_high", 1, "%", "comfort", "lower", 0, co2_high),
    OutcomeDefinition("temperature_in_band", 1, "%", "comfort", "higher", 0, temperature_in_band),
    OutcomeDefinition("sound_background", 1, "dB(A)", "comfort", "lower", 1, sound_background),
)
