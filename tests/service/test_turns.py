"""Two at the same time, on SQLite and on PostgreSQL: one turn, then compare, then write (decision 8)."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from sensors.mapping import Mapping
from sensors.move import Refusal
from sensors.reading import Message
from service import river
from service.app import create_app
from service.registry import mappings, users
from service.registry.tables import Base, Closure, Device, Experiment, Placement, Room, Site

NOW = datetime.now(UTC)
API = "/api/v1/"
WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (?!sessions|audit)")


def state_of(topic: str, metric: str = "temperature") -> dict[str, Any]:
    return {"topic": topic, "fields": [{"pointer": "/t", "metric": metric, "unit": ""}]}


def typed(metric: str) -> dict[str, Any]:
    """The form of a mapping for `usine/+/etat`."""
    levels = {"level": ["usine", "c17", "etat"], "varies": "1"}
    return levels | {"device_from": "topic", "time_from": "reception", "choice/t": f"{metric}|", "do": "save"}


@dataclass(frozen=True)
class Race:
    """What two send at once and are answered; the table that grows by so many rows, whoever wins."""

    send: str  # method and address
    one: dict[str, Any] | None
    other: dict[str, Any] | None
    answers: list[int]
    table: str
    grows: int = 0
    page: str = ""  # that says what was seen


Both = tuple[dict[str, Any], dict[str, Any]]


def edits(send: str, both: Both, table: str, page: str = "", *, grows: int = 0) -> Race:
    """A change by two who saw the same: one is taken, the other is told."""
    done = 303 if page else 201 if send.startswith("POST") else 200
    return Race(send, *both, [done, 409 if page else 412], table, grows, page)


def twice(send: str, told: Any, answers: list[int], table: str, grows: int) -> Race:
    """What makes or takes away something, sent twice: it is done once."""
    return Race(send, told, told, answers, table, grows)


def of_two(name: str, one: object, other: object, /, **same: object) -> Both:
    return {**same, name: one}, {**same, name: other}


DAY, DEVICE, OWNER = "2027-05-03", "/device?key=g/a", "/experiments/tables/owner"
YESTERDAY, BEFORE = (f"{NOW - timedelta(days=n):%Y-%m-%dT%H:%M}" for n in (1, 2))
NAMES, KEY = of_two("name", "Une", "Deux"), {"key": "g/a"}
NOW_HERE = {**KEY, "when": "now"}
SITE = {"name": "Gymnase", "opens": "08:00", "closes": "19:00", "weekdays": "1"}
NINA = {"email": "nina@ville.example", "name": "Nina", "role": "reader"}
GARAGE = {"level": ["garage", "c1", "etat"]}
USINE = tuple(state_of("usine/+/etat", metric) for metric in ("co2", "humidity"))
RACES = [
    edits("POST /device/room", of_two("room", "erdre", "sevre", **NOW_HERE), "placements", DEVICE, grows=1),
    edits("POST /device/stay", of_two("start", YESTERDAY, BEFORE, **KEY, stay="1"), "placements", DEVICE),
    edits("POST /device", of_two("label", "Un", "Deux", **KEY), "devices", DEVICE),
    edits("POST /site/mairie", of_two("name", "Une", "Deux", **SITE), "sites", "/site/mairie"),
    edits("POST /rooms/loire/facts", NAMES, "rooms", "/rooms/loire/facts"),
    edits("POST /people/2", of_two("name", "Une", "Deux", role="reader", active="yes"), "users", "/people/2"),
    edits("POST /experiments/tables/owner", of_two("owner", "1", "3"), "experiments", OWNER),
    edits("POST /mappings/1", (typed("co2"), typed("humidity")), "mappings", "/mappings/1", grows=1),
    edits("POST placements", of_two("room", "erdre", "sevre", device="g/a"), "placements", grows=1),
    edits("PATCH placements/1", of_two("start", f"{YESTERDAY}Z", f"{BEFORE}Z"), "placements"),
    edits("PATCH devices/g/a", of_two("label", "Un", "Deux"), "devices"),
    edits("PATCH sites/mairie", NAMES, "sites"),
    edits("PATCH rooms/loire", NAMES, "rooms"),
    edits("PATCH people/2", NAMES, "users"),
    edits("PUT experiments/tables/owner", of_two("person", 1, 3), "experiments"),
    edits("PUT mappings/1", USINE, "mappings", grows=1),
    twice("DELETE mappings/1", None, [202, 404], "mappings", 1),
    twice("POST /people", NINA, [303, 422], "users", 1),
    twice("POST /people/2/delete", {}, [303, 303], "users", -1),
    twice("POST /sites", SITE, [303, 303], "sites", 1),
    twice("POST /site/mairie/rooms", {"list": "Sarthe\t4", "sure": "yes"}, [303, 303], "rooms", 1),
    twice("POST /site/mairie/closed", {"day": DAY, "reason": "Fête"}, [303, 303], "closures", 1),
    twice("POST /site/mairie/closed", {"year": f"{NOW:%Y}"}, [303, 303], "closures", 11),
    twice("POST /site/annexe/open", {"day": DAY}, [303, 303], "closures", -1),
    twice("POST /site/annexe/delete", {}, [303, 404], "sites", -1),
    twice("POST /rooms/sevre/delete", {}, [303, 404], "rooms", -1),
    twice("POST /device/photo", {**KEY, "photo": b""}, [303, 303], "device_photos", 1),
    twice("POST /quarantine/1/replay", {}, [303, 303], "replays", 1),
    twice("POST /quarantine/1/map", typed("co2") | GARAGE, [303, 422], "mappings", 1),
    twice("POST /mappings/1/withdraw", {}, [303, 404], "mappings", 1),
    twice("POST people", NINA, [201, 409], "users", 1),
    twice("POST sites", {"name": "Gymnase"}, [201, 409], "sites", 1),
    twice("POST sites/mairie/rooms", {"name": "Sarthe"}, [201, 409], "rooms", 1),
    twice(f"PUT sites/mairie/closures/{DAY}", {"reason": "Fête"}, [200, 200], "closures", 1),
    twice("PUT sites/mairie/holidays/2027", None, [200, 200], "closures", 11),
    twice(f"DELETE sites/annexe/closures/{DAY}", None, [200, 404], "closures", -1),
    twice("POST mappings", state_of("garage/+/etat"), [201, 422], "mappings", 1),
    twice("POST quarantine/1/replay", None, [202, 202], "replays", 1),
]


@pytest.fixture
def house(either_registry, settings):
    """An app on a little of everything that people change."""
    mairie, annexe = Site(slug="mairie", name="Mairie"), Site(slug="annexe", name="Annexe")
    annexe.closures.append(Closure(day=date.fromisoformat(DAY)))
    loire, *others = (Room(slug=each, name=each.title(), site=mairie) for each in ("loire", "erdre", "sevre"))
    here = Device(key="g/a", gateway="g", first_seen=NOW - timedelta(days=9), last_seen=NOW)
    with either_registry.session() as session:
        session.add_all([annexe, *others, Experiment(slug="tables", title="T", declared_at=NOW, sheet={})])
        session.add(Placement(device=here, room=loire, start=NOW - timedelta(days=3)))
        for name, role in (("Marie", "administrator"), ("Nora", "reader"), ("Zoé", "facilities")):
            users.add(session, f"{name[0]}@ville.example", name, role, None, NOW)
        mappings.keep(session, Mapping.from_json(state_of("usine/+/etat")), "Marie", NOW)
    message = Message("garage/c1/etat", b'{"t": 21.4}', NOW)
    river.RegistryQuarantine(either_registry).put("mqtt-abc", [Refusal(1, message, "unknown_format: no")])
    app = create_app(settings, either_registry)
    yield app
    app.state.store.close()


def administrator(app) -> TestClient:
    """Marie's browser; `.csrf` is what its forms carry."""
    with app.state.registry.session() as session:
        marie = users.known(session, "m@ville.example")
        token = users.open_session(session, marie, datetime.now(UTC), timedelta(hours=1))
    browser = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    browser.cookies.set("temoin", token)
    browser.csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', browser.get("/method").text)[1]
    return browser


def seen_by(browser: TestClient, race: Race) -> dict[str, str]:
    """What somebody saw: hidden fields of a form, or the header that names a version."""
    path = race.send.split()[1]
    if race.page:
        page = browser.get(race.page).text
        form = page.partition(f'action="{path}"')[2].partition("</form>")[0] or page
        return dict(re.findall(r'name="(seen\w*|version)" value="([^"]*)"', form))
    if 412 not in race.answers:
        return {}
    read = "devices/g/a" if "placements" in path else path
    answer = browser.get(API + read).json()
    version = answer[0]["version"] if isinstance(answer, list) else answer["version"]
    return {"If-Match": f'"{version}"'}


def send(browser: TestClient, race: Race, told: dict[str, Any] | None, seen: dict[str, str]):
    method, path = race.send.split()
    if not path.startswith("/"):
        return browser.request(method, API + path, json=told, headers={"X-CSRF-Token": browser.csrf} | seen)
    told = dict(told or {}, csrf=browser.csrf) | seen
    files = {"photo": ("p.jpg", picture())} if told.pop("photo", None) is not None else None
    return browser.post(path, data=told, files=files)


def picture() -> bytes:
    kept = BytesIO()
    Image.new("RGB", (40, 30)).save(kept, "JPEG")
    return kept.getvalue()


def count(registry, table: str) -> int:
    with registry.session() as session:
        return session.scalar(select(func.count()).select_from(Base.metadata.tables[table]))


def at_the_same_time(registry, works) -> list[Any]:
    """Run these; each waits before its first write until another is about to write, if one may be."""
    both, waited = threading.Barrier(len(works)), threading.local()

    def wait_for_the_other(_connection, _cursor, statement, *_about) -> None:
        if WRITES.match(statement) and not hasattr(waited, "once"):
            waited.once = True
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)

    event.listen(registry.engine, "before_cursor_execute", wait_for_the_other)
    with ThreadPoolExecutor(len(works)) as threads:
        return [each.result(60) for each in [threads.submit(work) for work in works]]


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.send)
def test_of_two_at_the_same_time_one_is_first_and_the_other_is_told(house, race):
    """Nothing is lost without a word, nothing is there twice, nothing is a failure of ours."""
    registry = house.state.registry
    one, other = administrator(house), administrator(house)
    seen, before = seen_by(one, race), count(registry, race.table)
    answers = at_the_same_time(
        registry, [lambda: send(one, race, race.one, seen), lambda: send(other, race, race.other, seen)]
    )
    assert sorted(each.status_code for each in answers) == race.answers
    assert count(registry, race.table) - before == race.grows
    for told in (each for each in answers if each.status_code >= 400):
        assert re.search(r'role="alert"|<h1>|"message":"\w', told.text)
    with registry.session() as session:
        assert session.scalar(select(func.count()).where(Placement.end.is_(None))) == 1


@pytest.mark.parametrize(
    "fault", [IntegrityError("INSERT", {}, Exception("there already")), StaleDataError()]
)
@pytest.mark.parametrize(
    ("language", "says"), [("fr", "Quelqu’un vous a devancé"), ("en", "Somebody was faster")]
)
def test_what_nobody_thought_of_is_a_sentence_too(app, browser_of, fault, language, says):
    """A row that is there already or no longer: a conflict, on a page and in the API."""

    def fail() -> None:
        raise fault

    for path in ("/broken", "/api/v1/broken"):
        app.get(path)(fail)
    browser = browser_of("reader")
    page, answer = browser.get(f"/broken?lang={language}"), browser.get("/api/v1/broken")
    assert (page.status_code, says in page.text) == (409, True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
