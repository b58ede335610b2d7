"""Numbers printed in the literature and in statistics' reference output, to the printed digit.

Each test names where the digits are printed.
"""

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
    """Lee & Wooldridge (2025), sec. 7.2, eq. 7.18–7.19: 21 states against 29, τ = 0.092.

    Seven digits: the authors' castle_lw.do, as kept by the package lwdid.
    """
    assert (castle.n_treated, castle.n_baseline) == (21, 29)
    assert f"{castle.effect:.7f}" == "0.0917454"


def test_castle_doctrine_without_trends_is_lee_and_wooldridge_s(castle):
    """The same section: 0.067 with unit-specific trends."""
    assert f"{castle.effect_detrended:.3f}" == "0.067"


HYOSCYAMINE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
HYOSCINE = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def sleep(*, paired: bool) -> Estimate:
    panel, one, other = changes(HYOSCINE, HYOSCYAMINE)
    pairs = tuple(zip(one, other, strict=True)) if paired else None
    return compare(panel, Design(dict.fromkeys(one, 1), tuple(other), min_days=1, pairs=pairs))


def test_sleep_is_student_s():
    """Student (1908), Biometrika 6, p. 20: mean difference +1.58, S.D. 1.17 (with n, not n − 1)."""
    estimate = sleep(paired=True)
    assert f"{estimate.effect:.2f}" == "1.58"
    assert f"{estimate.se * np.sqrt(9):.2f}" == "1.17"


def test_sleep_as_pairs_is_r_s():
    """Meys & de Vries, R For Dummies, "How to compare paired data": t.test(extra ~ group, paired = TRUE)."""
    estimate = sleep(paired=True)
    assert (f"{estimate.t:.4f}", estimate.df, f"{estimate.p_value:.6f}") == ("4.0621", 9, "0.002833")
    assert (f"{estimate.ci_low:.7f}", f"{estimate.ci_high:.7f}") == ("0.7001142", "2.4598858")


def test_sleep_as_two_groups_is_r_s():
    """R, data(sleep): t.test(extra ~ group, var.equal = TRUE)."""
    estimate = sleep(paired=False)
    assert (f"{estimate.t:.4f}", estimate.df, f"{estimate.p_value:.5f}") == ("1.8608", 18, "0.07919")
    assert (f"{estimate.ci_low:.6f}", f"{estimate.ci_high:.6f}") == ("-0.203874", "3.363874")


SOLES_A = [13.2, 8.2, 10.9, 14.3, 10.7, 6.6, 9.5, 10.8, 8.8, 13.3]
SOLES_B = [14.0, 8.8, 11.2, 14.2, 11.8, 6.4, 9.8, 11.3, 9.3, 13.6]


def test_boys_shoes_are_r_s():
    """Box, Hunter & Hunter (1978), wear of two materials; R, MASS::shoes: t.test(A, B, paired = TRUE)."""
    panel, other, one = changes(SOLES_B, SOLES_A)
    pairs = tuple(zip(other, one, strict=True))
    estimate = compare(panel, Design(dict.fromkeys(other, 1), tuple(one), min_days=1, pairs=pairs))
    assert (f"{estimate.effect:.2f}", estimate.df, estimate.draws) == ("0.41", 9, 1024)
    assert (f"{estimate.t:.4f}", f"{estimate.p_value:.6f}") == ("3.3489", "0.008539")
    assert (f"{estimate.ci_low:.7f}", f"{estimate.ci_high:.7f}") == ("0.1330461", "0.6869539")


DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]  # eighths of an inch


def darwin() -> Estimate:
    panel, crossed, selfed = changes([d / 8 for d in DARWIN], [0.0] * 15)
    pairs = tuple(zip(crossed, selfed, strict=True))
    return compare(
        panel, Design(dict.fromkeys(crossed, 1), tuple(selfed), min_days=1, pairs=pairs, assignment="lot")
    )


def test_darwin_s_maize_is_r_s():
    """R, HistData::ZeaMays (the data of Fisher 1935, The Design of Experiments): t.test(diff), in inches."""
    estimate = darwin()
    assert (f"{estimate.t:.3f}", estimate.df, f"{estimate.p_value:.4f}") == ("2.148", 14, "0.0497")
    assert f"{estimate.effect:.6f}" == "2.616667"
    assert (f"{estimate.ci_low:.9f}", f"{estimate.ci_high:.9f}") == ("0.003899165", "5.229434169")


def test_darwin_s_maize_has_fisher_s_count():
    """Fisher (1935), §21: 863 of the 2^15 = 32,768 assignments reach 314, either way 1,726."""
    lot = Lot((Block(2, (1,)),) * 15)
    signs = 1 - 2 * (lot.every() - 2 * np.arange(15))
    sums = signs @ np.array(DARWIN)
    assert lot.count == 32_768
    assert (sum(DARWIN), int((sums >= 314).sum()), int((np.abs(sums) >= 314).sum())) == (314, 863, 1_726)


def test_a_sample_of_darwin_s_assignments_comes_close():
    """32,768 is more than is enumerated: 9,999 draws stay within four standard errors of 5.267 %."""
    estimate = darwin()
    assert estimate.draws == 9_999
    assert estimate.p_randomised == pytest.approx(0.05267, abs=4 * np.sqrt(0.05267 * 0.947 / 9_999))


def test_the_lady_has_seventy_ways_to_divide_eight_cups():
    """Fisher (1935), ch. II: 70 ways; both extremes count in a two-sided test."""
    lot = Lot((Block(8, (4,)),))
    assert lot.count == len(lot.every()) == 70
    assert lot.p_floor == 2 / 70


@pytest.mark.parametrize(("n", "printed"), [(20, "0.8689528"), (4, "0.2224633")])
def test_power_is_that_of_power_t_test(n, printed):
    """R, power.t.test(n, delta = 1), sd = 1: one direction."""
    assert f"{power(n, n, 1.0):.7f}" == printed


@pytest.mark.parametrize(
    ("d", "n"),
    [(0.2, 393), (0.3, 175), (0.4, 100), (0.5, 64), (0.6, 45), (0.7, 33), (0.8, 26), (1.0, 17), (1.2, 12)],
)
def test_cohen_s_sample_sizes_have_power_80(d, n):
    """Cohen (1988), Statistical Power Analysis, tables 2.3 (p. 28–39): n an arm, α = .05 both sides."""
    assert abs(power(n, n, d) - 0.8) < 0.01
    assert power(n - 2, n - 2, d) < 0.8 < power(n + 1, n + 1, d)


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
