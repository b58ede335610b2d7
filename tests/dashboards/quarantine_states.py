# ruff: noqa: E501 - payloads and sentences in one piece
"""Messages that wait, in the states that their pages can be in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dashboards.pages.files import (
    ExportColumn,
    ExportPage,
    ExportTable,
    FileColumn,
    ImportLine,
    ImportPage,
    ImportsPage,
    PreviewLine,
)
from dashboards.pages.quarantine import (
    CauseLine,
    CausePage,
    FieldRow,
    MappingForm,
    MappingLine,
    MappingPage,
    QuarantineLine,
    QuarantinePage,
    ReplayLine,
    TriedLine,
)

if TYPE_CHECKING:
    from dashboards.pages.frame import Page

NOW = datetime(2026, 5, 6, 15, 40, tzinfo=UTC)


def quarantine_pages() -> dict[str, Page]:
    """Messages that wait, what is said of them, and who may say it."""
    cause = CauseLine(1, "unknown_format", "usine", "{fw, n, v}", 1412, NOW - timedelta(days=6), NOW)
    other = CauseLine(2, "out_of_range", "zigbee2mqtt", "{humidity, temperature}", 31, NOW, NOW)
    entries = (
        QuarantineLine(41, NOW, "usine/c17/etat", "unknown_format", "unknown_format: neither topic 'usine/c17/etat' nor the payload's shape is known", 88, '{"v": {"t1": 214, "co2": 612}, "sn": "A17", "at": 1772442900}'),
        QuarantineLine(40, NOW, "usine/<b>x</b>/" + "long/" * 20, "unknown_format", "unknown_format: " + "x" * 200, 412, '{"end_device_i' + "x" * 180),
    )  # fmt: skip
    rows = (
        FieldRow("/v/t1", "214", "", "0.1"),
        FieldRow("/v/co2", "612", "co2|ppm"),
        FieldRow("/sn", "A17", may_name=True),
        FieldRow("/at", "1772442900", may_name=True, may_time=True),
    )
    form = MappingForm(("usine", "c17", "etat"), frozenset({1}), rows, time_from="field", time_field="/at")
    tried = (
        TriedLine(
            "usine/c17/etat",
            (
                ("usine/c17", False, "temperature", 21.4, NOW, "device"),
                ("usine/c17", True, "co2", 612.0, NOW, "received"),
            ),
            "",
        ),
        TriedLine("usine/c18/etat", (), "out_of_range: /v/co2: 99999 is not between 200 and 40000 ppm"),
        TriedLine("usine/c19/etat", (), ""),
    )
    choices = (
        ("co2", ("ppm",)),
        ("temperature", ("°C", "°F", "K")),
        ("humidity", ("%", "fraction")),
        ("presence", ("0/1",)),
    )
    said = MappingLine(
        1, 2, "usine/+/etat", (("v › t1", "temperature"), ("v › co2", "co2")), "Camille Orvault", NOW
    )
    gone = MappingLine(1, 3, "usine/+/etat", (), "Camille Orvault", NOW)
    counts = (("unknown_format", 1412), ("out_of_range", 31))
    done = ReplayLine(NOW, "Camille Orvault", 1412, 1412, 1400, 12, 2800, 3, ended=True)
    half = ReplayLine(NOW, "Camille Orvault", 500, 1412, 490, 10, 980, 0, ended=False)
    asked = ReplayLine(NOW, "Camille Orvault", 0, 0, 0, 0, 0, 0, ended=False)
    sealed = tuple(replace(row, value=None) for row in rows)
    return {
        "quarantine": QuarantinePage((cause, other), counts, 1443, None, 1, 2, (asked, half, done), (said,), may_change=True, done="map"),
        "quarantine-empty": QuarantinePage((), (), 0),
        "cause": CausePage(cause, entries, form, choices, may_change=True, tried=tried),
        "cause-reader": CausePage(cause, entries, form, choices, may_change=False),
        "cause-sealed": CausePage(cause, (replace(entries[0], preview=None),), replace(form, rows=sealed), choices, may_change=True, sealed=True, mistake="overlap", other="3"),
        "cause-why": CausePage(other, entries, None, choices, may_change=True, mistake="why-missing"),
        "cause-done": CausePage(replace(cause, waiting=0), (), None, choices, may_change=True),
        "mapping": MappingPage(said, (said, replace(said, version=1)), replace(form, told="usine/c17"), choices, may_change=True, mistake="twice", meanwhile=True, saved=form),
        "mapping-withdrawn": MappingPage(gone, (gone, said), form, choices, may_change=True, withdrawn=True, tried=()),
    }  # fmt: skip


def export_pages() -> dict[str, Page]:
    """What may be taken away."""
    columns = (
        ExportColumn("room", "", "clé de la salle"),
        ExportColumn("value", "celle de la mesure", "vide : sous scellés"),
    )
    names = ("rooms", "outcomes", "experiments", "arms", "devices", "placements", "answers", "readings")
    page = ExportPage(tuple(ExportTable(name, columns) for name in names), "2026-04-08", "2026-05-05")
    return {"export": page, "export-mistake": replace(page, first="2026-05-30", mistake="order")}


def import_pages() -> dict[str, Page]:
    """A file of history on its way in, and out again."""
    draft = ImportLine(3, "GTC Mairie 2025.csv", "draft", NOW, "Camille Orvault")
    done = ImportLine(
        1, "relevés.xlsx", "done", NOW, "Camille Orvault", 91_240, 91_240, ("import/loire", "import/erdre"), 12,
        ("line 4, column Temp_C: 'nord' is no number",), (("import/erdre co2 out_of_range", 11),), may_undo=True,
    )  # fmt: skip
    going = replace(done, id=2, status="asked", done=41_000, name="x" * 90 + ".csv")
    failed = replace(
        done, status="failed", trouble="line 1: there is no column time; the file has a, b", may_undo=False
    )
    columns = (
        FileColumn("horodatage", ("02/03/2026 09:15", "02/03/2026 09:30")),
        FileColumn("Temp_C", ("21,4", "21,6"), "temperature|°C"),
        FileColumn("un nom de colonne vraiment très long, entre parenthèses (et son unité)", ()),
    )
    choices = (("co2", ("ppm",)), ("temperature", ("°C", "°F", "K")))
    preview = (
        PreviewLine("import/loire", "temperature", 21.4, NOW),
        PreviewLine("import/loire", "co2", None, NOW),
    )
    page = ImportPage(draft, columns, choices, "", "loire", "horodatage")
    return {
        "imports": ImportsPage(
            (
                draft,
                going,
                done,
                replace(done, status="undone"),
                failed,
                replace(going, status="undoing", total=0),
            )
        ),
        "imports-mistake": ImportsPage((), "table", "line 1: the file has no header"),
        "import": replace(page, preview=preview),
        "import-mistake": replace(page, why="columns.Temp_C: 'ppm' does not convert to °C", preview=()),
        "import-done": ImportPage(done, (), ()),
        "import-late": ImportPage(going, (), (), late=True),
        "import-failed": ImportPage(failed, (), ()),
    }
