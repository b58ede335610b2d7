"""The data of an installation as CSV or Parquet with a codebook; what runs stays under seal.

A text that a spreadsheet would take for a formula gets an apostrophe before it; panels are byte for byte what
the API gives and what was hashed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from dashboards.language import language
from dashboards.words import Spoken
from dashboards.words.tables import PANEL, READINGS, TABLES
from experiments.outcomes import OUTCOMES
from service import embargo, results
from service.registry import devices, experiments, rooms
from service.registry.tables import Answer, Outcome, Placement, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pandas as pd
    from sqlalchemy.orm import Session

    from sensors.store import ReadingStore
    from service.embargo import Embargo
    from service.registry.tables import Experiment

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS = 10_000  # read at once
TYPES = {  # in Parquet; everything else is text
    **dict.fromkeys(("value", "coverage", "capacity", "area", "volume", "heartbeat"), "DOUBLE"),
    **dict.fromkeys(("n", "version", "sealed"), "INTEGER"),
    **dict.fromkeys(("day", "starts", "ends", "switch", "decided_on"), "DATE"),
    **dict.fromkeys(("time", "start", "end", "first_seen", "last_seen"), "TIMESTAMPTZ"),
}
CODEBOOK = ("file", "column", "unit", "meaning")

Row = tuple[object, ...]


QUESTIONS = ("satisfaction", "helped", "temperature", "air", "hearing", "discomfort", "worth", "group_size")
BY_PERIOD = ("satisfaction", "helped", "temperature", "discomfort")  # on a trial's page or in its panel


def export(session: Session, folder: Path, today: date, locale: str, k: int = 5) -> dict[str, int]:
    """Write every table into the folder, which must be empty or not there; rows by file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    written = {name: _write(folder / name, header(name), rows(session, name, today, k)) for name in TABLES}
    for experiment in experiments.everything(session):
        written |= _panels(session, folder, experiment, today, k)
    written["codebook.csv"] = _write(folder / "codebook.csv", CODEBOOK, codebook(locale))
    return written


def header(name: str) -> tuple[str, ...]:
    """The names of a table's columns."""
    return tuple(column.name for column in (READINGS if name == "readings.csv" else TABLES[name]))


def rows(session: Session, name: str, today: date, k: int) -> Iterator[Row]:
    """The rows of a table, as they may be shown today; `k` is the smallest group of answers shown."""
    known = list(experiments.everything(session))
    sealed = embargo.embargoes(session, today)
    given: dict[str, Callable[[], Iterator[Row]]] = {
        "rooms.csv": lambda: _rooms(session),
        "outcomes.csv": lambda: _outcomes(session, sealed),
        "experiments.csv": lambda: (_experiment(session, each, today, k) for each in known),
        "arms.csv": lambda: _arms(known),
        "devices.csv": lambda: _devices(session, sealed),
        "placements.csv": lambda: _placements(session),
        "answers.csv": lambda: _answers(session, known, sealed, today, k),
    }
    return given[name]()


def readings(
    session: Session, store: ReadingStore, first: date, last: date, today: date, zone: ZoneInfo
) -> Iterator[Row]:
    """What devices measured in rooms from local day `first` to `last`, day by day in steady memory."""
    sealed = embargo.embargoes(session, today)
    query = select(Placement).options(joinedload(Placement.room)).order_by(Placement.start)
    stays = [each for each in session.scalars(query) if each.room.capacity != 1]
    day, last = first, min(last, today)
    while day <= last:
        start, end = (datetime.combine(day + timedelta(days=n), time(), zone) for n in (0, 1))
        there: dict[str, list[Placement]] = {}
        for stay in stays:
            hidden = sealed.get(stay.room.slug)
            open_ = stay.start < end and (stay.end is None or stay.end > start)
            if open_ and (hidden is None or day < hidden.since):
                there.setdefault(stay.device_key, []).append(stay)
        if there:
            yield from _day_of(store.read(start, end, sorted(there)), there)
        day += timedelta(days=1)


def parquet(path: Path, names: Iterable[str], given: Iterable[Row]) -> int:
    """Write rows to a Parquet file, in steady memory; how many. Times are UTC. Raises OSError."""
    import duckdb  # noqa: PLC0415 - 40 MB that CSV does not need
    import pandas as pd  # noqa: PLC0415 - likewise

    columns, count = list(names), 0
    types = ", ".join(f'"{name}" {TYPES.get(name, "VARCHAR")}' for name in columns)
    work, target = path.with_suffix(".duckdb"), str(path).replace("'", "''")
    try:
        with duckdb.connect(str(work)) as engine:
            engine.execute(f"SET TimeZone = 'UTC'; CREATE TABLE rows ({types})")
            for some in _batches(given):
                engine.register("batch", pd.DataFrame(some, columns=columns, dtype=object))
                engine.execute("INSERT INTO rows SELECT * FROM batch")
                count += len(some)
            engine.execute(f"COPY rows TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.Error as error:
        raise OSError(f"{path}: {error}") from error
    finally:
        work.unlink(missing_ok=True)
    return count


def lines(names: Iterable[str], given: Iterable[Row]) -> Iterator[str]:
    """The same as CSV, some lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for some in _batches(given):
        writer.writerows([cell(value) for value in row] for row in some)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _batches(given: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(given)
    while some := list(islice(left, ROWS)):
        yield some


def _day_of(frame: pd.DataFrame, there: Mapping[str, list[Placement]]) -> Iterator[Row]:
    columns = (frame[name] for name in ("device", "metric", "time", "value"))
    for device, metric, at, value in zip(*columns, strict=True):
        moment = at.to_pydatetime()
        for stay in there[device]:
            if stay.start <= moment and (stay.end is None or moment < stay.end):
                yield device, stay.room.slug, metric, moment, value
                break


def _devices(session: Session, sealed: Collection[str]) -> Iterator[Row]:
    hidden = embargo.discreet(session, sealed, datetime.now(UTC))
    for each in devices.everything(session):
        last = None if each.key in hidden else each.last_seen
        about = (each.label, each.model, each.position, each.heartbeat_minutes, each.continues_key)
        yield each.key, *about, each.first_seen, last


def _placements(session: Session) -> Iterator[Row]:
    query = (
        select(Placement).options(joinedload(Placement.room)).order_by(Placement.device_key, Placement.start)
    )
    for each in session.scalars(query):
        yield each.device_key, each.room.slug, each.start, each.end


def _answers(
    session: Session, known: Iterable[Experiment], sealed: Mapping[str, Embargo], today: date, k: int
) -> Iterator[Row]:
    """By room and month, only where at least `k` answered, of months that are over.

    Of the month that runs, the difference of two days' exports would be fewer people than that; of the month
    of a switch, that of the export under seal and the one after. What a trial tells of its rooms by period is
    not told by month as well: of a period less the months in it few people may be left.
    """
    trials = _months_of_trials(known)
    query = select(Room.slug, Answer).join(Room, Room.id == Answer.room_id)
    query = query.where(Answer.flagged.is_(False), Answer.day < today.replace(day=1))
    groups: dict[tuple[str, date], list[Answer]] = {}
    for room, answer in session.execute(query.order_by(Room.slug, Answer.day)):
        if room not in sealed or answer.day < sealed[room].since.replace(day=1):
            groups.setdefault((room, answer.day.replace(day=1)), []).append(answer)
    for (room, month), given in groups.items():
        by_period = BY_PERIOD if any(first <= month <= last for first, last in trials[room]) else ()
        for question in QUESTIONS:
            ticked = Counter(each for each in (getattr(one, question) for one in given) if each is not None)
            if question in by_period or ticked.total() < k:
                continue
            for word, n in sorted((str(each), n) for each, n in ticked.items()):
                yield room, f"{month:%Y-%m}", question, word, n


def _months_of_trials(known: Iterable[Experiment]) -> Mapping[str, list[tuple[date, date]]]:
    """Room → the first of the first and of the last month of each trial of it."""
    found: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for each in known:
        if each.starts is not None and each.ends is not None:
            for arm in each.arms:
                found[arm.room.slug].append((each.starts.replace(day=1), each.ends.replace(day=1)))
    return found


def _rooms(session: Session) -> Iterator[Row]:
    for site in rooms.sites(session):
        hours = (site.opens.isoformat("minutes"), site.closes.isoformat("minutes"), site.weekdays)
        for room in site.rooms:
            size = (room.floor, room.capacity, room.area_m2, room.volume_m3)
            yield room.slug, room.name, site.slug, site.name, *size, *hours


def _outcomes(session: Session, sealed: Mapping[str, Embargo]) -> Iterator[Row]:
    query = (
        select(Room.slug, Outcome.day, Outcome.outcome, Outcome.version, Outcome.value, Outcome.coverage)
        .join(Room, Room.id == Outcome.room_id)
        .where(or_(Room.capacity.is_(None), Room.capacity != 1))
        .order_by(Room.slug, Outcome.day, Outcome.outcome)
        .execution_options(yield_per=ROWS)
    )
    for room, day, outcome, version, value, coverage in session.execute(query):
        hidden = room in sealed and day >= sealed[room].since
        yield room, day, outcome, version, None if hidden else value, coverage, int(hidden)


def _experiment(session: Session, experiment: Experiment, today: date, k: int) -> Row:
    said = results.result_of(session, experiment, today, k)
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


def _panels(session: Session, folder: Path, experiment: Experiment, today: date, k: int) -> dict[str, int]:
    """The protocol and the panel; of one that runs the days before its switch only."""
    document = experiments.protocol(experiment)
    if document is None:
        return {}
    panel, name = results.published_panel(session, experiment, today, k), f"{experiment.slug}.panel.csv"
    if panel is None:
        panel, name = results.panel_until_switch(session, document), f"{experiment.slug}.until-switch.csv"
    (folder / "panels").mkdir(exist_ok=True)
    (folder / "panels" / name).write_bytes(panel)
    locked = experiment.protocol
    text = document.to_json() if locked is None else locked.document
    (folder / "panels" / f"{experiment.slug}.protocol.json").write_text(text, encoding="utf-8")
    return {f"panels/{name}": max(0, panel.count(b"\n") - 1)}


def codebook(locale: str) -> Iterator[Row]:
    """What every column of every table holds."""
    say = language(locale)
    for name, columns in (*TABLES.items(), ("readings.csv", READINGS), ("panels/….csv", PANEL)):
        for column in columns:
            yield name, column.name, column.unit and say(column.unit), column.meaning and say(column.meaning)
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
