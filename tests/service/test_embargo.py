"""While an experiment runs, somebody who asks for everything learns nothing of what its rooms did since.

Two worlds that differ only in that must answer every request with the same bytes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from experiments.panel import DayOutcome
from sensors.move import Refusal
from sensors.reading import Message, Reading
from service import embargo, export
from service.registry import experiments, gateways, outcomes, quarantine
from service.registry.tables import (
    Answer,
    Arm,
    Decision,
    Device,
    Experiment,
    Measure,
    Placement,
    QuarantineEntry,
    Room,
    Site,
)

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
TODAY = NOW.astimezone(ZoneInfo("Europe/Paris")).date()
STARTS, SWITCH, ENDS = (TODAY + timedelta(days=n) for n in (-56, -21, 21))
TREATED, BASELINE = ("loire", "erdre", "cens"), ("maine", "vilaine", "isac", "gesvres")
HIDDEN = TREATED + BASELINE
DEVICES = ("loire", "moved", "until")  # there all along; moved there; and until a day to come
MOMENT = NOW - timedelta(minutes=10)
# what names itself differently at each request, or counts requests
RESTLESS = {"/metrics", "/healthz", "/readyz"}
EXPORTS = {"/export/{name}.{kind}", "/api/v1/exports/{name}.{kind}"}
TABLES = dict.fromkeys(("rooms", "outcomes", "experiments", "arms", "devices", "placements", "answers"), "")
TABLES["readings"] = f"?first={TODAY - timedelta(days=7)}&last={TODAY}"


def day_values(day, room, gain):
    """What the room's sensors said of that day; `gain` is what happened since the switch."""
    moved = gain if day >= SWITCH else 1.0
    never_met = day >= SWITCH and gain > 1 and day.day % 3 == 0
    air = None if never_met else 700.0 * moved
    return [
        DayOutcome(room, day, "occupied_minutes", 1, 150.0 * moved + day.day + len(room), 0.95),
        DayOutcome(room, day, "seat_fill", 1, None if never_met else 40.0 + day.day % 5, 0.95),
        DayOutcome(room, day, "co2_occupied", 1, air, 0.95),
        DayOutcome(room, day, "time_utilisation", 1, 25.0 * moved, 0.95),
    ]


def later(moment, gain):
    """When a sensor spoke that speaks when somebody comes."""
    return moment + timedelta(minutes=3, seconds=7) * (gain - 1)


def readings(gain):
    spoke = later(MOMENT, gain)
    return [
        Reading(f"g/{room}", metric, value * gain, "", spoke - timedelta(minutes=10 * n), "device", "g")
        for room in HIDDEN
        for metric, value in (("people", 3.0), ("co2", 700.0), ("temperature", 15.0))
        for n in range(30)
    ]


def trial(rooms, slug, starts, switch, ends, primary="occupied_minutes"):
    return Experiment(
        slug=slug, title=slug.title(), declared_at=datetime(2020, 1, 1, tzinfo=UTC), starts=starts, ends=ends,
        washout=0, min_days=5, assignment="lot", sheet={},
        arms=[Arm(room=room, switch=switch if room.slug in TREATED else None) for room in rooms],
        measures=[
            Measure(outcome=primary, role="primary", better="higher", useful=15.0),
            Measure(outcome="co2_occupied", role="guardrail", better="lower", margin=150.0, position=1),
            Measure(outcome="satisfaction", role="secondary", better="higher", position=2),
        ],
    )  # fmt: skip


@pytest.fixture(params=["occupied_minutes", "seat_fill", "satisfaction"])
def world(request, registry, app):
    """An experiment that runs, the next one planned in its rooms, readings, answers, a refused payload."""
    primary = request.param
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        rooms = [Room(slug=slug, name=slug.title(), site=site, capacity=8) for slug in HIDDEN]
        session.add_all(rooms)
        for room in rooms:
            device = Device(key=f"g/{room.slug}", gateway="g", first_seen=MOMENT, last_seen=MOMENT)
            session.add(Placement(device=device, room=room, start=MOMENT - timedelta(days=90)))
        free = Room(slug="hall", name="Hall", site=site, capacity=8)
        for key, until in (("moved", None), ("until", MOMENT + timedelta(days=9))):
            device = Device(key=f"g/{key}", gateway="g", first_seen=MOMENT, last_seen=MOMENT)
            change = MOMENT - timedelta(days=20)
            session.add(Placement(device=device, room=free, start=change - timedelta(days=9), end=change))
            session.add(Placement(device=device, room=rooms[0], start=change, end=until))
        guardrail = [each for each in ("co2_occupied", "satisfaction") if each != primary]
        running = trial(rooms, "running", STARTS, SWITCH, ENDS, primary)
        running.measures = [m for m in running.measures if m.role == "primary" or m.outcome in guardrail]
        following = trial(
            rooms, "following", ENDS + timedelta(days=1), ENDS + timedelta(days=30), ENDS + timedelta(days=60)
        )
        session.add_all([running, following])
        broken = Message("temoin/g/loire", b'{"co2": 1400', MOMENT)
        quarantine.put(session, "mqtt", [Refusal(1, broken, "broken_json: the payload ends too early")])
        session.flush()
        for room in rooms:
            for n in range(1, 49, 4):
                day = TODAY - timedelta(days=n)
                session.add(Answer(room_id=room.id, day=day, hour=9, satisfaction=5, helped=4))
        experiments.lock(session, running, "camille", datetime(2020, 1, 2, tzinfo=UTC))
    happened(registry, app, 1.0)
    return registry


def happened(registry, app, gain):
    """Since the switch the treated rooms did `gain` times what they did before."""
    with registry.session() as session:
        for n in range(1, (TODAY - STARTS).days + 1):
            day = TODAY - timedelta(days=n)
            found = [
                each
                for room in HIDDEN
                for each in day_values(day, room, gain if room in TREATED else 1.0)
            ]  # fmt: skip
            outcomes.replace_day(session, day, found)
            noon = datetime.combine(day, time(12), UTC)
            if day >= SWITCH:
                spoke = later(noon, gain)
                gateways.count(session, [("temoin/g/loire", 1, spoke)] * int(100 * gain), [])
        gateways.count(session, [("temoin/g/loire", 1, later(MOMENT, gain))], [])
        for device in session.scalars(select(Device)):
            device.last_seen = later(MOMENT, gain)
        treated = select(Room.id).where(Room.slug.in_(TREATED))
        for answer in session.scalars(
            select(Answer).where(Answer.day >= SWITCH, Answer.room_id.in_(treated))
        ):
            answer.satisfaction = 1 if gain > 1 else 5
        entry = session.scalar(select(QuarantineEntry))
        entry.payload = b'{"co2": %4d' % (700 * gain)
    app.state.store.write(readings(gain))


def everything(app, browser):
    """Path → status and body of whatever can be asked for."""
    routes = {route.path for route in iter_route_contexts(app.routes) if "GET" in route.methods}
    paths = {path for route in routes - RESTLESS for path in _asked(route)}
    with time_machine.travel(NOW, tick=False):
        answers = {path: browser.get(path) for path in sorted(paths)}
    return {path: (answer.status_code, answer.text) for path, answer in answers.items()}


def _asked(route):
    """The addresses of a route: of both experiments or of a room of each arm, and what may be asked of it."""
    route = re.sub(r"\{(cause|number)\}", "1", route)
    route = "/device?key={key:path}" if route == "/device" else route
    if route in EXPORTS:
        return {route.replace("{name}.{kind}", f"{name}.csv") + asked for name, asked in TABLES.items()}
    if route.startswith(("/site", "/api/v1/sites")):
        route = route.replace("{slug}", "mairie")
    slugs = ("loire", "maine", "hall") if "/rooms" in route else ("running", "following")
    slugs = [f"g/{name}" for name in DEVICES] if "{key:path}" in route else slugs
    paths = {re.sub(r"\{[\w:]+\}", slug, route) for slug in slugs}
    if route.endswith("panel.csv"):
        return paths | {f"{path}?until=switch" for path in paths}
    if route == "/api/v1/weeks":
        return {route, f"{route}?count=8&room=loire&room=maine"}
    if route == "/rooms/compare":
        return {"/rooms/compare?room=loire&room=maine&room=erdre"}
    if route == "/rooms/{slug}":
        yesterday = TODAY - timedelta(days=1)
        return paths | {f"{path}?{query}" for path in paths for query in ("span=week", f"until={yesterday}")}
    return paths


def _apart(one, other):
    """Where two answers begin to differ."""
    pairs = zip(one[1], other[1], strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one[1]), len(other[1])))
    return one[0], one[1][max(0, at - 60) : at + 60], other[0], other[1][max(0, at - 60) : at + 60]


def test_no_answer_depends_on_what_happened_since_the_switch(world, app, browser_of):
    analyst = browser_of("administrator")
    before = everything(app, analyst)
    happened(world, app, 2.0)
    after = everything(app, analyst)
    assert {path: _apart(before[path], after[path]) for path in before if before[path] != after[path]} == {}
    asked = {path for path, (status, _) in before.items() if status == 200}
    assert asked >= {
        "/", "/experiments", "/experiments/running", "/experiments/following", "/rooms", "/rooms/loire",
        "/rooms/compare?room=loire&room=maine&room=erdre",
        "/quarantine", "/gateways", "/api/v1/gateways", "/api/v1/rooms", "/api/v1/devices",
        "/api/v1/devices/g/loire", "/device?key=g/until", "/rooms/hall", "/api/v1/rooms/hall",
         "/api/v1/experiments/running", "/api/v1/today", "/api/v1/weeks",
        "/api/v1/weeks?count=8&room=loire&room=maine", "/api/v1/rooms/loire", "/api/v1/device-health",
        "/api/v1/experiments/running/progress", "/api/v1/experiments/running/file",
        "/api/v1/experiments/following/plan", "/api/v1/sites/mairie", "/api/v1/imports", "/api/v1/changes",
        *(f"/api/v1/exports/{name}.csv{asked}" for name, asked in TABLES.items()),
        *(f"/export/{name}.csv{asked}" for name, asked in TABLES.items()),
        "/api/v1/experiments/running/result",
        "/api/v1/experiments/running/panel.csv?until=switch", "/api/v1/experiments/running/protocol.json",
    }  # fmt: skip
    assert before["/api/v1/experiments/running/panel.csv"][0] == 423
    for what in ("days", "seasons", "voices", "series", "profile"):
        assert before[f"/api/v1/rooms/loire/{what}"][0] == 423
    for what in ("voices", "comfort"):
        assert before[f"/api/v1/experiments/running/{what}"][0] == 423


@pytest.mark.parametrize("world", ["occupied_minutes"], indirect=True)
def test_the_day_after_the_end_it_all_shows(world, app, browser_of):
    """Or the test above would prove nothing."""
    analyst = browser_of("administrator")

    with world.session() as session:
        found = experiments.find(session, "running")
        session.delete(found.protocol)
        found.ends = TODAY - timedelta(days=1)
    before = everything(app, analyst)
    happened(world, app, 2.0)
    after = everything(app, analyst)
    changed = {path for path in before if before[path] != after[path]}
    assert changed >= {
        "/experiments/running", "/rooms", "/rooms/loire", "/api/v1/experiments/running/result",
        "/api/v1/rooms/loire/days", "/api/v1/rooms/loire/seasons",
        "/rooms/compare?room=loire&room=maine&room=erdre",
        "/api/v1/experiments/running/panel.csv", "/api/v1/weeks", "/api/v1/exports/outcomes.csv",
    }  # fmt: skip


@pytest.mark.parametrize("world", ["occupied_minutes"], indirect=True)
def test_a_decision_before_the_end_opens_the_seal(world):
    with world.session() as session:
        assert set(embargo.embargoes(session, TODAY)) == set(HIDDEN)
        experiments.find(session, "running").decision = Decision(
            choice="stop",
            body="Comité",
            decided_on=TODAY,
            reason="Dégât des eaux",
            entered_by="c",
            entered_at=MOMENT,
        )
        session.flush()
        assert embargo.embargoes(session, TODAY) == {}


@pytest.mark.parametrize("world", ["occupied_minutes"], indirect=True)
@pytest.mark.parametrize(
    ("day", "hidden"),
    [(SWITCH - timedelta(days=1), 0), (SWITCH, 7), (ENDS, 7), (ENDS + timedelta(days=1), 0)],
)
def test_the_seal_holds_from_the_first_switch_to_the_last_day(world, day, hidden):
    with world.session() as session:
        assert len(embargo.embargoes(session, day)) == hidden


@pytest.mark.parametrize("world", ["occupied_minutes"], indirect=True)
@pytest.mark.parametrize("ago", [timedelta(minutes=10), timedelta(days=3)])
def test_no_sensor_tells_at_what_time_somebody_was_there(world, browser_of, ago):
    """One that speaks when somebody moves would, in a room under seal or for one person."""
    heard = NOW + timedelta(minutes=4) - ago  # not the minute of anything else
    with world.session() as session:
        site, long_ago = session.scalar(select(Site)), heard - timedelta(days=90, hours=1, minutes=7)
        session.add_all(
            Placement(
                device=Device(key=f"g/{slug}", gateway="g"),
                room=Room(slug=slug, name=slug.title(), site=site, capacity=capacity),
                start=long_ago,
            )
            for slug, capacity in (("bureau", 1), ("salle", 6))
        )
        session.flush()
        for device in session.scalars(select(Device)):
            device.first_seen, device.last_seen = long_ago, heard
    here = heard.astimezone(ZoneInfo("Europe/Paris"))
    clock, day = f"{here.hour}\u202fh\u202f{here.minute:02d}", here.replace(hour=0, minute=0)
    pages, reader = ("/devices", "/device-health", "/"), browser_of("reader")
    for key in ("loire", "bureau"):
        for path in (f"/device?key=g/{key}", f"/rooms/{key}"):
            assert clock not in reader.get(path).text, path
        told = reader.get(f"/api/v1/devices/g/{key}").json()["last_seen"]
        assert datetime.fromisoformat(told) == day
    free = {path: reader.get(path).text.count(clock) for path in pages}
    assert free == {"/devices": 1, "/device-health": int(ago.days > 0), "/": 0}
    told = reader.get("/api/v1/devices/g/salle").json()["last_seen"]
    assert datetime.fromisoformat(told) == heard


@pytest.mark.parametrize("world", ["occupied_minutes"], indirect=True)
def test_of_two_experiments_in_a_room_the_first_switch_and_the_last_end_count(world):
    """Whichever of them comes last in the list."""
    earlier, later = (timedelta(days=n) for n in (-3, 5))
    with world.session() as session:
        rooms = list(session.scalars(select(Room).where(Room.slug.in_(("loire", "maine", "vilaine")))))
        session.add(trial(rooms, "first", STARTS - later, SWITCH + earlier, ENDS + earlier))
        session.add(trial(rooms, "last", STARTS + earlier, SWITCH + later, ENDS + later))
        session.flush()
        hidden = embargo.embargoes(session, TODAY)
        free = {slug for slug, each in hidden.items() if each.slug == "running"}
        assert free == set(HIDDEN) - {"loire", "maine", "vilaine"}
        assert {each.since for slug, each in hidden.items() if slug not in free} == {SWITCH + earlier}
        assert {each.ends for slug, each in hidden.items() if slug not in free} == {ENDS + later}
        exported = [row for row in export.rows(session, "outcomes.csv", TODAY, 5) if row[0] == "loire"]
        assert max(day for _, day, *_, sealed in exported if not sealed) == SWITCH - timedelta(days=4)
