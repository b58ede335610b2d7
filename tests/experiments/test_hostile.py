"""Panels and designs somebody will pass one day: a named reason or a sentence, never a number made up."""

from __future__ import annotations

import math
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from experiments import Design, DesignError, Estimate, PanelError, compare
from experiments.reason import REASONS
from experiments.simulate import Scenario, panel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA, DESIGN = panel(Scenario(effect=2.0), 4)
TREATED = list(DESIGN.switch)
BASELINE = sorted(set(DATA["room"]) - set(TREATED))
DAYS = sorted(set(DATA["day"]))
SWITCH = DESIGN.switch[TREATED[0]]
TRIED = ("se", "t", "df", "ci_low", "ci_high", "p_value", "p_randomised")


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


def only(*rooms: str) -> pd.DataFrame:
    return DATA[DATA["room"].isin(rooms)]


def silent(*rooms: str) -> pd.DataFrame:
    return DATA.assign(value=DATA["value"].where(~DATA["room"].isin(rooms)))


def by_room(step: float, gain: float = 0.0) -> pd.DataFrame:
    levels = DATA["room"].map({room: step * i for i, room in enumerate(sorted(set(DATA["room"])))})
    return DATA.assign(value=levels + gain * (DATA["room"].isin(TREATED) & (DATA["day"] >= SWITCH)))


def codes(estimate: Estimate) -> set[str]:
    return {why.code for why in (*estimate.reasons, *estimate.excluded.values())}


PAIRS = tuple(zip(TREATED, BASELINE, strict=False))
PAIRED = Design(DESIGN.switch, tuple(BASELINE[:3]), pairs=PAIRS)
EVEN = DATA["day"].map(DAYS.index) % 2 == 0
NOTHING: dict[str, tuple[pd.DataFrame, Design, set[str]]] = {
    "every value missing": (DATA.assign(value=np.nan), DESIGN, {"no_treated", "no_baseline", "too_few_days"}),
    "no row": (DATA[:0], DESIGN, {"no_treated", "no_baseline", "absent"}),
    "no baseline room heard": (silent(*BASELINE), DESIGN, {"no_baseline", "too_few_days"}),
    "one day": (DATA[DATA["day"] == SWITCH], DESIGN, {"no_treated", "no_baseline", "too_few_days"}),
    "nothing changed anywhere": (DATA, Design({}), {"no_treated"}),
    "every room changed, at other dates, none left as it was": (
        DATA,
        Design({room: DAYS[10 + 5 * i] for i, room in enumerate(TREATED + BASELINE)}),
        {"no_baseline"},
    ),
    "every room changed on one day": (
        DATA,
        Design(dict.fromkeys(TREATED + BASELINE, SWITCH)),
        {"no_baseline"},
    ),
    "a baseline room nobody knows": (DATA, Design(DESIGN.switch, ("nowhere",)), {"no_baseline", "absent"}),
    "pairs whose other rooms are all missing": (
        only(*TREATED),
        PAIRED,
        {"no_treated", "no_baseline", "absent", "pair_broken"},
    ),
    "a switch before the first day": (
        DATA,
        Design(dict.fromkeys(TREATED, DAYS[0])),
        {"no_treated", "no_baseline", "too_few_days"},
    ),
    "a washout longer than the panel": (
        DATA,
        Design(DESIGN.switch, washout=10**12),
        {"no_treated", "no_baseline", "too_few_days"},
    ),
    "arms that were never observed on one day": (
        DATA[DATA["room"].isin(TREATED) == EVEN],
        DESIGN,
        {"no_treated", "too_few_days"},
    ),
}


@pytest.mark.parametrize("case", NOTHING)
def test_without_two_arms_there_is_no_number_and_a_reason(case: str) -> None:
    data, design, expected = NOTHING[case]
    estimate = compare(data, design)
    assert codes(estimate) == expected
    assert [
        name for name in ("effect", "effect_detrended", *TRIED) if getattr(estimate, name) is not None
    ] == []
    assert estimate.grade == "none"


EFFECT_ALONE: dict[str, tuple[pd.DataFrame, Design, str]] = {
    "rooms that never vary": (by_room(1.0), DESIGN, "zero_variance"),
    "rooms that all read zero": (by_room(0.0), DESIGN, "zero_variance"),
    "rooms that vary by a last digit": (by_room(0.1, gain=0.7), DESIGN, "zero_variance"),
    "one room on each side": (only(TREATED[0], BASELINE[0]), Design({TREATED[0]: SWITCH}), "two_rooms"),
    "one pair left of three": (only(*TREATED, BASELINE[2]), PAIRED, "one_pair"),
    "a level that leaves no digit for the changes": (
        DATA.assign(value=DATA["value"] + 1e15),
        DESIGN,
        "zero_variance",
    ),
}


@pytest.mark.parametrize("case", EFFECT_ALONE)
def test_without_a_measure_of_chance_there_is_an_effect_alone(case: str) -> None:
    data, design, expected = EFFECT_ALONE[case]
    estimate = compare(data, design)
    assert expected in codes(estimate)
    assert estimate.effect is not None
    assert [name for name in TRIED if getattr(estimate, name) is not None] == []


@pytest.mark.parametrize("scale", [1e-99, 1e-10, 1e10, 1e98])
def test_a_unit_changes_nothing_but_the_unit(scale: float) -> None:
    one, other = compare(DATA, DESIGN), compare(DATA.assign(value=DATA["value"] * scale), DESIGN)
    for name in ("effect", "se", "ci_low", "ci_high", "effect_detrended"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * scale, rel=1e-9)
    for name in ("t", "p_value", "p_randomised", "breakdown", "sd_ratio", "sd_ratio_history"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9)
    assert codes(other) == codes(one)


def test_a_pair_that_lost_a_room_leaves_together() -> None:
    estimate = compare(DATA[DATA["room"] != BASELINE[0]], PAIRED)
    assert {room: why.code for room, why in estimate.excluded.items()} == {
        BASELINE[0]: "absent",
        TREATED[0]: "pair_broken",
    }
    assert (estimate.n_treated, estimate.n_baseline, estimate.df) == (2, 2, 1)


def test_one_arm_that_never_varies_leaves_the_other_as_the_measure() -> None:
    flat = DATA.assign(value=DATA["value"].where(DATA["room"].isin(TREATED), 1.0))
    estimate = compare(flat, DESIGN)
    assert estimate.se is not None
    assert estimate.sd_ratio is None


def test_every_number_that_is_given_is_finite_and_every_reason_is_known() -> None:
    cases = [(data, design) for data, design, _ in (*NOTHING.values(), *EFFECT_ALONE.values())]
    for data, design in (*cases, (DATA, PAIRED), (silent(TREATED[0]), DESIGN)):
        estimate = compare(data, design)
        numbers = [getattr(estimate, item.name) for item in fields(estimate)]
        assert all(math.isfinite(number) for number in numbers if isinstance(number, float))
        assert codes(estimate) <= set(REASONS)
        assert (estimate.p_value, estimate.p_randomised) != (1.0, 1.0)


def with_value(value: object) -> pd.DataFrame:
    data = DATA.assign(value=DATA["value"].astype(object))
    data.loc[data.index[5], "value"] = value
    return data


def with_day(day: object) -> pd.DataFrame:
    data = DATA.assign(day=DATA["day"].astype(object))
    data.loc[data.index[5], "day"] = day
    return data


def numbered(days: Callable[[int], Any]) -> pd.DataFrame:
    return DATA.assign(day=[days(DAYS.index(day)) for day in DATA["day"]])


REFUSED: dict[str, tuple[Any, str]] = {
    "infinity": (with_value(math.inf), "infinity"),
    "minus infinity": (with_value(-math.inf), "infinity"),
    "text": (with_value("many"), "'many'"),
    "complex numbers": (DATA.assign(value=DATA["value"] + 1j), "plain numbers"),
    "instants for values": (DATA.assign(value=pd.Timestamp("2026-01-01")), "plain numbers"),
    "durations for values": (DATA.assign(value=pd.Timedelta("1h")), "plain numbers"),
    "values too large to square": (DATA.assign(value=DATA["value"] * 1e200), "another unit"),
    "values too small to square": (DATA.assign(value=DATA["value"] * 1e-200), "another unit"),
    "a day missing": (with_day(None), "no day"),
    "a number among dates": (with_day(7), "some days are dates and some are numbers"),
    "words for a day": (with_day("soon"), "'soon'"),
    "halves of days": (numbered(lambda i: i + 0.5), "fraction"),
    "days beyond whole numbers": (numbered(lambda i: (i + 1) * 1e30), "from a later one"),
    "days that are true or false": (numbered(lambda i: i > 3), "true and false"),
    "one room written two ways": (
        DATA.assign(room=DATA["room"].astype(object).replace({BASELINE[0]: 1, BASELINE[1]: "1"})),
        "room 1 is written both",
    ),
    "two columns of values": (
        pd.concat([DATA, DATA[["value"]]], axis=1),
        "2 columns 'value'",
    ),
    "no frame at all": ([1, 2, 3], "is a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_panel_is_refused_in_a_sentence(case: str) -> None:
    data, words = REFUSED[case]
    with pytest.raises(PanelError, match=words) as refused:
        compare(data, DESIGN)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"switch": None}, "switch"),
        ({"switch": ["a"]}, "switch"),
        ({"switch": {"a": math.nan}}, "missing"),
        ({"switch": {"a": pd.NaT}}, "missing"),
        ({"baseline": "bcd"}, "list of rooms"),
        ({"min_days": "10"}, "min_days is '10'"),
        ({"min_days": 2.5}, "min_days is 2.5"),
        ({"washout": math.nan}, "washout is nan"),
        ({"washout": True}, "washout is True"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_design_of_the_wrong_kind_is_refused_by_field(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        Design(**({"switch": {"a": 1}} | wrong))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.05, 2.0, math.nan])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(DesignError, match="alpha"):
        compare(DATA, DESIGN, alpha=alpha)


@pytest.mark.parametrize(
    "written", [pd.Timestamp, str, lambda day: np.datetime64(day, "ns")], ids=["pandas", "text", "numpy"]
)
def test_a_switch_may_be_written_by_any_library(written: Callable[[object], Any]) -> None:
    design = Design({room: written(day) for room, day in DESIGN.switch.items()}, assignment="lot")
    assert compare(DATA, design) == compare(DATA, Design(DESIGN.switch, assignment="lot"))
