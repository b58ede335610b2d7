"""The list of rooms, rooms side by side, one room: from closed days, and nothing of what is under seal."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from experiments.panel import DayOutcome
from service.registry import outcomes
from service.registry.tables import Arm, Device, DeviceDay, Experiment, Measure, Placement, Room, Site

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(ZoneInfo("Europe/Paris")).date()
MONDAY = TODAY - timedelta(days=TODAY.weekday() + 7)  # of the last full week
BAR = '<rect class="tf"'
NAMES = ("loire", "erdre", "maine", "isac", "bureau")


@pytest.fixture
def house(registry):
    """Five rooms, of which one for one person, a sensor in each but the fourth; ten weeks of days."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="1234567")
        for slug in NAMES:
            room = Room(slug=slug, name=slug.title(), site=site, capacity=1 if slug == "bureau" else 8)
            session.add(room)
            if slug != "isac":
                device = Device(key=f"g/{slug}", gateway="g", first_seen=NOW, last_seen=NOW)
                session.add(Placement(device=device, room=room, start=NOW - timedelta(days=90)))
        session.flush()
        days = (MONDAY - timedelta(days=63 - n) for n in range(63 + 7 + TODAY.weekday()))
        for day in days:
            outcomes.replace_day(session, day, [each for slug in NAMES for each in of_day(slug, day)])
    return registry


def of_day(slug, day):
    """40 % in use in the last full week, 30 % before; a day too little observed says nothing."""
    used = 40.0 if day >= MONDAY else 30.0
    little = slug == "isac" or day == MONDAY + timedelta(days=2)
    coverage = 0.1 if little else 0.9
    return [
        DayOutcome(slug, day, "time_utilisation", 1, 99.0 if little else used, coverage),
        DayOutcome(slug, day, "co2_occupied", 1, 5000.0 if little else 600.0, coverage),
        DayOutcome(slug, day, "temperature_in_band", 1, 1.0 if little else 80.0, coverage),
    ]


def seal(registry, *slugs):
    """An experiment in these rooms, under way since a month."""
    with registry.session() as session:
        rooms = session.query(Room).filter(Room.slug.in_(slugs))
        session.add(Experiment(
            slug="essai", title="Essai", declared_at=datetime(2020, 1, 1, tzinfo=UTC), washout=0, min_days=5,
            starts=TODAY - timedelta(days=60), ends=TODAY + timedelta(days=30), assignment="lot", sheet={},
            arms=[Arm(room=room, switch=TODAY - timedelta(days=30)) for room in rooms],
            measures=[Measure(outcome="co2_occupied", role="primary", better="lower", useful=15.0)],
        ))  # fmt: skip


def words_of(answer):
    text = re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2])
    return re.sub(r"\s+", " ", text.replace("\u202f", " ").replace("\u00a0", " "))


def row(page, name):
    """What the list says of one room."""
    return page.text.partition(f'href="/rooms/{name}"')[2].partition("</tr>")[0]


@pytest.mark.usefixtures("house")
def test_the_list_says_use_comfort_and_coverage_of_the_last_two_full_weeks(reader):
    page = words_of(reader.get("/rooms"))
    line = page[page.index("Loire") : page.index("Maine")]
    assert "30 % → 40 %" in line
    assert "80 % → 80 %" in line
    assert "600 ppm → 600 ppm" in line
    assert "90 % → 79 %" in line  # one day of seven was hardly observed, and says nothing of use
    isac = page[page.index("Isac") : page.index("Loire")]
    assert "– → –" in isac
    assert "aucun" in isac


def test_a_room_of_a_running_experiment_shows_how_it_was_observed_and_nothing_else(house, reader):
    seal(house, "loire")
    page = reader.get("/rooms")
    line = row(page, "loire")
    assert "sous scellés" in line
    assert "/experiments/essai" in line
    assert "ppm" not in line
    assert "90\u202f%" in line  # coverage
    assert 'value="loire"' not in page.text  # it cannot be compared
    assert "ppm" in row(page, "erdre")


@pytest.mark.usefixtures("house")
def test_an_office_of_one_tells_nothing_of_who_is_there(reader):
    page = words_of(reader.get("/rooms"))
    line = page[page.index("Bureau") : page.index("Erdre")]
    assert "30 %" not in line
    assert "600 ppm" in line
    beside = words_of(reader.get("/rooms/compare?room=bureau&room=loire"))
    assert beside.count("Taux d’occupation") == 1
    table = beside[beside.index("Taux d’occupation") : beside.index("CO₂")]
    assert re.search(r"Semaine du Bureau Loire .* – 40,0", table)


def test_silence_in_the_list_is_the_sensors_own(house, reader):
    with house.session() as session:
        for key in ("g/loire", "g/erdre"):
            session.get(Device, key).last_seen = NOW - timedelta(hours=5)
        for ago in range(1, 8):
            day = TODAY - timedelta(days=ago)
            session.add(
                DeviceDay(device_key="g/erdre", day=day, messages=9, interval=600, longest_gap=50_000)
            )
    page = reader.get("/rooms")
    assert "1 muet" in row(page, "loire")
    assert "muet" not in row(page, "erdre")


@pytest.mark.usefixtures("house")
def test_rooms_side_by_side_have_the_same_weeks(reader):
    answer = reader.get("/rooms/compare?room=loire&room=maine&room=loire")
    page = words_of(answer)
    assert answer.status_code == 200
    for label in ("Taux d’occupation", "CO₂ pendant les réunions", "Réunions à bonne température"):
        assert label in page
    assert "Bruit de fond" not in page  # nobody knows it
    assert answer.text.count(BAR) == 3 * 2 * 8
    assert page.count("Semaine du Loire Maine") == 3
    assert "observée à 89 %" in page


def test_side_by_side_the_seal_holds(house, reader):
    seal(house, "loire")
    page = reader.get("/rooms/compare?room=loire&room=maine").text
    assert page.count(BAR) == 3 * 8  # those of Maine alone
    assert "sous scellés" in page
    seal_all = reader.get("/rooms/compare?room=loire&room=isac")
    assert "Rien à comparer" in seal_all.text


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Cochez au moins deux salles"),
        ("room=loire", "Cochez au moins deux salles"),
        ("room=loire&room=loire", "Cochez au moins deux salles"),
        ("room=loire&room=nulle-part", "Une de ces salles n’existe pas"),
        ("room=loire&room=%00%F0%9F%98%80%E2%80%AE%3Cscript%3E", "Une de ces salles n’existe pas"),
        ("room=loire&room=" + "a" * 10_000, "Une de ces salles n’existe pas"),
    ],
)
def test_what_cannot_be_compared_has_a_sentence(reader, query, sentence):
    answer = reader.get(f"/rooms/compare?{query}")
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<script>" not in answer.text


def test_more_than_six_rooms_are_too_many(house, reader):
    with house.session() as session:
        site = session.query(Site).one()
        session.add_all(Room(slug=f"s{n}", name=f"S{n}", site=site) for n in range(7))
    answer = reader.get("/rooms/compare?" + "&".join(f"room=s{n}" for n in range(7)))
    assert answer.status_code == 422
    assert "Six salles au plus" in answer.text


def queries(app, ask):
    """How many statements the registry is asked meanwhile."""
    asked = []
    listen = lambda *given: asked.append(given[2])  # noqa: E731 - to be taken away again
    engine = app.state.registry.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        assert ask().status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return len(asked)


def test_the_number_of_queries_does_not_grow_with_rooms(house, app, reader):
    few = queries(app, lambda: reader.get("/rooms"))
    with house.session() as session:
        for n in range(20):
            room = Room(slug=f"s{n}", name=f"S{n}", site=Site(slug=f"t{n}", name=f"T{n}"))
            device = Device(key=f"g/s{n}", gateway="g", first_seen=NOW, last_seen=NOW)
            session.add(Placement(device=device, room=room, start=NOW - timedelta(days=90)))
    assert queries(app, lambda: reader.get("/rooms")) == few
