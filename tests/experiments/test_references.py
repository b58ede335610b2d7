"""Where the models coincide, the estimate is that of the field's own packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from experiments import compare
from experiments.simulate import Scenario, panel

if TYPE_CHECKING:
    import pandas as pd

    from experiments import Design


def with_treatment(frame: pd.DataFrame, design: Design) -> pd.DataFrame:
    """The panel with a column that is 1 in a treated room from its switch on."""
    switch = frame["room"].map(design.switch)
    return frame.assign(treated=(switch.notna() & (frame["day"] >= switch)).astype(float))


@pytest.mark.parametrize("scenario", [Scenario(effect=0.7), Scenario(n_treated=2, n_baseline=9, tails=3)])
def test_one_date_and_no_hole_is_two_way_fixed_effects(scenario: Scenario):
    pyfixest = pytest.importorskip(
        "pyfixest", reason="pyfixest is missing: python -m pip install --group references"
    )
    frame, design = panel(scenario, 11)
    fitted = pyfixest.feols("value ~ treated | room + day", with_treatment(frame, design))
    assert compare(frame, design).effect == pytest.approx(float(fitted.coef().iloc[0]), abs=1e-8)


@pytest.mark.parametrize("scenario", [Scenario(effect=0.7), Scenario(n_treated=2, n_baseline=9, tails=3)])
def test_and_that_is_ordinary_least_squares_with_a_column_a_room_and_a_day(scenario: Scenario):
    import numpy as np  # noqa: PLC0415 - the reference's own

    frame, design = panel(scenario, 11)
    given = with_treatment(frame, design)
    rooms, days = (given[name].astype("category").cat.codes.to_numpy() for name in ("room", "day"))
    columns = [
        given["treated"].to_numpy()[:, None],
        np.eye(rooms.max() + 1)[rooms],
        np.eye(days.max() + 1)[days],
    ]
    solved = np.linalg.lstsq(np.hstack(columns), given["value"].to_numpy(), rcond=None)[0]
    assert compare(frame, design).effect == pytest.approx(solved[0], abs=1e-8)
