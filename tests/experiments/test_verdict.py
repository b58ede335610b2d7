"""From panel and protocol to what may be said, in the order of docs/method.md, step 8."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from experiments import Design, Measure, PanelError, Protocol, Result, analyse
from experiments.reason import REASONS
from experiments.simulate import working_days

DAYS = working_days(40)
SWITCH = DAYS[20]
TREATED, BASELINE = ("loire", "maine", "vilaine"), ("erdre", "layon", "mayenne", "sarthe", "sèvre")
WOBBLE = (-1.0, 0.0, 1.0, -1.5, -0.5, 0.0, 0.5, 1.5)  # how much each room moves by itself
MINUTES = Measure("occupied_minutes", "primary", "higher", useful=15.0, unit="min")
CO2 = Measure("co2_occupied", "guardrail", "lower", margin=100.0, unit="ppm")
MEETINGS = Measure("meetings", "secondary", "higher")
HELPED = Measure("helped", "secondary", "higher")


def rows(
    outcome: str, effect: float, size: float = 1.0, rooms: tuple[str, ...] = TREATED + BASELINE
) -> list[dict]:
    """Rooms whose changes are the effect (treated) plus `size` times their wobble."""
    found = []
    for room, wobble in zip(TREATED + BASELINE, WOBBLE, strict=True):
        after = (effect if room in TREATED else 0.0) + size * wobble
        if room in rooms:
            found += [
                {"room": room, "day": day, "outcome": outcome, "value": 100.0 + after * (day >= SWITCH)}
                for day in DAYS
            ]
    return found


def voice_rows(outcome: str, effect: float, n: tuple[int, int] = (40, 40)) -> list[dict]:
    found = []
    for room, wobble in zip(TREATED + BASELINE, WOBBLE, strict=True):
        count, lift = (n[0], effect) if room in TREATED else (n[1], 0.0)
        found.append({"room": room, "day": DAYS[0], "outcome": outcome, "value": 50.0, "n": count})
        found.append(
            {"room": room, "day": SWITCH, "outcome": outcome, "value": 50.0 + lift + wobble, "n": count}
        )
    return found


def protocol(
    *measures: Measure, treated: tuple[str, ...] = TREATED, baseline: tuple[str, ...] = BASELINE, **more
) -> Protocol:
    design = Design(dict.fromkeys(treated, SWITCH), baseline, assignment=more.pop("assignment", "lot"))
    return Protocol("tables", "Tables", design, DAYS[0], DAYS[-1], measures or (MINUTES,), **more)


def judged(panel: list[dict], *measures: Measure, **more) -> Result:
    status, look = more.pop("status", "ended"), more.pop("look", "final")
    result = analyse(pd.DataFrame(panel), protocol(*measures, **more), status, look)
    json.dumps(result.to_dict(), allow_nan=False)
    assert {reason.code for reason in (*result.reasons, *result.way_out)} <= set(REASONS)
    for reason in (*result.reasons, *result.way_out):
        assert set(reason.numbers) == set(REASONS[reason.code])
    return result


def codes(result: Result) -> set[str]:
    return {reason.code for reason in result.reasons}


def test_a_useful_effect_that_harms_nothing_may_be_generalised():
    result = judged(rows("occupied_minutes", 35) + rows("co2_occupied", 10), MINUTES, CO2)
    assert (result.verdict, result.grade) == ("generalise", "decision")
    assert {"useful", "guardrail_held"} <= codes(result)


@pytest.mark.parametrize(
    ("effect", "size", "verdict", "code"),
    [
        (35, 1, "generalise", "useful"),
        (12, 1, "stop", "futile"),
        (14, 2, "adjust", "not_useful_yet"),
        (16, 20, "adjust", "uncertain"),
        (0, 1, "stop", "futile"),
        (-30, 1, "stop", "harmful"),
    ],
)
def test_the_interval_and_the_threshold_decide(effect, size, verdict, code):
    result = judged(rows("occupied_minutes", effect, size))
    assert result.verdict == verdict
    assert code in codes(result)


def test_lower_may_be_better():
    wait = replace(MINUTES, better="lower")
    assert judged(rows("occupied_minutes", -35), wait).verdict == "generalise"
    assert judged(rows("occupied_minutes", 35), wait).verdict == "stop"


@pytest.mark.parametrize(
    ("effect", "size", "state", "verdict"),
    [
        (10, 1, "held", "generalise"),
        (95, 20, "unclear", "adjust"),
        (130, 1, "crossed", "stop"),
        (130, 40, "unclear", "adjust"),
    ],
)
def test_a_guardrail_is_judged_on_its_whole_interval(effect, size, state, verdict):
    """Significantly worse is not enough to stop, and an estimate inside the margin is not enough to pass."""
    result = judged(rows("occupied_minutes", 35) + rows("co2_occupied", effect, size), MINUTES, CO2)
    assert (result.guardrails[0].state, result.verdict) == (state, verdict)


def test_a_guardrail_without_data_lets_nothing_be_generalised():
    result = judged(rows("occupied_minutes", 35), MINUTES, CO2)
    assert (result.guardrails[0].state, result.verdict) == ("not_estimable", "adjust")


def test_without_a_threshold_there_is_an_effect_but_no_verdict():
    result = judged(rows("occupied_minutes", 35), replace(MINUTES, useful=None))
    assert (result.verdict, codes(result)) == (None, {"no_threshold"})
    assert result.primary.estimate.effect == pytest.approx(35.0)


@pytest.mark.parametrize("status", ["idea", "planned", "running"])
def test_until_the_end_no_number_says_how_it_goes(status):
    result = judged(rows("occupied_minutes", 35) + rows("co2_occupied", 10), MINUTES, CO2, status=status)
    assert (result.verdict, result.primary, result.guardrails, result.secondaries) == (None, None, (), ())
    assert result.site_total is None
    assert "locked" in codes(result)
    assert ("not_started" in codes(result)) == (status != "running")
    assert result.quality[0].days_before == 20


# ------------------------------------------------------------------------------------------------ grades


def test_an_experiment_declared_afterwards_is_indicative_at_most():
    result = judged(rows("occupied_minutes", 35), retrospective=True)
    assert (result.verdict, result.grade) == ("adjust", "indicative")
    assert {"indicative_only", "retrospective"} <= codes(result)
    assert [reason.code for reason in result.way_out] == ["new_protocol"]


def test_rooms_chosen_nobody_knows_how_are_indicative_at_most():
    result = judged(rows("occupied_minutes", 35), assignment="unknown")
    assert (result.verdict, result.grade) == ("adjust", "indicative")
    assert result.way_out[0].to_dict() == {"code": "draw_by_lot", "numbers": {"grade": "decision"}}


def test_indicative_may_stop():
    assert judged(rows("occupied_minutes", -30), retrospective=True).verdict == "stop"


def test_three_against_three_is_indicative_and_one_room_more_each_would_decide():
    result = judged(rows("occupied_minutes", 35), baseline=BASELINE[:3])
    assert (result.verdict, result.grade) == ("adjust", "indicative")
    first = result.way_out[0].numbers
    assert (first["n_treated"], first["n_baseline"], first["grade"]) == (4, 4, "decision")


def test_one_treated_room_cannot_conclude_however_lucky():
    result = judged(rows("occupied_minutes", 500), treated=TREATED[:1])
    assert result.primary.estimate.p_value < 0.001
    assert (result.verdict, result.grade) == ("cannot_conclude", "none")
    assert {"grade_none", "one_treated"} <= codes(result)


def test_the_way_out_is_tried_before_it_is_said():
    result = judged(rows("occupied_minutes", 35), treated=TREATED[:1], baseline=BASELINE[:2])
    for way in result.way_out:
        numbers = way.numbers
        again = judged(
            more_rooms(numbers["treated"], numbers["baseline"]),
            treated=(*TREATED[:1], *(f"t{i}" for i in range(numbers["treated"]))),
            baseline=(*BASELINE[:2], *(f"b{i}" for i in range(numbers["baseline"]))),
        )
        assert again.grade == numbers["grade"]
    assert [way.numbers["grade"] for way in result.way_out] == ["indicative", "decision"]


def more_rooms(treated: int, baseline: int) -> list[dict]:
    found = rows("occupied_minutes", 35, rooms=TREATED[:1] + BASELINE[:2])
    for i in range(treated + baseline):
        name = f"t{i}" if i < treated else f"b{i - treated}"
        found += [
            {"room": name, "day": day, "outcome": "occupied_minutes", "value": float(i) * (day >= SWITCH)}
            for day in DAYS
        ]
    return found


def test_waiting_is_proposed_only_where_days_are_what_lacks():
    """Layon's sensor came back late; Sarthe's came too late for a before."""
    panel = [
        row
        for row in rows("occupied_minutes", 35)
        if not (row["room"] in {"loire", "maine"} and SWITCH <= row["day"] < DAYS[33])
        and not (row["room"] == "sarthe" and row["day"] < DAYS[15])
    ]
    result = judged(panel)
    assert result.verdict == "cannot_conclude"
    days = next(way for way in result.way_out if way.code == "more_days")
    assert days.numbers == {"rooms": ["loire", "maine"], "days": 3, "grade": "decision"}


def test_exclusions_lower_the_grade_and_say_so():
    panel = [
        row for row in rows("occupied_minutes", 35) if row["room"] not in BASELINE[:2] or row["day"] < SWITCH
    ]
    result = judged(panel)
    assert (result.grade_planned, result.grade) == ("decision", "indicative")
    assert "rooms_lost" in codes(result)


def test_rooms_that_all_changed_alike_cannot_conclude_and_say_why():
    result = judged(rows("occupied_minutes", 35, size=0))
    assert result.verdict == "cannot_conclude"
    assert {"not_estimable", "zero_variance"} <= codes(result)


def test_no_value_of_the_primary_outcome_cannot_conclude():
    result = judged(rows("meetings", 1), MINUTES, MEETINGS)
    assert result.verdict == "cannot_conclude"
    assert "not_estimable" in codes(result)


# ------------------------------------------------------------------------------------------------- looks


def test_an_interim_look_that_ends_nothing_shows_nothing():
    result = judged(rows("occupied_minutes", 16, 8), interim=True, look="interim")
    assert (result.status, result.verdict, result.primary) == ("running", None, None)
    assert codes(result) == {"locked", "interim_goes_on"}


def test_an_interim_look_may_end_a_clear_case_at_a_stricter_level():
    result = judged(rows("occupied_minutes", 35), interim=True, look="interim")
    assert (result.verdict, result.alpha) == ("generalise", pytest.approx(0.005))


def test_the_final_look_pays_for_the_interim_one():
    result = judged(rows("occupied_minutes", 35), interim=True)
    assert result.alpha == result.primary.estimate.alpha == pytest.approx(0.045)


# ------------------------------------------------------------------------------------- secondaries, sites


def test_secondaries_pay_for_their_number():
    panel = rows("occupied_minutes", 35) + rows("meetings", 3) + rows("seat_fill", 2, 3)
    result = judged(panel, MINUTES, MEETINGS, Measure("seat_fill", "secondary", "higher"))
    small, large = sorted(result.secondaries, key=lambda item: item.estimate.p_value)
    assert small.p_holm == pytest.approx(2 * small.estimate.p_value)
    assert large.p_holm == pytest.approx(large.estimate.p_value)


def test_where_arms_share_a_site_the_site_s_total_stands_beside_the_effect():
    """35 minutes more in three rooms, 21 fewer in the five others: nothing for the site."""
    panel = pd.DataFrame(rows("occupied_minutes", 35, 0.1))
    moved = panel.room.isin(BASELINE) & (panel.day >= SWITCH)
    panel.loc[moved, "value"] -= 21.0
    sites = dict.fromkeys(TREATED + BASELINE, "nantes")
    result = judged(panel.to_dict("records"), sites=sites)
    assert result.transfer_possible
    assert result.primary.estimate.effect == pytest.approx(56, abs=0.2)
    assert result.site_total.change == pytest.approx(0, abs=0.2)
    assert result.site_total.n_rooms == 8


def test_arms_on_different_sites_cannot_have_exchanged_their_meetings():
    sites = dict.fromkeys(TREATED, "nantes") | dict.fromkeys(BASELINE, "angers")
    assert not judged(rows("occupied_minutes", 35), sites=sites).transfer_possible


def test_unlike_spreads_make_a_result_fragile():
    panel = pd.DataFrame(rows("occupied_minutes", 35, 0.2))
    spread = {"loire": 12.0, "maine": -12.0}
    for room, more in spread.items():
        panel.loc[(panel.room == room) & (panel.day >= SWITCH), "value"] += more
    result = judged(panel.to_dict("records"))
    assert result.fragile
    assert {"fragile", "sd_ratio"} <= codes(result)


# ------------------------------------------------------------------------------------------------ voices


def test_voices_are_compared_by_period_and_say_how_little_would_flip_them():
    result = judged(rows("occupied_minutes", 35) + voice_rows("helped", 12), MINUTES, HELPED)
    helped = result.secondaries[0]
    assert helped.estimate.effect == pytest.approx(12.0)
    assert helped.voices.answers == 8 * 80
    assert 1 <= helped.voices.flip < 20


def test_an_open_form_alone_never_generalises():
    primary = replace(HELPED, role="primary", useful=5.0)
    result = judged(voice_rows("helped", 12), primary)
    assert result.verdict == "adjust"
    assert "voices_alone" in codes(result)


def test_unlike_numbers_of_answers_cap_a_voice_at_indicative():
    primary = replace(HELPED, role="primary", useful=5.0)
    result = judged(voice_rows("helped", 12, n=(10, 45)), primary)
    assert result.grade == "indicative"
    assert "few_answers_ratio" in codes(result)


def test_a_room_with_four_answers_is_not_compared():
    panel = pd.DataFrame(rows("occupied_minutes", 35) + voice_rows("helped", 12))
    few = (panel.outcome == "helped") & (panel.room == "erdre") & (panel.day == SWITCH)
    panel.loc[few, "n"] = 4
    helped = judged(panel.to_dict("records"), MINUTES, HELPED).secondaries[0]
    assert helped.estimate.excluded["erdre"].to_dict() == {
        "code": "too_few_answers",
        "numbers": {"before": 40, "after": 4, "needed": 5},
    }


def test_staggered_voices_have_their_own_switch_days():
    panel = pd.DataFrame(voice_rows("helped", 12))
    panel.loc[(panel.room == "loire") & (panel.day == SWITCH), "day"] = DAYS[25]
    design = Design({"loire": DAYS[25], "maine": SWITCH, "vilaine": SWITCH}, BASELINE, assignment="lot")
    given = Protocol("p", "P", design, DAYS[0], DAYS[-1], (replace(HELPED, role="primary", useful=5.0),))
    assert analyse(panel, given).primary.estimate.effect == pytest.approx(12.0)


def test_a_voice_by_day_is_refused():
    panel = pd.DataFrame(rows("helped", 12)).assign(n=9)
    with pytest.raises(PanelError, match="one row a room and period"):
        analyse(panel, protocol(replace(HELPED, role="primary")))


def test_days_outside_the_protocol_do_not_count():
    panel = pd.DataFrame(rows("occupied_minutes", 35))
    later = panel.assign(day=[date(2027, 1, 1 + i % 28) for i in range(len(panel))], value=np.nan)
    later = later.drop_duplicates(["room", "day"]).assign(value=1e6)
    assert analyse(pd.concat([panel, later]), protocol()) == analyse(panel, protocol())


def test_a_panel_without_outcomes_is_refused():
    with pytest.raises(PanelError, match="'outcome'"):
        analyse(pd.DataFrame(rows("occupied_minutes", 35)).drop(columns="outcome"), protocol())
