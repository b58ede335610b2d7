"""Changes by API: what is said of a device, and two who correct the same thing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service.registry import users
from service.registry.tables import Device, Placement, Room, Site

NOW = datetime.now(UTC)
ADDRESS = "/api/v1/devices/g/d1"
MAPPING = {"topic": "a/+", "fields": [{"pointer": "/t", "metric": "co2", "unit": ""}]}


@pytest.fixture
def program(app, registry):
    """Programs of a facilities officer and of a reader, by tokens of either scope."""
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie"), capacity=8)
        device = Device(key="g/d1", gateway="g", label="Ancien", model="AM307", first_seen=NOW, last_seen=NOW)
        session.add(Placement(device=device, room=room, start=NOW - timedelta(9), end=NOW + timedelta(1)))

    def program(role="facilities", scope="write"):
        with registry.session() as session:
            email = f"{role}@ville.example"
            user = users.find(session, email) or users.add(session, email, role, role, None, NOW)
            token = users.make_token(session, user, "p", scope, NOW, timedelta(days=1))
        return TestClient(app, headers={"Authorization": f"Bearer {token}"})

    return program


def test_a_device_is_described_and_what_is_left_out_stays(program):
    changed = program().patch(ADDRESS, json={"label": "  Mur   nord ", "position": None})
    assert changed.status_code == 200
    told = program().get(ADDRESS).json()
    assert told == changed.json()
    assert (told["label"], told["model"], told["position"]) == ("Mur nord", "AM307", None)


def test_a_stay_that_will_end_is_where_it_is_now(program):
    assert program().get(ADDRESS).json()["room"] == "loire"
    assert program().get("/api/v1/devices").json()[0]["room"] == "loire"


def test_who_only_reads_changes_nothing(program):
    for role, scope in (("facilities", "read"), ("reader", "write")):
        assert program(role, scope).patch(ADDRESS, json={"label": "x"}).status_code == 403
    assert program().get(ADDRESS).json()["label"] == "Ancien"


def test_a_browser_says_the_token_of_its_session(program, browser_of):
    program()
    browser = browser_of("facilities")
    assert browser.patch(ADDRESS, json={"label": "x"}).status_code == 403
    said = {"X-CSRF-Token": browser.csrf}
    assert browser.patch(ADDRESS, json={"label": "x"}, headers=said).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        {"label": "a" * 121}, {"label": 5}, {"label": "a\0b"}, {"position": "a\u202eb"},
        {"room": "loire"}, [], "x", None,
    ],
)  # fmt: skip
def test_what_cannot_be_said_of_a_device_has_a_sentence(program, said):
    answer = program().patch(ADDRESS, json=said)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (422, True)
    assert program().get(ADDRESS).json()["label"] == "Ancien"


def test_the_second_of_two_who_describe_a_device_is_told(program):
    asking = program()
    had = {"If-Match": f'"{asking.get(ADDRESS).json()["version"]}"'}
    assert asking.patch(ADDRESS, json={"label": "Première"}, headers=had).status_code == 200
    late = asking.patch(ADDRESS, json={"label": "Seconde"}, headers=had)
    assert (late.status_code, late.json()["error"]["code"]) == (412, "precondition_failed")
    assert "read it again" in late.json()["error"]["message"]
    assert asking.get(ADDRESS).json()["label"] == "Première"
    assert asking.patch(ADDRESS, json={"label": "x"}, headers={"If-Match": "*"}).status_code == 200


def test_measuring_is_no_change_of_a_device(program, registry):
    asking = program()
    had = {"If-Match": f'"{asking.get(ADDRESS).json()["version"]}"'}
    with registry.session() as session:
        session.get(Device, "g/d1").last_seen = NOW + timedelta(minutes=5)
    assert asking.patch(ADDRESS, json={"label": "x"}, headers=had).status_code == 200


def test_the_second_of_two_who_correct_or_withdraw_a_mapping_is_told(program):
    asking = program()
    number = asking.post("/api/v1/mappings", json=MAPPING).json()["mapping"]["number"]
    address, first = f"/api/v1/mappings/{number}", {"If-Match": '"1"'}
    assert asking.put(address, json=MAPPING, headers=first).json()["mapping"]["version"] == 2
    assert asking.put(address, json=MAPPING, headers=first).status_code == 412
    assert asking.delete(address, headers=first).status_code == 412
    assert asking.delete(address, headers={"If-Match": '"1", "2"'}).status_code == 202


def test_a_number_that_the_registry_cannot_hold_is_a_mistake(program):
    answer = program().post(f"/api/v1/quarantine/{10**30}/drop", json={"reason": "x"})
    assert answer.status_code == 422
