"""`temoin export`: everything one may have, a codebook beside it, and nothing of what runs."""

import csv
import filecmp
import io
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from dashboards.words.tables import TABLES
from experiments.panel import DayOutcome
from sensors.reading import Reading
from sensors.store_embedded import EmbeddedStore
from service import cli
from service.export import TYPES, export, header, lines, parquet, readings, rows
from service.registry import Registry, experiments, outcomes
from service.registry.tables import (
    Answer,
    Arm,
    Decision,
    Device,
    Experiment,
    Measure,
    Placement,
    Room,
    Site,
)
from service.settings import Settings

STARTS, SWITCH, ENDS = date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 1)
DURING, AFTER = date(2026, 2, 16), date(2026, 3, 2)
TREATED, BASELINE = ("loire", "erdre", "cens"), ("maine", "vilaine", "isac", "gesvres", "sevre")
ROOMS = TREATED + BASELINE
NAME = '=HYPERLINK("http://elsewhere.example","Loire")'


def world(registry, gain=35.0, decided=False):
    """Seven rooms in a trial and an office for one; `gain` is what happened since the switch."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie; annexe")
        rooms = {slug: Room(slug=slug, name=slug, site=site, capacity=10) for slug in (*ROOMS, "bureau")}
        rooms["loire"].name, rooms["bureau"].capacity = NAME, 1
        session.add_all(rooms.values())
        trial = Experiment(
            slug="tables", title="Tables, et « chaises »", declared_at=datetime(2025, 12, 20, tzinfo=UTC),
            starts=STARTS, ends=ENDS, washout=0, assignment="lot",
            arms=[Arm(room=rooms[slug], switch=SWITCH if slug in TREATED else None) for slug in ROOMS],
            measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        )  # fmt: skip
        if decided:
            trial.decision = Decision(
                choice="stop", body="@direction", decided_on=AFTER, reason="-1 salle\nsur trois",
                entered_by="C", entered_at=datetime(2026, 3, 2, tzinfo=UTC),
            )  # fmt: skip
        session.add(trial)
        session.flush()
        experiments.lock(session, trial, "Camille", datetime(2026, 1, 4, tzinfo=UTC))
        rng = np.random.default_rng(7)
        for day in (STARTS + timedelta(days=n) for n in range(56)):
            moved = gain if day >= SWITCH else 0.0
            found = [
                DayOutcome(room, day, "occupied_minutes", 1, 150 + moved * (room in TREATED) + noise, 0.95)
                for room, noise in zip((*ROOMS, "bureau"), rng.normal(0, 12, 9), strict=True)
            ]
            outcomes.replace_day(session, day, found)


def table(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def exported(registry, tmp_path):
    """Export on a day: the folder."""

    def run(today, **about):
        world(registry, **about)
        with registry.session() as session:
            export(session, tmp_path / "out", today, "en")
        return tmp_path / "out"

    return run


def test_every_outcome_is_there_to_the_last_digit_but_of_rooms_for_one(exported):
    rows = table(exported(AFTER), "outcomes.csv")
    assert len(rows) == 8 * 56
    assert {row["room"] for row in rows} == set(ROOMS)
    first = [row for row in rows if row["day"] == str(STARTS)]
    values = 150 + np.random.default_rng(7).normal(0, 12, 9)
    in_order = sorted(first, key=lambda row: ROOMS.index(row["room"]))
    assert [float(row["value"]) for row in in_order] == [*values[:8]]
    assert {(row["coverage"], row["sealed"]) for row in rows} == {("0.95", "0")}


def test_an_ended_experiment_comes_with_the_panel_and_protocol_that_give_its_verdict(exported):
    folder = exported(AFTER)
    (row,) = table(folder, "experiments.csv")
    assert (row["status"], row["verdict"]) == ("ended", "generalise")
    panels = folder / "panels"
    again = CliRunner().invoke(
        cli.app,
        [
            "analyse",
            str(panels / "tables.panel.csv"),
            "--design",
            str(panels / "tables.protocol.json"),
            "--json",
        ],
    )
    assert json.loads(again.output)["verdict"] == "generalise"
    assert len(table(folder, "arms.csv")) == 8


def test_a_running_experiment_shows_its_days_before_the_switch_only(exported):
    folder = exported(DURING)
    rows = table(folder, "outcomes.csv")
    sealed = [row for row in rows if row["sealed"] == "1"]
    assert {row["day"] for row in sealed} == {str(SWITCH + timedelta(days=n)) for n in range(28)}
    assert {row["value"] for row in sealed} == {""}
    assert all(row["value"] for row in rows if row["sealed"] == "0")
    (row,) = table(folder, "experiments.csv")
    assert (row["status"], row["verdict"]) == ("running", "")
    assert {path.name for path in (folder / "panels").iterdir()} == {
        "tables.until-switch.csv", "tables.protocol.json",
    }  # fmt: skip
    assert max(row["day"] for row in table(folder, "panels/tables.until-switch.csv")) < str(SWITCH)


def test_two_worlds_that_differ_since_the_switch_only_export_the_same_bytes(registry, tmp_path):
    folders = []
    other = Registry(Settings(data_dir=tmp_path / "other").registry_url)
    other.migrate()
    for number, (each, gain) in enumerate(((registry, 0.0), (other, 90.0))):
        world(each, gain)
        folders.append(tmp_path / str(number))
        with each.session() as session:
            export(session, folders[-1], DURING, "fr")
    other.close()
    names = [str(path.relative_to(folders[0])) for path in folders[0].rglob("*") if path.is_file()]
    same, different, missing = filecmp.cmpfiles(*folders, names, shallow=False)
    assert (len(same), different, missing) == (10, [], [])


def test_no_text_becomes_a_formula_in_a_spreadsheet(exported):
    folder = exported(AFTER, decided=True)
    assert next(row for row in table(folder, "rooms.csv") if row["room"] == "loire")["name"] == f"'{NAME}"
    (row,) = table(folder, "experiments.csv")
    assert (row["decided_by"], row["reason"]) == ("'@direction", "'-1 salle\nsur trois")
    for path in folder.rglob("*.csv"):
        for line in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
            assert not [cell for cell in line if cell.startswith(("=", "+", "@", "\t"))]


def test_the_codebook_explains_every_column_and_every_outcome(exported):
    folder = exported(AFTER)
    book = table(folder, "codebook.csv")
    explained = {(row["file"], row["column"]) for row in book}
    for name, columns in TABLES.items():
        header = (folder / name).read_text(encoding="utf-8").partition("\n")[0].split(",")
        assert header == [column.name for column in columns]
        assert {(name, column) for column in header} <= explained
    assert ("outcomes.csv", "outcome = occupied_minutes") in explained
    assert {("panels/….csv", name) for name in ("room", "day", "outcome", "value", "n")} <= explained


def test_a_folder_with_something_in_it_is_left_alone(registry, settings, tmp_path, monkeypatch):
    world(registry)
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    run = CliRunner()
    assert run.invoke(cli.app, ["export", str(tmp_path / "out")]).exit_code != 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    done = run.invoke(cli.app, ["export", str(tmp_path / "new")])
    assert (done.exit_code, "448 rows" in done.output) == (0, True), done.output


# ------------------------------------------------------------------------------- devices, answers, readings


@pytest.fixture
def store(tmp_path):
    opened = EmbeddedStore(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def sensed(registry, store):
    """A sensor in Loire (in the trial), one in the office for one, one in no room; answers in two rooms."""
    world(registry)
    with registry.session() as session:
        rooms = {room.slug: room for room in session.scalars(select(Room))}
        since = datetime(2026, 1, 1, tzinfo=UTC)
        for key, slug in (("g/loire", "loire"), ("g/bureau", "bureau"), ("g/nowhere", None)):
            session.add(Device(key=key, gateway="g", label="=1+1", first_seen=since, last_seen=since))
            if slug:
                session.add(Placement(device_key=key, room=rooms[slug], start=since))
        for slug, count in (("loire", 7), ("maine", 4)):
            session.add_all(
                Answer(room_id=rooms[slug].id, day=day, hour=9, satisfaction=1 + n % 2, air=5)
                for day in (date(2026, 1, 12), date(2026, 2, 10))
                for n in range(count)
            )
    before, since = (datetime(2026, month, 10, 9, tzinfo=UTC) for month in (1, 2))
    store.write(
        Reading(key, "co2", value, "ppm", at, "device", "g")
        for key in ("g/loire", "g/bureau", "g/nowhere")
        for value, at in ((600, before), (900, since))
    )
    return registry


def given(registry, name, today):
    with registry.session() as session:
        return [dict(zip(header(name), row, strict=True)) for row in rows(session, name, today, 5)]


def measured(registry, store, today):
    with registry.session() as session:
        found = readings(session, store, date(2026, 1, 1), date(2026, 3, 1), today, ZoneInfo("Europe/Paris"))
        return [(device, room, value) for device, room, _, _, value in found]


def test_answers_are_counted_by_month_and_never_fewer_than_five(sensed):
    assert given(sensed, "answers.csv", AFTER) == [
        {"room": "loire", "month": month, "question": "air", "answer": "5", "n": 7}
        for month in ("2026-01", "2026-02")
    ]
    assert {each["month"] for each in given(sensed, "answers.csv", DURING)} == {"2026-01"}


def test_a_question_that_few_answered_is_left_out_of_a_month_in_which_many_did(sensed):
    with sensed.session() as session:
        loire = session.scalars(select(Room).where(Room.slug == "loire")).one()
        session.add_all(
            Answer(room_id=loire.id, day=date(2025, 11, 3), hour=9, satisfaction=4, hearing=6 if n else None)
            for n in range(5)
        )
    assert [each for each in given(sensed, "answers.csv", AFTER) if each["month"] == "2025-11"] == [
        {"room": "loire", "month": "2025-11", "question": "satisfaction", "answer": "4", "n": 5}
    ]


def test_answers_of_the_month_that_runs_wait_for_its_end(sensed):
    with sensed.session() as session:
        room = session.scalars(select(Room).where(Room.slug == "maine")).one()
        session.add_all(Answer(room_id=room.id, day=AFTER, hour=9, satisfaction=7, air=7) for _ in range(6))
    assert {each["month"] for each in given(sensed, "answers.csv", AFTER)} == {"2026-01", "2026-02"}
    assert "2026-03" in {each["month"] for each in given(sensed, "answers.csv", date(2026, 4, 1))}


def test_answers_of_the_month_of_a_switch_wait_for_the_end_of_the_experiment(sensed):
    """Once it is over the whole month is told: less those told before, few are left."""
    with sensed.session() as session:
        room = session.scalars(select(Room).where(Room.slug == "loire")).one()
        session.add_all(
            Answer(room_id=room.id, day=date(2026, 2, 1), hour=9, satisfaction=7, air=7) for _ in range(6)
        )
    whole = {
        each["month"]: each["n"] for each in given(sensed, "answers.csv", AFTER) if each["answer"] == "7"
    }
    assert whole == {"2026-02": 6}
    later = date(2026, 3, 1)  # the experiment runs on its last day, and February is over
    assert {each["month"] for each in given(sensed, "answers.csv", later)} == {"2026-01"}


def rank(groups):
    """How many of these groups cannot be had by adding and subtracting the others."""
    return np.linalg.matrix_rank(np.array(groups, dtype=float))


def test_of_all_that_is_shown_no_sum_or_difference_is_of_fewer_than_five(registry, browser_of):
    """An export by month, the trial's page by period, its panel by period and room.

    Two answered in Loire on the day before the switch: by period less by month they would be left.
    """
    starts, switch, ends = date(2025, 12, 10), date(2026, 2, 3), date(2026, 2, 20)
    often = [date(2025, 11, 4), date(2025, 12, 3), date(2026, 1, 14), date(2026, 2, 12), date(2026, 2, 25)]
    two, asked = (date(2026, 2, 2), "loire"), {"satisfaction": "primary", "discomfort": "secondary"}
    people = [(day, room) for room in ROOMS for day in often for _ in range(6)] + [two, two]
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie")
        rooms = {slug: Room(slug=slug, name=slug, site=site, capacity=10) for slug in ROOMS}
        trial = Experiment(
            slug="tables", title="T", declared_at=datetime(2025, 11, 1, tzinfo=UTC), starts=starts, ends=ends,
            washout=0, assignment="lot",
            arms=[Arm(room=rooms[slug], switch=switch if slug in TREATED else None) for slug in ROOMS],
            measures=[
                Measure(outcome=name, role=role, better="lower", useful=5.0)
                for name, role in asked.items()
            ],
        )  # fmt: skip
        session.add(trial)
        session.flush()
        said = {"satisfaction": 5, "helped": 4, "temperature": "same", "air": 3, "discomfort": "none"}
        session.add_all(Answer(room_id=rooms[room].id, day=day, hour=9, **said) for day, room in people)

    def those(rooms, first, last):
        return tuple(room in rooms and first <= day <= last for day, room in people)

    shown = {question: set() for question in said}
    for row in given(registry, "answers.csv", date(2026, 3, 12)):
        first = date.fromisoformat(f"{row['month']}-01")
        shown[row["question"]].add(those({row["room"]}, first, first + timedelta(days=27)))
    reader, day_before = browser_of("reader"), switch - timedelta(days=1)
    periods = {starts: (starts, day_before), switch: (switch, ends)}
    for split in reader.get("/api/v1/experiments/tables/voices").json()["splits"]:
        shown[split["question"]] |= {those(TREATED, *period) for period in periods.values()}
    panel = reader.get("/api/v1/experiments/tables/panel.csv").text.splitlines()
    for row in csv.DictReader(panel):
        if row["outcome"] == "discomfort":  # a share of n counts some of them, a ridit does not
            shown["discomfort"].add(those({row["room"]}, *periods[date.fromisoformat(row["day"])]))
    few = tuple(each == two for each in people)
    assert all(shown.values())
    assert [each for each, groups in shown.items() if rank([*groups, few]) == rank([*groups])] == []


def test_readings_are_those_of_rooms_and_what_runs_is_sealed(sensed, store):
    assert measured(sensed, store, AFTER) == [("g/loire", "loire", 600.0), ("g/loire", "loire", 900.0)]
    assert measured(sensed, store, DURING) == [("g/loire", "loire", 600.0)]


def test_devices_do_not_tell_when_they_spoke_in_a_room_under_seal(sensed):
    heard = {each["device"]: each["last_seen"] for each in given(sensed, "devices.csv", DURING)}
    assert heard["g/loire"] is None
    assert heard["g/bureau"] is None  # an office for one
    assert heard["g/nowhere"] is not None
    assert [each["room"] for each in given(sensed, "placements.csv", DURING)] == ["bureau", "loire"]


def as_text(column, value):
    """A value as DuckDB writes it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00"
    if value is not None and TYPES.get(column) == "DOUBLE":
        return str(float(value))
    return None if value is None else str(value)


@pytest.mark.parametrize("name", [*TABLES, "readings.csv"])
def test_parquet_holds_what_csv_holds(sensed, store, tmp_path, name):
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / "x.parquet"
    with sensed.session() as session:
        kept = (
            list(rows(session, name, AFTER, 5))
            if name != "readings.csv"
            else list(
                readings(session, store, date(2026, 1, 1), date(2026, 3, 1), AFTER, ZoneInfo("Europe/Paris"))
            )
        )
    assert parquet(file, header(name), kept) == len(kept)
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    found = engine.execute("SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", [str(file)])
    assert [column[0] for column in found.description] == list(header(name))
    assert found.fetchall() == [tuple(map(as_text, header(name), row)) for row in kept]
    assert list((tmp_path / "out").iterdir()) == [file]


def test_no_row_at_all_is_a_table_too(tmp_path):
    assert parquet(tmp_path / "it's.parquet", header("readings.csv"), []) == 0
    found = duckdb.connect().execute("FROM read_parquet(?)", [str(tmp_path / "it's.parquet")])
    assert [column[0] for column in found.description] == list(header("readings.csv"))


def test_csv_comes_in_parts_and_defuses_formulas(sensed):
    with sensed.session() as session:
        text = "".join(lines(header("devices.csv"), rows(session, "devices.csv", AFTER, 5)))
    assert text.splitlines()[0] == ",".join(header("devices.csv"))
    assert all(row["label"] == "'=1+1" for row in csv.DictReader(io.StringIO(text)))
