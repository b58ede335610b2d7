"""More published comparisons on real panels, to the printed digit; each test names the table.

States, restaurants and people stand where rooms stand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Design, Estimate, compare

HERE = Path(__file__).parent / "published"
PROPOSITION = 1989


def smoking() -> pd.DataFrame:
    """Packs a head, long."""
    wide = pd.read_csv(HERE / "smoking.csv", index_col="Year")
    return wide.reset_index(names="day").melt("day", var_name="room")


def castle() -> tuple[pd.DataFrame, dict[str, int]]:
    """Log homicides a state and year, and the year of each state's law."""
    data = pd.read_csv(HERE / "castle.csv")
    panel = pd.DataFrame({"room": data.sid.astype(str), "day": data.year, "value": np.log(data.homicide)})
    laws = data.dropna().groupby("sid").effective.first()
    return panel, {str(state): int(year) for state, year in laws.items()}


def two_waves(before: pd.Series, after: pd.Series, treated: pd.Series) -> Estimate:
    """One row a unit, compared over two waves."""
    names = [f"{i:03d}" for i in range(len(after))]
    waves = [
        pd.DataFrame({"room": names, "day": day, "value": wave}) for day, wave in enumerate((before, after))
    ]
    switch = {name: 1 for name, one in zip(names, treated, strict=True) if one}
    return compare(pd.concat(waves), Design(switch, min_days=1))


def test_california_in_packs_is_the_did_of_the_synthetic_did_paper():
    """Arkhangelsky et al. (2021), Am. Econ. Rev. 111(12), table 1, DID: −27.3; Stata's sdid prints −27.35."""
    effect = compare(smoking(), Design({"California": PROPOSITION})).effect
    assert (f"{effect:.1f}", f"{effect:.2f}") == ("-27.3", "-27.35")


def test_california_s_interval_is_lee_and_wooldridge_s():
    """Lee & Wooldridge (2025), table 3, as the package lwdid prints it: 95 % interval and p."""
    panel = smoking()
    estimate = compare(panel.assign(value=np.log(panel.value)), Design({"California": PROPOSITION}))
    assert (f"{estimate.ci_low:.4f}", f"{estimate.ci_high:.4f}") == ("-0.6669", "-0.1774")
    assert f"{estimate.p_value:.4f}" == "0.0012"


@pytest.mark.parametrize(
    ("year", "effect", "se", "t"),
    [
        (1989, "-0.1682", "0.0958", "-1.7559"),
        (1990, "-0.1875", "0.1117", "-1.6788"),
        (1991, "-0.3025", "0.1167", "-2.5919"),
        (1992, "-0.3101", "0.1280", "-2.4224"),
    ],
)
def test_california_year_by_year_is_lee_and_wooldridge_s(year, effect, se, t):
    """The same table, as the package lwdid prints it: one year after against all years before."""
    panel = smoking()
    kept = panel[(panel.day < PROPOSITION) | (panel.day == year)]
    estimate = compare(kept.assign(value=np.log(kept.value)), Design({"California": PROPOSITION}, min_days=1))
    assert (f"{estimate.effect:.4f}", f"{estimate.se:.4f}", f"{estimate.t:.4f}") == (effect, se, t)


@pytest.mark.parametrize(
    ("year", "trend"), [(1989, "-0.0423"), (1991, "-0.1514"), (1995, "-0.2820"), (2000, "-0.4029")]
)
def test_california_year_by_year_without_trends_is_lee_and_wooldridge_s(year, trend):
    """The same table, procedure 3.1, as the package lwdid prints it."""
    panel = smoking()
    kept = panel[(panel.day < PROPOSITION) | (panel.day == year)]
    estimate = compare(kept.assign(value=np.log(kept.value)), Design({"California": PROPOSITION}, min_days=1))
    assert f"{estimate.effect_detrended:.4f}" == trend


@pytest.mark.parametrize(
    ("year", "effect"),
    [(2005, "0.080167"), (2006, "0.068236"), (2007, "0.114062"), (2008, "0.146047"), (2009, "0.211081")],
)
def test_castle_laws_of_one_year_are_lee_and_wooldridge_s(year, effect):
    """Lee & Wooldridge (2025), eq. 7.10, as the package lwdid prints it (examples/castle_law)."""
    panel, laws = castle()
    own = {state: law for state, law in laws.items() if law == year}
    kept = panel[~panel.room.isin(laws.keys() - own.keys())]
    assert f"{compare(kept, Design(own, min_days=1)).effect:.6f}" == effect


def test_castle_laws_have_the_printed_error_but_for_what_the_years_did():
    """Lee & Wooldridge (2025), sec. 7.2: se 0.057 (.0571), t 1.61, years not swept out of the changes.

    Here they are (docs/method.md, step 2), so that what a year does to every state cannot matter: .0575.
    """
    panel, laws = castle()
    estimate = compare(panel, Design(laws, min_days=1))
    assert estimate.se == pytest.approx(0.0571, rel=0.01)
    shocks = panel.day.map({2003: 1.0, 2008: -2.0}).fillna(0.0)
    moved = compare(panel.assign(value=panel.value + shocks), Design(laws, min_days=1))
    assert (moved.effect, moved.se) == pytest.approx((estimate.effect, estimate.se), rel=1e-9)


def test_minimum_wages_are_card_and_krueger_s():
    """Card & Krueger (1994), Am. Econ. Rev. 84(4), table 4, model (i): 2.33 (1.19), n = 357, s = 8.79."""
    data = pd.read_csv(HERE / "fastfood.csv")
    estimate = two_waves(data.before, data.after, data.new_jersey == 1)
    assert (estimate.n_treated + estimate.n_baseline, estimate.df) == (357, 355)
    assert (f"{estimate.effect:.2f}", f"{estimate.se:.2f}") == ("2.33", "1.19")
    spread = estimate.se / np.sqrt(1 / estimate.n_treated + 1 / estimate.n_baseline)
    assert f"{spread:.2f}" == "8.79"


def test_supported_work_is_dehejia_and_wahba_s():
    """Dehejia & Wahba (1999), JASA 94(448), table 3, row NSW, column (1): 1,794 (633)."""
    data = pd.read_csv(HERE / "nsw.csv")
    estimate = two_waves(data.re78 * 0, data.re78, data.treat == 1)
    assert (estimate.n_treated, estimate.n_baseline) == (185, 260)
    assert (f"{estimate.effect:,.0f}", f"{estimate.se:,.0f}") == ("1,794", "633")
