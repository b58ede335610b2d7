"""What is fixed beforehand: read strictly, written canonically."""

from __future__ import annotations

import json
from datetime import date, datetime

import pytest

from experiments import Design, DesignError, Measure, Protocol

DAY = date(2026, 4, 13)
MEASURES = (
    Measure("occupied_minutes", "primary", "higher", useful=15.0, unit="min"),
    Measure("co2_occupied", "guardrail", "lower", margin=100.0, unit="ppm", version=2),
)


def protocol(**changed: object) -> Protocol:
    given = {
        "slug": "tables",
        "title": "Tables modulaires",
        "design": Design({"loire": DAY, "maine": DAY}, ("erdre",), washout=5, assignment="lot", seed=7),
        "starts": date(2026, 3, 2),
        "ends": date(2026, 5, 29),
        "measures": MEASURES,
        "sites": {"loire": "nantes", "erdre": "nantes"},
        "sheet": {"hypothesis": "Si… alors…"},
    }
    return Protocol(**(given | changed))


def test_a_protocol_comes_back_from_its_document_as_it_was():
    once = protocol()
    again = Protocol.from_json(once.to_json())
    assert again == once
    assert again.sha256 == once.sha256


def test_equal_protocols_are_equal_bytes_whatever_the_order_of_their_rooms():
    design = Design({"maine": DAY, "loire": DAY}, ("erdre",), washout=5, assignment="lot", seed=7)
    assert protocol(design=design).sha256 == protocol().sha256


def test_integers_stay_integers():
    given = protocol(design=Design({"a": 12}, ("b",)), starts=0, ends=30)
    assert Protocol.from_json(given.to_json()).design.switch == {"a": 12}


@pytest.mark.parametrize("day", ["2026-04-13", datetime(2026, 4, 13, 9, 30), DAY])  # noqa: DTZ001 - a local day
def test_a_day_may_be_given_in_several_ways(day):
    assert Design({"a": day}).switch["a"] == DAY


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda: Design({"a": DAY}, ("a",)), "both treated and baseline"),
        (lambda: Design({"a": DAY, "b": 3}), "dates or integers, not both"),
        (lambda: Design({"a": "13/04/2026"}), "is not a day"),
        (lambda: Design({"a": 1.5}), "is not a day"),
        (lambda: Design({"a": 1}, washout=-1), "washout"),
        (lambda: Design({"a": 1}, min_days=0), "min_days"),
        (lambda: Design({"a": 1}, assignment="dice"), "assignment"),
        (lambda: Design({"a": 1, "b": 1}, pairs=[("a", "b")]), "one treated and one baseline"),
        (lambda: Design({"a": 1, "b": 1}, pairs=[("a", "c")]), "'b' is in no pair"),
        (lambda: Measure("co2", "guardrail", "lower"), "needs its margin"),
        (lambda: Measure("co2", "guardrail", "lower", margin=-3), "margin"),
        (lambda: Measure("co2", "main", "lower"), "role"),
        (lambda: Measure("co2", "primary", "up"), "better"),
        (lambda: protocol(ends=date(2026, 1, 1)), "before starts"),
        (lambda: protocol(alpha=0), "alpha"),
        (lambda: protocol(measures=MEASURES[1:]), "one primary"),
        (lambda: protocol(measures=(*MEASURES, MEASURES[1])), "twice"),
        (lambda: Protocol.from_json("{"), "line 1"),
        (lambda: Protocol.from_json("[]"), "object"),
        (lambda: Protocol.from_json("{}"), "design is missing"),
        (lambda: Protocol.from_json(edited(colour="red")), "colour is not a field"),
        (lambda: Protocol.from_json(edited(title=None, drop=True)), "title"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(broken, words):
    with pytest.raises(DesignError, match=words):
        broken()


def edited(drop: bool = False, **changed: object) -> str:
    document = json.loads(protocol().to_json()) | changed
    return json.dumps({key: value for key, value in document.items() if not (drop and key in changed)})
