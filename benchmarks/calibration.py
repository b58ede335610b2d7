"""How often the comparison is wrong, in simulated experiments of known effect.

    python benchmarks/calibration.py                     20,000 experiments a cell (`make calibration`)
    python benchmarks/calibration.py --experiments 2000  a quick look
    python benchmarks/calibration.py --write             and into docs/method.md

Every cell has its own fixed seed; the Monte Carlo standard error stands beside each rate.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from scipy.special import stdtrit

from experiments.calibration import CHUNK, Trials, from_changes, joined, judged, ridits, trials
from experiments.estimate import MANY_BASELINE
from experiments.planning import multiplier, multiplier_generalise, probability_generalise
from experiments.simulate import Scenario, ballots, stuffed, tables

if TYPE_CHECKING:
    from collections.abc import Callable

METHOD = Path(__file__).parent.parent / "docs" / "method.md"
START, END = "<!-- calibration: make calibration ARGS=--write -->", "<!-- end of calibration -->"
SIGMA = Scenario()
LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """One rate with what was promised: at most, at least, or both."""

    group: str
    name: str
    rate: float
    n: int
    promise: str
    low: float = 0.0
    high: float = 1.0

    @property
    def error(self) -> float:
        """Monte Carlo standard error."""
        return float(np.sqrt(max(self.rate * (1 - self.rate), 1 / self.n) / self.n))

    @property
    def kept(self) -> bool:
        """Within the promise, two standard errors allowed for."""
        return self.low - 2 * self.error <= self.rate <= self.high + 2 * self.error


def nothing_changed(name: str, scenario: Scenario, limit: float, n: int) -> list[Row]:
    """False positives of the interval and of the lot, and how often « generalise » is said."""
    found = trials(scenario, n, seed=1, lots=True)
    group = "nothing changed"
    return [
        Row(
            group, f"{name}: interval excludes zero", found.excludes().mean(), n, f"≤ {limit:.1%}", high=limit
        ),
        Row(
            group,
            f"{name}: lot drawn again p ≤ .05",
            (found.p_randomised <= LEVEL).mean(),
            n,
            "≤ 5.0%",
            high=0.05,
        ),
        Row(group, f"{name}: « generalise »", found.generalises(1e-9).mean(), n, "≤ 2.5%", high=0.025),
    ]


def interval_only(name: str, scenario: Scenario, n: int) -> list[Row]:
    """False positives of the interval alone."""
    rate = trials(scenario, n, seed=1).excludes().mean()
    return [Row("nothing changed, other numbers of rooms", name, rate, n, "≤ 5.8%", high=0.058)]


def flagged(name: str, scenario: Scenario, rate: float, n: int) -> list[Row]:
    """Where the interval is known to be liberal: said, with its rate."""
    found = trials(scenario, n, seed=2)
    return [
        Row(
            "liberal, and flagged",
            name,
            found.excludes().mean(),
            n,
            f"≈ {rate:.1%}",
            rate - 0.01,
            rate + 0.01,
        )
    ]


def power(n: int) -> list[Row]:
    """Three against five, an effect of one SD of a room-day."""
    scenario = replace(SIGMA, effect=1.0)
    found = trials(scenario, n, seed=3)
    return [
        Row(
            "an effect",
            "3+5, τ = 1σ: interval excludes zero",
            found.excludes().mean(),
            n,
            "75 ± 2%",
            0.73,
            0.77,
        ),
        Row(
            "an effect",
            "3+5, τ = 1σ: interval covers τ",
            (~found.excludes(1.0)).mean(),
            n,
            "94–96%",
            0.94,
            0.96,
        ),
    ]


def promised(n1: int, n0: int, n: int) -> list[Row]:
    """What planning said of « generalise », on room changes straight from the normal."""
    rows = []
    for words, factor in (("MDE80", multiplier(n1, n0)), ("its 80 % effect", multiplier_generalise(n1, n0))):
        effect = float(factor or 0.0)
        said = normal_trials(n1, n0, effect, n, seed=4).generalises(0.0).mean()
        chance = probability_generalise(n1, n0, effect)
        bounds = (chance - 0.02, chance + 0.02)
        rows.append(
            Row("planning", f"{n1}+{n0} at {words}: « generalise »", said, n, f"{chance:.0%} ± 2%", *bounds)
        )
    return rows


def normal_trials(n1: int, n0: int, effect: float, n: int, seed: int) -> Trials:
    """Room changes of SD one, the treated ones lifted by `effect`."""
    rng = np.random.default_rng(seed)
    shares = np.ones((n1 + n0, 1))
    parts = []
    for size in chunks(n):
        changes = rng.standard_normal((size, n1 + n0))
        changes[:, :n1] += effect
        parts.append(from_changes(changes, n1, changes[:, :, None], shares))
    return joined(parts)


def guardrails(n: int) -> list[Row]:
    """Three harmless guardrails with margins at their own MDE80, and a large useful effect."""
    margin = float(multiplier(3, 5) or 0.0)
    three = [normal_trials(3, 5, 0.0, n, seed) for seed in (5, 6, 7)]
    crossed = np.any([found.beyond(margin) for found in three], axis=0).mean()
    held = np.all([found.inside(margin) for found in three], axis=0).mean()
    large = normal_trials(3, 5, 2 * margin, n, seed=8)
    return [
        Row("guardrails", "three harmless: false « stop »", crossed, n, "≤ 0.3%", high=0.003),
        Row("guardrails", "three harmless, margin = MDE80: all held", held, n, "51 ± 2%", 0.49, 0.53),
        Row(
            "guardrails",
            "effect 2 × MDE80, δ = MDE80: « stop »",
            large.futile(margin).mean(),
            n,
            "never",
            high=0.0,
        ),
    ]


def interim(n: int) -> list[Row]:
    """One look at half-time (.005, the lot at its floor), the end at .045."""
    early, late = [], []
    rng = np.random.default_rng(9)
    for size in chunks(n):
        table = tables(SIGMA, rng, size)
        half, end = judged(SIGMA, table[:, :, :60], lots=True), judged(SIGMA, table, lots=True)
        early.append(half.generalises(1e-9, 0.005, max(0.005, half.p_floor)))
        late.append(end.generalises(1e-9, 0.045))
    said = (np.concatenate(early) | np.concatenate(late)).mean()
    return [
        Row("nothing changed", "one interim look: « generalise » at either", said, n, "≤ 2.5%", high=0.025)
    ]


def voices(n: int) -> list[Row]:
    """Answers 1–7 as ridits by room and period."""
    equal, unlike, stuffing = [], [], []
    rng = np.random.default_rng(10)
    for size in chunks(n):
        equal.append(heard(*ballots(rng, size, [30] * 8, [30] * 8)))
        few = [10] * 3 + [45] * 5
        unlike.append(heard(*ballots(rng, size, few, few)))
        before, after = ballots(rng, size, [60] * 8, [60] * 8)
        stuffing.append(
            heard(
                before, [stuffed(room, 40) if i < SIGMA.n_treated else room for i, room in enumerate(after)]
            )
        )
    one_mark = joined(stuffing).generalises(1e-9).mean()
    return [
        Row(
            "voices",
            "30 answers a room: interval excludes zero",
            joined(equal).excludes().mean(),
            n,
            "≤ 6.0%",
            high=0.06,
        ),
        Row(
            "voices",
            "10 against 45 answers (capped at indicative)",
            joined(unlike).excludes().mean(),
            n,
            "flagged",
        ),
        Row("voices", "one false top mark a day (open forms never generalise)", one_mark, n, "refused"),
    ]


def heard(before: list[np.ndarray], after: list[np.ndarray]) -> Trials:
    """Ridits of eight rooms as room changes."""
    changes = np.stack([ridits(*room) for room in zip(before, after, strict=True)], axis=1)
    return from_changes(changes, 3, changes[:, :, None], np.ones((8, 1)))


def others(n: int) -> list[Row]:
    """What everyday methods say of the same panels, nothing having changed."""
    rows = []
    for scenario in (SIGMA, replace(SIGMA, n_treated=1)):
        wrong: dict[str, list[np.ndarray]] = {}
        rng = np.random.default_rng(11)
        for size in chunks(n):
            table = tables(scenario, rng, size)
            for name, method in METHODS.items():
                wrong.setdefault(name, []).append(method(table, scenario.n_treated))
        rooms = f"{scenario.n_treated}+{scenario.n_baseline}"
        rows += [
            Row("other ways of counting", f"{rooms}: {name}", np.concatenate(said).mean(), n, "not ours")
            for name, said in wrong.items()
        ]
    return rows


def room_days(table: np.ndarray, n_treated: int) -> np.ndarray:
    """Treated against baseline room-days after the switch, as if each were a trial of its own."""
    after = table[:, :, 40:]
    treated, baseline = (
        part.reshape(len(table), -1) for part in (after[:, :n_treated], after[:, n_treated:])
    )
    se = np.sqrt(treated.var(1, ddof=1) / treated.shape[1] + baseline.var(1, ddof=1) / baseline.shape[1])
    return np.asarray(np.abs(treated.mean(1) - baseline.mean(1)) > 1.96 * se)


def two_way(table: np.ndarray, n_treated: int, *, clustered: bool) -> np.ndarray:
    """Two-way effects and τ·treated; errors independent, or clustered by room (CR1, G − 1 df)."""
    rooms, days = table.shape[1:]
    treatment = np.zeros((rooms, days))
    treatment[:n_treated, 40:] = 1
    x, y = demeaned(treatment[None])[0], demeaned(table)
    square = (x**2).sum()
    effect = (y * x).sum((1, 2)) / square
    rest = y - effect[:, None, None] * x
    if clustered:
        df = rooms - 1
        se = np.sqrt(((rest * x).sum(2) ** 2).sum(1) * rooms / df) / square
    else:
        df = (rooms - 1) * (days - 1) - 1
        se = np.sqrt((rest**2).sum((1, 2)) / df / square)
    return np.asarray(np.abs(effect) > stdtrit(df, 1 - LEVEL / 2) * se)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "t-test on room-days": room_days,
    "two-way fixed effects, iid errors": partial(two_way, clustered=False),
    "two-way fixed effects, clustered by room (CR1)": partial(two_way, clustered=True),
}


def demeaned(table: np.ndarray) -> np.ndarray:
    """Net of room and day means."""
    return (
        table
        - table.mean(2, keepdims=True)
        - table.mean(1, keepdims=True)
        + table.mean((1, 2), keepdims=True)
    )


def chunks(n: int) -> list[int]:
    """Sizes that fit in memory."""
    return [min(CHUNK, n - start) for start in range(0, n, CHUNK)]


CONDITIONS: dict[str, dict[str, float | int]] = {
    "common shocks": {"common": 2.0, "lasting_common": 1.0},
    "10 % holes": {"holes": 0.1},
    "lasting shifts": {"lasting": 0.5},
    "dates within 20 days": {"apart": 20},
    "dates within 20 days, 10 % holes": {"apart": 20, "holes": 0.1},
}

CELLS = [
    *(
        partial(nothing_changed, f"{a}+{b}", replace(SIGMA, n_treated=a, n_baseline=b), 0.058)
        for a, b in ((3, 5), (2, 3), (2, 10), (4, 4), (5, 10))
    ),
    partial(nothing_changed, "3+5, common shocks", replace(SIGMA, common=2.0, lasting_common=1.0), 0.058),
    partial(nothing_changed, "3+5, 10 % holes", replace(SIGMA, holes=0.1), 0.058),
    partial(nothing_changed, "3+5, lasting shifts", replace(SIGMA, lasting=0.5), 0.058),
    partial(nothing_changed, "3+5, heavy tails", replace(SIGMA, tails=3.0), 0.058),
    partial(nothing_changed, "3+5, dates within 20 days", replace(SIGMA, apart=20), 0.058),
    partial(
        nothing_changed, "3+5, dates within 20 days, 10 % holes", replace(SIGMA, apart=20, holes=0.1), 0.058
    ),
    *(
        partial(interval_only, f"{a}+{b}, {name}", replace(SIGMA, n_treated=a, n_baseline=b, **facts))
        for a, b in ((2, 3), (2, 10), (4, 4), (5, 10))
        for name, facts in CONDITIONS.items()
        if not ("dates" in name and b > MANY_BASELINE * a)
    ),
    partial(flagged, "3+5, dates 40 days apart", replace(SIGMA, apart=40), 0.06),
    partial(
        flagged, "2+10, dates 20 days apart", replace(SIGMA, n_treated=2, n_baseline=10, apart=20), 0.068
    ),
    partial(flagged, "3+5, treated rooms twice as noisy", replace(SIGMA, treated_noise=2.0), 0.105),
    partial(
        flagged,
        "4+4, treated rooms twice as noisy",
        replace(SIGMA, n_treated=4, n_baseline=4, treated_noise=2.0),
        0.058,
    ),
    interim,
    power,
    *(partial(promised, *rooms) for rooms in ((3, 5), (4, 4), (2, 6))),
    guardrails,
    voices,
    others,
]


def run(cell: int, n: int) -> list[Row]:
    """One cell of the table, in a process of its own."""
    return CELLS[cell](n)


def table_of(rows: list[Row]) -> str:
    """Markdown; a broken promise is marked."""
    lines = ["| experiment | rate | ± | promise |", "|---|---|---|---|"]
    for group in dict.fromkeys(row.group for row in rows):
        lines.append(f"| **{group}** | | | |")
        for row in rows:
            if row.group == group:
                mark = "" if row.kept else " **broken**"
                lines.append(f"| {row.name} | {row.rate:.2%} | {row.error:.2%} | {row.promise}{mark} |")
    return "\n".join(lines)


def main() -> int:
    """Run, print, perhaps write; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=20_000, help="a cell")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the table into docs/method.md")
    given = parser.parse_args()
    begun = time.perf_counter()
    with ProcessPoolExecutor(given.processes) as pool:
        rows = [
            row for part in pool.map(run, range(len(CELLS)), [given.experiments] * len(CELLS)) for row in part
        ]
    table = table_of(rows)
    print(table)
    print(f"\n{given.experiments:,} experiments a cell, {time.perf_counter() - begun:.0f} s")
    if given.write:
        text = METHOD.read_text(encoding="utf-8")
        head, _, rest = text.partition(START)
        _, _, tail = rest.partition(END)
        words = f"{given.experiments:,} simulated experiments a row; ± is one Monte Carlo standard error."
        METHOD.write_text(f"{head}{START}\n{words}\n\n{table}\n{END}{tail}", encoding="utf-8")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
