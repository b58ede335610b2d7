"""Sites and rooms written down in the browser."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select

from service import places
from service.registry.tables import Closure, Device, Placement, Room, Site, StaleDay

WEEK = {"weekdays": ["1", "2", "3", "4", "5"]}
HOURS = {"name": "Annexe", "opens": "08:30", "closes": "18:00", **WEEK}


@pytest.fixture
def staff(browser_of):
    return browser_of("facilities")


@pytest.fixture
def site(registry):
    """A site with a room where a sensor has hung for three days."""
    now = datetime.now(UTC)
    with registry.session() as session:
        found = Site(slug="mairie", name="Mairie")
        room = Room(slug="loire", name="Loire", site=found, capacity=8)
        device = Device(key="g/a", gateway="g", first_seen=now - timedelta(days=2), last_seen=now)
        session.add(Placement(device=device, room=room, start=now - timedelta(days=3)))
        session.add(found)
    return registry


def marked(registry):
    with registry.session() as session:
        return len(session.scalars(select(StaleDay.day)).all())


def seen(staff, path):
    return staff.get(path).text.split('name="seen" value="')[1].split('"')[0]


def post(staff, path, **fields):
    return staff.post(path, data={"csrf": staff.csrf, **fields})


def test_from_nothing_to_rooms(staff, registry):
    assert "Ajouter un lieu" in staff.get("/sites").text
    done = post(staff, "/sites", **HOURS)
    assert (done.status_code, done.headers["location"]) == (303, "/site/annexe?done=saved")
    assert "Aucune salle ici" in staff.get("/site/annexe").text
    listed = "Nom\tPlaces\tÉtage\nLoire\t8\t2e\nErdre\t12\t\n"
    checked = post(staff, "/site/annexe/rooms", list=listed)
    assert checked.status_code == 200
    assert "Enregistrer ces 2 salles" in checked.text.replace("\u202f", " ")
    with registry.session() as session:
        assert session.scalars(select(Room)).all() == []  # only read so far
    assert post(staff, "/site/annexe/rooms", list=listed, sure="yes").status_code == 303
    with registry.session() as session:
        rooms = session.execute(select(Room.slug, Room.capacity, Room.floor).order_by(Room.slug)).all()
        assert [tuple(row) for row in rooms] == [("erdre", 12, None), ("loire", 8, "2e")]
        kept = session.scalar(select(Site))
        assert (kept.opens, kept.closes, kept.weekdays) == (time(8, 30), time(18), "12345")


def test_again_with_the_same_names_changes_them(staff, registry):
    post(staff, "/sites", **HOURS)
    for seats in ("8", "10"):
        post(staff, "/site/annexe/rooms", list=f"loire;{seats}", sure="yes")
    with registry.session() as session:
        assert session.execute(select(Room.slug, Room.capacity)).all() == [("loire", 10)]


def test_headings_may_say_their_unit():
    [(_, facts)] = places.pasted("Salle\tPlaces\tSurface (m²)\tVolume (m³)\nLoire\t8\t20\t50\n")
    assert (facts.capacity, facts.area_m2, facts.volume_m3) == (8, 20, 50)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Collez au moins une ligne"),
        (" \n;;\n", "Collez au moins une ligne"),
        ("Loire;beaucoup", "Donnez un nombre entier de places"),
        ("Loire;8,5", "Donnez un nombre entier de places"),
        ("Loire;0", "de 1 à 2\u202f000 places"),
        (";8", "Donnez un nom"),
        ("x" * 121, "Ce nom est trop long"),
        ("a\u202eb", "caractères invisibles"),
        ("Loire;8;étage où se trouve la salle du conseil", "Cet étage est trop long"),
        ("Loire;8;2;nan", "de 1 à 10\u202f000 m²"),
        ("erdre;8", "Ce nom est déjà plus haut dans la liste"),
    ],
)
def test_a_list_with_a_wrong_line_keeps_nothing_and_comes_back(staff, registry, text, said):
    post(staff, "/sites", **HOURS)
    answer = post(
        staff, "/site/annexe/rooms", list=f"Erdre;4\n{text}" if text.strip(" \n;") else text, sure="yes"
    )
    assert answer.status_code == 422
    assert said in answer.text
    with registry.session() as session:
        assert session.scalars(select(Room)).all() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Donnez un nom"),
        ({"name": "é" * 10_000}, "Ce nom est trop long"),
        ({"opens": "huit heures"}, "Donnez une heure"),
        ({"opens": "08:00+02:00"}, "Donnez une heure"),
        ({"closes": "08:00"}, "Un lieu ferme après avoir ouvert"),
        ({"weekdays": []}, "Choisissez au moins un jour"),
        ({"weekdays": ["9", "<b>"]}, "Choisissez au moins un jour"),
    ],
)
def test_a_site_that_cannot_be_comes_back_in_a_sentence(staff, fields, said):
    answer = post(staff, "/sites", **{**HOURS, **fields})
    assert answer.status_code == 422
    assert said in answer.text


def test_other_hours_have_the_days_computed_again_and_the_same_ones_do_not(staff, site):
    same = {"name": "Mairie", "opens": "08:00", "closes": "19:00", **WEEK}
    token = seen(staff, "/site/mairie")
    assert post(staff, "/site/mairie", seen=token, **same).status_code == 303
    assert marked(site) == 0
    assert post(staff, "/site/mairie", seen=token, **{**same, "closes": "00:00"}).status_code == 303
    assert marked(site) >= 3
    late = post(staff, "/site/mairie", seen=token, **{**same, "name": "Hôtel de ville"})
    assert late.status_code == 409
    assert "Quelqu’un a changé cela entre-temps" in late.text
    assert 'value="Hôtel de ville"' in late.text


def test_public_holidays_of_a_year_and_days_of_ones_own(staff, site):
    year = datetime.now(UTC).year
    assert post(staff, "/site/mairie/closed", year=str(year)).status_code == 303
    assert post(staff, "/site/mairie/closed", day=f"{year}-12-24", reason="Pont de Noël").status_code == 303
    page = staff.get("/site/mairie").text
    assert "Fête nationale" in page
    assert "Jour de l’an" in page
    assert "Pont de Noël" in page
    with site.session() as session:
        assert len(session.scalars(select(Closure)).all()) == 12
    assert marked(site) > 0
    post(staff, "/site/mairie/open", day=f"{year}-12-24")
    assert "Pont de Noël" not in staff.get("/site/mairie").text
    for wrong in ({"day": "30 février"}, {"day": ""}, {"year": "1900"}, {"year": "x"}):
        assert post(staff, "/site/mairie/closed", **wrong).status_code == 422


def test_closed_days_that_are_past_are_folded_below_those_to_come(staff, site):
    today = datetime.now(UTC).date()
    with site.session() as session:
        found = session.scalars(select(Site)).one()
        for days, reason in ((-9, "Ancien"), (9, "Prochain")):
            found.closures.append(Closure(day=today + timedelta(days=days), reason=reason))
    page = staff.get("/site/mairie").text
    assert page.index("Prochain") < page.index("<summary>") < page.index("Ancien")


def test_a_volume_is_shown_as_it_is_written_in_french(staff, site):
    with site.session() as session:
        session.scalars(select(Room)).one().volume_m3 = 75.4
    assert 'value="75,4"' in staff.get("/rooms/loire/facts").text
    assert 'value="75.4"' in staff.get("/rooms/loire/facts", params={"lang": "en"}).text


@pytest.mark.parametrize("day", ["0001-01-01", "0026-05-01", "9999-12-31"])
def test_a_day_of_another_century_is_a_slip_and_marks_nothing(staff, site, day):
    answer = post(staff, "/site/mairie/closed", day=day, reason="Pont")
    assert answer.status_code == 422
    assert f'value="{day}"' in answer.text
    assert marked(site) == 0


def test_why_a_site_is_closed_is_kept_whole_or_not_at_all(staff, site):
    told = {"day": "2026-12-24", "reason": "é" * 121}
    long = post(staff, "/site/mairie/closed", **told)
    assert (long.status_code, "120 caractères au plus" in long.text) == (422, True)
    assert 'value="2026-12-24"' in long.text
    assert post(staff, "/site/mairie/closed", **told | {"reason": "a\0b"}).status_code == 422
    assert post(staff, "/site/mairie/closed", **told | {"reason": "é" * 120}).status_code == 303
    with site.session() as session:
        assert session.scalars(select(Closure.reason)).all() == ["é" * 120]


def test_holidays_are_those_of_france():
    found = places.public_holidays(2026)
    assert found[date(2026, 4, 6)] == "Lundi de Pâques"
    assert len(found) == 11


def test_a_rooms_seats_are_corrected_and_the_second_editor_sees_both(staff, site):
    token = seen(staff, "/rooms/loire/facts")
    facts = {"name": "Loire", "floor": "2", "capacity": "10", "area_m2": "24,5", "volume_m3": ""}
    assert post(staff, "/rooms/loire/facts", seen=token, **facts).status_code == 303
    assert marked(site) >= 3  # the seat fill of those days is another
    late = post(staff, "/rooms/loire/facts", seen=token, **{**facts, "capacity": "12"})
    assert late.status_code == 409
    assert 'value="12"' in late.text
    assert "<dd>10</dd>" in late.text
    wrong = post(
        staff, "/rooms/loire/facts", seen=seen(staff, "/rooms/loire/facts"), **{**facts, "area_m2": "grand"}
    )
    assert wrong.status_code == 422
    assert 'value="grand"' in wrong.text


def test_what_has_a_history_is_not_deleted(staff, site):
    assert post(staff, "/rooms/loire/delete").status_code == 409
    assert post(staff, "/site/mairie/delete").status_code == 409
    post(staff, "/site/mairie/rooms", list="Par erreur", sure="yes")
    assert post(staff, "/rooms/par-erreur/delete").status_code == 303
    post(staff, "/sites", **HOURS)
    post(staff, "/site/annexe/closed", day="2026-12-24", reason="")
    assert post(staff, "/site/annexe/delete").status_code == 303
    with site.session() as session:
        assert [each.slug for each in session.scalars(select(Site))] == ["mairie"]


def test_addresses_are_made_of_names_and_never_twice(staff, registry):
    for name in ("Hôtel de Ville", "Hôtel-de-Ville", "Hôtel de Ville !", "Hôtel de Ville !"):
        post(staff, "/sites", **{**HOURS, "name": name})
    post(staff, "/sites", **{**HOURS, "name": "会議室"})
    with registry.session() as session:
        found = sorted(session.scalars(select(Site.slug)))
    assert found == ["hotel-de-ville", "hotel-de-ville-2", "hotel-de-ville-3", "site"]


def test_on_either_database(either_registry, now, settings):
    with either_registry.session() as session:
        made = places.save_site(
            session, None, places.site_hours("A", "08:00", "18:00", "12345"), now, settings.zone
        )
        assert places.save_pasted(session, made, places.pasted("Loire;8\nErdre"), now, settings.zone) == (
            2,
            0,
        )
        assert places.close(session, made, places.public_holidays(2026), now) == 11
        assert not places.refers(session, made.rooms[0])


def test_a_new_installation_is_a_path_that_checks_itself(staff, registry):
    page = staff.get("/").text
    assert "Pour commencer" in page
    assert page.count(">à faire</span>") == 1
    assert 'class="btn" href="/sites"' in page
    assert 'class="btn" href="/devices"' not in page
    post(staff, "/sites", **HOURS)
    post(staff, "/site/annexe/rooms", list="Loire;8", sure="yes")
    page = staff.get("/").text
    assert page.count(">fait</span>") == 1
    with registry.session() as session:
        session.add(Device(key="g/a", gateway="g", first_seen=datetime.now(UTC), last_seen=datetime.now(UTC)))
    page = staff.get("/").text
    assert page.count(">fait</span>") == 2
    assert 'class="btn" href="/devices"' in page


@pytest.mark.usefixtures("site")
def test_a_reader_is_not_sent_where_no_reader_may_go(reader):
    for path in ("/", "/rooms"):
        assert "/sites" not in reader.get(path).text


@pytest.mark.parametrize("name", ["Annexe", "annexe"])
def test_a_second_site_of_a_name_is_refused_and_the_form_keeps_what_was_typed(staff, name):
    """Two of one name in a list are told apart by nobody."""
    post(staff, "/sites", **HOURS)
    answer = post(staff, "/sites", **{**HOURS, "name": name, "opens": "07:15"})
    assert (answer.status_code, "Un lieu a déjà ce nom" in answer.text) == (422, True)
    assert 'value="07:15"' in answer.text
