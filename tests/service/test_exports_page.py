"""The data to take away: by analysts, in either format, and nothing of what runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from sensors.reading import Reading
from service.registry.tables import Device, Placement, Room, Site

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def analyst(app, registry, browser_of):
    with registry.session() as session:
        room = Room(slug="loire", name="=1+1", site=Site(slug="mairie", name="Mairie"), capacity=8)
        device = Device(key="g/a", gateway="g", first_seen=NOON, last_seen=NOON)
        session.add(Placement(device=device, room=room, start=NOON - timedelta(days=9)))
    app.state.store.write([Reading("g/a", "co2", 612.0, "ppm", NOON, "device", "g")])
    return browser_of("analyst")


def test_the_page_leads_to_every_table(analyst):
    page = analyst.get("/export").text
    for name in ("rooms", "outcomes", "experiments", "arms", "devices", "placements", "answers"):
        assert f'href="/export/{name}.csv"' in page
        for kind in ("csv", "parquet"):
            answer = analyst.get(f"/export/{name}.{kind}")
            assert answer.status_code == 200
            assert f'filename="temoin-{name}.{kind}"' in answer.headers["content-disposition"]
    (room,) = csv.DictReader(io.StringIO(analyst.get("/export/rooms.csv").text))
    assert room["name"] == "'=1+1"
    assert "readings.csv,metric" in analyst.get("/export/codebook.csv").text


@pytest.mark.parametrize(("lang", "words"), [("fr", "tel que déclaré"), ("en", "as declared")])
def test_what_a_column_holds_is_said_in_the_language_of_the_reader(analyst, lang, words):
    assert words in analyst.get("/export", params={"lang": lang}).text
    assert words in analyst.get("/export/codebook.csv", headers={"accept-language": lang}).text


def test_readings_are_of_the_days_asked_for(analyst, tmp_path, app):
    days = {"first": "2026-03-02", "last": "2026-03-03"}
    assert analyst.get("/export/readings.csv", params=days).text.splitlines()[1:] == [
        "g/a,loire,co2,2026-03-02 12:00:00+00:00,612.0"
    ]
    answer = analyst.get("/export/readings.parquet", params=days)
    (tmp_path / "x.parquet").write_bytes(answer.content)
    found = duckdb.connect().execute(
        "SELECT device, value FROM read_parquet(?)", [str(tmp_path / "x.parquet")]
    )
    assert found.fetchall() == [("g/a", 612.0)]
    assert list(app.state.settings.data_dir.glob("*.parquet")) == []
    before = {"first": "2026-02-01", "last": "2026-02-02"}
    assert len(analyst.get("/export/readings.csv", params=before).text.splitlines()) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_days_to_come_have_no_reading(analyst, kind):
    days = {"first": "9999-12-01", "last": "9999-12-31"}
    assert analyst.get(f"/export/readings.{kind}", params=days).status_code == 200


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("", "", "Donnez deux dates"),
        ("2026-02-30", "2026-03-01", "Donnez deux dates"),
        ("2026-03-02", "2026-03-01", "La fin vient avant le début"),
        ("2026-01-01", "2026-12-31", "Trois mois au plus"),
    ],
)
def test_days_that_cannot_be_have_their_sentence(analyst, first, last, words):
    answer = analyst.get("/export/readings.parquet", params={"first": first, "last": last})
    assert (answer.status_code, words in answer.text) == (422, True)


@pytest.mark.parametrize("path", ["/export/users.csv", "/export/rooms.exe", "/export/..%2fregistry.csv"])
def test_nothing_else_may_be_taken(analyst, path):
    assert analyst.get(path).status_code in (404, 422)


def test_others_may_not(browser_of):
    for role in ("reader", "facilities"):
        assert browser_of(role).get("/export/readings.csv").status_code == 403
