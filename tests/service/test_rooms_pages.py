"""The list of rooms, rooms side by side, one room: from closed days, and nothing of what is under seal."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event

from experiments.panel import DayOutcome
from sensors.reading import Reading, StoreError
from service import seasons
from service.registry import outcomes
from service.registry.tables import Answer, Arm, Device, DeviceDay, Experiment, Measure, Placement, Room, Site

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)  # a Thursday
TODAY = NOW.date()
MONDAY = TODAY - timedelta(days=TODAY.weekday() + 7)  # of the last full week
BAR = '<rect class="tf"'
NAMES = ("loire", "erdre", "maine", "isac", "bureau")


@pytest.fixture(autouse=True)
def _at():
    with time_machine.travel(NOW, tick=True):
        yield


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


@pytest.fixture
def store(app):
    return app.state.store


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
    assert "30 % → puis 40 %" in line
    assert "80 % → puis 80 %" in line
    assert "600 → puis 600 ppm" in line
    assert "90 % → puis 79 %" in line  # one day of seven was hardly observed, and says nothing of use
    isac = page[page.index("Isac") : page.index("Loire")]
    assert "– – –" in isac  # unknown both weeks: said once
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
    assert beside.count("Voir les chiffres : Taux d’occupation") == 1
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


def say(store, *told):
    """(hours before NOW, metric, value) from Loire's sensor."""
    store.write(
        [
            Reading("g/loire", metric, value, "-", NOW - timedelta(hours=ago), "device", "g")
            for ago, metric, value in told
        ]
    )


@pytest.mark.usefixtures("house")
def test_a_room_without_a_sensor_leads_whoever_may_to_the_page_that_places_one(reader, browser_of):
    page = browser_of("facilities").get("/rooms/isac").text
    assert 'href="/devices">Choisir un capteur' in page
    assert 'href="/rooms/isac/facts">Corriger' in page
    assert "temoin declare" not in page
    for absent in ("Choisir un capteur", "/facts"):
        assert absent not in reader.get("/rooms/isac").text


@pytest.mark.usefixtures("house")
def test_the_address_written_under_a_code_is_the_one_it_leads_to(reader, stranger):
    """Typed by who has no camera, the address without its key was refused."""
    page = reader.get("/rooms/loire/poster").text
    typed = unescape(re.search(r'<p class="sub">(https?://[^<]+)</p>', page)[1])
    assert stranger.get(typed).status_code == 200


@pytest.mark.usefixtures("house")
def test_a_room_shows_nothing_of_today(reader, store):
    """15:00 UTC is 16:00 in Paris: today began 16 hours ago."""
    say(store, (2, "co2", 1987.0), (15.5, "people", 7.0), (30, "co2", 612.0), (29, "co2", 634.0))
    for asked in ("", "?span=day", f"?until={TODAY}", f"?span=day&until={TODAY + timedelta(days=400)}"):
        answer = reader.get(f"/rooms/loire{asked}")
        page = words_of(answer)
        assert "1 987" not in page
        assert "Personnes" not in page
        assert "634" in page or "623" in page  # a week is told by its mean
        assert "rien n’est montré en direct" in page
    assert "mercredi 11 mars 2026" in words_of(reader.get("/rooms/loire?span=day")).lower()


@pytest.mark.usefixtures("house")
def test_a_day_in_the_past_is_shown_whole_and_leads_on(reader, store):
    say(store, (54, "co2", 701.0))
    answer = reader.get(f"/rooms/loire?span=day&until={TODAY - timedelta(days=2)}")
    assert "701" in words_of(answer)
    assert f"until={TODAY - timedelta(days=3)}" in answer.text.replace("&amp;", "&")
    assert f"until={TODAY - timedelta(days=1)}" in answer.text


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("until", ["0001-01-01", "0001-01-08", "9999-12-31"])
@pytest.mark.parametrize("span", ["day", "week"])
def test_a_day_beyond_any_calendar_is_one_without_measures(reader, until, span):
    assert reader.get(f"/rooms/loire?span={span}&until={until}").status_code == 200


@pytest.mark.parametrize(
    ("day", "first"),
    [
        ("2026-01-01", "2025-12-01"), ("2026-02-28", "2025-12-01"), ("2026-03-01", "2026-03-01"),
        ("2026-05-31", "2026-03-01"), ("2026-06-01", "2026-06-01"), ("2026-11-30", "2026-09-01"),
        ("2026-12-31", "2026-12-01"),
    ],
)  # fmt: skip
def test_a_season_begins_in_december_march_june_or_september(day, first):
    assert seasons.season(date.fromisoformat(day)) == date.fromisoformat(first)


def test_seasons_tell_use_and_comfort_by_category(house, reader):
    with house.session() as session:
        for day in (date(2025, 11, 28), date(2025, 12, 1), date(2025, 12, 2), date(2024, 12, 2)):
            cells = {
                "time_utilisation": 50.0, "occupied_minutes": 100.0 if day.day != 2 else 300.0,
                "co2_category_1": 20.0, "co2_category_2": 60.0, "co2_category_3": 100.0,
            }  # fmt: skip
            told = [DayOutcome("loire", day, key, 1, value, 0.9) for key, value in cells.items()]
            outcomes.replace_day(session, day, told)
    page = words_of(reader.get("/rooms/loire"))
    season = page[page.index("Saison par saison") :]
    assert "Automne 2025 50 %" in season
    assert "Hiver 2025-2026" in season
    assert "2024" not in season  # a year ago is another year's winter
    shares = season[season.index("Air (CO₂) pendant les réunions") :]
    assert "Hiver 2025-2026 20 % 40 % 40 % 0 %" in shares
    assert "Température pendant les réunions" not in season  # nobody knows its categories
    bureau = words_of(reader.get("/rooms/bureau"))
    assert "Hiver 2025-2026 – – 80 %" in bureau[bureau.index("Saison par saison") :]


def answered(registry, day, *marks):
    with registry.session() as session:
        room = session.query(Room).filter_by(slug="loire").one()
        session.add_all(Answer(room_id=room.id, day=day, hour=9, satisfaction=mark) for mark in marks)


def test_voices_are_told_of_months_that_are_over_from_five_answers_on(house, reader):
    answered(house, date(2026, 2, 28), 7, 6, 5, 4)
    assert "Pas encore : un mois est montré" in words_of(reader.get("/rooms/loire"))
    answered(house, date(2026, 2, 1), 1)
    answered(house, date(2026, 3, 2), *[7] * 9)  # this month goes on
    answered(house, date(2025, 8, 31), *[7] * 9)  # and this one is long ago
    page = words_of(reader.get("/rooms/loire"))
    voices = page[page.index("Ce qu’en disent les agents") : page.index("Capteurs de la salle")]
    assert "Février 2026 5 60 %" in voices
    assert "Mars" not in voices
    assert "Août" not in voices


def test_under_seal_a_room_tells_of_its_sensors_alone(house, reader, store):
    say(store, (30, "co2", 612.0))
    answered(house, date(2026, 2, 1), *[6] * 8)
    seal(house, "loire")
    page = words_of(reader.get("/rooms/loire"))
    for part in ("Saison par saison", "Ce qu’en disent", "Jour par jour", "Air et taille", "612", "%"):
        assert part not in page
    assert "Capteurs de la salle" in page
    assert "Ce qui est mesuré" in page


@pytest.mark.usefixtures("house")
def test_the_notice_says_what_is_measured_who_sees_it_and_until_when(reader, store):
    assert "Rien encore" in words_of(reader.get("/rooms/loire/notice"))
    say(store, (2, "co2", 612.0), (2, "presence", 1.0), (2, "battery", 55.0), (2, "sound", 41.0))
    page = words_of(reader.get("/rooms/loire/notice"))
    assert "CO₂, niveau sonore et présence." in page
    assert "ni qui ni combien" in page
    assert "seul le niveau en décibels" in page
    assert "jamais en direct" in page
    assert "Avis, un par un : 13 mois ; remarques libres : 6 mois." in page
    assert "612" not in page
    assert "sa présence n’est montrée à personne" in words_of(reader.get("/rooms/bureau/notice"))
    assert "aucun capteur" in words_of(reader.get("/rooms/isac/notice"))
    assert reader.get("/rooms/nulle-part/notice").status_code == 404


@pytest.mark.usefixtures("house")
def test_a_notice_does_not_guess_while_the_store_is_away(reader, store, monkeypatch):
    def away(_keys):
        raise StoreError("away")

    monkeypatch.setattr(store, "latest", away)
    assert "On ne peut pas le dire pour l’instant" in words_of(reader.get("/rooms/loire/notice"))


@pytest.mark.usefixtures("house")
def test_a_room_for_one_shows_nothing_by_hour_or_day(reader, store):
    store.write([Reading("g/bureau", "co2", 933.0, "-", NOW - timedelta(hours=30), "device", "g")])
    page = words_of(reader.get("/rooms/bureau"))
    assert "Cette salle est pour une personne" in page
    assert "Jour par jour" not in page
    assert "933" not in page
    assert "600 ppm" in page  # a week's mean
