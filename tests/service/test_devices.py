"""Devices in the browser: found, placed, moved, corrected; what follows from it."""

import io
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select

from sensors.reading import Reading
from service import placing
from service.placing import PlacingRefused, Stay
from service.registry import devices
from service.registry.tables import Arm, Deviation, Device, Experiment, Placement, Room, Site, StaleDay

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 12, 14, 0, tzinfo=UTC)  # a Thursday, 15 h in Paris
DAY = timedelta(days=1)


@pytest.fixture
def world(registry):
    """Three rooms, Loire in a running experiment; a sensor in Loire since ten days, one in no room."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie")
        loire, erdre, _sevre = (
            Room(slug=slug, name=slug.title(), site=site, capacity=8) for slug in ("loire", "erdre", "sevre")
        )
        session.add(site)
        placed = Device(key="g/a", gateway="g", first_seen=NOW - 30 * DAY, last_seen=NOW)
        session.add(Placement(device=placed, room=loire, start=NOW - 10 * DAY))
        session.add(Device(key="g/new <b>", gateway="g", first_seen=NOW - 2 * DAY, last_seen=NOW))
        session.add(
            Experiment(
                slug="mobilier", title="Mobilier", declared_at=NOW,
                starts=date(2026, 2, 20), ends=date(2026, 4, 20), washout=0, min_days=5, assignment="lot",
                sheet={},
                arms=[Arm(room=loire, switch=date(2026, 3, 9)), Arm(room=erdre, switch=None)],
            )
        )  # fmt: skip
    return registry


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def staff(browser_of):
    return browser_of("facilities")


def told(registry, key="g/a"):
    """(room, local start, local end) of each stay."""
    with registry.session() as session:
        return [
            (stay.room.slug, *(at and f"{at.astimezone(PARIS):%d %H:%M}" for at in (stay.start, stay.end)))
            for stay in placing.stays(devices.find(session, key))
        ]


def sent(staff, path, key="g/a", **fields):
    page = staff.get("/device", params={"key": key}).text
    hidden = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf", "seen")}
    return staff.post(path, data={"key": key, **hidden, **fields}, follow_redirects=False)


def days_marked(registry):
    with registry.session() as session:
        return sorted(session.scalars(select(StaleDay.day)))


def test_a_new_sensor_is_shown_first_and_placed_since_its_first_message(world, staff):
    page = staff.get("/devices").text
    assert (
        page.index("À placer")
        < page.index("new &lt;b&gt;")
        < page.index("Dans une salle")
        < page.index("g/a")
    )
    done = sent(staff, "/device/room", key="g/new <b>", room="sevre", when="first")
    assert done.status_code == 303
    assert told(world, "g/new <b>") == [("sevre", "10 15:00", None)]
    assert days_marked(world) == [date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)]
    assert "C’est enregistré" in staff.get(done.headers["location"]).text
    assert "À placer" not in staff.get("/devices").text


def test_a_move_ends_the_stay_before_and_is_noted_in_the_running_experiment(world, staff):
    done = sent(staff, "/device/room", room="erdre", when="at", at="2026-03-11T08:30")
    assert "noted" in done.headers["location"]
    assert told(world) == [("loire", "02 15:00", "11 08:30"), ("erdre", "11 08:30", None)]
    assert days_marked(world) == [date(2026, 3, 11), date(2026, 3, 12)]
    with world.session() as session:
        (noted,) = session.scalars(select(Deviation))
        assert noted.what == "Capteur g/a : sa salle a changé (Erdre, Loire), du 11/03/2026 au 12/03/2026."
        assert noted.day == NOW.date()


def test_back_in_time_by_three_days(world, staff):
    with world.session() as session:
        stay = session.scalar(select(Placement)).id
    done = sent(staff, "/device/stay", stay=str(stay), start="2026-02-27T15:00", end="")
    assert done.status_code == 303
    assert told(world) == [("loire", "27 15:00", None)]
    assert days_marked(world) == [date(2026, 2, 27) + n * DAY for n in range(4)]


def test_the_neighbour_that_a_stay_touches_gives_way(world, staff):
    sent(staff, "/device/room", room="erdre", when="at", at="2026-03-09T08:00")
    with world.session() as session:
        stay = session.scalar(select(Placement).join(Room).where(Room.slug == "erdre")).id
    sent(staff, "/device/stay", stay=str(stay), start="2026-03-06T08:00", end="")
    assert told(world) == [("loire", "02 15:00", "06 08:00"), ("erdre", "06 08:00", None)]
    assert date(2026, 3, 6) in days_marked(world)
    refused = sent(staff, "/device/stay", stay=str(stay), start="2026-03-01T08:00", end="")
    assert refused.status_code == 422
    assert "Il serait parti de la salle précédente" in refused.text
    assert 'value="2026-03-01T08:00"' in refused.text


SEALED = "avril 2026, l’expérience «\N{NARROW NO-BREAK SPACE}Mobilier\N{NARROW NO-BREAK SPACE}» garde"


def test_nothing_measured_under_seal_comes_to_a_room_that_shows_it(world, staff):
    """Loire's switch was on the 9th; whatever is told in whatever order, Sèvre shows none of its days."""
    for when in ({"when": "first"}, {"when": "at", "at": "2026-03-11T23:00"}):
        refused = sent(staff, "/device/room", room="sevre", **when)
        assert refused.status_code == 422
        assert SEALED in refused.text
        assert told(world) == [("loire", "02 15:00", None)]
    sent(staff, "/device/room", room="", when="at", at="2026-03-02T10:00")  # taken back altogether
    assert told(world) == []
    assert sent(staff, "/device/room", room="sevre", when="at", at="2026-03-11T23:00").status_code == 422
    assert sent(staff, "/device/room", room="sevre", when="today").status_code == 303
    with world.session() as session:
        stay = session.scalar(select(Placement)).id
    assert sent(staff, "/device/stay", stay=str(stay), start="2026-03-10T08:00", end="").status_code == 422
    assert told(world) == [("sevre", "12 00:00", None)]


@pytest.mark.parametrize(
    ("room", "at"),
    [("erdre", "2026-03-10T08:00"), ("sevre", "2026-03-12T00:00"), ("", "2026-03-03T08:00")],
    ids=["to a room of the same seal", "since this morning", "to no room"],
)
@pytest.mark.usefixtures("world")
def test_what_opens_no_seal_is_said_as_ever(staff, room, at):
    assert sent(staff, "/device/room", room=room, when="at", at=at).status_code == 303


def test_what_was_measured_before_the_switch_moves_as_ever(world):
    with world.session() as session:
        device, switch = devices.find(session, "g/a"), datetime(2026, 3, 9, tzinfo=PARIS)
        loire, sevre = (session.scalar(select(Room).where(Room.slug == slug)) for slug in ("loire", "sevre"))
        wanted = [Stay(sevre, NOW - 10 * DAY, switch), Stay(loire, switch, None)]
        assert placing.keep(session, device, wanted, "c", NOW, PARIS) == ["Mobilier"]


def test_once_it_is_over_its_dates_can_be_corrected(world, staff):
    with world.session() as session:
        session.scalar(select(Experiment)).ends = NOW.date() - DAY
    assert sent(staff, "/device/room", room="sevre", when="first").status_code == 303


def test_a_device_that_was_under_seal_takes_no_place_elsewhere_with_what_it_measured(world, staff):
    """Taken back from Loire, then said to go on for the one in Sèvre since its own first message."""
    sent(staff, "/device/room", room="", when="at", at="2026-03-02T10:00")
    sent(staff, "/device/room", key="g/new <b>", room="sevre", when="first")
    refused = sent(staff, "/device", label="Air", continues="g/new <b>")
    assert (refused.status_code, SEALED in refused.text) == (422, True)
    assert told(world) == []
    with world.session() as session:
        assert devices.find(session, "g/a").label is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"room": "nowhere", "when": "now"}, "Cette salle n’existe pas"),
        ({"key": "g/new <b>", "room": "", "when": "now"}, "Choisissez la salle"),
        ({"room": "erdre", "when": ""}, "Dites depuis quand"),
        ({"room": "erdre", "when": "at", "at": ""}, "Donnez la date et l’heure"),
        ({"room": "erdre", "when": "at", "at": "30 février"}, "Ce n’est pas une date"),
        ({"room": "erdre", "when": "at", "at": "2026-02-30T10:00"}, "Ce n’est pas une date"),
        ({"room": "erdre", "when": "at", "at": "2025-03-30T02:30"}, "Cette heure n’a pas existé"),
        ({"room": "erdre", "when": "at", "at": "2027-01-01T08:00"}, "Ce moment est à venir"),
        ({"room": "erdre", "when": "at", "at": "2026-03-01T08:00+01:00"}, "Ce n’est pas une date"),
        ({"room": "é" * 10_000, "when": "x" * 10_000, "at": "\x00"}, "Cette salle n’existe pas"),
    ],
)
def test_what_cannot_be_comes_back_in_a_sentence_and_changes_nothing(world, staff, fields, said):
    before = told(world)
    refused = sent(staff, "/device/room", **fields)
    assert refused.status_code == 422
    assert said in refused.text
    assert told(world) == before
    assert days_marked(world) == []


def test_what_it_is_is_said_and_bad_words_come_back(world, staff):
    done = sent(
        staff,
        "/device",
        label=" Ambiance   mur nord ",
        model="AM319",
        position="Mur nord",
        heartbeat="60",
        continues="g/new <b>",
    )
    assert done.status_code == 303
    page = staff.get("/device", params={"key": "g/a"}).text
    assert "<h1>Ambiance mur nord</h1>" in page
    assert "g/new &lt;b&gt;" in page
    assert len(days_marked(world)) == 11  # another rhythm: its days hold for longer
    bad = {
        "label": "x" * 121,
        "model": "a\u202eb",
        "position": "p" * 201,
        "heartbeat": "1441",
        "continues": "g/a",
    }
    refused = sent(staff, "/device", **bad)
    assert refused.status_code == 422
    assert "5 choses sont à corriger" in refused.text
    assert "x" * 121 in refused.text


def test_the_second_of_two_sees_what_the_first_saved(world, staff):
    page = staff.get("/device", params={"key": "g/a"}).text
    stale = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf", "seen")}
    sent(staff, "/device/room", room="sevre", when="now")
    late = staff.post("/device/room", data={"key": "g/a", **stale, "room": "erdre", "when": "now"})
    assert late.status_code == 409
    assert "Quelqu’un a changé ce capteur entre-temps" in late.text
    assert '<option value="erdre" selected>' in late.text
    assert told(world)[-1][0] == "sevre"


@pytest.mark.usefixtures("world")
def test_readers_see_and_do_not_touch(reader):
    page = reader.get("/device", params={"key": "g/a"}).text
    assert "Où il a été" in page
    assert '<form method="post" action="/device' not in page
    csrf = reader.get("/").text.split('name="csrf" value="')[1].split('"')[0]
    for path in ("/device", "/device/room", "/device/stay"):
        assert reader.post(path, data={"csrf": csrf, "key": "g/a"}).status_code == 403


@pytest.mark.parametrize("key", ["", "g/none", "../etc/passwd", "x" * 5000, "\x00"])
@pytest.mark.usefixtures("world")
def test_a_sensor_that_is_not_there_is_not_found(staff, key):
    assert staff.get("/device", params={"key": key}).status_code == 404


@pytest.mark.usefixtures("world")
def test_names_are_searched_whatever_their_case_and_signs(staff):
    assert "g/a" in staff.get("/devices", params={"q": "LOIRE"}).text
    for wanted in ("zzz", "100%", "g_a", "'; drop", "é" * 500):
        assert "Rien ne correspond" in staff.get("/devices", params={"q": wanted}).text


def test_many_devices_are_shown_a_page_at_a_time_by_as_many_questions(world, staff):
    with world.session() as session:
        session.add_all(
            Device(key=f"g/{n:04}", gateway="g", last_seen=NOW - n * timedelta(minutes=1)) for n in range(250)
        )
    first = staff.get("/devices").text
    assert "page 1 sur 3" in first
    assert "252 capteurs" in first.replace("\u202f", " ")
    assert "g/0249" in staff.get("/devices", params={"page": 3}).text
    assert staff.get("/devices", params={"page": 99}).status_code == 200


def test_on_either_database(either_registry):
    with either_registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie"))
        device = Device(key="g/a", gateway="g", first_seen=NOW - 3 * DAY, last_seen=NOW)
        session.add_all([room, device])
        session.flush()
        placing.keep(session, device, placing.moved(device, room, NOW - DAY, NOW), "c", NOW, PARIS)
    with either_registry.session() as session:
        found, total = devices.search(session, "LOI", NOW, 10)
        assert (total, found[0][0].key, found[0][1].room.slug) == (1, "g/a", "loire")
        placing.keep(session, devices.find(session, "g/a"), [], "c", NOW, PARIS)
    with either_registry.session() as session:
        (stay,) = devices.ever_told(session, "g/a", NOW + DAY)
        assert stay[:2] == ("loire", NOW - DAY)
        assert NOW <= stay[2] < NOW + DAY


HOURS = st.integers(0, 200)


@given(
    st.lists(st.tuples(st.sampled_from("xyz-"), HOURS), max_size=8),
    st.tuples(HOURS, HOURS),
    st.integers(0, 7),
)
def test_whatever_is_said_a_device_is_never_in_two_rooms(saying, dates, which):
    rooms = {name: Room(id=n, slug=name, name=name) for n, name in enumerate("xyz")}
    device = Device(key="g/a", gateway="g", placements=[])

    def accept(wanted):
        device.placements[:] = [Placement(room=stay.room, start=stay.start, end=stay.end) for stay in wanted]

    for name, hour in saying:
        accept(placing.moved(device, rooms.get(name), NOW - DAY * 10 + timedelta(hours=hour), NOW))
        last = placing.stays(device)[-1:]
        assert [stay.room.slug for stay in last if stay.end is None] == ([name] if name != "-" else [])
    if device.placements:
        start, end = (NOW - DAY * 10 + timedelta(hours=hour) for hour in dates)
        row = device.placements[which % len(device.placements)]
        with suppress(PlacingRefused):
            accept(placing.corrected(device, row, start, end, NOW))
    told_: list[Stay] = placing.stays(device)
    assert all(stay.end is None or stay.start < stay.end for stay in told_)
    assert all(one.end is not None and one.end <= next_.start for one, next_ in pairwise(told_))


def test_a_device_that_takes_the_place_of_another_goes_on_in_its_room(world, staff):
    with world.session() as session:
        old = devices.find(session, "g/a")
        old.position, old.heartbeat_minutes = "mur nord", 30
    page = staff.get("/device", params={"key": "g/new <b>"}).text
    seen = page.split('name="seen" value="')[1].split('"')[0]
    form = {"key": "g/new <b>", "continues": "g/a", "seen": seen, "csrf": staff.csrf}
    assert staff.post("/device", data=form).headers["location"].endswith("done=noted")  # Loire is in a trial
    assert told(world, "g/a") == [("loire", "02 15:00", "10 15:00")]
    assert told(world, "g/new <b>") == [("loire", "10 15:00", None)]
    with world.session() as session:
        new = devices.find(session, "g/new <b>")
        assert (new.position, new.heartbeat_minutes) == ("mur nord", 30)
        assert session.scalars(select(StaleDay.day)).all() == [date(2026, 3, day) for day in (10, 11, 12)]


@pytest.mark.parametrize("ended", [timedelta(days=5), timedelta(days=1)])
def test_it_begins_when_both_allow_it(world, ended):
    with world.session() as session:
        old, new = devices.find(session, "g/a"), devices.find(session, "g/new <b>")
        old.placements[0].end = NOW - ended
        session.flush()
        assert placing.take_over(session, new, old, "x", NOW, PARIS) is not None
        assert placing.stays(new)[0].start == max(NOW - ended, NOW - 2 * DAY)
        assert placing.stays(old)[-1].end == NOW - ended
        assert placing.take_over(session, new, old, "x", NOW, PARIS) is None


def picture(kind="JPEG", size=(1600, 900), **more):
    sent = io.BytesIO()
    Image.new("RGB", size, "teal").save(sent, kind, **more)
    return sent.getvalue()


def send(browser, sent, **more):
    form = {"key": "g/a", "csrf": browser.csrf, **more}
    return browser.post("/device/photo", data=form, files={"photo": ("../../x.jpg", sent, "image/svg+xml")})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.usefixtures("world")
def test_a_photo_is_encoded_anew_without_what_it_said_of_place_and_time(staff, kind):
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "48.8566 N, 2.3522 E", 6  # a description; lying on its side
    answer = send(staff, picture(kind, exif=exif))
    assert answer.headers["location"].endswith("done=described")
    shown = staff.get("/device/photo", params={"key": "g/a"})
    assert shown.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(shown.content)) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (675, 1200), {})
    assert b"48.8566" not in shown.content
    assert 'width="675" height="1200"' in staff.get("/device", params={"key": "g/a"}).text
    send(staff, b"", do="remove")
    assert staff.get("/device/photo", params={"key": "g/a"}).status_code == 404


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "Choisissez d’abord"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "envoyez du JPEG"),
        (b"GIF89a" + bytes(100), "envoyez du JPEG"),
        (b"%PDF-1.7", "envoyez du JPEG"),
        (picture()[:900], "abîmé"),
        (picture("PNG", (9000, 7000)), "trop grande"),  # 63 megapixels in 180 kB
        (bytes(15_000_001), "trop grande"),
    ],
)
@pytest.mark.usefixtures("world")
def test_what_is_no_photo_is_refused_with_a_sentence(staff, sent, words):
    answer = send(staff, sent)
    assert answer.status_code == 422
    assert words in answer.text
    assert staff.get("/device/photo", params={"key": "g/a"}).status_code == 404


@pytest.mark.usefixtures("world")
def test_a_request_larger_than_a_photo_is_not_read(staff):
    assert send(staff, bytes(15_500_000)).status_code == 413


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (("co2", "people"), "il compte les personnes"),
        (("presence", "temperature"), "pas combien"),
        (("co2",), "Ce qu’il mesure"),
    ],
)
@pytest.mark.usefixtures("world")
def test_a_device_says_what_it_measures_and_no_value(app, staff, metrics, words):
    app.state.store.write(Reading("g/a", each, 1111.0, "", NOW, "device", "g") for each in metrics)
    page = staff.get("/device", params={"key": "g/a"}).text
    assert words in page
    assert "1111" not in page
    assert "1\u202f111" not in page
