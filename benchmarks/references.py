"""The comparison beside pyfixest (two-way fixed effects) and wildboottest on the same panels, in one run.

make references        installs them (no dependency of Témoin's) in an environment of their own, runs this
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import pandas as pd

from experiments import compare
from experiments.simulate import Scenario, panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments import Design

try:
    import pyfixest
    import statsmodels.formula.api as formulas
    from wildboottest.wildboottest import wildboottest
except ModuleNotFoundError as missing:
    print(f"{missing.name} is missing: make references")
    sys.exit(0)  # a run of every benchmark goes on

PANELS = {
    "3+5 × 80 days": Scenario(),
    "10+40 × 250 days": Scenario(n_treated=10, n_baseline=40, days_before=125, days_after=125),
}
DRAWS = 9999


def with_treatment(frame: pd.DataFrame, design: Design) -> pd.DataFrame:
    """The panel with a column that is 1 in a treated room from its switch on."""
    switch = frame["room"].map(design.switch)
    return frame.assign(treated=(switch.notna() & (frame["day"] >= switch)).astype(float))


def seconds(call: Callable[[], object], times: int) -> float:
    """Median processor time of several calls after one that is not counted."""
    call()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def fixed_effects(given: pd.DataFrame) -> float:
    """The coefficient of two-way fixed effects on room-days."""
    fitted = pyfixest.feols("value ~ treated | room + day", given, vcov={"CRV1": "room"})
    return float(fitted.coef().iloc[0])


def bootstrap(given: pd.DataFrame) -> float:
    """The same by ordinary least squares, its p-value by wild cluster bootstrap."""
    model = formulas.ols("value ~ treated + C(room) + C(day)", given)
    rooms = pd.Categorical(given["room"]).codes
    wildboottest(model, param="treated", cluster=rooms, B=DRAWS, seed=1, show=False)
    return float(model.fit().params["treated"])


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")  # of the others
    print(f"{'panel':<20}{'who':<34}{'effect':>14}{'ms':>10}{'times ours':>12}")
    for name, scenario in PANELS.items():
        frame, design = panel(scenario, 1)
        given = with_treatment(frame, design)
        calls: dict[str, Callable[[], float | None]] = {
            "compare, with randomisation": partial(_ours, frame, design),
            "pyfixest, CR1": partial(fixed_effects, given),
            f"wildboottest, {DRAWS} draws": partial(bootstrap, given),
        }
        effects = [call() for call in calls.values()]
        taken = [seconds(call, 1 if "wild" in who else 9) for who, call in calls.items()]
        for who, effect, each in zip(calls, effects, taken, strict=True):
            print(f"{name:<20}{who:<34}{effect:>14.9f}{1000 * each:>10.2f}{each / taken[0]:>12.1f}")
        apart = max(effects) - min(effects)
        print(f"{name:<20}the effects are {apart:.1e} apart\n")


def _ours(frame: pd.DataFrame, design: Design) -> float | None:
    return compare(frame, design).effect


if __name__ == "__main__":
    main()
