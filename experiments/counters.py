"""People in a room from a counter at its door: so many went in, so many came out, since it was last reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Instants = NDArray[np.int64]
    Floats = NDArray[np.float64]

EMPTIED = 2 * 60 * 60_000  # ms without anybody at the door: whoever is still counted inside left unseen


def inside(went_in: tuple[Instants, Floats], came_out: tuple[Instants, Floats]) -> tuple[Instants, Floats]:
    """How many are inside at each instant (ms, ascending) at which either total was told.

    Each total is of everybody since its last reset, its instants ascending. Nobody is inside at first. A
    total that falls was reset, and counts what it shows. Counters miss people: never fewer than nobody is
    inside, and after two hours without a passage nobody is.
    """
    times = np.union1d(went_in[0], came_out[0])
    entries, exits = _passages(*went_in, times), _passages(*came_out, times)
    people = np.zeros(len(times))
    now, last_passage = 0.0, times[0] if len(times) else 0
    for index, (step, somebody) in enumerate(zip(entries - exits, entries + exits > 0, strict=True)):
        if somebody:
            last_passage = times[index]
        elif times[index] - last_passage >= EMPTIED:
            now = 0.0
        now = max(0.0, now + step)
        people[index] = now
    return times, people


def _passages(at: Instants, total: Floats, times: Instants) -> Floats:
    """How many passed until each of `times` since the one before; what was there at first does not count."""
    steps = np.diff(total, prepend=total[:1])
    steps = np.where(steps < 0, total, steps)
    found = np.zeros(len(times))
    found[np.searchsorted(times, at)] = steps
    return found
