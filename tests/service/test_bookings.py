"""A room's calendar: when it was booked and nothing else, from ICS or CSV, as often as one likes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from sensors.reading import Reading
from service import cli, outcomes
from service.bookings import CalendarRejected, keep
from service.registry import bookings
from service.registry import outcomes as outcome_rows
from service.registry.tables import Booking, Device, Placement, Room, Site, StaleDay

NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//FR\r\n"


@pytest.fixture
def room(registry):
    with registry.session() as session:
        found = Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie"), capacity=8)
        session.add(found)
    return registry


def event(start, end, uid="a", *more, zone="TZID=Europe/Paris:"):
    colon = ":" if zone == "" else ";"
    lines = [
        f"UID:{uid}",
        f"DTSTART{colon}{zone}{start}",
        f"DTEND{colon}{zone}{end}",
        "SUMMARY:Licenciements",
        *more,
    ]
    return "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])


def ics(*events):
    return (HEAD + "".join(events) + "END:VCALENDAR\r\n").encode()


def kept(registry, settings, content, name="loire.ics"):
    with registry.session() as session:
        found = session.scalar(select(Room))
        return keep(session, settings, found, name, content, NOW)


def spans(registry):
    with registry.session() as session:
        rows = session.scalars(select(Booking).order_by(Booking.start))
        return [(each.start.astimezone(PARIS).strftime("%d %H:%M"), each.end - each.start) for each in rows]


HOUR = timedelta(hours=1)


def test_a_weekly_meeting_keeps_its_local_hour_when_the_clocks_change(room, settings):
    series = event(
        "20260323T090000",
        "20260323T100000",
        "w",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "EXDATE;TZID=Europe/Paris:20260406T090000",
    )
    moved = event(
        "20260331T140000", "20260331T150000", "w", "RECURRENCE-ID;TZID=Europe/Paris:20260330T090000"
    )
    assert kept(room, settings, ics(series, moved)).bookings == 2
    assert spans(room) == [("23 09:00", HOUR), ("31 14:00", HOUR)]


def test_what_is_cancelled_blocked_for_days_or_far_away_does_not_count(room, settings):
    content = ics(
        event("20260402T090000", "20260402T100000", "a"),
        event("20260402T110000", "20260402T120000", "b", "STATUS:CANCELLED"),
        event("20260403T080000", "20260407T080000", "c"),
        "BEGIN:VEVENT\r\nUID:d\r\nDTSTART;VALUE=DATE:20260405\r\nDTEND;VALUE=DATE:20260406\r\nEND:VEVENT\r\n",
        event("20150402T090000", "20150402T100000", "e"),
    )
    found = kept(room, settings, content)
    assert (found.bookings, found.cancelled, found.too_long) == (1, 1, 1)
    assert (found.first, found.last) == (date(2026, 4, 2), date(2026, 4, 2))


def test_a_series_without_end_ends_two_months_ahead(room, settings):
    found = kept(room, settings, ics(event("20260401T090000", "20260401T093000", "x", "RRULE:FREQ=DAILY")))
    assert found.last == NOW.astimezone(PARIS).date() + timedelta(days=60)


def test_again_changes_nothing_and_a_newer_file_is_the_whole_calendar(room, settings):
    first = ics(*(event(f"2026040{n}T090000", f"2026040{n}T100000", f"u{n}") for n in (1, 2, 3)))
    assert kept(room, settings, first).replaced == 0
    again = kept(room, settings, first)
    assert (again.bookings, again.replaced) == (3, 3)
    newer = ics(*(event(f"2026040{n}T090000", f"2026040{n}T100000", f"u{n}") for n in (1, 3)))
    assert kept(room, settings, newer).replaced == 3
    assert [at for at, _ in spans(room)] == ["01 09:00", "03 09:00"]


def test_nothing_personal_is_kept(room, settings):
    kept(
        room,
        settings,
        ics(
            event("20260402T090000", "20260402T100000", "secret-uid@ville", "ATTENDEE:mailto:marie@ville.fr")
        ),
    )
    with room.session() as session:
        row = session.scalar(select(Booking))
        values = " ".join(str(getattr(row, column.name)) for column in Booking.__table__.columns)
    for word in ("secret", "marie", "Licenciements"):
        assert word not in values


@pytest.mark.parametrize(
    "content",
    [
        (
            "début;fin;statut\n02/04/2026 09:00;02/04/2026 10:00;OK\n02/04/2026 11:00;02/04/2026 12:00;Annulé"
        ).encode("cp1252"),
        b"start,end,id\n2026-04-02T09:00,2026-04-02T10:00,1\n",
        b"\xef\xbb\xbfStart\tEnd\n2026-04-02T07:00:00Z\t2026-04-02T08:00:00+00:00\n\n",
    ],
)
def test_a_spreadsheets_calendar_is_read_as_it_comes(room, settings, content):
    assert kept(room, settings, content, "loire.csv").bookings == 1
    assert spans(room) == [("02 09:00", HOUR)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the first line has to name the columns start and end"),
        (b"titre;quand\nx;y\n", "it has titre, quand"),
        (b"start;end\n2026-04-02 09:00;30/02/2026 10:00\n", "line 2, column end: « 30/02/2026 10:00"),
        (b"start;end\n2026-04-02 09:00;2026-04-02 08:00\n", "ends before it begins"),
        (b"start;end\n", "no booking"),
        (b"BEGIN:VCALENDAR\r\nrubbish", "no calendar that can be read"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "no booking"),
        (b"x" * 20_000_001, "more than 20 MB"),
        (
            ics(event("20200101T090000", "20200101T090100", "s", "RRULE:FREQ=MINUTELY")),
            "repeats every minute",
        ),
    ],
)
def test_a_file_that_is_no_calendar_is_refused_in_a_sentence_and_keeps_nothing(room, settings, content, said):
    with pytest.raises(CalendarRejected) as rejected:
        kept(room, settings, content)
    assert said in str(rejected.value)
    assert spans(room) == []


def test_bookings_and_sensors_together_give_the_days_outcomes(room, settings, app):
    with room.session() as session:
        found = session.scalar(select(Room))
        device = Device(key="g/a", gateway="g", first_seen=NOW, last_seen=NOW)
        session.add(Placement(device=device, room=found, start=NOW - timedelta(days=30)))
    start = datetime(2026, 4, 2, 6, tzinfo=UTC)
    app.state.store.write(
        Reading("g/a", "people", float(7 <= at.hour < 8), "people", at, "device", "g")
        for at in (start + timedelta(minutes=5 * n) for n in range(150))
    )
    kept(
        room,
        settings,
        ics(
            event("20260402T090000", "20260402T100000", "a"), event("20260402T140000", "20260402T150000", "b")
        ),
    )
    with room.session() as session:
        assert [each.day for each in session.scalars(select(StaleDay))] == [date(2026, 4, 2)]
        for day in (date(2026, 4, 2), date(2026, 4, 3)):
            outcomes.compute_day(session, app.state.store, day, settings.zone)
    with room.session() as session:
        rows = outcome_rows.between(session, date(2026, 4, 2), date(2026, 4, 3), keys=["no_show", "ad_hoc"])
    values = {
        (day.day, key): value
        for day, key, value in zip(rows["day"], rows["outcome"], rows["value"], strict=True)
    }
    assert (values[2, "no_show"], values[2, "ad_hoc"]) == (50, 0)
    assert values[3, "no_show"] != values[3, "no_show"]  # that day is not in the calendar: not a number


def test_on_either_database(either_registry, settings):
    with either_registry.session() as session:
        session.add(Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie")))
    content = ics(event("20260402T090000", "20260402T100000", "a"))
    kept(either_registry, settings, content)
    assert kept(either_registry, settings, content).replaced == 1
    with either_registry.session() as session:
        day = datetime(2026, 4, 2, tzinfo=PARIS)
        assert len(bookings.of_day(session, day.date(), (day, day + timedelta(days=1)))["loire"]) == 1


def test_the_command_says_what_it_kept(room, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    room.check()
    day = datetime.now(PARIS).date() - timedelta(days=3)
    lines = ["start;end;status", f"{day} 09:00;{day} 10:00;", f"{day} 11:00;{day} 12:00;cancelled"]
    (tmp_path / "loire.csv").write_text("\n".join(lines))

    def temoin(name, slug):
        return CliRunner().invoke(cli.app, ["bookings", str(tmp_path / name), "--room", slug])

    done = temoin("loire.csv", "loire")
    assert done.output.startswith("1 bookings of loire")
    assert "left out: 1 cancelled" in done.output
    assert "no room « x »" in str(temoin("loire.csv", "x").exception)
    assert "No such file" in str(temoin("none", "loire").exception)
    (tmp_path / "wrong.csv").write_text("a;b\n")
    assert "nothing was kept" in str(temoin("wrong.csv", "loire").exception)
