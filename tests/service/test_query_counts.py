"""How many questions a page asks the registry does not grow with the rows it shows."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from fastapi.routing import iter_route_contexts
from sqlalchemy import event, select

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
WEEK = timedelta(days=7)
FEW, MANY = 2, 8
RUNNING, ENDED, DECIDED = range(3)
LIVES = {RUNNING: (-60, -30, 30), ENDED: (-90, -60, -1), DECIDED: (-200, -150, -100)}  # starts, switch, ends
NAMED = {"{cause}": "1", "{number}": "1", "{key:path}": "g/0", "/site/{slug}": "/site/s0"}
NAMED |= {"/sites/{slug}": "/sites/s0"}
SPAN = f"?first={TODAY - timedelta(days=3)}&last={TODAY}"
ASKED = {
    "/export/{name}.{kind}": "/export/outcomes.csv",
    "/api/v1/exports/{name}.{kind}": f"/api/v1/exports/readings.csv{SPAN}",
    "/device": "/device?key=g/0",
    "/device/photo": "/device/photo?key=g/0",
    "/rooms/compare": "/rooms/compare?room=r0&room=r0b",
}
MACHINES = {"/metrics", "/readyz", "/healthz"}


def days(n):
    return TODAY + timedelta(days=n)


def fill(registry, first, last):
    """Of everything there are rows of, those from `first` up to `last`, and as many of the first's own."""
    with registry.session() as session:
        for n in range(first, last):
            users.add(session, f"p{n}@ville.example", f"P {n}", "facilities", None, NOW)
            places(session, n)
            gateway(session, n)
            for life in LIVES:
                experiment(session, n, life)
            quarantined(session, n)
            session.add(
                Import(name=f"f{n}.csv", size=9, status="done", added_at=NOW, added_by="C", total=9, done=9)
            )
            session.flush()
            of_the_first(session, n)
        measured(session, last)


def places(session, n):
    """A site, two rooms, a device in one of them, which spoke for three days, one that is nowhere."""
    site = Site(slug=f"s{n}", name=f"Site {n}", weekdays="1234567")
    rooms = [Room(slug=f"r{n}{x}", name=f"Salle {n}{x}", site=site, capacity=8) for x in ("", "b")]
    device = Device(key=f"g/{n}", gateway="g", first_seen=NOW, last_seen=NOW - timedelta(days=n % 3))
    placement = Placement(device=device, room=rooms[0], start=NOW - 12 * WEEK)
    nowhere = Device(key=f"h/{n}", gateway="h", first_seen=NOW, last_seen=NOW)
    session.add_all([*rooms, placement, nowhere, Closure(site=site, day=days(n), reason="Travaux")])
    session.flush()
    session.add(Answer(room_id=rooms[0].id, day=days(-40), hour=9, satisfaction=6, remark="Bien"))
    spoken = {"messages": 9, "interval": 600, "longest_gap": 900, "battery": 9.0}
    session.add_all([DeviceDay(device_key=device.key, day=days(-ago), **spoken) for ago in range(1, 4)])


def gateway(session, n):
    """A gateway and its token."""
    session.add(Gateway(name=f"g{n}", added_at=NOW, broker_hash="x"))
    session.flush()
    token(session, f"g{n}", n)


def token(session, name, n):
    session.add(
        GatewayToken(token_sha256=f"{name:>8}{n:056}", gateway_name=name, made_at=NOW, expires=NOW + WEEK)
    )


def experiment(session, n, life):
    """An experiment at that point of its life, in somebody's hands, and a link to it."""
    starts, switch, ends = LIVES[life]
    rooms = [session.scalar(select(Room).where(Room.slug == slug)) for slug in (f"r{n}", f"r{n}b")]
    owner = users.find(session, f"p{n}@ville.example")
    trial = Experiment(
        slug=f"e{life}{n}", title=f"Essai {life}{n}", declared_at=NOW, starts=days(starts), ends=days(ends),
        washout=0, sheet={}, assignment="lot", expires=days(3), owner=owner,
        arms=[Arm(room=rooms[0], switch=days(switch)), Arm(room=rooms[1])],
        measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=9)],
    )  # fmt: skip
    if life == DECIDED:
        trial.decision = Decision(
            choice="stop", body="Comité", decided_on=days(-90), reason="r", lessons="l", entered_by="c",
            entered_at=NOW,
        )  # fmt: skip
    session.add(trial)
    session.flush()
    told(session, trial, n)


def told(session, trial, n):
    """A cost, a deviation and a link more."""
    session.add_all([
        Cost(experiment_id=trial.id, kind="planned", label="Tables", euros=900),
        Deviation(experiment_id=trial.id, day=days(-2), what="Fuite", entered_by="c", entered_at=NOW),
        Share(token_sha256=f"{trial.id:08}{n:056}", made_at=NOW, made_by="C", frozen={},
              experiment_id=trial.id, expires=NOW + WEEK),
    ])  # fmt: skip


def quarantined(session, n):
    """A cause with a message that waits, and a mapping."""
    cause = {"code": "unknown_format", "gateway": "g", "shape": f"s{n}", "waiting": 1}
    session.add(QuarantineCause(**cause, first_at=NOW, last_at=NOW, latest_id=n + 1))
    session.flush()
    session.add(QuarantineEntry(
        landing="mqtt", landing_id=n + 1, received_at=NOW, topic=f"temoin/g/{n}", payload=b"{}",
        code="unknown_format", reason="r", cause_id=1,
    ))  # fmt: skip
    session.add(MappingVersion(
        number=n + 1, version=1, topic=f"t{n}/+", made_at=NOW, made_by="C",
        document={"topic": f"t{n}/+", "fields": [{"pointer": "/t", "metric": "co2", "unit": ""}]},
    ))  # fmt: skip


def of_the_first(session, n):
    """One more of what the pages of the first ones list: rooms, devices, tokens, visits, arms, links."""
    if n == 0:
        return
    extra = Room(slug=f"x{n}", name=f"Extra {n}", site=session.get(Site, 1), capacity=8)
    session.add_all([extra, Closure(site_id=1, day=days(30 + n), reason="Pont")])
    session.add(Placement(device_key=f"h/{n}", room_id=1, start=NOW - WEEK))
    users.open_session(session, users.find(session, "p0@ville.example"), NOW, WEEK)
    token(session, "g0", n)
    session.add(
        MappingVersion(number=1, version=n + 1, topic="t0/+", made_at=NOW, made_by="C", document=None)
    )
    for life in LIVES:
        trial = session.scalars(select(Experiment).where(Experiment.slug == f"e{life}0")).one()
        trial.arms.append(Arm(room=extra))
        told(session, trial, 100 + n)


def measured(session, last):
    """Three days of two outcomes of every room so far."""
    for ago in range(1, 4):
        keys = ("time_utilisation", "co2_occupied")
        found = [DayOutcome(f"r{n}", days(-ago), key, 1, 40.0, 0.9) for n in range(last) for key in keys]
        outcomes.replace_day(session, days(-ago), found)


@contextmanager
def counted(registry):
    """A list that grows by each statement the registry is asked meanwhile."""
    asked = []

    def note(*given):
        asked.append(given[2])

    event.listen(registry.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(registry.engine, "before_cursor_execute", note)


def paths(app):
    """Every address that is only looked at, of the first of each thing; none that a secret opens."""
    found = set()
    for each in iter_route_contexts(app.routes):
        if "GET" not in each.methods or each.path in MACHINES:
            continue
        path = ASKED.get(each.path, each.path)
        for name, value in NAMED.items():
            path = path.replace(name, value)
        slugs = ("e00", "e10", "e20") if "/experiments/" in path else ("r0",)
        found |= {path.replace("{slug}", slug) for slug in slugs}
    return sorted(path for path in found if "{" not in path)


def test_no_page_asks_more_for_more_rows(app, registry, browser_of):
    browser = browser_of("administrator")

    def questions():
        asked = {}
        for path in paths(app):
            with counted(registry) as statements:
                status = browser.get(path).status_code
            asked[path] = (status, len(statements))
        return asked

    fill(registry, 0, FEW)
    questions()  # what is asked once in a process
    few = questions()
    fill(registry, FEW, MANY)
    many = questions()
    assert sum(status == 200 for status, _ in few.values()) > 75
    assert {path: (few[path], many[path]) for path in few if few[path] != many[path]} == {}
