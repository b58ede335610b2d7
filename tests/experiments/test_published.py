"""Numbers printed in the literature, to the printed digit. Each test names its source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Design, Estimate, compare
from experiments.lot import Block, Lot
from experiments.planning import multiplier, power

HERE = Path(__file__).parent / "published"


@pytest.fixture(scope="module")
def california() -> Estimate:
    wide = pd.read_csv(HERE / "smoking.csv", index_col="Year")
    long = np.log(wide).reset_index(names="day").melt("day", var_name="room")
    return compare(long, Design({"California": 1989}))


@pytest.fixture(scope="module")
def castle() -> Estimate:
    data = pd.read_csv(HERE / "castle.csv")
    panel = pd.DataFrame({"room": data.sid.astype(str), "day": data.year, "value": np.log(data.homicide)})
    laws = data.dropna().groupby("sid").effective.first()
    return compare(panel, Design({str(sid): int(year) for sid, year in laws.items()}, min_days=1))


def two_periods(before: dict[str, float], after: dict[str, float]) -> pd.DataFrame:
    rows = [(room, day, values[room]) for day, values in enumerate((before, after)) for room in values]
    return pd.DataFrame(rows, columns=["room", "day", "value"])


def changes(treated: list[float], baseline: list[float]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Rooms that were all at zero before and at these values after."""
    names = [f"t{i:02d}" for i in range(len(treated))], [f"b{i:02d}" for i in range(len(baseline))]
    after = dict(zip(names[0] + names[1], treated + baseline, strict=True))
    return two_periods(dict.fromkeys(after, 0.0), after), *names


def test_california_proposition_99_is_lee_and_wooldridge_s(california):
    """Lee & Wooldridge (2025), SSRN 5325686, California smoking: log packs, procedure 2.1, 37 df."""
    assert f"{california.effect:.3f}" == "-0.422"
    assert f"{california.se:.3f}" == "0.121"
    assert f"{california.t:.2f}" == "-3.49"
    assert california.df == 37


def test_california_is_the_most_extreme_of_39_states(california):
    """The same example: randomisation inference gives 1 in 39."""
    assert california.p_randomised == pytest.approx(1 / 39, abs=1e-15)
    assert (california.extreme, california.draws) == (1, 39)


def test_california_without_its_trend_is_half_the_effect(california):
    """The same example, procedure 3.1 (unit-specific linear trends): −0.227."""
    assert f"{california.effect_detrended:.3f}" == "-0.227"


def test_california_alone_is_no_basis_for_a_decision(california):
    assert california.grade == "none"


def test_castle_doctrine_with_five_switch_years_is_lee_and_wooldridge_s(castle):
    """Lee & Wooldridge (2025), sec. 7.2, eq. 7.18–7.19: 21 states against 29, τ = 0.092 (.0917454)."""
    assert (castle.n_treated, castle.n_baseline) == (21, 29)
    assert f"{castle.effect:.7f}" == "0.0917454"


def test_castle_doctrine_without_trends_is_lee_and_wooldridge_s(castle):
    """The same section: 0.067 with unit-specific trends."""
    assert f"{castle.effect_detrended:.3f}" == "0.067"


HYOSCYAMINE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
HYOSCINE = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_student_s_sleep_as_pairs():
    """Student (1908), Biometrika 6, p. 20: mean difference 1.58, z = 1.35 (n in the SD)."""
    panel, one, other = changes(HYOSCINE, HYOSCYAMINE)
    pairs = tuple(zip(one, other, strict=True))
    estimate = compare(panel, Design(dict.fromkeys(one, 1), tuple(other), min_days=1, pairs=pairs))
    assert f"{estimate.effect:.2f}" == "1.58"
    assert f"{estimate.t / np.sqrt(9):.2f}" == "1.35"


def test_fisher_s_t_of_student_s_sleep():
    """Fisher (1925), Statistical Methods for Research Workers, §24, ex. 19: paired t = 4.06, 9 df."""
    panel, one, other = changes(HYOSCINE, HYOSCYAMINE)
    pairs = tuple(zip(one, other, strict=True))
    estimate = compare(panel, Design(dict.fromkeys(one, 1), tuple(other), min_days=1, pairs=pairs))
    assert (f"{estimate.t:.2f}", estimate.df) == ("4.06", 9)


def test_fisher_s_t_of_sleep_as_two_groups():
    """Fisher (1925), §24, ex. 20: as independent groups t = 1.861, 18 df, P between .1 and .05."""
    panel, one, other = changes(HYOSCINE, HYOSCYAMINE)
    estimate = compare(panel, Design(dict.fromkeys(one, 1), tuple(other), min_days=1))
    assert (f"{estimate.t:.3f}", estimate.df) == ("1.861", 18)
    assert 0.05 < estimate.p_value < 0.1


DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]  # eighths of an inch


def darwin() -> Estimate:
    panel, crossed, selfed = changes([float(d) for d in DARWIN], [0.0] * 15)
    pairs = tuple(zip(crossed, selfed, strict=True))
    return compare(
        panel, Design(dict.fromkeys(crossed, 1), tuple(selfed), min_days=1, pairs=pairs, assignment="lot")
    )


def test_darwin_s_maize_has_fisher_s_t():
    """Fisher (1935), The Design of Experiments, §17: mean 20.933, standard error 9.746, t = 2.148."""
    estimate = darwin()
    assert (f"{estimate.effect:.3f}", f"{estimate.se:.3f}", f"{estimate.t:.3f}") == (
        "20.933",
        "9.746",
        "2.148",
    )


def test_darwin_s_maize_has_fisher_s_count():
    """Fisher (1935), §21: 1,726 of the 2^15 = 32,768 assignments are at least as far out, 5.267 %."""
    lot = Lot((Block(2, (1,)),) * 15)
    signs = 1 - 2 * (lot.every() - 2 * np.arange(15))
    assert lot.count == 32_768
    assert int((np.abs(signs @ np.array(DARWIN)) >= sum(DARWIN)).sum()) == 1_726


def test_a_sample_of_darwin_s_assignments_comes_close():
    """32,768 is more than is enumerated: 9,999 draws stay within four standard errors of 5.267 %."""
    estimate = darwin()
    assert estimate.draws == 9_999
    assert estimate.p_randomised == pytest.approx(0.05267, abs=4 * np.sqrt(0.05267 * 0.947 / 9_999))


def test_the_lady_has_seventy_ways_to_divide_eight_cups():
    """Fisher (1935), §5: 70 ways; both extremes count in a two-sided test."""
    lot = Lot((Block(8, (4,)),))
    assert lot.count == len(lot.every()) == 70
    assert lot.p_floor == 2 / 70


def test_snow_s_water_saved_78_lives():
    """Snow (1855), as in Cunningham (2021), Causal Inference, sec. 9.1: (19 − 85) − (147 − 135)."""
    panel = two_periods({"Southwark": 135.0, "Lambeth": 85.0}, {"Southwark": 147.0, "Lambeth": 19.0})
    estimate = compare(panel, Design({"Lambeth": 1}, min_days=1))
    assert estimate.effect == -78
    assert estimate.reason("two_rooms") is not None
    assert (estimate.p_value, estimate.p_randomised, estimate.ci_low) == (None, None, None)


def test_power_is_that_of_power_t_test():
    """R Core Team, power.t.test, first example: n = 20 an arm, δ = sd = 1, one direction."""
    assert f"{power(20, 20, 1.0):.7f}" == "0.8689528"


@pytest.mark.parametrize(("d", "n"), [(0.2, 393), (0.5, 64), (0.8, 26)])
def test_cohen_s_sample_sizes_have_power_80(d, n):
    """Cohen (1992), Psychological Bulletin 112, p. 158, table 2, α = .05: 393, 64 and 26 an arm."""
    assert f"{power(n, n, d):.2f}" == ("0.81" if n == 26 else "0.80")
    assert power(n - 2, n - 2, d) < 0.8


@pytest.mark.parametrize(
    ("rooms", "m"),
    [
        *[((1, 2), 20.0), ((1, 5), 4.12), ((2, 3), 3.89), ((2, 6), 2.75), ((2, 10), 2.41), ((3, 3), 3.07)],
        *[((3, 5), 2.46), ((3, 10), 2.03), ((4, 4), 2.38), ((5, 5), 2.02), ((5, 10), 1.66)],
    ],
)
def test_multipliers_are_those_of_the_method(rooms, m):
    """docs/method.md, "Planning": m of MDE80 = m·s, exact."""
    assert multiplier(*rooms) == pytest.approx(m, abs=0.0051)
