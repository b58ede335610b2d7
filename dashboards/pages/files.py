"""History that comes in, tables that go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class ImportLine:
    """A file of history: draft, asked, done, failed, undoing or undone; readings done of `total`.

    `left_out` counts lines and readings, told in `faults` (lines, in words) and `refused` (cause, how many).
    """

    id: int
    name: str
    status: str
    added_at: datetime
    added_by: str
    total: int = 0
    done: int = 0
    devices: tuple[str, ...] = ()
    left_out: int = 0
    faults: tuple[str, ...] = ()
    refused: tuple[tuple[str, int], ...] = ()
    trouble: str = ""
    may_undo: bool = False


@dataclass(frozen=True)
class ImportsPage:
    """Send a file of history; those sent. `mistake`: empty, large, full, or table (`why` says more)."""

    lines: tuple[ImportLine, ...]
    mistake: str = ""
    why: str = ""
    template = "imports.html"


@dataclass(frozen=True)
class FileColumn:
    """A column of a file, some of its values (none under seal), and what is said of it: `metric|unit`."""

    name: str
    samples: tuple[str, ...]
    choice: str = ""


@dataclass(frozen=True)
class PreviewLine:
    """A reading as a file would give it; no value under seal."""

    device: str
    metric: str
    value: float | None
    time: datetime


@dataclass(frozen=True)
class ImportPage:
    """What the columns of a file are said to be, the first readings once looked at; or how it went."""

    line: ImportLine
    columns: tuple[FileColumn, ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    device: str = ""  # the column that names it; empty: `device_name` does
    device_name: str = ""
    time: str = ""
    format: str = ""
    preview: tuple[PreviewLine, ...] | None = None
    faults: tuple[str, ...] = ()  # of the first lines
    why: str = ""
    wrong: Literal["", "time", "device", "device_name", "columns"] = ""  # the field that `why` is about
    late: bool = False  # what was asked of it cannot be done any more
    template = "import.html"


@dataclass(frozen=True)
class ExportColumn:
    """A column of an exported table: its name, its unit, what it holds (in English, as the files are)."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class ExportTable:
    """A table to take away, and its dictionary."""

    name: str
    columns: tuple[ExportColumn, ...]


@dataclass(frozen=True)
class ExportPage:
    """Every table to take away; the days of readings asked for, and what is wrong with them."""

    tables: tuple[ExportTable, ...]
    first: str
    last: str
    mistake: str = ""
    template = "export.html"
