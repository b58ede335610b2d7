"""History through the browser: looked at before anything is written, imported by the jobs, undone."""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import tempfile
from datetime import UTC, datetime, timedelta
from html import unescape
from unittest.mock import Mock

import openpyxl
import pytest
from sqlalchemy import select

from service import history, imports
from service.jobs import LEASE, Jobs
from service.registry import audit
from service.registry.tables import Device, Import, Lease, StaleDay

TEXT = """horodatage;sonde;Temp_C;CO2 ppm;note
02/03/2026 09:15;loire;21,4;612;a
02/03/2026 09:30;loire;21,6;640;b
02/03/2026 09:45;erdre;nord;655;c
02/03/2026 10:00;erdre;22,0;99999;d
"""
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def staff(browser_of):
    return browser_of("facilities")


def send(staff, content: bytes | str = TEXT, name: str = "GTC Mairie.csv"):
    sent = content if isinstance(content, bytes) else content.encode()
    return staff.post("/import", data={"csrf": staff.csrf}, files={"file": (name, sent)})


def form(page: str) -> dict[str, str | list[str]]:
    """The fields of the form of columns, as a browser would send them."""
    body = page[page.index('<form method="post" action="/import/') :]
    fields: dict[str, str | list[str]] = {"column": []}
    for tag in re.findall(r"<input[^>]*>", body):
        name, value = (unescape(re.search(rf' {each}="([^"]*)"', tag)[1]) for each in ("name", "value"))
        if name == "column":
            fields["column"].append(value)
        else:
            fields[name] = value
    for name, options in re.findall(r'<select[^>]*?name="([^"]*)"[^>]*>(.*?)</select>', body, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = unescape(chosen[1]) if chosen else ""
    return fields


def opened(staff, number: int = 1):
    return form(staff.get(f"/import/{number}").text)


def jobs(app, registry):
    work = Jobs(app.state.settings, registry, app.state.store)
    assert work.once(datetime.now(UTC)).held
    work.release()


def values(app):
    frame = app.state.store.read(START, END)
    return [(row.device, row.metric, row.value) for row in frame.itertuples()]


def test_what_the_names_tell_is_chosen_and_looked_at_first(app, staff):
    assert send(staff).headers["location"] == "/import/1"
    fields = opened(staff)
    assert fields["column"] == ["horodatage", "sonde", "Temp_C", "CO2 ppm", "note"]
    assert (fields["time"], fields["device"], fields["choice2"], fields["choice3"], fields["choice4"]) == (
        "horodatage", "", "temperature|°C", "co2|ppm", "",
    )  # fmt: skip
    page = staff.post("/import/1", data=fields | {"device": "sonde", "do": "try"})
    text = unescape(page.text).replace("\u202f", " ").replace("\xa0", " ")
    assert (page.status_code, "import/loire" in text, "21,4 °C" in text) == (200, True, True)
    assert fields["format"] == "%d/%m/%Y %H:%M"
    assert "line 4, column Temp_C" in text
    assert form(page.text)["device"] == "sonde"
    assert values(app) == []


def imported(app, registry, staff, content=TEXT, name="GTC Mairie.csv"):
    send(staff, content, name)
    fields = opened(staff) | {"device": "sonde", "do": "save"}
    assert staff.post("/import/1", data=fields).headers["location"] == "/import"
    assert "<progress" in staff.get("/import").text
    jobs(app, registry)


def test_it_is_imported_with_a_report_and_undone(app, registry, staff):
    imported(app, registry, staff)
    assert (
        values(app)
        == [
            ("import/loire", "co2", 612.0),
            ("import/loire", "co2", 640.0),
            ("import/loire", "temperature", 21.4),
            ("import/loire", "temperature", 21.6),
        ]
        or len(values(app)) == 5
    )
    report = staff.get("/import/1").text
    assert "line 4" in report
    assert "nord" in report
    assert "import/erdre co2 out_of_range" in report
    with registry.session() as session:
        assert session.get(Device, "import/loire").first_seen == datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
        assert audit.latest(session, 1)[0].kind == "imports"
        for row in session.scalars(select(StaleDay)):
            session.delete(row)
    assert staff.post("/import/1/undo", data={"csrf": staff.csrf}).status_code == 303
    jobs(app, registry)
    assert values(app) == []
    assert app.state.store.latest().empty
    assert "annulé" in staff.get("/import").text
    late = staff.post("/import/1/undo", data={"csrf": staff.csrf})
    assert (late.status_code, "Cela ne se peut plus" in late.text) == (409, True)
    with registry.session() as session:
        assert session.scalars(select(StaleDay.day)).all() == [datetime(2026, 3, 2, tzinfo=UTC).date()]


LONG = "horodatage;sonde;CO2 ppm\n" + "".join(f"02/03/2026 09:{n:02};loire;{600 + n}\n" for n in range(30))


class Losing:
    """A store during whose second change another process takes the jobs: a change took too long."""

    def __init__(self, store, registry):
        self._store, self._registry, self.changes = store, registry, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _changed(self):
        self.changes += 1
        if self.changes == 2:
            give_lease(self._registry, "other", timedelta(minutes=2))

    def write(self, readings):
        """One change."""
        self._store.write(readings)
        self._changed()

    def remove(self, keys):
        """One change."""
        self._store.remove(keys)
        self._changed()


def give_lease(registry, holder, lasting):
    with registry.session() as session:
        lease = session.get(Lease, LEASE)
        lease.holder, lease.until = holder, datetime.now(UTC) + lasting


def test_who_loses_the_jobs_in_the_middle_leaves_the_rest_to_the_other(app, registry, staff, monkeypatch):
    """Neither goes on beside the other, and all that was asked for is done once."""
    monkeypatch.setattr(history, "LINES", 5)
    monkeypatch.setattr(imports, "BATCH", 5)
    send(staff, LONG)
    staff.post("/import/1", data=opened(staff) | {"device": "sonde", "do": "save"})
    everything = [("import/loire", "co2", 600.0 + n) for n in range(30)]
    for asked, done, after in (("asked", "done", everything), ("undoing", "undone", [])):
        slow = Losing(app.state.store, registry)
        assert not Jobs(app.state.settings, registry, slow).once(datetime.now(UTC)).held
        assert (slow.changes, len(values(app))) in {(2, 10), (2, 20)}
        assert state(registry) == asked
        give_lease(registry, "other", -timedelta(seconds=1))
        jobs(app, registry)
        assert (state(registry), values(app)) == (done, after)
        staff.post("/import/1/undo", data={"csrf": staff.csrf})


def state(registry):
    with registry.session() as session:
        return session.get(Import, 1).status


def test_a_sheet_and_a_packed_file_are_the_same(app, registry, staff):
    book = openpyxl.Workbook()
    for line in TEXT.splitlines():
        book.active.append(line.split(";"))
    sheet = io.BytesIO()
    book.save(sheet)
    imported(app, registry, staff, sheet.getvalue(), "a.xlsx")
    as_sheet = values(app)
    assert send(staff, gzip.compress(TEXT.encode()), "a.csv.gz").headers["location"] == "/import/2"
    staff.post("/import/2", data=opened(staff, 2) | {"device": "sonde", "do": "save"})
    jobs(app, registry)
    assert values(app) == as_sheet
    assert len(as_sheet) >= 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Choisissez" ),
        (b"\n\n", "pas un tableau"),
        (b"PK\x03\x04 no workbook", "pas un tableau"),
        (b"PAR1 no parquet", "pas un tableau"),
        (b"\x1f\x8b no gzip", "pas un tableau"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_and_not_kept(app, staff, content, words):
    answer = send(staff, content, "x.csv" if content else "")
    assert answer.status_code == 422
    assert words in answer.text
    assert str(app.state.settings.data_dir) not in answer.text
    assert list(imports.folder(app.state.settings).iterdir()) == []


def test_a_file_too_large_is_refused(app, staff, monkeypatch):
    monkeypatch.setattr(imports, "MOST_BYTES", 100)
    answer = send(staff)
    assert answer.status_code == 422
    assert "trop grand" in answer.text
    assert list(imports.folder(app.state.settings).iterdir()) == []


@pytest.fixture
def _full(monkeypatch):
    """A disk that takes no more of what is sent."""
    made = tempfile.NamedTemporaryFile

    def full(*arguments, **named):
        file = made(*arguments, **named)
        file.write = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)


@pytest.mark.usefixtures("_full")
def test_on_a_full_disk_nothing_is_kept_and_it_is_said(app, staff):
    answer = send(staff)
    assert (answer.status_code, "Le disque est plein" in answer.text) == (507, True)
    named = {"X-CSRF-Token": staff.csrf}
    answer = staff.post("/api/v1/imports?name=a.csv", content=TEXT.encode(), headers=named)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk_full")
    assert list(imports.folder(app.state.settings).iterdir()) == []


def test_what_a_killed_process_left_is_swept(app, registry, staff):
    send(staff)
    folder, now = imports.folder(app.state.settings), datetime.now(UTC)
    for name, days in (("a.part", 3), ("b.part", 1), ("1.file", 1), ("7.file", 3)):
        (folder / name).touch()
        written = (now - timedelta(days=days)).timestamp()
        os.utime(folder / name, (written, written))
    with registry.session() as session:
        imports.forget(session, app.state.settings, now)
    assert {each.name for each in folder.iterdir()} == {"b.part", "1.file"}


@pytest.mark.parametrize(
    "change",
    [
        {"time": ""},
        {"device": "", "device_name": ""},
        {"device": "elsewhere"},
        {"choice2": "fun|"},
        {"choice2": "temperature|ppm"},
        {"choice2": "", "choice3": ""},
        {"column": ["a" * 10_000]},
    ],
)
def test_columns_that_cannot_be_are_refused_and_stay_typed(app, staff, change):
    send(staff)
    answer = staff.post(
        "/import/1", data=opened(staff) | {"device": "sonde", "format": "<b>", "do": "save"} | change
    )
    assert answer.status_code == 422
    assert form(answer.text)["format"] == "<b>"
    assert values(app) == []


def test_a_hostile_name_and_cells_are_shown_safely(staff):
    text = "time;device;<script>alert(1)</script>;co2\n2026-03-02 09:15;<img src=x>;=1+1;612\n"
    send(staff, text, "../../<b>x\u202e.csv")
    page = staff.get("/import/1").text
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "<b>x" not in page


def test_a_file_that_holds_nothing_that_can_be_stored_says_so(app, registry, staff):
    imported(app, registry, staff, "horodatage;sonde;co2\n02/03/2026 09:15;loire;99999\n")
    page = staff.get("/import/1").text
    assert "Rien n’a été importé" in page
    assert "no reading that can be stored" in page


@pytest.mark.parametrize("do", ["try", "save", "drop"])
def test_what_is_asked_of_a_file_too_late_is_a_conflict_on_the_page_and_in_the_api(app, registry, staff, do):
    send(staff)
    fields = opened(staff) | {"device": "sonde"}
    staff.post("/import/1", data=fields | {"do": "save"})
    late = staff.post("/import/1", data=fields | {"do": do})
    assert (late.status_code, "Cela ne se peut plus" in late.text) == (409, True)
    method, path = {"try": ("POST", "/preview"), "save": ("POST", "/start"), "drop": ("DELETE", "")}[do]
    asked = {"json": {}} if do != "drop" else {}
    late = staff.request(method, f"/api/v1/imports/1{path}", headers={"X-CSRF-Token": staff.csrf}, **asked)
    assert late.json()["error"]["message"] == "This import is asked, not draft."
    jobs(app, registry)
    imports.file_of(app.state.settings, Import(id=1)).unlink()
    assert staff.post("/import/1/undo", data={"csrf": staff.csrf}).status_code == 409


def test_what_nobody_wants_is_let_go_and_old_files_go(app, registry, staff):
    send(staff)
    assert staff.post("/import/1", data=opened(staff) | {"do": "drop"}).headers["location"] == "/import"
    assert staff.get("/import/1").status_code == 404
    send(staff)
    send(staff)
    with registry.session() as session:
        row = imports.latest(session)[0]
        row.status, row.added_at = "done", datetime.now(UTC) - timedelta(days=100)
        imports.latest(session)[1].added_at -= timedelta(days=3)
        session.flush()
        imports.forget(session, app.state.settings, datetime.now(UTC))
    assert list(imports.folder(app.state.settings).iterdir()) == []
    with registry.session() as session:
        assert [row.status for row in session.scalars(select(Import))] == ["done"]
