"""Files of history in the browser: sent, looked at before anything is written, imported, undone."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, File, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from dashboards.pages.files import FileColumn, ImportLine, ImportPage, ImportsPage, PreviewLine
from sensors.reading import HistoryRejected
from service import embargo, imports, mapping_form
from service.asked import Number, today
from service.auth import Facilities, Person, csrf_checked
from service.registry.tables import Import
from service.web.reply import error, reply

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal
    from zoneinfo import ZoneInfo

    from starlette.datastructures import FormData

router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
CHUNK = 1 << 20
LONGEST = 200


@router.get("/import")
def imports_page(request: Request, person: Facilities) -> Response:
    """Send a file; those that were sent."""
    return _list(request, person)


@router.post("/import", dependencies=CHECKED)
async def send_file(
    request: Request, person: Facilities, file: Annotated[UploadFile | None, File()] = None
) -> Response:
    """Keep a file that somebody sends, and show what it holds."""
    return await run_in_threadpool(_kept, request, person, file)


@router.get("/import/{number}")
def import_page(request: Request, person: Facilities, number: Number) -> Response:
    """What a file holds, as far as its header tells, or how its import went."""
    return _one(request, person, number)


@router.post("/import/{number}", dependencies=CHECKED)
async def say_columns(request: Request, person: Facilities, number: Number) -> Response:
    """Say what the columns are: to look at it first, to import it, or to let it go."""
    sent = await request.form()
    return await run_in_threadpool(_said, request, person, number, sent)


@router.post("/import/{number}/undo", dependencies=CHECKED)
def undo(request: Request, person: Facilities, number: Number) -> Response:  # noqa: ARG001 - let in
    """Take back what an import wrote."""
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        row = session.get(Import, number)
        if row is None or row.status != "done" or not imports.file_of(settings, row).exists():
            return error(request, 404, "not_found")
        row.status = "undoing"
    return RedirectResponse("/import", 303)


def _kept(request: Request, person: Person, file: UploadFile | None) -> Response:
    settings = request.app.state.settings
    if file is None or not file.filename:
        return _list(request, person, 422, "empty")
    with tempfile.NamedTemporaryFile(dir=imports.folder(settings), suffix=".part", delete=False) as part:
        size = 0
        while chunk := file.file.read(CHUNK):
            size += len(chunk)
            part.write(chunk)
            if size > imports.MOST_BYTES:
                break
    path = Path(part.name)
    try:
        if size > imports.MOST_BYTES:
            return _list(request, person, 422, "large")
        name = "".join(char for char in Path(file.filename).name if char.isprintable())[:120] or "?"
        with request.app.state.registry.session() as session:
            row = imports.begin(session, settings, path, name, person.name, datetime.now(UTC))
            number = row.id
    except HistoryRejected as rejection:
        return _list(request, person, 422, "table", str(rejection))
    finally:
        path.unlink(missing_ok=True)
    return RedirectResponse(f"/import/{number}", 303)


def _said(request: Request, person: Person, number: int, sent: FormData) -> Response:
    settings = request.app.state.settings
    content = _content(sent)
    with request.app.state.registry.session() as session:
        row = session.get(Import, number)
        if row is None or row.status != "draft":
            return error(request, 404, "not_found")
        if sent.get("do") == "drop":
            imports.file_of(settings, row).unlink(missing_ok=True)
            session.delete(row)
            return RedirectResponse("/import", 303)
        try:
            imports.preview(settings, row, content, datetime.now(UTC))
        except HistoryRejected as rejection:
            return _one(request, person, number, content, 422, str(rejection))
        row.map = content
        if sent.get("do") == "save":
            row.status = "asked"
            return RedirectResponse("/import", 303)
    return _one(request, person, number, content, looked=True)


def _content(sent: FormData) -> dict[str, Any]:
    """The map that the form says, as TOML would."""

    def text(name: str) -> str:
        return str(sent.get(name, ""))[:LONGEST]

    names = [str(name)[:LONGEST] for name in sent.getlist("column")][:LONGEST]
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        metric, _, unit = text(f"choice{place}").partition("|")
        if metric:
            columns[name] = {"metric": metric, "unit": unit}
    device: object = text("device") or {"name": text("device_name").strip()}
    time: dict[str, str] = {"column": text("time")}
    if text("format").strip():
        time["format"] = text("format").strip()
    return {"device": [device] if isinstance(device, str) else device, "time": time, "columns": columns}


def _list(request: Request, person: Person, status: int = 200, mistake: str = "", why: str = "") -> Response:
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        lines = tuple(
            _line(row, settings.zone, undo=imports.file_of(settings, row).exists())
            for row in imports.latest(session)
        )
    return reply(request, ImportsPage(lines, mistake, why), status, person=person)


def _one(
    request: Request,
    person: Person,
    number: int,
    content: dict[str, Any] | None = None,
    status: int = 200,
    why: str = "",
    *,
    looked: bool = False,
) -> Response:
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        row = session.get(Import, number)
        if row is None:
            return error(request, 404, "not_found")
        path = imports.file_of(settings, row)
        line = _line(row, settings.zone, undo=path.exists())
        said = content or row.map or {}
        try:
            header, rows = imports.head(path) if row.status == "draft" else ([], [])
            found, faults = imports.preview(settings, row, said, datetime.now(UTC)) if looked else ([], [])
        except HistoryRejected as rejection:
            header, rows, found, faults, why = [], [], [], [], why or str(rejection)
        sealed = bool(embargo.embargoes(session, today(request)))
    device = said.get("device") or ""
    wrong = _wrong(header, said) if status == 422 else ""  # noqa: PLR2004 - what was said cannot be
    page = ImportPage(
        line=line,
        columns=_columns(header, rows, said.get("columns", {}), sealed=sealed),
        choices=tuple(mapping_form.choices()),
        device=device[0] if isinstance(device, list) else device if isinstance(device, str) else "",
        device_name=device.get("name", "") if isinstance(device, dict) else _bare(line.name),
        time=said.get("time", {}).get("column") or "",
        format=said.get("time", {}).get("format") or "",
        preview=None
        if not looked
        else tuple(
            PreviewLine(
                each.device, each.metric, None if sealed else each.value, each.time.astimezone(settings.zone)
            )
            for each in found
        ),
        faults=tuple(faults),
        why=why,
        wrong=wrong,
    )
    return reply(request, page, status, person=person)


def _wrong(
    header: Sequence[str], said: dict[str, Any]
) -> Literal["time", "device", "device_name", "columns"]:
    """The field to look at first when a file does not read as was said."""
    if said["time"]["column"] not in header:
        return "time"
    if isinstance(said["device"], list):
        return "columns" if set(said["device"]) <= set(header) else "device"
    return "columns" if said["device"]["name"] else "device_name"


def _columns(
    header: Sequence[str], rows: Sequence[Sequence[object]], said: dict[str, Any], *, sealed: bool
) -> tuple[FileColumn, ...]:
    columns = []
    for place, name in enumerate(header):
        told = said.get(name)
        choice = f"{told['metric']}|{told['unit']}" if isinstance(told, dict) else ""
        samples = () if sealed else tuple(imports.samples(rows, place))
        columns.append(FileColumn(name, samples, choice))
    return tuple(columns)


def _line(row: Import, zone: ZoneInfo, *, undo: bool) -> ImportLine:
    report = row.report or {}
    return ImportLine(
        id=row.id,
        name=row.name,
        status=row.status,
        added_at=row.added_at.astimezone(zone),
        added_by=row.added_by,
        total=row.total,
        done=row.done,
        devices=tuple(report.get("devices", ())),
        left_out=report.get("faulty_lines", 0) + sum(report.get("refused", {}).values()),
        faults=tuple(report.get("faults", ())),
        refused=tuple(report.get("refused", {}).items()),
        trouble=row.trouble or "",
        may_undo=undo and row.status == "done",
    )


def _bare(name: str) -> str:
    """What a file may be the readings of: its name without what follows the first dot."""
    return name.partition(".")[0]
