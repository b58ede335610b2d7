"""Files of history become readings, or say which line and column is wrong."""

from __future__ import annotations

import gzip
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pytest

from sensors.history import Line, read_history
from sensors.history_map import guess, load_map
from sensors.reading import HistoryRejected

if TYPE_CHECKING:
    from pathlib import Path

PARIS = ZoneInfo("Europe/Paris")
WIDE = """
gateway = "bms"
device = "{room}-{probe}"
time = {column = "when"%s}

[columns]
co2_ppm = "co2"
rh = {metric = "humidity", scale = 100}
temp_f = {metric = "temperature", unit = "°F"}
pir = "presence"
"""
HEADER = "room,probe,when,co2_ppm,rh,temp_f,pir,valve"


@pytest.fixture
def read(tmp_path: Path):
    """Lines of a text (or bytes) read by the text of a map."""

    def lines(content: str | bytes, toml: str | None = WIDE % "", name: str = "history.csv") -> list[Line]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        history_map = None
        if toml is not None:
            (tmp_path / "map.toml").write_text(toml, encoding="utf-8")
            history_map = load_map(tmp_path / "map.toml")
        return list(read_history(path, history_map, PARIS))

    return lines


def values(line: Line) -> dict[str, float]:
    assert line.fault is None
    return {reading.metric: reading.value for reading in line.readings}


def test_a_wide_file_gives_a_device_of_several_columns_and_units_of_ours(read):
    [line] = read(f"{HEADER}\n101,bms,2025-10-12 16:13:00+02:00,543.0,0.494,72.5,1,0.2\n")
    assert values(line) == {"co2": 543.0, "humidity": 49.4, "temperature": 22.5, "presence": 1.0}
    reading = line.readings[0]
    assert (reading.device, reading.gateway, reading.time_source) == ("bms/101-bms", "bms", "device")
    assert reading.time == datetime(2025, 10, 12, 14, 13, tzinfo=UTC)


def test_an_empty_cell_is_no_reading(read):
    [line] = read(f"{HEADER}\n101,bms,2025-10-12T16:13:00Z,,NaN,NA,null,\n")
    assert line == Line(2)


def test_a_long_file_maps_the_names_in_its_column(read):
    toml = """
    device = "sensor"
    time = "time"
    [long]
    metric = "what"
    value = "value"
    [columns]
    CO2 = "co2"
    Feuchte = "humidity"
    """
    text = (
        "sensor,time,what,value\na,1760278380,CO2,543\na,1760278380000,Feuchte,49.4\na,1760278380,Ventil,1\n"
    )
    lines = read(text, toml)
    assert [values(line) for line in lines] == [{"co2": 543.0}, {"humidity": 49.4}, {}]
    assert (
        lines[0].readings[0].time == lines[1].readings[0].time == datetime(2025, 10, 12, 14, 13, tzinfo=UTC)
    )


def test_our_own_export_needs_no_map(read):
    text = "device,metric,time,value\nnord/loire-1,co2,2025-10-12T14:13:00.123Z,612.0\n"
    [line] = read(text, None)
    assert (line.readings[0].device, line.readings[0].metric) == ("nord/loire-1", "co2")


def test_columns_that_speak_for_themselves_need_no_map(read):
    [line] = read(
        "device_id;timestamp;CO2 (ppm);Température (°C);note\nloire;2025-10-12T16:13;612;21,4;x\n", None
    )
    assert values(line) == {"co2": 612.0, "temperature": 21.4}
    assert line.readings[0].device == "import/loire"
    assert line.readings[0].time == datetime(2025, 10, 12, 14, 13, tzinfo=UTC)


def test_what_excel_writes_in_france_is_read(read):
    toml = """
    device = {name = "loire"}
    time = {columns = ["Date", "Heure"], format = "%d/%m/%Y %H:%M"}
    [columns]
    "Température" = "temperature"
    "Luminosité" = "light"
    """
    text = "Date;Heure;Température;Luminosité\r\n12/10/2025;16:13;21,4;1\u00a0234,5\r\n"
    [line] = read(text.encode("cp1252"), toml)
    assert values(line) == {"temperature": 21.4, "light": 1234.5}
    assert line.readings[0].time == datetime(2025, 10, 12, 14, 13, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_out(read, encoding: str):
    toml = 'device = "Capteur"\ntime = "Date"\n[columns]\n"Température" = "temperature"\n'
    [line] = read("Capteur\tDate\tTempérature\nété\t2025-10-12T14:13Z\t21.4\n".encode(encoding), toml)
    assert line.readings[0].device == "import/été"


def test_gzip_is_known_by_its_bytes(read):
    text = f"{HEADER}\n101,bms,2025-10-12T16:13:00Z,543.0,,,,\n"
    assert values(read(gzip.compress(text.encode()), name="history.data")[0]) == {"co2": 543.0}


def test_parquet_is_read_with_aware_and_naive_times(read, tmp_path: Path):
    path = tmp_path / "made.parquet"
    duckdb.sql(
        f"""COPY (SELECT 101 AS room, 'bms' AS probe, TIMESTAMPTZ '2025-10-12 14:13:00+00' AS "when",
        543.5::DOUBLE AS co2_ppm, 'nan'::DOUBLE AS rh, NULL AS temp_f, true AS pir)
        TO '{path}' (FORMAT parquet)"""
    )
    [line] = read(path.read_bytes(), name="h.parquet")
    assert values(line) == {"co2": 543.5, "presence": 1.0}
    assert (line.readings[0].device, line.readings[0].time.hour) == ("bms/101-bms", 14)
    duckdb.sql(f"""COPY (SELECT 'a' AS device, TIMESTAMP '2025-07-12 14:13:00' AS time, 543 AS co2)
        TO '{path}' (FORMAT parquet)""")
    assert read(path.read_bytes(), None, name="h.parquet")[0].readings[0].time.hour == 12


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("101,bms,2025-10-12T16:13Z,many,,,,", "line 3, column co2_ppm: 'many' is not a number"),
        ("101,bms,2025-10-12T16:13Z,inf,,,,", "line 3, column co2_ppm: 'inf' is not a number"),
        ('101,bms,2025-10-12T16:13Z,"1,234",,,,', "line 3, column co2_ppm: '1,234' is not a number"),
        ("101,bms,2025-10-12T16:13Z,,,,perhaps,", "line 3, column pir: 'perhaps' is not yes or no"),
        ("101,bms,12/10/2025 16:13,543,,,,", "line 3, column when: '12/10/2025 16:13' is not ISO 8601"),
        ("101,bms,,543,,,,", "line 3, column when: '' is not ISO 8601"),
        ("101,bms,1970-01-01T00:00Z,543,,,,", "line 3, column when: '1970-01-01T00:00Z', before 2000"),
        ("101,bms,2125-01-01T00:00Z,543,,,,", "line 3, column when: '2125-01-01T00:00Z', after 2099"),
        ("101,bms,2025-10-12T16:13,543,,,,", "line 3, column when: '2025-10-12T16:13' has none while"),
        (",bms,2025-10-12T16:13Z,543,,,,", "line 3, column room: empty"),
        ("101,bms,2025-10-12T16:13Z,543", "line 3, column co2_ppm: the line has 4 fields and the header 8"),
        (
            "101,bms,2025-10-12T16:13Z,543,,,,,,",
            "line 3, column valve: the line has 10 fields and the header 8",
        ),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(read, line: str, words: str):
    good = "101,bms,2025-10-12T16:13:00Z,543.0,,,,"
    first, bad, last = read(f"{HEADER}\n{good}\n{line}\n{good}\n")
    assert values(first) == values(last) == {"co2": 543.0}
    assert bad.fault is not None
    assert words in bad.fault
    assert bad.readings == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "room,probe,time,co2_ppm,rh,temp_f,pir\n",
            "there is no column when; the file has room, probe, time",
        ),
        ("room,room,probe,when,co2_ppm,rh,temp_f,pir\n", "line 1: two columns are called room"),
        ("", "line 1: the file has no header"),
        ('"room,when,co2_ppm\n', "line 1: unexpected end of data"),
        (f'{HEADER}\n101,"bms,2025\n', "line 2: unexpected end of data"),
        (b"PK\x03\x04rest", "save the sheet as CSV"),
        (b"PAR1 but not really", "not readable as Parquet"),
        (gzip.compress(b"room," * 500, mtime=0)[:-20], "ended before"),
    ],
)
def test_a_file_that_is_not_what_the_map_says_is_rejected(read, content: str | bytes, words: str):
    with pytest.raises(HistoryRejected) as caught:
        read(content)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("device = ", "Invalid value"),
        ('device = "a"\ntime = "t"\n', "[columns] is missing"),
        ('device = "a"\n[columns]\nx = "co2"\n', "time should be"),
        ('time = "t"\n[columns]\nx = "co2"\n', "device should be"),
        ('device = "a"\ntime = "t"\n[columns]\nx = "co3"\n', "columns.x: 'co3' is no metric"),
        (
            'device = "a"\ntime = "t"\n[columns]\nx = {metric = "co2", unit = "°C"}\n',
            "does not convert to ppm",
        ),
        (
            'device = "a"\ntime = "t"\n[columns]\nx = {metric = "co2", scale = "ten"}\n',
            "scale should be a number",
        ),
        ('device = "a"\ntime = {column = "t", zone = "Paris"}\n[columns]\nx = "co2"\n', "time.zone 'Paris'"),
        ('device = "a"\ntime = "t"\nzone = "x"\n[columns]\nx = "co2"\n', "zone means nothing here"),
        ('device = "a"\ntime = "t"\ngateway = "a/b"\n[columns]\nx = "co2"\n', "gateway should be"),
        ('device = "a"\ntime = "t"\nencoding = "klingon"\n[columns]\nx = "co2"\n', "encoding 'klingon'"),
    ],
)
def test_a_wrong_map_is_told_by_its_key(read, toml: str, words: str):
    with pytest.raises(HistoryRejected) as caught:
        read("a,t,x\n", toml)
    assert words in str(caught.value)


def test_the_hour_that_comes_twice_is_told_by_the_order_of_lines(read):
    toml = 'device = {name = "a"}\ntime = {column = "t", zone = "Europe/Paris"}\n[columns]\nx = "co2"\n'
    hours = [
        "2025-10-26 01:30",
        "2025-10-26 02:00",
        "2025-10-26 02:30",
        "2025-10-26 02:00",
        "2025-10-26 02:30",
    ]
    lines = read("t,x\n" + "".join(f"{hour},500\n" for hour in hours), toml)
    told = [line.readings[0].time.strftime("%H:%M") for line in lines]
    assert told == ["23:30", "00:00", "00:30", "01:00", "01:30"]


HOURS = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]  # of 26 October 2025, in the order of time
TIMED = 'device = {name = "a"}\ntime = {column = "t", zone = "Europe/Paris"}\n'
LONG = f'{TIMED}[long]\nmetric = "what"\nvalue = "x"\n[columns]\nco2 = "co2"\ntemp = "temperature"\n'
WIDE_TIMED = f'{TIMED}[columns]\nco2 = "co2"\ntemp = "temperature"\n'


@pytest.mark.parametrize(
    ("header", "toml", "rows"),
    [
        ("t,what,x", LONG, [f"{hour},{what},20" for hour in HOURS for what in ("co2", "temp")]),
        ("t,what,x", LONG, [f"{hour},{what},20" for what in ("co2", "temp") for hour in HOURS]),
        ("t,what,x", LONG, [f"{hour},{what},20" for hour in reversed(HOURS) for what in ("co2", "temp")]),
        ("t,co2,temp", WIDE_TIMED, [f"{hour},20,20" for hour in reversed(HOURS)]),
        ("t,co2,temp", WIDE_TIMED, [f"{hour},{cells}" for hour in HOURS for cells in ("20,", ",20")]),
    ],
    ids=["by time", "by metric", "newest first", "wide, newest first", "wide, a row a metric"],
)
def test_each_metric_goes_once_through_the_hour_that_comes_twice(
    read, header: str, toml: str, rows: list[str]
):
    told: dict[str, list[datetime]] = {"co2": [], "temperature": []}
    for line in read(f"{header}\n" + "".join(f"2025-10-26 {row}\n" for row in rows), toml):
        for reading in line.readings:
            told[reading.metric].append(reading.time)
    half_hours = [datetime(2025, 10, 25, 23, 30, tzinfo=UTC) + n * timedelta(minutes=30) for n in range(6)]
    assert [sorted(times) for times in told.values()] == [half_hours, half_hours]


def test_the_hour_that_never_was_is_a_fault(read):
    toml = 'device = {name = "a"}\ntime = {column = "t", zone = "Europe/Paris"}\n[columns]\nx = "co2"\n'
    [line] = read("t,x\n2025-03-30 02:30,500\n", toml)
    assert line.fault is not None
    assert "does not exist in Europe/Paris" in line.fault


def workbook(path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_sheet_of_excel_is_read_like_a_file_of_text(tmp_path):
    file = workbook(
        tmp_path / "a.xlsx",
        ("sensor", "timestamp", "Temp_C", "CO2 ppm"),
        ("loire", datetime(2026, 3, 2, 9, 15), 21.4, 612),  # noqa: DTZ001 - as Excel has it
        (None, None, None, None),
        ("loire", "2026-03-02 09:30", "21,6", None),
    )
    lines = list(read_history(file, None, ZoneInfo("Europe/Paris")))
    found = [(each.metric, each.value, each.time.isoformat()) for line in lines for each in line.readings]
    assert found == [
        ("temperature", 21.4, "2026-03-02T08:15:00+00:00"),
        ("co2", 612.0, "2026-03-02T08:15:00+00:00"),
        ("temperature", 21.6, "2026-03-02T08:30:00+00:00"),
    ]


def test_a_zip_that_is_no_workbook_and_one_that_is_a_bomb_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("x", "y")
    with pytest.raises(HistoryRejected, match="no Excel workbook"):
        list(read_history(tmp_path / "a.zip", None, ZoneInfo("Europe/Paris")))
    monkeypatch.setattr("sensors.table.MOST_SHEET", 1000)
    with pytest.raises(HistoryRejected, match="GB unpacked"):
        list(read_history(workbook(tmp_path / "b.xlsx", ("a", "b")), None, ZoneInfo("Europe/Paris")))


def test_a_gzip_that_is_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sensors.table.MOST_UNPACKED", 3 << 20)
    with gzip.open(tmp_path / "a.csv.gz", "wb") as packed:
        packed.write(b"device,time,co2\n" + b"0" * (5 << 20))
    with pytest.raises(HistoryRejected, match="once unpacked"):
        list(read_history(tmp_path / "a.csv.gz", None, ZoneInfo("Europe/Paris")))


def test_a_header_is_guessed_as_far_as_it_tells():
    assert guess(["Sensor", "Timestamp", "Temp_F", "note"]) == {
        "device": "Sensor",
        "time": {"column": "Timestamp"},
        "columns": {"Temp_F": {"metric": "temperature", "unit": "°F"}},
    }
    assert guess(["Capteur", "Date et heure"])["device"] == "Capteur"
    assert guess(["a", "b"]) == {"device": "", "time": {"column": ""}, "columns": {}}
