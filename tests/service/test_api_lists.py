"""Lists of the API a part at a time, answers that did not change, days of a room."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from experiments.panel import DayOutcome
from service.middleware import Unchanged
from service.registry import outcomes, users
from service.registry.tables import (
    Answer,
    Arm,
    Device,
    Experiment,
    Gateway,
    Measure,
    Placement,
    QuarantineCause,
    QuarantineEntry,
    Room,
    Site,
)

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(ZoneInfo("Europe/Paris")).date()
NEXT = re.compile(r'<(/[^>]+)>; rel="next"')


@pytest.fixture
def house(registry):
    """Seven of everything there is a list of."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        for n in range(7):
            room = Room(slug=f"salle-{n}", name=f"Salle {n}", site=site, capacity=1 if n == 6 else 8)
            session.add(Gateway(name=f"g{n}", added_at=NOW, broker_hash="x"))
            device = Device(key=f"g{n}/d é&{n}", gateway=f"g{n}", first_seen=NOW, last_seen=NOW)
            session.add(Placement(device=device, room=room, start=NOW - timedelta(days=9)))
            session.add(
                Experiment(slug=f"essai-{n}", title=f"Essai {n}", declared_at=NOW, sheet={"idea": "x"})
            )
            cause = {"code": "unknown_format", "gateway": "g", "shape": f"s{n}", "waiting": n + 1}
            session.add(QuarantineCause(**cause, latest_id=n, first_at=NOW, last_at=NOW))
    return registry


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("rooms", "slug"),
        ("devices", "key"),
        ("gateways", "name"),
        ("experiments", "slug"),
        ("quarantine", "id"),
    ],
)
def test_a_list_is_read_part_by_part_without_loss_or_repetition(reader, path, name):
    whole = [each[name] for each in reader.get(f"/api/v1/{path}").json()]
    assert len(whole) >= 7
    parts, following = [], f"/api/v1/{path}?limit=3"
    while following:
        answer = reader.get(following)
        assert answer.status_code == 200
        parts.append([each[name] for each in answer.json()])
        found = NEXT.match(answer.headers.get("link", ""))
        following = found and found[1]
    assert [each for part in parts for each in part] == whole
    assert all(len(part) <= 3 for part in parts)


@pytest.mark.usefixtures("house")
def test_a_list_that_is_whole_has_no_next_part(reader):
    for limit in ("", "?limit=7", "?limit=1000"):
        assert "link" not in reader.get(f"/api/v1/rooms{limit}").headers


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after=none", "after=", "after=" + "a" * 301]
)
def test_what_is_no_part_of_a_list_has_a_sentence(reader, query):
    answer = reader.get(f"/api/v1/rooms?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert query.split("=")[0] in answer.json()["error"]["message"]


def program(app, registry):
    """A person's program, by a token that reads."""
    with registry.session() as session:
        user = users.add(session, "p@ville.example", "P", "reader", None, NOW)
        token = users.make_token(session, user, "p", "read", NOW, timedelta(days=1))
    return TestClient(app, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.usefixtures("house")
def test_an_answer_that_did_not_change_is_not_sent_again(app, house):
    asking = program(app, house)
    first = asking.get("/api/v1/rooms")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for had in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = asking.get("/api/v1/rooms", headers={"If-None-Match": had})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    with house.session() as session:
        session.query(Room).filter_by(slug="salle-0").one().name = "Nouvelle"
    changed = asking.get("/api/v1/rooms", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()[0]["name"]) == (200, "Nouvelle")


@pytest.mark.usefixtures("house")
def test_a_refusal_has_no_tag_and_a_browser_keeps_nothing(reader):
    assert "etag" not in reader.get("/api/v1/experiments/none").headers
    assert reader.get("/api/v1/rooms").headers["cache-control"] == "no-store"
    assert "etag" not in reader.get("/rooms").headers


def test_a_download_leaves_as_it_is_made_and_is_not_held_in_memory():
    order = []

    async def download(_scope, _receive, send):
        headers = [(b"content-type", b"text/csv; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for n in range(2):
            order.append(f"made {n}")
            await send({"type": "http.response.body", "body": b"a;b", "more_body": n == 0})

    async def sent(message):
        order.append(message["type"].removeprefix("http.response."))

    scope = {"type": "http", "method": "GET", "path": "/api/v1/exports/readings.csv", "headers": []}
    with ThreadPoolExecutor(1) as another:  # a browser of the tests may have a loop in this one
        another.submit(asyncio.run, Unchanged(download, below="/api/v1/")(scope, None, sent)).result()
    assert order == ["start", "made 0", "body", "made 1", "body"]


def test_a_locked_protocol_keeps_its_own_tag(reader):
    assert (
        reader.get("/api/v1/experiments/none/protocol.json", headers={"If-None-Match": "*"}).status_code
        == 404
    )


@pytest.mark.usefixtures("house")
def test_a_device_is_told_with_where_it_was(reader):
    device = reader.get("/api/v1/devices/g3/d%20%C3%A9%263").json()
    assert device["room"] == "salle-3"
    assert [(each["room"], each["end"]) for each in device["stays"]] == [("salle-3", None)]
    missing = reader.get("/api/v1/devices/g3/none")
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "There is no such device.")


@pytest.mark.usefixtures("house")
def test_an_experiment_is_told_with_its_file(reader):
    told = reader.get("/api/v1/experiments/essai-2").json()
    assert (told["sheet"], told["owner"], told["decided"], told["deviations"]) == (
        {"idea": "x"},
        None,
        None,
        [],
    )


@pytest.fixture
def measured(house):
    with house.session() as session:
        for ago in range(40):
            found = [
                DayOutcome(slug, TODAY - timedelta(days=ago), key, 1, value, 0.9)
                for slug in ("salle-0", "salle-6")
                for key, value in (
                    ("co2_occupied", None if ago == 3 else 600.0 + ago),
                    ("time_utilisation", 30.0),
                    *([("no_show", 1.0)] if slug == "salle-6" else []),
                )
            ]
            outcomes.replace_day(session, TODAY - timedelta(days=ago), found)
    return house


@pytest.mark.usefixtures("measured")
def test_days_of_a_room_end_yesterday_and_go_four_weeks_back(reader):
    days = reader.get("/api/v1/rooms/salle-0/days").json()
    assert {each["outcome"] for each in days} == {"co2_occupied", "time_utilisation"}
    assert (days[0]["day"], days[-1]["day"]) == tuple(str(TODAY - timedelta(days=n)) for n in (28, 1))
    assert [each["value"] for each in days if each["value"] is None] == [None]
    asked = reader.get(
        f"/api/v1/rooms/salle-0/days?first={TODAY - timedelta(2)}&last={TODAY + timedelta(9)}"
    ).json()
    assert {each["day"] for each in asked} == {str(TODAY - timedelta(days=n)) for n in (1, 2)}


@pytest.mark.usefixtures("measured")
def test_days_of_a_room_for_one_tell_nothing_of_who_is_there(reader):
    assert reader.get("/api/v1/rooms/salle-6/days").json() == []


@pytest.mark.usefixtures("measured")
def test_seasons_of_a_room_are_told_as_on_its_page(reader):
    seasons = reader.get("/api/v1/rooms/salle-0/seasons").json()
    assert [each["first"] for each in seasons] == sorted((each["first"] for each in seasons), reverse=True)
    assert sum(each["days"]["time_utilisation"] for each in seasons) == 39  # not today
    assert sum(each["days"]["co2_occupied"] for each in seasons) == 38
    assert seasons[0]["means"]["time_utilisation"] == 30.0
    assert {key for each in reader.get("/api/v1/rooms/salle-6/seasons").json() for key in each["means"]} == {
        "co2_occupied"
    }


def test_comfort_of_a_season_is_in_minutes_but_not_of_a_room_for_one(reader, house):
    values = {"occupied_minutes": 100.0, "co2_category_1": 50.0, "co2_category_2": 80.0}
    values |= {"co2_category_3": 90.0}
    day = TODAY - timedelta(days=1)
    with house.session() as session:
        outcomes.replace_day(session, day, [
            DayOutcome(slug, day, key, 1, value, 1.0)
            for slug in ("salle-0", "salle-6")
            for key, value in {**values, "co2_occupied": 600.0}.items()
        ])  # fmt: skip
    told = {slug: reader.get(f"/api/v1/rooms/{slug}/seasons").json()[0] for slug in ("salle-0", "salle-6")}
    assert [told[slug]["comfort"] for slug in told] == [{"co2": [50, 30, 10, 10]}, {}]


def test_voices_of_a_room_are_told_from_five_on(reader, house):
    this_month = TODAY.replace(day=1)
    last = this_month - timedelta(days=3)
    before = last.replace(day=1) - timedelta(days=3)
    with house.session() as session:
        room = session.query(Room).filter_by(slug="salle-0").one()
        for day, count in ((this_month, 9), (last, 5), (before, 4)):
            for n in range(count):
                session.add(Answer(room_id=room.id, day=day, hour=9, satisfaction=7 if n else 1))
    told = reader.get("/api/v1/rooms/salle-0/voices").json()
    assert told == [{"first": str(last.replace(day=1)), "answers": 5, "satisfied": 0.8}]


@pytest.mark.parametrize("what", ["days", "seasons", "voices"])
def test_a_room_that_is_not_there_has_a_sentence(reader, what):
    answer = reader.get(f"/api/v1/rooms/none/{what}")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no such room.")


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("salle-0/days?first=2024-01-01&last=2026-01-01", 422),
        ("salle-0/days?first=2026-02-30", 422), ("salle-0/days?first=hier", 422),
        ("salle-0/days?last=0001-01-01", 422), ("salle-0/days?first=0001-01-01", 422),
    ],
)  # fmt: skip
def test_days_that_cannot_be_told_have_a_sentence(reader, path, status):
    answer = reader.get(f"/api/v1/rooms/{path}")
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)


@pytest.mark.usefixtures("measured")
def test_days_under_seal_are_told_to_nobody(reader, measured):
    with measured.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        session.add(Experiment(
            slug="essai", title="Essai", declared_at=NOW, starts=TODAY - timedelta(days=60),
            ends=TODAY + timedelta(days=9), sheet={}, assignment="lot",
            arms=[Arm(room=rooms["salle-0"], switch=TODAY - timedelta(days=30))],
            measures=[Measure(outcome="co2_occupied", role="primary", better="lower", useful=15.0)],
        ))  # fmt: skip
    for what in ("days", "seasons", "voices"):
        answer = reader.get(f"/api/v1/rooms/salle-0/{what}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (423, "locked")


def test_messages_that_wait_are_read_part_by_part(reader, house):
    with house.session() as session:
        cause = session.query(QuarantineCause).first()
        address = f"/api/v1/quarantine/{cause.id}"
        entry = {
            "landing": "l",
            "received_at": NOW,
            "topic": "t",
            "payload": b"x",
            "code": "c",
            "reason": "r",
        }
        session.add_all(QuarantineEntry(**entry, landing_id=n, cause_id=cause.id) for n in range(25))
    assert len(reader.get(address).json()) == 20
    found, following = [], f"{address}?limit=10"
    while following:
        answer = reader.get(following)
        found.append([each["id"] for each in answer.json()])
        link = NEXT.match(answer.headers.get("link", ""))
        following = link and link[1]
    assert [len(part) for part in found] == [10, 10, 5]
    assert sum(found, []) == sorted(sum(found, []), reverse=True)  # noqa: RUF017 - three short ones
    for query in ("limit=0", "limit=201", "after=x", "after=0", f"after={2**63}"):
        assert reader.get(f"{address}?{query}").status_code == 422
