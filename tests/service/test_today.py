"""Today says what waits for somebody, in an order, and asks the registry a fixed number of questions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event

from dashboards.language import plain
from service.registry import gateways
from service.registry.tables import (
    Answer,
    Arm,
    Decision,
    Deviation,
    Device,
    Experiment,
    Gateway,
    GatewayToken,
    Look,
    Measure,
    Placement,
    Room,
    Site,
)

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)  # a Thursday
TODAY = NOW.date()


def days(n):
    return TODAY + timedelta(days=n)


def trial(slug, rooms, starts, switch, ends, **more):
    return Experiment(
        slug=slug, title=slug.title(), declared_at=datetime(2020, 1, 1, tzinfo=UTC), starts=days(starts),
        ends=days(ends), washout=0, min_days=5, assignment="lot", sheet={},
        arms=[Arm(room=room, switch=days(switch) if n == 0 else None) for n, room in enumerate(rooms)],
        measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        **more,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _at():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def house(registry):
    """Four rooms with a sensor each that was heard just now."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        for slug in ("loire", "erdre", "maine", "isac"):
            room = Room(slug=slug, name=slug.title(), site=site, capacity=8)
            device = Device(key=f"g/{slug}", gateway="g", first_seen=NOW, last_seen=NOW)
            session.add(Placement(device=device, room=room, start=NOW - timedelta(days=90)))
    return registry


def add(registry, slug, starts, switch, ends, *, rooms=("loire", "erdre"), **more):
    with registry.session() as session:
        found = {room.slug: room for room in session.query(Room)}
        session.add(trial(slug, [found[name] for name in rooms], starts, switch, ends, **more))


def said(reader):
    return plain(reader.get("/").text).replace("\u202f", " ").replace("\u00a0", " ")


def decision(choice="stop", lessons=""):
    return Decision(
        choice=choice, body="Comité", decided_on=days(-1), reason="r", lessons=lessons, entered_by="c",
        entered_at=NOW,
    )  # fmt: skip


def test_a_quiet_day_says_that_nothing_waits(house, reader):
    add(house, "essai", -60, -30, 30)
    page = said(reader)
    assert "Rien ne vous attend" in page
    for section in ("À décider", "À regarder", "Capteurs muets", "quarantaine grossit", "quatorze jours"):
        assert f"{section}</h2>" not in page


def test_what_waits_comes_before_what_runs_and_what_was_learned(house, reader):
    add(house, "fini", -90, -60, -1)
    add(house, "court", -60, -30, 9, interim=True)
    add(house, "appris", -200, -150, -100, decision=decision("extend", "Les tables hautes servent peu."))
    with house.session() as session:
        session.get(Device, "g/loire").last_seen = NOW - timedelta(hours=9)
        gateways.count(session, [], [])
        gateways.count(session, [("temoin/g/loire", 1, NOW)] * 40, [("temoin/g/loire", NOW)] * 40)
    page = said(reader)
    headings = [
        "À décider", "À regarder", "Capteurs muets dans une expérience", "La quarantaine grossit",
        "Dans les quatorze jours", "En cours", "Ce que nous avons appris",
    ]  # fmt: skip
    places = [page.index(f"{each}</h2>") for each in headings]
    assert places == sorted(places)
    assert "Rien ne vous attend" not in page
    assert page.index("/experiments/fini") < places[1]
    told = re.sub("<[^>]+>", "", page[: places[0]])
    assert (
        "1 décision à prendre, 1 expérience à regarder, 1 capteur muet dans une expérience et "
        "1 échéance dans les quatorze jours."
    ) in told
    assert "Les tables hautes servent peu." in page


def test_what_was_learned_is_cut_between_two_words(house, reader):
    add(house, "appris", -200, -150, -100, decision=decision("extend", "mots, " * 40))
    assert "mots, mots…</p>" in said(reader)


def test_what_runs_comes_with_what_one_may_say_meanwhile(house, reader):
    add(house, "essai", -60, -30, 30)
    with house.session() as session:
        ids = {room.slug: room.id for room in session.query(Room)}
        for slug, day in (("loire", -1), ("erdre", -2), ("loire", -61), ("maine", -1)):
            session.add(Answer(room_id=ids[slug], day=days(day), hour=9, satisfaction=4))
    page = said(reader)
    assert "2 réponses reçues." in page  # not those before, nor of other rooms
    assert "Semaine 9 sur 13" in page
    assert "Résultat le <b>" in page


def test_a_look_at_half_time_is_told_when_it_is_due_and_when_it_suffices(house, reader):
    add(house, "essai", -60, -30, 20, interim=True)
    assert "Le point de mi-parcours était prévu le" in said(reader)
    look = {"kind": "interim", "taken_at": NOW, "panel": b"", "sha256": "0" * 64}
    with house.session() as session:
        session.add(Look(experiment_id=1, result={"verdict": None}, **look))
    page = said(reader)
    assert "mi-parcours" not in page  # one that ended nothing shows nothing
    with house.session() as session:
        session.query(Look).one().result = {"verdict": "stop"}
    assert "Le point de mi-parcours suffit pour conclure" in said(reader)


def test_before_half_time_no_look_is_due(house, reader):
    add(house, "essai", -60, -10, 20, interim=True)
    assert "mi-parcours" not in said(reader)


def test_what_was_noted_of_a_running_experiment_is_read_again_for_a_week(house, reader):
    add(house, "essai", -60, -30, 30)
    with house.session() as session:
        for what, ago in (("Dégât des eaux <b>", 2), ("Ancien", 9)):
            at = NOW - timedelta(days=ago)
            session.add(Deviation(experiment_id=1, day=at.date(), what=what, entered_by="c", entered_at=at))
    page = said(reader)
    assert "Dégât des eaux &lt;b&gt;" in page
    assert "Ancien" not in page


def test_a_sensor_harms_only_where_an_experiment_runs(house, reader):
    add(house, "essai", -60, -30, 30)
    with house.session() as session:
        for key in ("g/loire", "g/maine"):
            session.get(Device, key).last_seen = NOW - timedelta(hours=9)
    page = said(reader)
    table = page[page.index("Capteurs muets dans une expérience") :].partition("</section>")[0]
    assert "g/loire" in table
    assert "/experiments/essai" in table
    assert "g/maine" not in page
    assert "1 capteur muet hors expérience" in page


def refusals(registry, ago, count):
    with registry.session() as session:
        at = NOW - timedelta(days=ago)
        gateways.count(session, [("temoin/g/a", 1, at)] * count, [("temoin/g/a", at)] * count)


@pytest.mark.parametrize(
    ("today", "usual", "told"),
    [(19, 0, None), (20, 0, "D’habitude, aucun."), (59, 30, None), (60, 30, "D’habitude, 30 par jour.")],
)
def test_the_quarantine_is_told_when_it_grows_beyond_the_usual(house, reader, today, usual, told):
    for ago in range(1, 8):
        if usual:
            refusals(house, ago, usual)
    refusals(house, 0, today)
    page = said(reader)
    assert ("La quarantaine grossit" in page) is (told is not None)
    assert told is None or f"{today} messages n’ont pas pu être compris aujourd’hui. {told}" in page


def test_ends_and_expiries_of_the_next_fourteen_days(house, reader):
    add(house, "bientot", -60, -30, 14)
    add(house, "plus-tard", -60, -30, 15)
    add(house, "provisoire", -60, -30, 90, expires=days(3))
    add(house, "oublie", -60, -30, -1, expires=days(-2))
    add(house, "tranche", -60, -30, -1, expires=days(2), decision=decision())
    with house.session() as session:
        for name, ends in (("toit", (5,)), ("annexe", (-3,)), ("cave", (5, 200)), ("ancien", (-60,))):
            session.add(Gateway(name=name, added_at=NOW, broker_hash="x"))
            for n in ends:
                token = GatewayToken(
                    token_sha256=f"{name}{n}", made_at=NOW, expires=NOW + timedelta(days=n), gateway_name=name
                )
                session.add(token)
    page = said(reader)
    shown = page[page.index("Dans les quatorze jours") :].partition("</section>")[0]
    names = ("Bientot", "Plus-Tard", "Provisoire", "Oublie", "Tranche", "toit", "annexe", "cave", "ancien")
    assert [name for name in names if f">{name}</a>" in shown] == [
        "Bientot", "Provisoire", "Oublie", "toit", "annexe",
    ]  # fmt: skip
    assert "devait être retiré" in shown
    assert "a expiré" in shown


def queries(app, ask):
    """How many statements the registry is asked meanwhile."""
    count = 0

    def counted(*_):
        nonlocal count
        count += 1

    engine = app.state.registry.engine
    event.listen(engine, "before_cursor_execute", counted)
    try:
        assert ask().status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", counted)
    return count


def test_the_number_of_queries_does_not_grow_with_experiments(house, app, reader):
    kinds = ((-60, -30, 5, {}), (-90, -60, -1, {}), (5, 30, 60, {}), (-90, -60, -1, {"decision": None}))

    def more(first, last):
        for n in range(first, last):
            starts, switch, ends, rest = kinds[n % 4]
            given = {"decision": decision("stop", "Appris.")} if "decision" in rest else {}
            add(house, f"e{n}", starts, switch, ends, interim=True, expires=days(4), **given)
            with house.session() as session:
                session.add(
                    Deviation(experiment_id=n + 1, day=TODAY, what="w", entered_by="c", entered_at=NOW)
                )

    more(0, 5)
    few = queries(app, lambda: reader.get("/"))
    more(5, 50)
    assert queries(app, lambda: reader.get("/")) == few
