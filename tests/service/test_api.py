"""`/api/v1`: what a program reads, and what it cannot have before the end."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator

from experiments.design import Protocol
from experiments.panel import DayOutcome
from service import results
from service.declare import declare
from service.registry import experiments, outcomes

TREATED, BASELINE = ("a", "b", "c", "d", "e"), ("m", "n", "o", "p", "q")
TODAY = datetime.now(UTC).date()

SITE = """
[[sites]]
slug = "hv"
name = "Hôtel de ville"
weekdays = "1234567"
""" + "".join(
    f'[[sites.rooms]]\nslug = "{room}"\nname = "{room}"\ncapacity = 8\n' for room in (*TREATED, *BASELINE)
)


def experiment(slug, starts, switch, ends):
    switches = ", ".join(f"{room} = {switch}" for room in TREATED)
    return f"""
[[experiments]]
slug = "{slug}"
title = "{slug}"
starts = {starts}
ends = {ends}
switch = {{ {switches} }}
baseline = {json.dumps(BASELINE)}
assignment = "lot"
washout = 0
measures = [
  {{ outcome = "occupied_minutes", role = "primary", useful = 20 }},
  {{ outcome = "co2_high", role = "guardrail", margin = 5 }},
]
"""


def measured(session, first, last, switch):
    """Ten rooms with a little life of their own; the treated ones gain 60 minutes from the switch on."""
    day = first
    while day <= last:
        found = []
        for i, room in enumerate((*TREATED, *BASELINE)):
            life = (7 * i + 3 * day.toordinal()) % 11 + 20 * i
            gain = 60 if room in TREATED and day >= switch else 0
            found.append(DayOutcome(room, day, "occupied_minutes", 1, 100.0 + life + gain, 1.0))
            found.append(DayOutcome(room, day, "co2_high", 1, (life % 7) / 3, 1.0))
        outcomes.replace_day(session, day, found)
        day += timedelta(days=1)


@pytest.fixture
def world(registry, settings):
    """An experiment that ended last week, one that runs, an idea."""
    ended = (TODAY - timedelta(120), TODAY - timedelta(90), TODAY - timedelta(60))
    running = (TODAY - timedelta(50), TODAY - timedelta(20), TODAY + timedelta(20))
    text = SITE + experiment("ended", *ended) + experiment("running", *running)
    text += '[[experiments]]\nslug = "idea"\ntitle = "Idea"\n'
    with registry.session() as session:
        declare(session, text, "Camille", datetime.now(UTC) - timedelta(130), settings.zone)
        measured(session, ended[0], TODAY - timedelta(1), ended[1])
    return registry


@pytest.fixture
def api(world, reader):  # noqa: ARG001 - the world is what is read
    return lambda path: reader.get(f"/api/v1/{path}")


def test_rooms_say_whether_their_values_are_hidden(api):
    rooms = api("rooms").json()
    assert [room["slug"] for room in rooms] == sorted([*TREATED, *BASELINE])
    assert rooms[0] | {"hidden": None} == {
        "slug": "a", "name": "a", "site": "hv", "site_name": "Hôtel de ville", "floor": None, "capacity": 8,
        "area_m2": None, "volume_m3": None, "opens": "08:00:00", "closes": "19:00:00", "weekdays": "1234567",
        "hidden": None,
    }  # fmt: skip
    assert rooms[0]["hidden"]["experiment"] == "running"


def test_devices_say_where_they_are_and_whether_they_are_silent(api, world, settings):
    text = '[[devices]]\nkey = "gw/one"\nlabel = "One"\nplacements = [{ room = "a", start = 2020-01-01 }]\n'
    with world.session() as session:
        declare(session, text, "Camille", datetime.now(UTC), settings.zone)
    (device,) = api("devices").json()
    assert (device["key"], device["room"], device["last_seen"], device["silent"]) == (
        "gw/one",
        "a",
        None,
        True,
    )


def test_experiments_are_listed_with_status_and_lock(api):
    found = {each["slug"]: each for each in api("experiments").json()}
    assert {slug: each["status"] for slug, each in found.items()} == {
        "ended": "ended",
        "running": "running",
        "idea": "idea",
    }
    assert len(found["running"]["protocol_sha256"]) == 64
    assert found["idea"]["protocol_sha256"] is None
    assert {"room": "m", "switch": None} in found["ended"]["arms"]


def test_the_result_of_an_ended_experiment_is_whole(api):
    result = api("experiments/ended/result").json()
    assert result["status"] == "ended"
    assert result["verdict"] == "generalise"
    assert result["grade"] == "decision"
    assert result["primary"]["estimate"]["effect"] == pytest.approx(60, abs=2)
    assert result["guardrails"][0]["state"] == "held"
    assert {"reasons", "secondaries", "quality"} <= result.keys()


def test_while_it_runs_there_is_no_verdict_and_no_number_to_make_one_from(api):
    answer = api("experiments/running/result")
    result = answer.json()
    assert (result["verdict"], result["reasons"][0]["code"]) == (None, "locked")
    assert result["primary"] is None or result["primary"]["estimate"]["effect"] is None
    panel = api("experiments/running/panel.csv")
    assert (panel.status_code, panel.json()["error"]["code"]) == (423, "locked")


def test_until_the_switch_the_panel_is_open_and_ends_before_it(api):
    answer = api("experiments/running/panel.csv?until=switch")
    days = {row["day"] for row in csv.DictReader(io.StringIO(answer.text))}
    assert answer.status_code == 200
    assert max(days) == (TODAY - timedelta(21)).isoformat()
    assert len(days) == 28  # thirty, cut to whole weeks


def test_protocol_and_panel_give_the_result_to_the_last_digit(api):
    document = api("experiments/ended/protocol.json")
    panel = api("experiments/ended/panel.csv")
    assert panel.headers["content-type"].startswith("text/csv")
    protocol = Protocol.from_json(document.text)
    assert document.headers["etag"] == f'"{protocol.sha256}"'
    recomputed = results.analyse(results.read_panel(panel.content), protocol, "ended")
    assert json.loads(json.dumps(recomputed.to_dict())) == api("experiments/ended/result").json()


def test_the_locked_protocol_is_given_byte_by_byte(api, world):
    with world.session() as session:
        locked = experiments.find(session, "running").protocol.document
    assert api("experiments/running/protocol.json").text == locked


@pytest.mark.parametrize("what", ["protocol.json", "panel.csv"])
def test_what_is_not_compared_has_neither_protocol_nor_panel(api, what):
    answer = api(f"experiments/idea/{what}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_what_is_not_compared_says_so_in_its_result(api):
    result = api("experiments/idea/result").json()
    assert (result["status"], result["verdict"], result["reasons"][0]["code"]) == (
        "idea",
        None,
        "not_compared",
    )


@pytest.mark.parametrize("what", ["result", "protocol.json", "panel.csv"])
def test_an_unknown_experiment_is_not_found(api, what):
    answer = api(f"experiments/nothing/{what}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("slug", "whats"),
    [
        ("ended", ("result", "protocol.json", "panel.csv")),
        ("running", ("result", "protocol.json")),
        ("idea", ("result",)),
    ],
)
def test_what_the_analysis_writes_is_as_it_is_described(api, slug, whats):
    paths = api("openapi.json").json()["paths"]
    for what in whats:
        answer = api(f"experiments/{slug}/{what}")
        ((kind, told),) = paths[f"/api/v1/experiments/{{slug}}/{what}"]["get"]["responses"]["200"][
            "content"
        ].items()
        assert answer.headers["content-type"].startswith(kind)
        Draft202012Validator(told["schema"]).validate(answer.json() if kind.endswith("json") else answer.text)


def test_the_api_describes_itself_with_nothing_from_elsewhere(app, reader):
    described = reader.get("/api/v1/openapi.json").json()
    routes = {each.path.replace(":path}", "}") for each in iter_route_contexts(app.routes)}
    assert set(described["paths"]) == {
        path for path in routes if path.startswith("/api/v1/") and path != "/api/v1/openapi.json"
    }
    page = reader.get("/api/docs").text
    assert all(path in page for path in described["paths"])
    assert "<script" not in page
    assert "//cdn" not in page
    for noun in described["tags"]:  # one finds it by its noun, with an example of what is sent
        assert f'href="#{noun["name"]}"' in page
        assert f'<section id="{noun["name"]}"' in page
    assert "&#34;switch&#34;: &#34;2026-04-01&#34;" in page
    assert page.count("The registry or the store does not answer") == 1
