"""What Grafana's role reads of a real PostgreSQL: the views, and nothing that the pages would hide."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import text
from time_machine import escape_hatch

from experiments.panel import DayOutcome
from service import embargo
from service.registry import Registry, outcomes
from service.registry.tables import Arm, Decision, Device, Experiment, Placement, Room, Site

psycopg = pytest.importorskip("psycopg")

ROLES = Path(__file__).parents[2] / "service" / "deploy" / "postgresql-roles.sql"
SWITCHED = 20  # days ago
RUNNING, FREE, ALONE = ("loire", "erdre"), "maine", "bureau"
AGO = (1, 2, 10, 30, 40)

pytestmark = pytest.mark.machine_clock  # the views ask PostgreSQL's


def now():
    """By the machine's clock, even in what is set up before the tests."""
    return escape_hatch.datetime.datetime.now(UTC)


def days(n):
    return now().date() + timedelta(days=n)


def a_day(room, ago, gain):
    """`gain` is what happened in the rooms of the running experiment since its switch."""
    moved, day = gain if room in RUNNING and ago <= SWITCHED else 1.0, days(-ago)
    return [
        DayOutcome(room, day, "occupied_minutes", 1, 150.0 * moved, 0.9),
        DayOutcome(room, day, "co2_occupied", 1, None if moved > 1 else 700.0, 0.9),
    ]


def experiment(slug, rooms, switch, ends):
    treated, *baseline = rooms
    arms = [Arm(room=treated, switch=switch), *(Arm(room=room) for room in baseline)]
    return Experiment(
        slug=slug, title=slug.title(), declared_at=now(), starts=days(-60), ends=days(ends), arms=arms
    )


def fill(registry, gain):
    """A room treated, a baseline one, one that is free again, an office for one."""
    with registry.session() as session:
        site = Site(slug="hv", name="Hôtel de ville")
        capacities = {"loire": 10, "erdre": 12, "maine": 8, "bureau": 1}
        rooms = {slug: Room(slug=slug, name=slug, site=site, capacity=n) for slug, n in capacities.items()}
        session.add_all(rooms.values())
        session.add(experiment("tables", [rooms[slug] for slug in RUNNING], days(-SWITCHED), 20))
        session.add(experiment("lampes", [rooms["maine"]], days(-SWITCHED), -3))
        session.add(Device(key="g/loire", gateway="g", last_seen=now()))
        session.add(Placement(device_key="g/loire", room=rooms["loire"], start=now() - timedelta(days=50)))
        session.flush()
        for ago in AGO:
            found = [each for slug in capacities for each in a_day(slug, ago, gain)]
            outcomes.replace_day(session, days(-ago), found)


def in_database(url, name):
    return f"{url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="module")
def city(postgresql, tmp_path_factory):
    """The database `temoin` as the script and `temoin migrate` make it: (registry, connect as a role)."""
    while now().time() > time(23, 58):  # of one day with the tests that follow
        sleep(1)
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("temoin", "grafana"):
        (folder / name).write_text(f"{name}-secret\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "TEMOIN_DATABASE_PASSWORD_FILE": str(folder / "temoin"),
        "GRAFANA_DATABASE_PASSWORD_FILE": str(folder / "grafana"),
    }
    for _ in range(2):  # twice is harmless
        subprocess.run(
            ["psql", "--no-psqlrc", "--quiet", "--dbname", postgresql, "--file", ROLES],
            env=environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    database = in_database(postgresql, "temoin").replace("postgres@", "{}@")
    registry = Registry(database.format("temoin"))
    registry.migrate()
    fill(registry, 1.0)
    yield registry, lambda role: psycopg.connect(database.format(role), autocommit=True)
    registry.close()


@pytest.fixture
def grafana(city):
    with city[1]("temoin_grafana") as connection:
        yield connection


def views(connection):
    found = connection.execute(
        "SELECT table_name FROM information_schema.views WHERE table_schema = 'grafana' ORDER BY 1"
    )
    return [name for (name,) in found]


def everything(connection):
    """Every row of every view."""
    return {name: sorted(map(str, connection.execute(f"TABLE grafana.{name}"))) for name in views(connection)}


def test_a_running_experiments_values_are_not_there_and_its_coverage_is(grafana):
    found = grafana.execute(
        "SELECT day, value, coverage, sealed FROM grafana.outcomes WHERE room = ANY(%s) ORDER BY day",
        [list(RUNNING)],
    ).fetchall()
    assert len(found) == len(RUNNING) * len(AGO) * 2
    for day, value, coverage, sealed in found:
        assert sealed == (day >= days(-SWITCHED))
        assert (value is None) == sealed
        assert coverage == 0.9


def test_a_room_that_is_free_shows_every_day(grafana):
    found = grafana.execute(
        "SELECT value FROM grafana.outcomes WHERE room = %s AND NOT sealed", [FREE]
    ).fetchall()
    assert len(found) == len(AGO) * 2
    assert all(value is not None for (value,) in found)


def test_a_room_for_one_person_is_not_drawn(grafana):
    assert not grafana.execute("SELECT 1 FROM grafana.outcomes WHERE room = %s", [ALONE]).fetchall()


def test_two_worlds_that_differ_in_the_effect_only_read_the_same(city, postgresql):
    """Nothing of it in any view, whatever time zone the reader pretends to be in."""
    registry, connect = city
    with psycopg.connect(postgresql, autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE other_world")
    other = Registry(in_database(postgresql, "other_world"))
    other.migrate()
    fill(other, 3.0)
    other.close()
    with psycopg.connect(in_database(postgresql, "other_world")) as there, connect("temoin") as here:
        for zone in ("UTC", "Pacific/Kiritimati", "X167", "X-167"):
            for connection in (here, there):
                connection.execute("SELECT set_config('timezone', %s, false)", [zone])
            assert everything(here) == everything(there)
        assert here.execute("SELECT sum(value) FROM outcomes").fetchone() != (
            there.execute("SELECT sum(value) FROM outcomes").fetchone()
        )
    registry.check()


def test_grafana_reads_every_view_and_no_table(grafana):
    assert views(grafana) == [
        "devices", "experiments", "outcomes", "quarantine", "rooms", "seals", "stale_days",
    ]  # fmt: skip
    assert everything(grafana)["rooms"]
    with psycopg.connect(grafana.info.dsn.replace("temoin_grafana", "temoin")) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert len(tables) > 10
    for (table,) in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            grafana.execute(f'SELECT 1 FROM public."{table}"')


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE grafana.mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE FUNCTION grafana.see(float) RETURNS bool LANGUAGE sql AS 'SELECT true'",
        "UPDATE grafana.stale_days SET day = day",
        "CREATE OR REPLACE VIEW grafana.outcomes AS SELECT 1 AS day",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE temoin",
    ],
)
def test_grafana_changes_nothing_even_if_it_lifts_read_only(grafana, statement):
    grafana.execute("SET default_transaction_read_only = off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName)):
        grafana.execute(statement)


def test_a_minute_is_not_told_of_a_device(city, grafana):
    with city[0].session() as session:
        heard = session.get(Device, "g/loire").last_seen
    (told,) = grafana.execute("SELECT last_seen FROM grafana.devices").fetchone()
    assert told.astimezone(UTC) == heard.replace(minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("decided", [False, True])
@pytest.mark.parametrize(
    ("switched", "ended"),
    [(switched, ended) for ended in (-3, -1, 0, 1, 40) for switched in (-30, -2, -1, 0, 1, 2, 30)
     if switched <= ended],
)  # fmt: skip
def test_the_seal_is_the_pages_or_half_a_day_longer(city, switched, ended, decided):
    """Every stage of an experiment's life: hidden on the pages is hidden here; two days off, both agree."""
    registry, _ = city
    with registry.session() as session:
        room = session.query(Room).filter_by(slug=FREE).one()
        tried = experiment("essai", [room], days(switched), ended)
        if decided:
            tried.decision = Decision(
                choice="stop", body="CT", decided_on=days(0), reason="-", entered_by="-", entered_at=now()
            )
        session.add(tried)
        session.flush()
        seals = session.execute(text("SELECT room FROM grafana.seals WHERE experiment = 'essai'"))
        here = [slug for (slug,) in seals]
        pages = [embargo.of_experiment(tried, days(n)) is not None for n in (-1, 0, 1)]
        session.rollback()
    if pages[1]:  # today
        assert here == [FREE]
    if not any(pages):
        assert here == []


def questions():
    """Every SQL of the dashboards, with Grafana's macros and variables filled in."""
    boards = Path(__file__).parents[2] / "dashboards" / "grafana"
    for path in sorted(boards.glob("*.json")):
        board = json.loads(path.read_text())
        for variable in board["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{path.stem}: {variable['label']}")
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield pytest.param(target["rawSql"], id=f"{path.stem}: {panel['title']}")


@pytest.mark.parametrize("question", list(questions()))
def test_each_question_of_the_dashboards_has_an_answer(grafana, question):
    asked = re.sub(
        r"\$__timeFilter\((\w+)\)",
        rf"\1 BETWEEN '{days(-AGO[-1])}T00:00:00Z' AND '{days(0)}T23:59:59Z'",
        question,
    )
    asked = asked.replace("${outcome:sqlstring}", "'occupied_minutes'").replace(
        "${site:sqlstring}", "'Hôtel de ville','Annexe'"
    )
    assert "$" not in asked
    found = grafana.execute(asked)
    columns = [column.name for column in found.description]
    if "AS time" in question:
        assert columns[:2] == ["time", "metric"]
        assert isinstance(found.fetchone()[0], datetime)
    elif "quarantine" not in question and "stale_days" not in question:
        assert found.fetchall() or "interval '3 hours'" in question
