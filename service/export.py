"""The data of an installation as CSV with a codebook, for whoever recomputes; what runs stays under seal.

A text that a spreadsheet would take for a formula gets an apostrophe before it; panels are byte for byte what
the API gives and what was hashed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from dashboards.language import language
from dashboards.words import Spoken
from experiments.outcomes import OUTCOMES
from service import embargo, results
from service.registry import experiments, rooms
from service.registry.tables import Outcome, Room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import Path

    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS = 10_000  # read at once

Row = tuple[object, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, its unit, and what it holds."""

    name: str
    unit: str
    meaning: str


TABLES: dict[str, tuple[Column, ...]] = {
    "rooms.csv": (
        Column("room", "", "key of the room"),
        Column("name", "", "as people call it"),
        Column("site", "", "key of its building"),
        Column("site_name", "", "as people call it"),
        Column("floor", "", "as declared"),
        Column("capacity", "people", "seats; empty: not known"),
        Column("area", "m²", "empty: not known"),
        Column("volume", "m³", "empty: not known"),
        Column("opens", "local time", "opening hour of the site"),
        Column("closes", "local time", "closing hour of the site; 00:00 is the end of the day"),
        Column("weekdays", "ISO", "days of the week on which the site is open, Monday is 1"),
    ),
    "outcomes.csv": (
        Column("room", "", "key of the room; rooms for one person are left out"),
        Column("day", "local date", ""),
        Column("outcome", "", "what was measured, explained below"),
        Column("version", "", "of the outcome's definition"),
        Column("value", "the outcome's", "empty: not defined on that day, or sealed"),
        Column("coverage", "0–1", "share of opening hours the value rests on"),
        Column("sealed", "0/1", "1: hidden until an experiment of that room is over"),
    ),
    "experiments.csv": (
        Column("experiment", "", "its key"),
        Column("title", "", ""),
        Column("status", "", "idea, planned, running, ended or decided"),
        Column("starts", "local date", "first day of the period before"),
        Column("ends", "local date", "last day of the period after"),
        Column("assignment", "", "how rooms were chosen: lot, reasoned or unknown"),
        Column("protocol_sha256", "", "of the protocol as locked; empty: not locked"),
        Column("verdict", "", "empty: under seal, or none may be given"),
        Column("grade", "", "decision, indicative or none"),
        Column("decision", "", "generalise, extend, adjust, stop or inconclusive; empty: none yet"),
        Column("decided_on", "local date", ""),
        Column("decided_by", "", "which body"),
        Column("reason", "", "of the decision"),
    ),
    "arms.csv": (
        Column("experiment", "", "key of the experiment"),
        Column("room", "", "key of the room"),
        Column("switch", "local date", "first day after the change; empty: a baseline room"),
        Column("pair", "", "rooms that were drawn together"),
    ),
}
PANEL = (
    Column("room", "", "key of the room"),
    Column("day", "local date", "or the period of answers"),
    Column("outcome", "", "as in outcomes.csv"),
    Column("value", "the outcome's", "as it was compared"),
    Column("n", "answers", "for outcomes of answers only"),
)


def export(session: Session, folder: Path, today: date, locale: str) -> dict[str, int]:
    """Write every table into the folder, which must be empty or not there; rows by file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    known = list(experiments.everything(session))
    tables: dict[str, Iterable[Row]] = {
        "rooms.csv": _rooms(session),
        "outcomes.csv": _outcomes(session, _sealed_since(known, today)),
        "experiments.csv": (_experiment(session, each, today) for each in known),
        "arms.csv": _arms(known),
    }
    written = {
        name: _write(folder / name, (column.name for column in TABLES[name]), rows)
        for name, rows in tables.items()
    }
    for experiment in known:
        written |= _panels(session, folder, experiment, today)
    written["codebook.csv"] = _write(
        folder / "codebook.csv", ("file", "column", "unit", "meaning"), _codebook(locale)
    )
    return written


def _rooms(session: Session) -> Iterator[Row]:
    for site in rooms.sites(session):
        hours = (site.opens.isoformat("minutes"), site.closes.isoformat("minutes"), site.weekdays)
        for room in site.rooms:
            size = (room.floor, room.capacity, room.area_m2, room.volume_m3)
            yield room.slug, room.name, site.slug, site.name, *size, *hours


def _sealed_since(known: Iterable[Experiment], today: date) -> dict[str, date]:
    """Room → the first day that is hidden, of all the experiments that run in it."""
    sealed: dict[str, date] = {}
    for experiment in known:
        laid = embargo.of_experiment(experiment, today)
        for arm in experiment.arms if laid else ():
            since = laid.since if laid else today
            sealed[arm.room.slug] = min(since, sealed.get(arm.room.slug, since))
    return sealed


def _outcomes(session: Session, sealed: dict[str, date]) -> Iterator[Row]:
    query = (
        select(Room.slug, Outcome.day, Outcome.outcome, Outcome.version, Outcome.value, Outcome.coverage)
        .join(Room, Room.id == Outcome.room_id)
        .where(or_(Room.capacity.is_(None), Room.capacity != 1))
        .order_by(Room.slug, Outcome.day, Outcome.outcome)
        .execution_options(yield_per=ROWS)
    )
    for room, day, outcome, version, value, coverage in session.execute(query):
        hidden = room in sealed and day >= sealed[room]
        yield room, day, outcome, version, None if hidden else value, coverage, int(hidden)


def _experiment(session: Session, experiment: Experiment, today: date) -> Row:
    said = results.result_of(session, experiment, today)
    given = experiment.decision
    decision = (given.choice, given.decided_on, given.body, given.reason) if given else (None,) * 4
    return (
        experiment.slug,
        experiment.title,
        experiments.status(experiment, today),
        experiment.starts,
        experiment.ends,
        experiment.assignment,
        experiment.protocol.sha256 if experiment.protocol else None,
        said.verdict if said else None,
        said.grade if said else None,
        *decision,
    )


def _arms(known: Iterable[Experiment]) -> Iterator[Row]:
    for experiment in known:
        for arm in sorted(experiment.arms, key=lambda arm: arm.room.slug):
            yield experiment.slug, arm.room.slug, arm.switch, arm.pair


def _panels(session: Session, folder: Path, experiment: Experiment, today: date) -> dict[str, int]:
    """The protocol and the panel; of one that runs the days before its switch only."""
    document = experiments.protocol(experiment)
    if document is None:
        return {}
    panel, name = results.published_panel(session, experiment, today), f"{experiment.slug}.panel.csv"
    if panel is None:
        panel, name = results.panel_until_switch(session, document), f"{experiment.slug}.until-switch.csv"
    (folder / "panels").mkdir(exist_ok=True)
    (folder / "panels" / name).write_bytes(panel)
    locked = experiment.protocol
    text = document.to_json() if locked is None else locked.document
    (folder / "panels" / f"{experiment.slug}.protocol.json").write_text(text, encoding="utf-8")
    return {f"panels/{name}": max(0, panel.count(b"\n") - 1)}


def _codebook(locale: str) -> Iterator[Row]:
    for name, columns in (*TABLES.items(), ("panels/….csv", PANEL)):
        for column in columns:
            yield name, column.name, column.unit, column.meaning
    say = language(locale)
    for key, definition in OUTCOMES.items():
        spoken = Spoken(say, key)
        yield "outcomes.csv", f"outcome = {key}", definition.unit, f"{spoken.label} ({spoken.axis})"


def _write(path: Path, header: Iterable[str], rows: Iterable[Row]) -> int:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - how many there were
            writer.writerow([cell(value) for value in row])
    return count


def cell(value: object) -> object:
    """As CSV: numbers and dates as they are, a text that begins like a formula behind an apostrophe."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    if isinstance(value, float):
        return repr(value)
    return value
