"""Quarantine in the browser: mapped, tried first, corrected, dropped; in two tabs, with any input."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from sensors.move import Refusal
from sensors.reading import Message
from service import replays, river
from service.registry import audit, mappings, quarantine
from service.registry.tables import Device

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SAMPLE = {"v": {"t1": 214, "co2": 612}, "sn": "A17", "fw": "1.4"}


def refuse(registry, *messages, code="unknown_format", source="mqtt-abc"):
    refusals = [
        Refusal(number, Message(topic, body, NOON + timedelta(seconds=number)), f"{code}: not understood")
        for number, (topic, body) in enumerate(messages, 1)
    ]
    river.RegistryQuarantine(registry).put(source, refusals)


@pytest.fixture
def waiting(registry):
    body = json.dumps(SAMPLE).encode()
    refuse(registry, ("usine/c17/etat", body), ("usine/c18/etat", body))
    return registry


@pytest.fixture
def staff(browser_of, waiting):  # noqa: ARG001 - two messages wait
    return browser_of("facilities")


def sent(page: str, action: str) -> dict[str, str | list[str]]:
    """The fields of a form as a browser would send them, untouched."""
    form = re.search(rf'<form method="post" action="{action}(?:#\w+)?">(.*?)</form>', page, re.DOTALL)[1]
    fields: dict[str, str | list[str]] = {}
    for name, body in re.findall(r'<select[^>]*?name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', body)
        fields[unescape(name)] = unescape(chosen[1]) if chosen else ""
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{each}="([^"]*)"', tag) for each in ("name", "value"))
        kind = re.search(r'type="(\w+)"', tag)
        if kind and kind[1] in ("radio", "checkbox") and " checked" not in tag:
            continue
        told = unescape(value[1]) if value else ""
        if name[1] in ("level", "varies"):
            fields.setdefault(name[1], []).append(told)
        else:
            fields[name[1]] = told
    return fields


def opened(browser, cause=1):
    """The form as it opens, but for the topic naming the device."""
    page = browser.get(f"/quarantine/{cause}").text
    return sent(page, f"/quarantine/{cause}/map") | {"device_from": "topic", "time_from": "reception"}


def test_the_form_guesses_what_it_can(staff):
    page = staff.get("/quarantine/1").text
    form = sent(page, "/quarantine/1/map")
    assert form["level"] == ["usine", "c18", "etat"]
    assert form["varies"] == ["1"]
    assert (form["device_from"], form["time_from"]) == ("format", "format")
    assert "usine/A17" in page  # by the serial number, whose name is known
    assert form["device_field"] == "/sn"
    assert form["choice/v/co2"] == "co2|ppm"
    assert form["choice/v/t1"] == ""


def test_what_fields_mean_is_asked_first_only_where_that_mends_it(staff, registry):
    """A clock to be set is not buried under a form that does not set it."""
    refuse(registry, ("usine/c17/etat", json.dumps(SAMPLE).encode()), code="clock_behind", source="http")
    asked, other = (staff.get(f"/quarantine/{cause}").text for cause in (1, 2))
    assert asked.index("Dire ce que cela veut dire") < asked.index("Écarter")
    assert other.index("Écarter</h2>") < other.index("Dire ce que cela veut dire") < other.index("<details>")
    form = sent(other, "/quarantine/2/map") | {"device_from": "topic", "time_from": "reception"}
    tried = staff.post("/quarantine/2/map", data={**form, "csrf": staff.csrf, "do": "try"}).text
    assert "<details open>" in tried  # what was typed is in sight when it comes back


def test_a_message_that_is_one_value_is_called_the_whole_message(staff, registry):
    landed = ("usine/c17/etat", b"{}")  # as the two that wait
    refuse(registry, landed, landed, ("usine/c19/t", b"21.4"))
    latest = max(re.findall(r'href="(/quarantine/\d+)"', staff.get("/quarantine").text))
    page = staff.get(latest).text
    assert re.search(r"<th [^>]*>tout le message</th>", page)
    assert 'aria-label="Ce qu’est tout le message"' in page


def test_a_preview_shows_the_readings_and_keeps_nothing(staff, registry):
    form = opened(staff) | {"choice/v/t1": "temperature|°C", "scale/v/t1": "0,1", "do": "try"}
    page = staff.post("/quarantine/1/map", data=form)
    assert page.status_code == 200
    assert re.search(r"21,4\s*°C", page.text.replace("\u202f", " ").replace("&nbsp;", " "))
    assert "nouveau capteur" in page.text
    again = sent(page.text, "/quarantine/1/map")
    assert (again["choice/v/t1"], again["scale/v/t1"]) == ("temperature|°C", "0,1")
    with registry.session() as session:
        assert mappings.latest(session) == []


def test_saved_it_is_replayed_and_says_so(staff, registry, settings):
    form = opened(staff) | {"choice/v/t1": "temperature|°C", "scale/v/t1": "0.1", "do": "save"}
    answer = staff.post("/quarantine/1/map", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/quarantine?done=map")
    assert "<progress" in staff.get("/quarantine").text
    store = river.open_store(settings)
    assert replays.run_due(settings, registry, store, datetime.now(UTC) + timedelta(minutes=1)) == 1
    frame = store.read(NOON, NOON + timedelta(hours=1))
    assert sorted(set(frame["device"])) == ["usine/c17", "usine/c18"]
    assert sorted(frame["value"]) == [21.4, 21.4, 612, 612]
    store.close()
    page = staff.get("/quarantine").text
    assert "2 messages compris" in page
    assert "Rien en quarantaine" in page
    assert "usine/+/etat" in page
    with registry.session() as session:
        assert session.get(Device, "usine/c17").gateway == "usine"
        assert audit.latest(session, 1)[0].who.startswith("Facilities <")


def saved(staff, **change):
    form = opened(staff) | {"choice/v/t1": "temperature|°C", "do": "save"} | change
    return staff.post("/quarantine/1/map", data=form, follow_redirects=False)


def test_a_mapping_is_corrected_and_the_second_of_two_tabs_is_told(staff, registry):
    assert saved(staff).status_code == 303
    one = sent(staff.get("/mappings/1").text, "/mappings/1")
    assert one["choice/v/t1"] == "temperature|°C"
    other = dict(one)
    assert (
        staff.post(
            "/mappings/1", data=one | {"scale/v/t1": "0.1", "do": "save"}, follow_redirects=False
        ).status_code
        == 303
    )
    late = staff.post("/mappings/1", data=other | {"scale/v/t1": "0.01", "do": "save"})
    assert late.status_code == 409
    assert "entre-temps" in late.text
    assert sent(late.text, "/mappings/1")["scale/v/t1"] == "0.01"
    with registry.session() as session:
        assert [row.version for row in mappings.versions(session, 1)] == [2, 1]
        assert mappings.current(session)[0].fields[0].scale == 0.1


def test_a_mapping_is_withdrawn(staff, registry):
    saved(staff)
    csrf = opened(staff)["csrf"]
    assert staff.post("/mappings/1/withdraw", data={"csrf": csrf}, follow_redirects=False).status_code == 303
    assert staff.post("/mappings/1/withdraw", data={"csrf": csrf}).status_code == 404
    assert "retirée" in staff.get("/mappings/1").text
    with registry.session() as session:
        assert mappings.current(session) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"choice/v/co2": "", "choice/v/t1": ""}, "au moins un champ"),
        ({"choice/v/t1": "co2|ppm"}, "Deux champs seraient la même mesure"),
        ({"choice/v/t1": "fun|"}, "pas connue ici"),
        ({"choice/v/t1": "temperature|ppm"}, "pas une unité"),
        ({"scale/v/t1": "zéro"}, "Donnez un facteur"),
        ({"scale/v/t1": "0"}, "Donnez un facteur"),
        ({"varies": []}, "Dites quel capteur parle"),
        ({"device_from": "name", "device_name": "x"}, "tous n’en feraient qu’un"),
        ({"device_from": "name", "device_name": " ", "varies": []}, "Dites quel capteur parle"),
        ({"device_from": "eval"}, "Dites quel capteur parle"),
        ({"time_from": "field", "time_field": "at"}, "Dites quelle heure compte"),
        ({"varies": ["0", "1"]}, "Le niveau de la passerelle"),
        ({"level": ["usine", "x", "a+"]}, "+ et # remplacent"),
        ({"level": []}, "+ et # remplacent"),
        ({"device_from": "field", "device_field": "sn"}, "Dites quel capteur parle"),
    ],
)
def test_what_cannot_be_has_its_sentence_and_loses_nothing(staff, registry, change, words):
    form = opened(staff) | {"choice/v/t1": "temperature|°C", "scale/v/co2": "7", "do": "save"} | change
    answer = staff.post("/quarantine/1/map", data=form)
    assert answer.status_code == 422
    assert words in unescape(answer.text).replace("\u202f", " ").replace("\xa0", " ")
    assert sent(answer.text, "/quarantine/1/map")["scale/v/co2"] == "7"
    with registry.session() as session:
        assert mappings.latest(session) == []


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "\u202eevil", "<script>alert(1)</script>", "\0", "🦊" * 300, "../../etc"]
)
def test_hostile_words_do_no_harm(staff, text):
    form = opened(staff) | {
        "device_name": text,
        "device_field": text,
        "choice/v/t1": text,
        "scale/v/t1": text,
        "do": "try",
    }
    answer = staff.post("/quarantine/1/map", data=form)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert staff.post(
        "/quarantine/1/drop", data={"csrf": form["csrf"], "why": text}, follow_redirects=False
    ).status_code in (303, 422)


def test_hostile_payloads_and_topics_are_shown_safely(registry, staff):
    refuse(
        registry,
        ("usine/<b>x</b>\u202e/\0", json.dumps({"<script>": "<img src=x>", "a\0": 1}).encode()),
        ("usine/y", b"\xff\x00\xfe"),
        ("usine/z", b"[" * 50_000),
    )
    for cause in (2, 3, 4):
        page = staff.get(f"/quarantine/{cause}")
        assert page.status_code == 200
        assert "<script>" not in page.text.replace('<script src="', "")
        assert "<img" not in page.text
    assert staff.get("/quarantine").status_code == 200


def test_a_name_that_another_device_has_is_not_taken_by_mistake(staff, registry):
    with registry.session() as session:
        session.add(Device(key="usine/nord", gateway="usine"))
    answer = saved(staff, device_from="name", device_name="nord", varies=[])
    assert answer.status_code == 422
    assert "porte déjà ce nom" in answer.text


def test_a_mapping_that_overlaps_another_leads_to_it(staff):
    saved(staff)
    answer = saved(staff)
    assert answer.status_code == 422
    assert "n° 1" in answer.text.replace("\u202f", " ")


def test_dropping_asks_why_and_keeps_who(staff, registry):
    csrf = opened(staff)["csrf"]
    empty = staff.post("/quarantine/1/drop", data={"csrf": csrf, "why": "  "})
    assert (empty.status_code, "Dites pourquoi" in empty.text) == (422, True)
    assert (
        staff.post(
            "/quarantine/1/drop",
            data={"csrf": csrf, "why": "capteur de démonstration"},
            follow_redirects=False,
        ).status_code
        == 303
    )
    with registry.session() as session:
        entry = quarantine.recent(session, status="dropped")[0]
        assert entry.reason.endswith("(dropped: Facilities: capteur de démonstration)")
    assert "Plus aucun message" in staff.get("/quarantine/1").text


def test_asking_twice_for_a_replay_is_one(staff, registry):
    csrf = opened(staff)["csrf"]
    for _ in range(2):
        assert (
            staff.post("/quarantine/1/replay", data={"csrf": csrf}, follow_redirects=False).status_code == 303
        )
    with registry.session() as session:
        assert len(mappings.replays(session)) == 1


@pytest.mark.usefixtures("waiting")
def test_a_reader_sees_and_changes_nothing(browser_of):
    reader = browser_of("reader")
    page = reader.get("/quarantine/1").text
    assert "/quarantine/1/map" not in page
    assert "/quarantine/1/drop" not in page


@pytest.mark.parametrize("path", ["/quarantine/99", "/mappings/99"])
def test_what_is_not_there_is_not_found(staff, path):
    assert staff.get(path).status_code == 404
    assert staff.post(
        f"{path}/replay" if "quarantine" in path else f"{path}/withdraw", data={"csrf": "x"}
    ).status_code in (403, 404)


MAPPING = {
    "topic": "usine/+/etat",
    "fields": [{"pointer": "/v/t1", "metric": "temperature", "unit": "°C", "scale": 0.1}],
    "device_from": "topic",
}


def test_a_program_does_the_same(staff):
    said = {"X-CSRF-Token": staff.csrf}
    (cause,) = staff.get("/api/v1/quarantine").json()
    assert (cause["code"], cause["gateway"], cause["waiting"]) == ("unknown_format", "usine", 2)
    messages = staff.get("/api/v1/quarantine/1").json()
    assert json.loads(messages[0]["payload"]) == SAMPLE
    tried = staff.post("/api/v1/mapping-previews", json=MAPPING, headers=said).json()
    assert [reading["value"] for each in tried for reading in each["readings"]] == [21.4, 21.4]
    kept = staff.post("/api/v1/mappings", json=MAPPING, headers=said)
    assert (kept.status_code, kept.json()["mapping"]["number"], kept.json()["replay"]["ended"]) == (
        201,
        1,
        False,
    )
    assert staff.post("/api/v1/mappings", json=MAPPING, headers=said).status_code == 422
    assert staff.put("/api/v1/mappings/1", json=MAPPING, headers=said).json()["mapping"]["version"] == 2
    assert [each["version"] for each in staff.get("/api/v1/mappings").json()] == [2]
    assert staff.get(f"/api/v1/replays/{kept.json()['replay']['id']}").status_code == 200
    assert staff.delete("/api/v1/mappings/1", headers=said).status_code == 202
    assert staff.delete("/api/v1/mappings/1", headers=said).status_code == 404
    assert staff.post("/api/v1/quarantine/1/replay", headers=said).status_code == 202
    assert staff.post("/api/v1/quarantine/1/drop", json={"reason": " "}, headers=said).status_code == 422
    assert staff.post("/api/v1/quarantine/1/drop", json={"reason": "test"}, headers=said).json() == {
        "dropped": 2
    }


@pytest.mark.parametrize(
    "body",
    [[], None, {"topic": "#", "fields": []}, MAPPING | {"re": ".*"}, MAPPING | {"fields": "x" * 10_000}],
)
def test_a_program_that_says_nonsense_is_told(staff, registry, body):
    answer = staff.post("/api/v1/mappings", json=body, headers={"X-CSRF-Token": staff.csrf})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]
    with registry.session() as session:
        assert mappings.latest(session) == []


def test_a_change_by_cookie_alone_is_refused(staff):
    assert staff.post("/api/v1/mappings", json=MAPPING).status_code == 403
    assert staff.post("/api/v1/quarantine/1/drop", json={"reason": "x"}).status_code == 403
