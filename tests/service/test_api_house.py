"""What pages let one do is done by the API too: sites, rooms, placements, people, links, files of history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service import imports
from service.registry import experiments, users
from service.registry.tables import (
    Arm,
    Change,
    Deviation,
    Device,
    Experiment,
    Import,
    Measure,
    Placement,
    Room,
    Site,
    StaleDay,
    User,
)

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(ZoneInfo("Europe/Paris")).date()
MAP = {
    "device": ["capteur"],
    "time": {"column": "date"},
    "columns": {"co2": {"metric": "co2", "unit": "ppm"}},
}
CSV = "date,capteur,co2\n2026-03-02T09:00:00Z,hall/un,612\n2026-03-02T09:10:00Z,hall/un,640\n"


@pytest.fixture
def program(app, registry):
    """Programs of people of each role, by tokens that write, in a house of one site and two rooms."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        loire, erdre = (
            Room(slug=each.lower(), name=each, site=site, capacity=8) for each in ("Loire", "Erdre")
        )
        device = Device(key="g/d1", gateway="g", first_seen=NOW - timedelta(9), last_seen=NOW)
        session.add(Placement(device=device, room=loire, start=NOW - timedelta(days=9)))
        session.add_all([erdre, Device(key="g/new", gateway="g", first_seen=NOW, last_seen=NOW)])

    def program(role="facilities", scope="write"):
        with registry.session() as session:
            email = f"{role}@ville.example"
            user = users.find(session, email) or users.add(session, email, role, role, None, NOW)
            token = users.make_token(session, user, "p", scope, NOW, timedelta(days=1))
        client = TestClient(
            app, base_url="http://testserver/api/v1/", headers={"Authorization": f"Bearer {token}"}
        )
        client.number = user.id
        return client

    return program


@pytest.fixture
def asking(program):
    return program()


def told(answer, status=422):
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    return answer.json()["error"]["message"]


# ------------------------------------------------------------------------------------------ sites, rooms


def test_a_site_is_made_with_its_rooms_closed_opened_and_forgotten(asking):
    made = asking.post("sites", json={"name": "Annexe du port", "closes": "18:30"})
    assert (made.status_code, made.json()["slug"]) == (201, "annexe-du-port")
    assert (made.json()["opens"], made.json()["closes"]) == ("08:00:00", "18:30:00")
    room = asking.post("sites/annexe-du-port/rooms", json={"name": "Grue", "capacity": 6}).json()
    assert asking.get(f"rooms/{room['slug']}").json()["capacity"] == 6
    closed = asking.put("sites/annexe-du-port/closures/2026-05-02", json={"reason": "Pont"}).json()
    assert closed["closures"] == [{"day": "2026-05-02", "reason": "Pont"}]
    closed = asking.put("sites/annexe-du-port/holidays/2026").json()
    assert {"day": "2026-07-14", "reason": "Fête nationale"} in closed["closures"]
    assert len(asking.delete("sites/annexe-du-port/closures/2026-05-02").json()["closures"]) == 11
    told(asking.delete("sites/annexe-du-port"), 409)
    assert asking.delete(f"rooms/{room['slug']}").json()["name"] == "Grue"
    assert asking.delete("sites/annexe-du-port").json()["slug"] == "annexe-du-port"
    told(asking.get("sites/annexe-du-port"), 404)


def test_what_is_left_out_of_a_site_or_a_room_stays(asking):
    assert asking.patch("sites/mairie", json={"opens": "09:00"}).json()["name"] == "Mairie"
    assert asking.get("sites/mairie").json()["opens"] == "09:00:00"
    changed = asking.patch("rooms/loire", json={"area_m2": 28.5, "floor": "2"}).json()
    assert (changed["name"], changed["capacity"], changed["area_m2"]) == ("Loire", 8, 28.5)
    assert asking.patch("rooms/loire", json={"floor": None}).json()["floor"] is None


def test_other_hours_and_seats_have_days_computed_again(asking, registry):
    asking.patch("rooms/loire", json={"capacity": 10})
    with registry.session() as session:
        assert len(set(session.scalars(select(StaleDay.day)))) == 10
        assert "Loire" in session.scalars(select(Change.called).where(Change.kind == "rooms")).all()


@pytest.mark.parametrize(
    ("path", "said", "field"),
    [
        ("sites/mairie", {"name": "a" * 121}, "name"),
        ("sites/mairie", {"name": "a\u202eb"}, "name"),
        ("sites/mairie", {"name": " "}, "name"),
        ("sites/mairie", {"opens": "25:00"}, "opens"),
        ("sites/mairie", {"opens": 0}, "opens"),
        ("sites/mairie", {"opens": "08:00+02:00"}, "opens"),
        ("sites/mairie", {"opens": "19:30"}, "closes"),
        ("sites/mairie", {"weekdays": "0"}, "weekdays"),
        ("rooms/loire", {"capacity": 0}, "capacity"),
        ("rooms/loire", {"capacity": 2.5}, "capacity"),
        ("rooms/loire", {"area_m2": "28"}, "area_m2"),
        ("rooms/loire", {"name": None}, "name"),
        ("rooms/loire", {"slug": "x"}, "slug"),
    ],
)
def test_what_cannot_be_said_of_a_site_or_a_room_has_a_sentence(asking, path, said, field):
    answer = asking.patch(path, json=said)
    assert field in told(answer)


@pytest.mark.parametrize("day", ["2026-02-30", "demain", "2026-13-01", "0", "20260502"])
def test_a_day_that_is_none_has_a_sentence(asking, day):
    told(asking.put(f"sites/mairie/closures/{day}", json={"reason": ""}))
    told(asking.delete(f"sites/mairie/closures/{day}"))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_site_is_not_closed_in_another_century(asking, day):
    assert "day" in told(asking.put(f"sites/mairie/closures/{day}", json={"reason": ""}))


def test_a_name_that_is_taken_is_a_conflict(asking):
    assert "name" in told(asking.post("sites", json={"name": "MAIRIE"}), 409)
    assert "name" in told(asking.post("sites/mairie/rooms", json={"name": "LOIRE"}), 409)
    told(asking.delete("sites/mairie/closures/2026-05-02"), 404)


def test_a_room_on_which_something_rests_stays(asking):
    told(asking.delete("rooms/loire"), 409)
    assert asking.get("rooms/loire").status_code == 200


@pytest.mark.parametrize(("path", "said"), [("sites/mairie", {"name": "A"}), ("rooms/loire", {"name": "A"})])
def test_the_second_of_two_who_change_a_place_is_told(asking, path, said):
    had = {"If-Match": f'"{asking.get(path).json()["version"]}"'}
    assert asking.patch(path, json=said, headers=had).status_code == 200
    told(asking.patch(path, json={"name": "B"}, headers=had), 412)
    assert asking.get(path).json()["name"] == "A"


# --------------------------------------------------------------------------------------------- devices


def test_a_device_moves_and_a_stay_is_corrected(asking):
    since = NOW - timedelta(days=2)
    moved = asking.post("placements", json={"device": "g/d1", "room": "erdre", "since": since.isoformat()})
    assert (moved.status_code, moved.json()["noted"]) == (201, [])
    first, second = moved.json()["device"]["stays"]
    assert (first["room"], second["room"], first["end"]) == ("loire", "erdre", second["start"])
    start = NOW - timedelta(days=3)
    corrected = asking.patch(f"placements/{second['id']}", json={"start": start.isoformat()}).json()["device"]
    assert [datetime.fromisoformat(each["start"]) for each in corrected["stays"]][1] == start
    assert corrected["stays"][0]["end"] == corrected["stays"][1]["start"]  # what touched it gives way
    nowhere = asking.post("placements", json={"device": "g/d1", "room": None}).json()["device"]
    assert nowhere["room"] is None


def test_a_move_is_noted_by_the_experiment_it_concerns(asking, registry):
    with registry.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        days = {"starts": TODAY - timedelta(60), "ends": TODAY + timedelta(30)}
        session.add(Room(slug="hall", name="Hall", site=rooms["loire"].site, capacity=8))
        session.add(Experiment(
            slug="tables", title="Tables", declared_at=NOW, sheet={}, assignment="lot", **days,
            arms=[Arm(room=rooms["loire"], switch=TODAY - timedelta(30)), Arm(room=rooms["erdre"])],
            measures=[Measure(outcome="co2_occupied", role="primary", better="lower", useful=50.0)],
        ))  # fmt: skip
    since = (NOW - timedelta(days=2)).isoformat()
    moved = asking.post("placements", json={"device": "g/d1", "room": "erdre", "since": since}).json()
    assert moved["noted"] == ["Tables"]
    with registry.session() as session:
        assert session.scalar(select(Deviation.entered_by)) == "facilities"
    said = told(asking.post("placements", json={"device": "g/d1", "room": "hall", "since": since}), 409)
    assert f"until the experiment tables is over, on {TODAY + timedelta(30)}" in said
    asking.post("placements", json={"device": "g/d1", "room": "hall"})
    (*_, stay) = asking.get("devices/g/d1").json()["stays"]
    yesterday = (NOW - timedelta(days=1)).isoformat()
    told(asking.patch(f"placements/{stay['id']}", json={"start": yesterday}), 409)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"device": "g/none", "room": "erdre"}, 404), ({"device": "g/d1", "room": "none"}, 404),
        ({"device": "g/d1"}, 422), ({"room": "erdre"}, 422),
        ({"device": "g/d1", "room": "erdre", "since": "2026-02-30T08:00:00Z"}, 422),
        ({"device": "g/d1", "room": "erdre", "since": "2026-02-03T08:00:00"}, 422),
        ({"device": "g/d1", "room": "erdre", "since": 0}, 422),
        ({"device": "g/d1", "room": "erdre", "since": "2099-01-01T08:00:00Z"}, 422),
        ({"device": "g/d1", "room": "erdre", "since": "0001-01-01T00:00:00+14:00"}, 422),
        ({"device": "g/d1", "room": "erdre", "since": "9999-12-31T23:59:59-14:00"}, 422),
    ],
)  # fmt: skip
def test_a_move_that_cannot_be_has_a_sentence(asking, said, status):
    told(asking.post("placements", json=said), status)


def test_a_stay_that_cannot_be_has_a_sentence(asking):
    (stay,) = asking.get("devices/g/d1").json()["stays"]
    path = f"placements/{stay['id']}"
    assert "start" in told(asking.patch(path, json={"start": (NOW + timedelta(1)).isoformat()}))
    assert "end" in told(asking.patch(path, json={"end": (NOW - timedelta(30)).isoformat()}))
    assert "end" in told(asking.patch(path, json={"end": "0001-01-01T00:00:00+14:00"}))
    told(asking.patch("placements/4711", json={}), 404)
    told(asking.patch(path, json={}, headers={"If-Match": '"old"'}), 412)


def test_a_device_takes_the_place_of_another(asking):
    changed = asking.patch("devices/g/new", json={"continues": "g/d1", "heartbeat_minutes": 15}).json()
    assert (changed["continues"], changed["room"], changed["heartbeat_minutes"]) == ("g/d1", "loire", 15)
    assert asking.get("devices/g/d1").json()["stays"][0]["end"] is not None
    for said in ("g/new", "g/none"):
        assert "continues" in told(asking.patch("devices/g/new", json={"continues": said}))
    for said in (0, 1441, "x", 2.5):
        assert "heartbeat" in told(asking.patch("devices/g/new", json={"heartbeat_minutes": said}))


# ---------------------------------------------------------------------------------------------- people


def test_people_are_added_changed_signed_out_and_deleted(program):
    asking = program("administrator")
    made = asking.post("people", json={"email": "z@ville.example", "name": "Zoé", "role": "reader"})
    assert (made.status_code, made.json()["has_password"]) == (201, False)
    path = f"people/{made.json()['id']}"
    assert asking.patch(path, json={"role": "analyst"}).json()["name"] == "Zoé"
    assert asking.patch(path, json={"active": False}).json()["active"] is False
    reader = program("reader")
    assert len(asking.get(f"people/{reader.number}").json()["sessions"]) == 1
    assert asking.delete(f"people/{reader.number}/sessions").json()["sessions"] == []
    told(reader.get("rooms"), 401)
    assert asking.delete(path).json()["email"] == "z@ville.example"
    told(asking.get(path), 404)
    assert "z@ville.example" not in {each["email"] for each in asking.get("people").json()}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"email": "z", "name": "Z", "role": "reader"}, 422),
        ({"email": "z@ville.example", "name": " ", "role": "reader"}, 422),
        ({"email": "z@ville.example", "name": "Z\u202e", "role": "reader"}, 422),
        ({"email": "z@ville.example", "name": "Z", "role": "king"}, 422),
        ({"email": "z@ville.example", "name": "Z", "role": "reader", "active": 1}, 422),
        ({"email": "ADMINISTRATOR@ville.example", "name": "Z", "role": "reader"}, 409),
    ],
)
def test_somebody_who_cannot_be_has_a_sentence(program, said, status):
    told(program("administrator").post("people", json=said), status)


def test_the_last_administrator_stays_and_the_second_of_two_is_told(program):
    asking = program("administrator")
    path = f"people/{asking.number}"
    told(asking.patch(path, json={"role": "reader"}), 409)
    told(asking.delete(path), 409)
    had = {"If-Match": f'"{asking.get(path).json()["version"]}"'}
    assert asking.patch(path, json={"name": "Alix"}, headers=had).status_code == 200
    told(asking.patch(path, json={"name": "Bob"}, headers=had), 412)


def test_no_secret_of_anybody_is_told(program, registry):
    asking = program("administrator")
    with registry.session() as session:
        session.get(User, asking.number).password_hash = "$argon2id$secret"
    shown = (
        asking.get("people").text + asking.get(f"people/{asking.number}").text + asking.get("account").text
    )
    assert "argon2" not in shown
    assert "temoin-api-" not in shown


def test_a_token_says_whose_it_is(program):
    mine = program("analyst", "read").get("account").json()
    assert (mine["email"], mine["role"]) == ("analyst@ville.example", "analyst")
    assert [each["scope"] for each in mine["sessions"]] == ["read"]


# ------------------------------------------------------------------------------ links, in whose hands


@pytest.fixture
def trial(program, registry):  # noqa: ARG001 - its rooms
    with registry.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        session.add(Experiment(
            slug="tables", title="Tables", declared_at=NOW, sheet={}, assignment="lot",
            starts=TODAY - timedelta(90), ends=TODAY - timedelta(3),
            arms=[Arm(room=rooms["loire"], switch=TODAY - timedelta(30)), Arm(room=rooms["erdre"])],
            measures=[Measure(outcome="co2_occupied", role="primary", better="lower", useful=50.0)],
        ))  # fmt: skip


@pytest.mark.usefixtures("trial")
def test_a_link_is_made_opens_and_is_revoked(asking, stranger):
    made = asking.post("experiments/tables/shares", json={"days": 7})
    assert made.status_code == 201
    path = made.json()["link"].removeprefix("http://testserver")
    assert "Tables" in stranger.get(path).text
    (share,) = asking.get("experiments/tables/shares").json()
    assert (share["state"], share["by"]) == ("open", "facilities")
    gone = asking.delete(f"experiments/tables/shares/{share['id']}").json()
    assert gone["state"] == "revoked"
    assert stranger.get(path).status_code == 404
    told(asking.delete("experiments/tables/shares/4711"), 404)
    told(asking.post("experiments/tables/shares", json={"days": 8}))


@pytest.mark.usefixtures("trial")
def test_who_has_an_experiment_acts_on_it_and_may_hand_it_over(program):
    ours, other = program("facilities"), program("analyst")
    assert ours.get("experiments/tables/owner").json()["owner"] is None
    taken = ours.put("experiments/tables/owner", json={"person": ours.number}).json()
    assert taken["owner"] == {"id": ours.number, "name": "facilities"}
    told(other.put("experiments/tables/owner", json={"person": other.number}), 403)
    told(other.post("experiments/tables/shares", json={"days": 7}), 403)
    told(ours.put("experiments/tables/owner", json={"person": 4711}))
    told(ours.put("experiments/tables/owner", json={"person": None}, headers={"If-Match": '"nobody"'}), 412)
    assert ours.put("experiments/tables/owner", json={"person": other.number}).status_code == 200
    assert (
        program("administrator").put("experiments/tables/owner", json={"person": None}).json()["owner"]
        is None
    )


# -------------------------------------------------------------------------------------- files of history


def test_a_file_is_sent_looked_at_imported_and_undone(asking, app, registry):
    draft = asking.post("imports?name=avant.csv", content=CSV).json()
    assert (draft["status"], [each["name"] for each in draft["columns"]]) == (
        "draft", ["date", "capteur", "co2"],
    )  # fmt: skip
    assert draft["columns"][2]["samples"] == ["612", "640"]
    path = f"imports/{draft['id']}"
    preview = asking.post(f"{path}/preview", json=MAP).json()
    assert [(each["device"], each["value"]) for each in preview["readings"]] == [
        ("hall/un", 612.0), ("hall/un", 640.0),
    ]  # fmt: skip
    assert asking.post(f"{path}/start", json=MAP).status_code == 202
    told(asking.delete(path), 409)
    imports.run_due(app.state.settings, registry, app.state.store)
    done = asking.get(path).json()
    assert (done["status"], done["report"]["readings"], done["may_undo"]) == ("done", 2, True)
    assert asking.post(f"{path}/undo").json()["status"] == "undoing"
    assert [each["id"] for each in asking.get("imports").json()] == [draft["id"]]


def test_a_file_that_is_none_has_a_sentence_and_is_not_kept(asking, app):
    for content in (b"", b"PK\x03\x04"):
        told(asking.post("imports?name=x.csv", content=content))
    told(asking.post("imports", content=CSV))
    told(asking.post("imports?name=x.csv", content=b"x" * (imports.MOST_BYTES + 1)), 413)
    assert list(imports.folder(app.state.settings).iterdir()) == []
    assert asking.get("imports").json() == []


def test_a_map_that_does_not_fit_has_a_sentence_and_the_draft_waits(asking, registry):
    path = f"imports/{asking.post('imports?name=../../avant.csv', content=CSV).json()['id']}"
    wrong = {"device": ["rien"], "time": {"column": "date"}, "columns": {}}
    for said in (
        wrong,
        {},
        {"device": 5},
        {"time": "x"},
        {"columns": []},
        {"device": [[]], "time": [], "columns": 1},
    ):
        told(asking.post(f"{path}/preview", json=said))
        told(asking.post(f"{path}/start", json=said))
    with registry.session() as session:
        row = session.scalars(select(Import)).one()
        assert (row.name, row.status) == ("avant.csv", "draft")
    assert asking.delete(path).json()["status"] == "draft"
    told(asking.get(path), 404)


def test_while_something_runs_a_file_shows_no_value(asking, registry):
    with registry.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        trial = Experiment(slug="t", title="T", declared_at=NOW, sheet={}, assignment="lot")
        trial.starts, trial.ends = TODAY - timedelta(60), TODAY + timedelta(30)
        trial.arms = [Arm(room=rooms["loire"], switch=TODAY - timedelta(30)), Arm(room=rooms["erdre"])]
        trial.measures = [Measure(outcome="co2_occupied", role="primary", better="lower", useful=50.0)]
        session.add(trial)
        assert experiments.status(trial, date.today()) == "running"  # noqa: DTZ011 - far from its ends
    draft = asking.post("imports?name=avant.csv", content=CSV).json()
    assert {tuple(each["samples"]) for each in draft["columns"]} == {()}
    preview = asking.post(f"imports/{draft['id']}/preview", json=MAP).json()
    assert [each["value"] for each in preview["readings"]] == [None, None]


# ------------------------------------------------------------------------------------ how it is asked


def test_a_body_that_is_no_json_has_a_sentence(asking):
    headers = {"Content-Type": "application/json"}
    assert "no JSON" in told(asking.post("sites", content=b"{", headers=headers))
    assert "body" in told(asking.post("sites", content=b"\xff", headers=headers), 400)
    assert "body" in told(asking.post("sites", content=b"", headers=headers))


def test_another_method_is_told_those_that_are_allowed(asking):
    answer = asking.put("sites/mairie", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PATCH")
