"""How many questions a page asks the registry does not grow with the rows it shows."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import event

from experiments.panel import DayOutcome
from service.registry import outcomes, users
from service.registry.tables import (
    Answer,
    Arm,
    Closure,
    Cost,
    Decision,
    Deviation,
    Device,
    DeviceDay,
    Experiment,
    Gateway,
    GatewayToken,
    Import,
    MappingVersion,
    Measure,
    Placement,
    QuarantineCause,
    QuarantineEntry,
    Room,
    Share,
    Site,
)

NOW = datetime.now(UTC)
TODAY = NOW.date()
ASKED = {
    "/device": "/device?key=g/0",
    "/device/photo": "/device/photo?key=g/0",
    "/rooms/compare": "/rooms/compare?room=r0&room=r1",
}
NAMED = {"{cause}": "1", "{number}": "1", "{key:path}": "g/0", "/site/{slug}": "/site/s0"}


LIVES = ((-60, -30, 30), (-90, -60, -1), (-200, -150, -100))  # running, ended, decided


def days(n):
    return TODAY + timedelta(days=n)


def fill(registry, first, last):
    """Some of everything there is a row of: of each number one more of each."""
    with registry.session() as session:
        for n in range(first, last):
            site = Site(slug=f"s{n}", name=f"Site {n}", weekdays="1234567")
            rooms = [Room(slug=f"r{n}{x}", name=f"Salle {n}{x}", site=site, capacity=8) for x in ("", "b")]
            session.add_all([*rooms, Closure(site=site, day=days(n), reason="Travaux")])
            session.add(Gateway(name=f"g{n}", added_at=NOW, broker_hash="x"))
            token = {"token_sha256": f"{n:064}", "made_at": NOW, "expires": NOW + timedelta(days=5)}
            session.add(GatewayToken(**token, gateway_name=f"g{n}"))
            device = Device(key=f"g/{n}", gateway="g", first_seen=NOW, last_seen=NOW - timedelta(days=n % 3))
            session.add(Placement(device=device, room=rooms[0], start=NOW - timedelta(days=90)))
            session.add(Device(key=f"h/{n}", gateway="h", first_seen=NOW, last_seen=NOW))
            session.flush()
            for ago in range(1, 4):
                spoken = {"messages": 9, "interval": 600, "longest_gap": 900, "battery": 9.0}
                session.add(DeviceDay(device_key=f"g/{n}", day=days(-ago), **spoken))
                found = [
                    DayOutcome(f"r{m}", days(-ago), key, 1, 40.0, 0.9)
                    for m in range(n + 1)
                    for key in ("time_utilisation", "co2_occupied")
                ]
                outcomes.replace_day(session, days(-ago), found)
            session.add(Answer(room_id=rooms[0].id, day=days(-40), hour=9, satisfaction=6, remark="Bien"))
            user = users.add(session, f"p{n}@ville.example", f"P {n}", "facilities", None, NOW)
            users.open_session(session, user, NOW, timedelta(hours=9))
            for kind, (starts, switch, ends) in enumerate(
                ((-60, -30, 30), (-90, -60, -1), (-200, -150, -100))
            ):
                trial = Experiment(
                    slug=f"e{kind}{n}", title=f"Essai {kind}{n}", declared_at=NOW, starts=days(starts),
                    ends=days(ends), washout=0, sheet={}, assignment="lot", owner=user, expires=days(3),
                    arms=[Arm(room=rooms[0], switch=days(switch)), Arm(room=rooms[1])],
                    measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=9)],
                    costs=[Cost(kind="planned", label="Tables", euros=900)],
                    deviations=[Deviation(day=days(-2), what="Fuite", entered_by="c", entered_at=NOW)],
                )  # fmt: skip
                session.add(trial)
                if kind == 2:
                    trial.decision = Decision(
                        choice="stop", body="Comité", decided_on=days(-90), reason="r", lessons="l",
                        entered_by="c", entered_at=NOW,
                    )  # fmt: skip
                share = {"token_sha256": f"{kind}{n:063}", "made_at": NOW, "made_by": "C", "frozen": {}}
                session.flush()
                session.add(Share(**share, experiment_id=trial.id, expires=NOW + timedelta(days=9)))
            cause = {"code": "unknown_format", "gateway": "g", "shape": f"s{n}", "waiting": 1}
            session.add(QuarantineCause(**cause, first_at=NOW, last_at=NOW, latest_id=n))
            session.flush()
            session.add(QuarantineEntry(
                landing="mqtt", landing_id=n + 1, received_at=NOW, topic=f"temoin/g/{n}", payload=b"{}",
                code="unknown_format", reason="r", cause_id=1,
            ))  # fmt: skip
            session.add(MappingVersion(
                number=n + 1, version=1, topic=f"t{n}/+", made_at=NOW, made_by="C",
                document={"topic": f"t{n}/+", "fields": [{"pointer": "/t", "metric": "co2", "unit": ""}]},
            ))  # fmt: skip
            session.add(
                Import(name=f"f{n}.csv", size=9, status="done", added_at=NOW, added_by="C", total=9, done=9)
            )


@contextmanager
def counted(registry):
    """A list that grows by each statement the registry is asked meanwhile."""
    asked = []
    listen = lambda *given: asked.append(given[2])  # noqa: E731 - to be taken away again
    event.listen(registry.engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(registry.engine, "before_cursor_execute", listen)


def paths(app):
    found = set()
    for each in iter_route_contexts(app.routes):
        if "GET" not in each.methods or each.path in ("/metrics", "/readyz", "/healthz"):
            continue
        path = ASKED.get(each.path, each.path)
        for name, value in NAMED.items():
            path = path.replace(name, value)
        slugs = ("r0",) if path.startswith(("/rooms", "/api/v1/rooms", "/r/")) else ("e00", "e10", "e20")
        found |= {path.replace("{slug}", slug) for slug in slugs}
    return sorted(path for path in found if "{" not in path)


@pytest.fixture
def browser(browser_of):
    return browser_of("administrator")


def test_no_page_asks_more_for_more_rows(app, registry, browser):
    def questions():
        asked = {}
        for path in paths(app):
            with counted(registry) as statements:
                answer = browser.get(path)
            asked[path] = (answer.status_code, len(statements))
        return asked

    fill(registry, 0, 2)
    questions()  # what is asked once in a process
    few = questions()
    fill(registry, 2, 7)
    many = questions()
    assert sum(status == 200 for status, _ in few.values()) > 50
    more = {path: (few[path], many[path]) for path in few if many[path][1] > few[path][1]}
    assert more == {}
