"""What a comparison costs: time and memory of `compare` and of a whole verdict, against their limits.

python benchmarks/compare.py
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import pandas as pd

from experiments import Measure, Protocol, analyse, compare, inference
from experiments.simulate import Scenario, panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments import Design

SMALL = Scenario()
LARGE = Scenario(n_treated=10, n_baseline=40, days_before=125, days_after=125)


def milliseconds(call: Callable[[], object], times: int) -> float:
    """Median processor time of several calls, after one that is not counted."""
    call()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return 1_000 * statistics.median(taken)


def peak_megabytes(call: Callable[[], object]) -> float:
    """Memory asked for during one call."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def drawn_anew(data: pd.DataFrame, design: Design) -> object:
    """Compare without the draws that an earlier comparison of the same rooms left behind."""
    inference._draws.cache_clear()  # noqa: SLF001 - the cost of a first comparison is what is measured
    return compare(data, design)


def year_of_fifty_rooms() -> tuple[pd.DataFrame, Protocol]:
    """A primary outcome, three guardrails and five secondaries, 12,500 room-days each."""
    roles = [("primary", 1.0, None), *[("guardrail", None, 1.0)] * 3, *[("secondary", None, None)] * 5]
    measures = tuple(
        Measure(f"outcome {i}", role, "higher", useful, margin)
        for i, (role, useful, margin) in enumerate(roles)
    )
    frames = [panel(LARGE, seed)[0].assign(outcome=measure.outcome) for seed, measure in enumerate(measures)]
    data, design = panel(LARGE, 0)
    return pd.concat(frames), Protocol("year", "A year", design, min(data.day), max(data.day), measures)


def main() -> None:
    """Print the table."""
    small, large, year = panel(SMALL, 1), panel(LARGE, 1), year_of_fifty_rooms()
    wide = panel(Scenario(n_treated=20, n_baseline=80, days_before=125, days_after=125), 1)
    rows = [
        ("compare, 3+5 rooms × 80 days, all 56 draws", milliseconds(lambda: compare(*small), 40), 3.0),
        ("compare, 10+40 × 250, 9,999 draws", milliseconds(lambda: drawn_anew(*large), 20), 10.0),
        ("the same, draws already made", milliseconds(lambda: compare(*large), 20), 10.0),
        ("compare, 20+80 × 250, 9,999 draws", milliseconds(lambda: drawn_anew(*wide), 10), 20.0),
        ("verdict: a year, 50 rooms, 9 outcomes", milliseconds(lambda: analyse(*year), 10), 100.0),
    ]
    for name, taken, limit in rows:
        print(f"{name:<48} {taken:7.2f} ms   limit {limit:g}")
    memory = peak_megabytes(lambda: drawn_anew(*large))
    print(f"{'memory of compare, 10+40 × 250':<48} {memory:7.1f} MB   limit 50")


if __name__ == "__main__":
    main()
