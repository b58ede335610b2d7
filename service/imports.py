"""Files of history sent through the browser: kept beside, looked at, imported by the jobs, undone.

The file stays as long as its import can be undone: that reads it again by the same map, and takes back the
readings that it holds. What another import had put there under the same device and time goes with them.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import structlog
from sqlalchemy import select

from sensors.history import read_history
from sensors.history_map import guess, map_of
from sensors.quality import Gate
from sensors.reading import HistoryRejected
from sensors.table import open_table
from service.history import HistoryFile, Interrupted, Survey
from service.registry.tables import Import
from service.river import RegistryLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

    from sensors.reading import Reading
    from sensors.store import ReadingStore
    from service.registry import Registry
    from service.settings import Settings

MOST_BYTES = 40_000_000  # of a file sent by a browser, which a container's /tmp holds; the command takes any
SHOWN = 20  # readings of a preview
FAULTS = 5
LOOKED_AT = 200  # lines of it
SAMPLES = 3  # values of a column
FORMATS = tuple(
    f"{day} {hour}".strip()
    for day in ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%Y/%m/%d")
    for hour in ("%H:%M:%S", "%H:%M", "%Hh%M", "")
)
BATCH = 20_000  # readings written at once
FOLDER = "imports"
DRAFTS = timedelta(days=2)  # how long a file waits for somebody to say what it is
KEPT = timedelta(days=90)  # how long an import can be undone
log = structlog.get_logger("temoin.imports")


class NotNow(Exception):  # noqa: N818 - it says what happened
    """What is asked of an import that is not, or no longer, at that point; the sentence says why."""


def folder(settings: Settings) -> Path:
    """Where the files are, made when it is not there."""
    made: Path = settings.data_dir / FOLDER
    made.mkdir(parents=True, exist_ok=True)
    return made


def file_of(settings: Settings, row: Import) -> Path:
    """The file of an import."""
    return folder(settings) / f"{row.id}.file"


def head(path: Path) -> tuple[list[str], list[list[object]]]:
    """The header of a file and its first rows. Raises HistoryRejected."""
    with open_table(path) as table:
        return table.header, [list(row) for _, row in islice(table.rows, SAMPLES)]


def samples(rows: Iterable[Sequence[object]], place: int) -> list[str]:
    """What the first rows of a file have in one of its columns."""
    return [str(row[place])[:40] for row in rows if place < len(row) and row[place] not in (None, "")]


@contextmanager
def part(settings: Settings) -> Iterator[IO[bytes]]:
    """A file for what is being sent: gone afterwards, whatever happens, unless an import begins with it.

    Raises OSError where the disk takes no more.
    """
    with tempfile.NamedTemporaryFile(dir=folder(settings), suffix=".part", delete=False) as sent:
        try:
            yield sent
        finally:
            Path(sent.name).unlink(missing_ok=True)


def begin(
    session: Session, settings: Settings, sent: IO[bytes], name: str, who: str, now: datetime
) -> Import:
    """Keep a `part` that was sent, which moves; raises HistoryRejected when it is no table, or OSError."""
    sent.flush()
    called = "".join(char for char in Path(name).name if char.isprintable())[:120] or "?"
    row = Import(name=called, size=sent.tell(), added_at=now, added_by=who)
    with _named(row, Path(sent.name)) as path:
        header, rows = head(path)
    row.map = guess(header)
    time = row.map["time"]["column"]
    form = _time_format(line[header.index(time)] for line in rows) if time else None
    if form is not None:
        row.map["time"]["format"] = form
    session.add(row)
    session.flush()
    path.replace(file_of(settings, row))
    return row


def preview(
    settings: Settings, row: Import, content: dict[str, Any], now: datetime
) -> tuple[list[Reading], list[str]]:
    """The first readings that the file gives by a map, and what is wrong with its first lines.

    Raises HistoryRejected when the file as a whole is not what the map says, NotNow unless it is a draft.
    """
    _at(row, "draft")
    gate = Gate(max_age=None)
    readings: list[Reading] = []
    faults: list[str] = []
    with _named(row, file_of(settings, row)) as path:
        for line in islice(read_history(path, map_of(content), settings.zone), LOOKED_AT):
            refused = [(each, gate.check(each, now)) for each in line.readings]
            readings += [each for each, fault in refused if fault is None]
            told = [line.fault, *(f"line {line.number}: {fault}" for _, fault in refused if fault)]
            faults += [each for each in told if each]
            if len(readings) >= SHOWN:
                break
    return readings[:SHOWN], faults[:FAULTS]


def ask(settings: Settings, row: Import, content: dict[str, Any], now: datetime) -> None:
    """Have a draft imported soon, by this map. Raises HistoryRejected and NotNow, as a preview does."""
    preview(settings, row, content, now)
    row.map, row.status = content, "asked"


def undo(settings: Settings, row: Import) -> None:
    """Have what an import wrote taken back soon. Raises NotNow."""
    _at(row, "done")
    if not file_of(settings, row).exists():
        raise NotNow("Its file is no longer kept: it cannot be undone.")
    row.status = "undoing"


def drop(session: Session, settings: Settings, row: Import) -> None:
    """Let a draft go. Raises NotNow."""
    _at(row, "draft")
    file_of(settings, row).unlink(missing_ok=True)
    session.delete(row)


def _at(row: Import, status: str) -> None:
    if row.status != status:
        raise NotNow(f"This import is {row.status}, not {status}.")


@contextmanager
def _named(row: Import, path: Path) -> Iterator[Path]:
    """The file, whose refusals speak of it by the name it was sent under."""
    try:
        yield path
    except HistoryRejected as rejection:
        raise HistoryRejected(str(rejection).replace(str(path), row.name)) from rejection


def _time_format(samples: Iterable[object]) -> str | None:
    """How a time is written that is not ISO 8601, the day first; None when it needs no saying."""
    texts = [str(sample).strip() for sample in samples if isinstance(sample, str) and sample.strip()]
    for form in FORMATS:
        if texts and all(_fits(text, form) for text in texts):
            return form
    return None


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - whether, not when
    except ValueError:
        return False
    return True


def run_due(
    settings: Settings, registry: Registry, store: ReadingStore, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Do the imports and the undoings that were asked for; how many.

    Stops once `go_on` says no. Begun again, what was written is written once more, and nothing doubles.
    """
    done = 0
    while True:
        with registry.session() as session:
            row = _due(session)
            if row is None:
                return done
            undoing = row.status == "undoing"
            try:
                history = _history(row, settings, go_on)
                survey = (_undo if undoing else _import)(session, row, history, store)
            except Interrupted:
                return done
            except HistoryRejected as rejection:
                row.status, row.trouble = ("done" if undoing else "failed"), str(rejection)
            else:
                row.status, row.report = ("undone" if undoing else "done"), _report(survey)
                row.done = row.total
                RegistryLedger(registry).record({} if undoing else survey.devices, survey.days)
            log.info("import", what="undone" if undoing else "done", status=row.status, readings=row.done)
        done += 1


def is_due(session: Session) -> bool:
    """Whether something was asked for."""
    return _due(session) is not None


def forget(session: Session, settings: Settings, now: datetime) -> None:
    """Delete files that nobody will need: drafts of two days, imports of three months, undone, half sent."""
    rows = list(session.scalars(select(Import)))
    for path in set((settings.data_dir / FOLDER).glob("*")) - {file_of(settings, row) for row in rows}:
        with suppress(FileNotFoundError):  # it was kept, or left, meanwhile
            if now.timestamp() - path.stat().st_mtime > DRAFTS.total_seconds():
                path.unlink()  # whoever took it was killed
    for row in rows:
        old = now - row.added_at
        file = file_of(settings, row)
        if row.status in ("undone", "failed") or old > (DRAFTS if row.status == "draft" else KEPT):
            file.unlink(missing_ok=True)
    waiting = select(Import).where(Import.status == "draft", Import.added_at < now - DRAFTS)
    for row in session.scalars(waiting):
        session.delete(row)


def latest(session: Session, limit: int | None = 20) -> list[Import]:
    """The imports last begun, latest first."""
    return list(session.scalars(select(Import).order_by(Import.id.desc()).limit(limit)))


def _due(session: Session) -> Import | None:
    query = select(Import).where(Import.status.in_(("asked", "undoing"))).order_by(Import.id).limit(1)
    return session.scalars(query).first()


def _history(row: Import, settings: Settings, go_on: Callable[[], bool]) -> HistoryFile:
    path, now = file_of(settings, row), datetime.now(UTC)
    return HistoryFile(path, map_of(row.map or {}), settings.zone, now, go_on)


def _import(session: Session, row: Import, history: HistoryFile, store: ReadingStore) -> Survey:
    """Write what the file holds, but its wrong lines, batch by batch."""
    survey = _surveyed(session, row, history)
    if not survey.readings:
        raise HistoryRejected("\n".join(["the file holds no reading that can be stored", *survey.faults]))
    for batch in _batches(history.readings()):
        store.write(batch)
        _tell(session, row, len(batch))
    return survey


def _undo(session: Session, row: Import, history: HistoryFile, store: ReadingStore) -> Survey:
    """Remove what the file holds, batch by batch."""
    survey = _surveyed(session, row, history)
    for batch in _batches(history.readings()):
        store.remove((each.device, each.metric, each.time) for each in batch)
        _tell(session, row, len(batch))
    return survey


def _surveyed(session: Session, row: Import, history: HistoryFile) -> Survey:
    survey = history.survey()
    row.total, row.done = survey.readings, 0
    session.commit()
    return survey


def _tell(session: Session, row: Import, count: int) -> None:
    row.done += count
    session.commit()


def _batches(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    left = iter(readings)
    while batch := list(islice(left, BATCH)):
        yield batch


def _report(survey: Survey) -> dict[str, Any]:
    return {
        "lines": survey.lines,
        "readings": survey.readings,
        "devices": sorted(survey.devices)[:200],
        "first_day": min(survey.days).isoformat() if survey.days else None,
        "last_day": max(survey.days).isoformat() if survey.days else None,
        "faulty_lines": survey.faulty_lines,
        "faults": survey.faults,
        "refused": dict(survey.refused.most_common(50)),
    }
