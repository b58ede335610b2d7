"""Where the hour matters: zones with odd offsets, days on which clocks change, the hours around midnight."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import time_machine
from fastapi.testclient import TestClient
from sqlalchemy import select

from sensors.reading import Reading
from service import room_series
from service.app import create_app
from service.registry import gateways, users
from service.registry.tables import Arm, Device, Experiment, Measure, Placement, Room, Site
from service.registry.tables import Session as SignedIn
from service.web import form as room_form

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize("name", ["Asia/Kathmandu", "Pacific/Marquesas", "Europe/Paris", "America/Havana"])
def test_a_week_begins_at_its_midnight_whatever_the_zone_is_off_by(app, name):
    zone = ZoneInfo(name)
    start, end = (datetime.combine(date(2026, 3, day), time(), zone) for day in (2, 9))
    begins = start.astimezone(UTC)
    app.state.store.write(
        Reading("g/air", "co2", 500.0 + n, "ppm", begins + timedelta(minutes=15 * n), "device", "g")
        for n in range(-4, 8)
    )
    placed = [SimpleNamespace(device_key="g/air", start=begins - timedelta(days=9), end=None)]
    [co2] = room_series.series(app.state.store, placed, start, end, timedelta(hours=1))
    assert co2.points[0][0] == start
    assert {at.date() for at, _ in co2.points} == {date(2026, 3, day) for day in range(2, 9)}
    assert [value for _, value in co2.points[:2]] == [501.5, 505.5]  # of the hours from midnight on


STARTS, SWITCH, ENDS = date(2026, 4, 6), date(2026, 5, 4), date(2026, 5, 29)


@pytest.fixture
def ask(settings, registry):
    """The JSON of an address of the API, asked at a local date and time in a zone."""
    opened = []

    def asked(zone, local, path):
        app = create_app(settings.model_copy(update={"timezone": zone}), registry)
        opened.append(app)
        with time_machine.travel(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)), tick=True):
            now = datetime.now(UTC)
            with registry.session() as session:
                email = f"{now.timestamp()}@ville.example"
                user = users.add(session, email, "Camille", "analyst", None, now)
                token = users.make_token(session, user, "test", "read", now, timedelta(hours=1))
            client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
            return client.get(f"/api/v1/{path}").json()

    yield asked
    for app in opened:
        app.state.store.close()


@pytest.fixture
def trial(registry):
    """A room with a sensor, under seal from SWITCH to ENDS."""
    first = datetime(2026, 3, 1, tzinfo=UTC)
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="m", name="M"))
        device = Device(key="hall/a", gateway="hall", first_seen=first, last_seen=first)
        session.add(Placement(device=device, room=room, start=first))
        session.add(Experiment(
            slug="e", title="E", declared_at=first, sheet={}, washout=0, min_days=5, assignment="lot",
            starts=STARTS, ends=ENDS, arms=[Arm(room=room, switch=SWITCH)],
            measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        ))  # fmt: skip
    return registry


@pytest.mark.parametrize(
    ("zone", "local", "messages"),
    [
        ("America/Guadeloupe", "2026-05-29T20:30", None),  # the last evening, when UTC has the day after
        ("America/Guadeloupe", "2026-05-30T00:30", 7),
        ("Pacific/Noumea", "2026-05-04T09:00", None),  # the first morning, when UTC has the day before
        ("Pacific/Noumea", "2026-05-03T23:30", 7),
        ("Pacific/Noumea", "2026-05-29T23:30", None),
        ("Pacific/Noumea", "2026-05-30T00:30", 7),
    ],
)
def test_what_a_gateway_sent_is_under_seal_by_local_days(trial, ask, zone, local, messages):
    sent = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    with trial.session() as session:
        gateways.count(session, [("temoin/hall/a", 1, sent)] * 7, [])
    [source] = ask(zone, local, "gateways")
    assert source["messages"][-1] == [sent.date().isoformat(), messages]


def test_a_link_to_choose_a_password_says_when_it_ends_though_clocks_change_meanwhile(browser_of, registry):
    with time_machine.travel(datetime(2026, 10, 24, 10, 0, tzinfo=UTC), tick=True):  # noon in Paris
        browser = browser_of("administrator")
        with registry.session() as session:
            paul = users.add(session, "paul@ville.example", "Paul", "reader", None, datetime.now(UTC)).id
        page = browser.post(f"/people/{paul}/link", data={"csrf": browser.csrf}).text
        [until] = re.findall(r"jusqu’au (\d+)\s\w+ 2026 à (\d+)", page.replace("\u202f", " "))
    with registry.session() as session:
        [link] = session.scalars(select(SignedIn).where(SignedIn.kind == "password"))
        ends = link.expires.astimezone(PARIS)
    assert until == (str(ends.day), str(ends.hour))


def test_a_form_left_open_while_the_clock_is_set_back_comes_back_fresh(app, registry):
    with registry.session() as session:
        session.add(Room(slug="loire", name="Loire", site=Site(slug="m", name="M")))
    client, at = TestClient(app, follow_redirects=False), datetime(2026, 5, 4, 10, tzinfo=UTC)
    form = {"k": form_key(app, "loire"), "satisfaction": "6"}
    with time_machine.travel(at + timedelta(hours=1), tick=True):
        form["nonce"] = nonce_of(client.get("/r/loire", params={"k": form["k"]}).text)
    with time_machine.travel(at, tick=True):
        page = client.post("/r/loire", data=form)
    assert page.status_code == 422
    with time_machine.travel(at + timedelta(seconds=10), tick=True):
        again = client.post("/r/loire", data=form | {"nonce": nonce_of(page.text)})
    assert again.status_code == 303


def nonce_of(page):
    return re.search(r'name="nonce" value="([^"]+)"', page)[1]


def form_key(app, slug):
    return room_form.room_key(SimpleNamespace(app=app), slug)
