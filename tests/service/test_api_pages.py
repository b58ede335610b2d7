"""What the pages show is told by the API too, in the same words of the field, to the same people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from experiments.panel import DayOutcome
from sensors.reading import Reading
from service.registry import outcomes
from service.registry.tables import (
    Answer,
    Arm,
    Cost,
    Decision,
    Device,
    DeviceDay,
    DevicePhoto,
    Experiment,
    MappingVersion,
    Measure,
    Placement,
    Room,
    Site,
)

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(ZoneInfo("Europe/Paris")).date()
MONDAY = TODAY - timedelta(days=TODAY.weekday())
BEFORE, LAST = MONDAY - timedelta(days=14), MONDAY - timedelta(days=7)


def days(n):
    return TODAY + timedelta(days=n)


@pytest.fixture
def house(registry, app):
    """Six rooms that were measured for months; Cens is an office of one, Isac has a sensor that died."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        names = ("loire", "erdre", "maine", "vilaine", "cens", "isac")
        rooms = [
            Room(slug=name, name=name.title(), site=site, capacity=1 if name == "cens" else 8)
            for name in names
        ]
        for room in rooms:
            seen = NOW - timedelta(days=3) if room.slug == "isac" else NOW
            device = Device(key=f"g/{room.slug}", gateway="g", first_seen=NOW - timedelta(90), last_seen=seen)
            session.add(Placement(device=device, room=room, start=NOW - timedelta(days=90)))
        for ago in range(1, 90):
            found = [
                DayOutcome(room.slug, days(-ago), key, 1, value, 0.9)
                for room in rooms
                for key, value in (("time_utilisation", 30.0), ("co2_occupied", 600.0), ("meetings", 3.0))
            ]
            outcomes.replace_day(session, days(-ago), found)
    noon = datetime.combine(days(-1), datetime.min.time(), UTC) + timedelta(hours=12)
    app.state.store.write(
        Reading(f"g/{name}", "co2", 640.0, "ppm", noon + timedelta(minutes=n), "device", "g")
        for name in names
        for n in range(60)
    )
    return registry


def trial(session, slug, starts, switch, ends, **more):
    """An experiment of Loire beside Maine and Vilaine."""
    rooms = {each.slug: each for each in session.query(Room)}
    arms = [
        Arm(room=rooms["loire"], switch=days(switch)),
        Arm(room=rooms["maine"]),
        Arm(room=rooms["vilaine"]),
    ]
    measures = [Measure(outcome="co2_occupied", role="primary", better="lower", useful=50.0)]
    found = Experiment(
        slug=slug, title=slug.title(), declared_at=NOW, starts=days(starts), ends=days(ends), washout=0,
        assignment="lot", sheet={}, arms=arms, measures=measures, **more,
    )  # fmt: skip
    session.add(found)
    session.flush()
    return found


@pytest.fixture
def api(house, reader):  # noqa: ARG001 - the house is what is read
    return lambda path: reader.get(f"/api/v1/{path}")


def test_a_room_is_told_with_what_is_in_it(api, house):
    with house.session() as session:
        trial(session, "tables", -60, -30, -3)
    told = api("rooms/loire").json()
    assert (told["name"], told["hidden"], told["experiments"]) == ("Loire", None, ["tables"])
    assert [(each["device"], each["end"], each["silent"]) for each in told["devices"]] == [
        ("g/loire", None, False)
    ]
    assert told["notice"]["metrics"] == ["co2"]
    assert "/r/loire?k=" in told["form"]
    assert [each["silent"] for each in api("rooms/isac").json()["devices"]] == [True]


def test_rooms_are_told_by_full_weeks(api):
    found = {each["room"]: each for each in api("weeks").json()}
    assert [each["first"] for each in found["loire"]["weeks"]] == [str(BEFORE), str(LAST)]
    assert found["loire"]["weeks"][0]["means"] == {
        "time_utilisation": 30.0, "meetings": 3.0, "co2_occupied": 600.0,
    }  # fmt: skip
    assert (found["isac"]["devices"], found["isac"]["silent"]) == (1, 1)
    assert found["cens"]["weeks"][0]["means"] == {"co2_occupied": 600.0}  # nothing of who is there


def test_some_rooms_are_set_beside_one_another_over_more_weeks(api):
    found = api("weeks?count=8&room=loire&room=maine").json()
    assert [(each["room"], len(each["weeks"])) for each in found] == [("loire", 8), ("maine", 8)]
    assert api("weeks?room=none").status_code == 404
    assert api("weeks?count=9").status_code == 422


def test_of_a_room_under_seal_the_coverage_is_told_alone(api, house):
    with house.session() as session:
        trial(session, "tables", -60, -30, 30)
    found = {each["room"]: each for each in api("weeks").json()}
    assert found["loire"]["hidden_by"] == "tables"
    assert api("rooms/loire").json()["devices"][0]["last_seen"] == str(TODAY)  # its hour would tell
    assert api("rooms/cens").json()["devices"][0]["last_seen"] == str(TODAY)
    assert "T" in api("rooms/erdre").json()["devices"][0]["last_seen"]
    assert [(each["means"], each["coverage"]) for each in found["loire"]["weeks"]] == [
        ({}, pytest.approx(0.9))
    ] * 2
    for what in ("series", "profile"):
        assert api(f"rooms/loire/{what}").json()["error"]["code"] == "locked"
        assert api(f"rooms/erdre/{what}").status_code == 200


def test_a_room_is_told_by_hours_up_to_yesterday(api):
    (series,) = api("rooms/loire/series?span=day").json()
    points = [each for each in series["points"] if each["value"] is not None]
    assert series["metric"] == "co2"
    assert {each["value"] for each in points} == {640.0}
    assert max(each["at"] for each in series["points"]) < str(TODAY)
    assert api("rooms/cens/series").json() == []
    assert api("rooms/loire/series?until=2026-02-30").status_code == 422
    assert api("rooms/loire/series?until=0001-01-01").status_code == 422


def test_the_profile_of_an_office_of_one_does_not_count_people(api, house):
    with house.session() as session:
        for ago in range(1, 20):
            found = [DayOutcome(room, days(-ago), "people_peak", 1, 1.0, 0.9) for room in ("cens", "loire")]
            outcomes.replace_day(session, days(-ago), found)
    assert api("rooms/loire/profile").json()["largest"] == 1
    assert api("rooms/cens/profile").json()["largest"] is None


def test_faults_of_devices_are_told_with_the_experiment_they_harm(api, house):
    with house.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        trial(session, "tables", -60, -30, 30).arms.append(Arm(room=rooms["isac"]))
    (fault,) = api("device-health").json()
    assert (fault["kind"], fault["device"], fault["room"], fault["experiment"]) == (
        "silent", "g/isac", "isac", "tables",
    )  # fmt: skip


def test_today_says_what_waits_and_what_runs(api, house):
    with house.session() as session:
        rooms = {each.slug: each for each in session.query(Room)}
        trial(session, "tables", -60, -30, 5).arms.append(Arm(room=rooms["isac"]))
        trial(session, "ecrans", -160, -130, -100)
    told = api("today").json()
    assert [each["slug"] for each in told["to_decide"]] == ["ecrans"]
    assert [(each["slug"], each["effect"]) for each in told["running"]] == [("tables", None)]
    assert [(each["device"], each["experiment"]) for each in told["silent"]] == [("g/isac", "tables")]
    assert [each["kind"] for each in told["deadlines"]] == ["experiment"]
    assert (told["rooms"], told["devices"]) == (6, 6)


def test_an_experiment_that_runs_tells_how_far_it_is(api, house):
    with house.session() as session:
        trial(session, "tables", -60, -30, 30)
        for day in range(1, 8):
            gap = DeviceDay(
                device_key="g/loire", day=days(-day), messages=3, interval=600, longest_gap=30_000
            )
            session.add(gap)
    told = api("experiments/tables/progress").json()
    assert (told["week"], told["result_on"]) == (9, str(days(31)))
    assert {each["room"] for each in told["coverage"]} == {"loire", "maine", "vilaine"}
    assert all(set(day) == {"day", "share", "state"} for each in told["coverage"] for day in each["days"])


def test_days_that_were_lost_say_which_device_was_silent(api, house):
    with house.session() as session:
        trial(session, "tables", -60, -30, 30)
        outcomes.replace_day(session, days(-4), [DayOutcome("loire", days(-4), "co2_occupied", 1, None, 0.3)])
        session.add(
            DeviceDay(device_key="g/loire", day=days(-4), messages=3, interval=600, longest_gap=30_000)
        )
    lost = [each for each in api("experiments/tables/progress").json()["lost"] if each["room"] == "loire"]
    assert [(each["day"], each["silences"]) for each in lost] == [
        (str(days(-4)), [{"device": "g/loire", "label": None, "seconds": 30_000}])
    ]


def answered(session, count):
    """So many answers in Loire before its change, and as many after."""
    (room,) = session.query(Room).filter_by(slug="loire")
    for day in (days(-50), days(-10)):
        for n in range(count):
            said = {"satisfaction": 6, "temperature": "same", "helped": 5, "remark": f"Bien {n}"}
            session.add(Answer(room_id=room.id, day=day, hour=9, **said))


def test_voices_of_an_experiment_are_told_from_five_on_and_after_it(api, house):
    with house.session() as session:
        found = trial(session, "tables", -60, -30, 30)
        answered(session, 2)
    assert api("experiments/tables/voices").status_code == 423
    with house.session() as session:
        session.merge(found).ends = days(-3)
    told = api("experiments/tables/voices").json()
    assert (told["answers"], told["splits"], told["remarks"]) == (4, [], [])
    with house.session() as session:
        answered(session, 5)
    told = api("experiments/tables/voices").json()
    assert {each["question"] for each in told["splits"]} == {"temperature", "helped"}
    assert (told["answers"], told["fewest"], len(told["remarks"])) == (14, 5, 5)


def test_what_is_said_after_an_early_decision_is_no_part_of_the_trial(api, house):
    """Or somebody who looked every day would see one answer more."""
    with house.session() as session:
        found = trial(session, "tables", -60, -30, 30)
        answered(session, 5)
        said = {"choice": "stop", "body": "CT", "decided_on": days(-4), "reason": "-", "entered_by": "-"}
        found.decision = Decision(**said, entered_at=NOW)
    before = api("experiments/tables/voices").json()
    with house.session() as session:
        (room,) = session.query(Room).filter_by(slug="loire")
        for ago in (4, 3, 0):
            session.add(Answer(room_id=room.id, day=days(-ago), hour=9, satisfaction=1, remark="Non !"))
    assert before["answers"] == 10
    assert api("experiments/tables/voices").json() == before


def test_the_file_of_an_experiment_has_its_costs_and_what_its_rooms_need(api, house):
    with house.session() as session:
        found = trial(session, "tables", 10, 40, 70)
        session.add(Cost(experiment_id=found.id, kind="planned", label="Tables", euros=900, hours=6))
    told = api("experiments/tables/file").json()
    assert told["costs"] == {
        "kind": "planned",
        "lines": [{"label": "Tables", "euros": 900.0, "hours": 6.0}],
        "rooms": 1,
        "seats": 8,
    }
    assert [(each["kind"], each["missing"]) for each in told["equipment"]] == [
        ("presence", ["loire", "maine", "vilaine"]), ("climate", []),
    ]  # fmt: skip
    assert (told["locked_at"], told["panel_sha256"]) == (None, None)
    plan = api("experiments/tables/plan").json()
    assert (plan["n_treated"], plan["n_baseline"], plan["useful"]) == (1, 2, 50.0)


def test_what_there_is_not_of_an_experiment_has_a_sentence(api, house):
    with house.session() as session:
        trial(session, "tables", -60, -30, -3)
    for what in ("plan", "later"):
        answer = api(f"experiments/tables/{what}")
        assert (answer.status_code, bool(answer.json()["error"]["message"])) == (404, True)
    for what in ("progress", "file", "voices", "comfort", "plan", "later"):
        assert api(f"experiments/none/{what}").json()["error"]["code"] == "not_found"


def test_a_photo_of_a_device_is_had_with_a_token_too(api, house):
    with house.session() as session:
        session.add(
            DevicePhoto(device_key="g/loire", image=b"JFIF", width=1, height=1, added_at=NOW, added_by="C")
        )
    photo = api("photos/g/loire")
    assert (photo.content, photo.headers["content-type"]) == (b"JFIF", "image/jpeg")
    assert api("devices/g/loire").json()["photo"] is True
    assert api("devices/g/loire").json()["measures"] == ["co2"]
    assert api("photos/g/none").json()["error"]["code"] == "not_found"


def test_a_mapping_is_told_version_by_version(api, house):
    with house.session() as session:
        for version in (1, 2):
            row = {"number": 1, "topic": "t", "made_at": NOW, "made_by": "C", "document": None}
            session.add(MappingVersion(version=version, **row))
    assert [each["version"] for each in api("mappings/1").json()] == [2, 1]
    assert api("mappings/9").status_code == 404


def test_the_audit_is_read_part_by_part_by_who_may(house, browser_of):
    with house.session() as session:
        for n in range(5):
            session.add(Site(slug=f"s{n}", name=f"Site {n}"))
            session.flush()
    analyst = browser_of("analyst")
    first = analyst.get("/api/v1/changes?kind=sites&limit=4")
    assert [each["called"] for each in first.json()] == ["Site 4", "Site 3", "Site 2", "Site 1"]
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert [each["called"] for each in analyst.get(following).json()] == ["Site 0", "Mairie"]
    whole = analyst.get("/api/v1/changes?limit=1000").json()
    assert all(one["previous"] == other["hash"] for one, other in pairwise(whole))
    assert analyst.get("/api/v1/changes?after=0").status_code == 422


def test_tables_are_taken_with_a_token_as_from_their_page(house, browser_of):  # noqa: ARG001 - the house is what is read
    analyst = browser_of("analyst")
    names = {each["name"] for each in analyst.get("/api/v1/exports").json()}
    assert names >= {"rooms", "outcomes", "answers", "readings"}
    table = analyst.get("/api/v1/exports/outcomes.csv")
    assert table.text == analyst.get("/export/outcomes.csv").text
    assert table.text.startswith("room,day,outcome")
    assert analyst.get("/api/v1/exports/rooms.parquet").content.startswith(b"PAR1")
    span = f"first={days(-2)}&last={days(-1)}"
    assert "640" in analyst.get(f"/api/v1/exports/readings.csv?{span}").text
    for query in ("", "first=2026-02-30&last=2026-03-01", f"first={TODAY}&last={days(-1)}",
                  f"first={days(-92)}&last={TODAY}", "first=0001-01-01&last=0001-01-02"):  # fmt: skip
        assert analyst.get(f"/api/v1/exports/readings.csv?{query}").status_code == 422
    assert analyst.get("/api/v1/exports/secrets.csv").status_code == 422
