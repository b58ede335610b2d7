"""The estimate: by hand on small panels, by least squares on large ones, a reason where there is none."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from experiments import Design, DesignError, PanelError, compare
from experiments.simulate import Scenario, panel


@pytest.fixture(autouse=True)
def no_warning_from_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def flat(levels: dict[str, tuple[float, float]], before: int = 10, after: int = 10) -> pd.DataFrame:
    """Rooms at one level before day `before` and at another from it on."""
    rows = [
        (room, day, low if day < before else high)
        for room, (low, high) in levels.items()
        for day in range(before + after)
    ]
    return pd.DataFrame(rows, columns=["room", "day", "value"])


EIGHT = {"t1": (10.0, 17.0), "t2": (20.0, 25.0), "b1": (5.0, 6.0), "b2": (7.0, 9.0), "b3": (8.0, 8.0)}


def test_the_effect_is_mean_change_of_treated_minus_mean_change_of_baseline():
    """Changes 7, 5 and 1, 2, 0: effect 6 − 1; squares 2 + 2 over 3 df."""
    estimate = compare(flat(EIGHT), Design({"t1": 10, "t2": 10}))
    assert estimate.effect == pytest.approx(5)
    assert estimate.df == 3
    assert estimate.se == pytest.approx(np.sqrt(4 / 3 * (1 / 2 + 1 / 3)))
    assert estimate.changes == pytest.approx({"t1": 7, "t2": 5, "b1": 1, "b2": 2, "b3": 0})


def test_one_of_ten_draws_is_as_extreme():
    estimate = compare(flat(EIGHT), Design({"t1": 10, "t2": 10}))
    assert (estimate.extreme, estimate.draws, estimate.p_randomised, estimate.p_floor) == (1, 10, 0.1, 0.1)


def test_rooms_carry_their_means_for_the_dots():
    estimate = compare(flat(EIGHT), Design({"t1": 10, "t2": 10}))
    first = next(room for room in estimate.rooms if room.room == "t1")
    assert (first.treated, first.before, first.after, first.days_before) == (True, 10, 17, 10)


def test_interval_and_p_value_agree_at_any_level():
    data, design = panel(Scenario(effect=1.0), seed=3)
    p = compare(data, design).p_value
    assert compare(data, design, alpha=p * 1.001).ci_low > 0
    assert compare(data, design, alpha=p * 0.999).ci_low < 0


def test_leaving_one_room_out_gives_the_range_of_effects():
    """Without t1 5 − 1 − … = 4, without t2 6, without b2 5.5, without b3 4.5."""
    assert compare(flat(EIGHT), Design({"t1": 10, "t2": 10})).leave_one_out == pytest.approx((4, 6))


def test_washout_drops_panel_days_from_the_switch_on():
    data = flat(EIGHT)
    data.loc[data.day.between(10, 12) & (data.room == "t1"), "value"] = 1000.0
    estimate = compare(data, Design({"t1": 10, "t2": 10}, washout=3, min_days=7))
    assert estimate.effect == pytest.approx(5)


def test_a_trend_before_is_taken_out_of_the_detrended_effect():
    """A treated room that had always risen by 2 a day has no effect net of its trend."""
    rows = [
        (room, day, 2.0 * day if room == "t" else 0.1 * (day % 2) * i)
        for i, room in enumerate("tabc")
        for day in range(24)
    ]
    estimate = compare(pd.DataFrame(rows, columns=["room", "day", "value"]), Design({"t": 12}))
    assert estimate.effect > 20
    assert abs(estimate.effect_detrended) < 0.2


# ------------------------------------------------------------------------------------------ missing cells


def two_way_imputed(data: pd.DataFrame, switch: dict[str, int]) -> dict[str, float]:
    """Room changes by alternating projections on untreated cells, written the slow way."""
    table = data.pivot_table(index="room", columns="day", values="value")
    y = table.to_numpy()
    untreated = np.array([[day < switch.get(room, 10**9) for day in table.columns] for room in table.index])
    cells = np.where(untreated & np.isfinite(y), 1.0, 0.0)
    filled = np.where(cells > 0, y, 0.0)
    room, day = np.zeros(len(y)), np.zeros(y.shape[1])
    for _ in range(20_000):
        room = ((filled - day) * cells).sum(1) / cells.sum(1)
        day = ((filled - room[:, None]) * cells).sum(0) / cells.sum(0)
    net = y - day
    after = np.array(table.columns) >= min(switch.values())
    return dict(zip(table.index, np.nanmean(net[:, after], 1) - np.nanmean(net[:, ~after], 1), strict=True))


def test_holes_are_adjusted_as_alternating_projections_do():
    data, design = panel(Scenario(effect=1.0, holes=0.15, common=3.0, days_before=20, days_after=20), seed=5)
    ordinals = {day: i for i, day in enumerate(sorted(set(data.day)))}
    numbered = data.assign(day=data.day.map(ordinals))
    switch = {room: ordinals[day] for room, day in design.switch.items()}
    estimate = compare(numbered, Design(switch, design.baseline))
    slow = two_way_imputed(numbered, switch)
    effect = np.mean([slow[room] for room in switch]) - np.mean([slow[room] for room in design.baseline])
    assert estimate.effect == pytest.approx(effect, abs=1e-9)
    assert estimate.reason("missing_cells").numbers["share"] == pytest.approx(1 - len(data) / 320)


def test_holes_do_not_let_a_bad_week_pass_for_an_effect():
    """A baseline sensor is silent while all rooms are empty: unadjusted, its room would seem to rise."""
    rows = [
        (room, day, i - 50.0 * (14 <= day < 18) + 0.01 * (i * day % 7))
        for i, room in enumerate("tuabc")
        for day in range(24)
    ]
    data = pd.DataFrame(rows, columns=["room", "day", "value"])
    whole = compare(data, Design({"t": 12, "u": 12}, min_days=5))
    holed = compare(
        data[~((data.room == "a") & data.day.between(14, 17))], Design({"t": 12, "u": 12}, min_days=5)
    )
    assert holed.effect == pytest.approx(whole.effect, abs=0.05)


def test_a_complete_panel_gives_plain_differences_of_means():
    data, design = panel(Scenario(), seed=8)
    estimate = compare(data, design)
    first = data[data.room == "room 01"]
    switch = design.switch["room 01"]
    plain = first[first.day >= switch].value.mean() - first[first.day < switch].value.mean()
    assert estimate.changes["room 01"] == pytest.approx(plain)


def test_a_room_that_shares_no_day_with_the_others_is_named():
    data = flat(EIGHT)
    lonely = flat({"z": (1.0, 2.0)}).assign(
        day=lambda frame: frame.day.map(lambda day: day - 100 if day < 10 else day + 100)
    )
    estimate = compare(pd.concat([data, lonely]), Design({"t1": 10, "t2": 10}))
    assert estimate.excluded["z"].code == "no_common_days"
    assert estimate.effect == pytest.approx(5)


# ---------------------------------------------------------------------------------------- staggered, pairs


def test_a_baseline_room_answers_for_every_date_in_proportion():
    """Lee & Wooldridge (2025), eq. 7.18–7.19, by hand: two rooms at day 10, one at day 20."""
    rng = np.random.default_rng(4)
    table = rng.normal(size=(6, 40))
    names = ["t1", "t2", "t3", "b1", "b2", "b3"]
    rows = [(name, day, table[i, day]) for i, name in enumerate(names) for day in range(40)]
    data = pd.DataFrame(rows, columns=["room", "day", "value"])
    estimate = compare(data, Design({"t1": 10, "t2": 10, "t3": 20}))

    def change(row: int, date: int) -> float:
        return table[row, date:].mean() - table[row, :date].mean()

    treated = [change(0, 10), change(1, 10), change(2, 20)]
    baseline = [(2 * change(row, 10) + change(row, 20)) / 3 for row in (3, 4, 5)]
    assert estimate.effect == pytest.approx(np.mean(treated) - np.mean(baseline))
    assert estimate.changes["b2"] == pytest.approx(baseline[1])
    assert estimate.draws == estimate.assignments == 60  # 6! / (2! 1! 3!)
    assert estimate.p_floor == 1 / 60


def test_dates_far_apart_carry_a_warning():
    data, design = panel(Scenario(apart=40), seed=1)
    assert compare(data, design).reason("dates_apart") is not None
    data, design = panel(Scenario(apart=10), seed=1)
    assert compare(data, design).reason("dates_apart") is None


@pytest.mark.parametrize(("apart", "warned"), [(4, False), (10, True)])
def test_with_many_baseline_rooms_for_each_treated_one_close_dates_are_named_too(apart, warned):
    """2 + 10 rooms: 5.2 % false positives with dates 5 days apart, 6.0 % at 10, 6.8 % at 20."""
    data, design = panel(Scenario(n_treated=2, n_baseline=10, apart=apart), seed=5)
    assert (compare(data, design).reason("dates_apart") is not None) == warned


def test_pairs_are_compared_within_and_lose_degrees_of_freedom():
    levels = {f"t{i}": (0.0, 5.0 + i) for i in range(6)} | {f"b{i}": (0.0, 1.0 * i * i) for i in range(6)}
    pairs = tuple((f"t{i}", f"b{i}") for i in range(6))
    design = Design(
        {f"t{i}": 10 for i in range(6)}, tuple(f"b{i}" for i in range(6)), pairs=pairs, assignment="lot"
    )
    estimate = compare(flat(levels), design)
    differences = np.array([5 + i - i * i for i in range(6)])
    assert estimate.df == 5
    assert estimate.se == pytest.approx(differences.std(ddof=1) / np.sqrt(6))
    assert (estimate.p_floor, estimate.grade) == (2 / 64, "decision")


def test_five_pairs_are_not_enough_to_decide():
    levels = {f"t{i}": (0.0, 5.0 + i) for i in range(5)} | {f"b{i}": (0.0, 1.0 * i) for i in range(5)}
    pairs = tuple((f"t{i}", f"b{i}") for i in range(5))
    design = Design(
        {f"t{i}": 10 for i in range(5)}, tuple(f"b{i}" for i in range(5)), pairs=pairs, assignment="lot"
    )
    assert compare(flat(levels), design).grade == "indicative"


def test_a_room_that_fails_takes_its_pair_along_by_name():
    levels = {f"t{i}": (0.0, 5.0 + i) for i in range(4)} | {f"b{i}": (0.0, 1.0 * i * i) for i in range(4)}
    data = flat(levels)
    data = data[~((data.room == "b2") & (data.day > 12))]
    pairs = {**{f"t{i}": str(i) for i in range(4)}, **{f"b{i}": str(i) for i in range(4)}}
    estimate = compare(data, Design({f"t{i}": 10 for i in range(4)}, pairs=pairs))
    assert {room: reason.code for room, reason in estimate.excluded.items()} == {
        "b2": "too_few_days",
        "t2": "pair_broken",
    }
    assert estimate.df == 2


# ----------------------------------------------------------------------------------------- the odd and bad


def test_a_room_with_too_few_days_is_left_out_by_name():
    data = flat(EIGHT)
    estimate = compare(data[~((data.room == "b1") & (data.day > 14))], Design({"t1": 10, "t2": 10}))
    assert estimate.excluded["b1"].to_dict() == {
        "code": "too_few_days",
        "numbers": {"before": 10, "after": 5, "needed": 10},
    }
    assert estimate.n_baseline == 2
    assert estimate.reason("rooms_lost").numbers == {"planned": 5, "kept": 4}


NOTHING = pd.DataFrame(
    {"room": pd.Series(dtype=str), "day": pd.Series(dtype=int), "value": pd.Series(dtype=float)}
)
DEGENERATE = {
    "one treated and one baseline room": (flat({"t": (1, 3), "b": (1, 2)}), ("t",), "two_rooms", 1.0),
    "no baseline at all": (flat({"t": (1, 3), "u": (1, 2)}), ("t", "u"), "no_baseline", None),
    "no treated room in the panel": (flat({"a": (1, 3), "b": (1, 2)}), ("t",), "no_treated", None),
    "all rooms alike": (
        flat({"t": (1, 3), "u": (1, 3), "a": (1, 1), "b": (1, 1)}),
        ("t", "u"),
        "zero_variance",
        2.0,
    ),
    "all rooms alike but for the last binary digit": (
        flat({"t": (0.1, 0.4), "u": (0.7, 1.0), "v": (1.3, 1.6), "a": (0.3, 0.3), "b": (1.1, 1.1)}),
        ("t", "u", "v"),
        "zero_variance",
        0.3,
    ),
    "nothing changes anywhere": (flat(dict.fromkeys("tuabc", (0.1, 0.1))), ("t", "u"), "zero_variance", 0.0),
    "all missing": (flat(EIGHT).assign(value=np.nan), ("t1", "t2"), "no_treated", None),
    "an empty panel": (NOTHING, ("t",), "no_treated", None),
    "only days before": (flat(EIGHT, 10, 0), ("t1", "t2"), "no_treated", None),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_what_cannot_be_estimated_is_none_with_a_reason(case):
    data, treated, code, effect = DEGENERATE[case]
    estimate = compare(data, Design(dict.fromkeys(treated, 10)))
    assert estimate.reason(code) is not None
    assert estimate.effect == (None if effect is None else pytest.approx(effect))
    assert (estimate.se, estimate.p_value, estimate.p_randomised, estimate.ci_low) == (None, None, None, None)
    json.dumps(estimate.to_dict(), allow_nan=False)


def test_baseline_rooms_silent_after_the_switch_leave_nothing_to_compare_with():
    data = flat(EIGHT)
    silent = data[data.room.str.startswith("t") | (data.day < 10)]
    estimate = compare(silent, Design({"t1": 10, "t2": 10}))
    assert estimate.effect is None
    assert set(estimate.excluded) == {"b1", "b2", "b3"}
    assert estimate.reason("no_baseline") is not None


def test_one_treated_room_has_an_interval_but_no_grade():
    data, design = panel(Scenario(n_treated=1, n_baseline=9), seed=2)
    estimate = compare(data, design)
    assert (estimate.df, estimate.grade, estimate.sd_ratio) == (8, "none", None)
    assert estimate.p_floor == 0.1
    assert estimate.ci_low < estimate.effect < estimate.ci_high


def test_a_constant_added_to_everything_is_not_mistaken_for_variance():
    estimate = compare(
        flat({room: (low + 1e9, high + 1e9) for room, (low, high) in EIGHT.items()}),
        Design({"t1": 10, "t2": 10}),
    )
    assert estimate.effect == pytest.approx(5)


def test_dates_may_be_dates_stamps_or_iso_text():
    data, design = panel(Scenario(), seed=6)
    expected = compare(data, design).effect
    assert compare(data.assign(day=pd.to_datetime(data.day)), design).effect == expected
    assert compare(data.assign(day=data.day.map(str)), design).effect == expected


BAD_PANELS = {
    "two values": (pd.concat([flat(EIGHT), flat(EIGHT).assign(value=0.5)]), "two values"),
    "text": (flat(EIGHT).astype({"value": object}).replace({"value": {17.0: "seventeen"}}), "text"),
    "infinity": (flat(EIGHT).replace({"value": {17.0: np.inf}}), "infinity"),
    "no column": (flat(EIGHT).drop(columns="day"), "'day'"),
    "no room": (flat(EIGHT).replace({"room": {"t1": None}}), "no room"),
    "fractions of days": (flat(EIGHT).assign(day=lambda frame: frame.day + 0.5), "fraction"),
    "words for days": (flat(EIGHT).assign(day="monday"), "neither a date"),
}


@pytest.mark.parametrize("case", BAD_PANELS)
def test_a_panel_that_is_none_is_refused_in_words(case):
    data, words = BAD_PANELS[case]
    with pytest.raises(PanelError, match=words):
        compare(data, Design({"t1": 10, "t2": 10}))


def test_switch_and_panel_must_count_days_alike():
    with pytest.raises(DesignError, match="days are integers, the switches are dates"):
        compare(flat(EIGHT), Design({"t1": date(2026, 4, 13)}))


# ------------------------------------------------------------------------------------------ checks beside


def test_a_drift_before_the_change_shows_at_placebo_dates():
    rows = [
        (room, day, 0.5 * day * (room in "tu") + 0.01 * i * day)
        for i, room in enumerate("tuabc")
        for day in range(40)
    ]
    estimate = compare(pd.DataFrame(rows, columns=["room", "day", "value"]), Design({"t": 30, "u": 30}))
    assert estimate.placebo[0] > 5
    assert estimate.breakdown < 2


def test_arms_that_vary_unlike_are_flagged():
    data, design = panel(Scenario(n_treated=5, n_baseline=5, treated_noise=6.0), seed=1)
    estimate = compare(data, design)
    assert estimate.sd_ratio > 1.5
    assert estimate.reason("sd_ratio_history") is not None


def test_more_than_twenty_thousand_assignments_are_sampled_with_the_designs_seed():
    data, design = panel(Scenario(n_treated=8, n_baseline=12, effect=3.0), seed=2)
    first, again = compare(data, design), compare(data, design)
    assert first.reason("sampled").numbers == {"draws": 9_999}
    assert first.p_randomised == again.p_randomised >= 1 / 10_000
    other = compare(data, replace(design, seed=99))
    assert other.p_randomised == pytest.approx(first.p_randomised, abs=0.01)


def test_strata_are_drawn_again_within():
    """Two sites of four rooms, two drawn in each: 36 assignments, not 70."""
    data = flat({f"r{i}": (0.0, i * 1.1 + (3 if i % 2 else 0)) for i in range(8)})
    treated = {"r1": 10, "r3": 10, "r5": 10, "r7": 10}
    strata = {f"r{i}": "north" if i < 4 else "south" for i in range(8)}
    estimate = compare(data, Design(treated, assignment="lot", strata=strata))
    assert estimate.draws == 36
    assert estimate.p_floor == 2 / 36


def test_weekends_change_nothing_but_the_straight_line():
    data, design = panel(Scenario(effect=1.0), seed=9)
    numbers = {day: i for i, day in enumerate(sorted(set(data.day)))}
    same = compare(
        data.assign(day=data.day.map(numbers)),
        Design({r: numbers[d] for r, d in design.switch.items()}, seed=9),
    )
    assert same.effect == compare(data, design).effect


def test_arms_that_moved_unlike_amounts_say_how_often_like_rooms_do():
    """3 + 5 rooms without any difference: the ratio of SDs leaves 1/1.5–1.5 in 55 of 100 experiments."""
    found = [compare(*panel(Scenario(), seed)).reason("sd_ratio") for seed in range(300)]
    told = [reason for reason in found if reason is not None]
    assert told[0].numbers["chance"] == pytest.approx(0.552, abs=5e-4)
    assert len(told) / len(found) == pytest.approx(told[0].numbers["chance"], abs=0.09)
