"""Files of history: sent, looked at before anything is written, imported, undone."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as File
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from sensors.reading import HistoryRejected
from service import embargo, imports
from service.api.paging import Part
from service.api.quarantine import ApiReading
from service.asked import Number, today
from service.auth import Facilities, Person, needs
from service.registry.tables import Import

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(prefix="/api/v1/imports", tags=["imports"], dependencies=[Depends(needs("facilities"))])
MAP = {
    "device": ["capteur"],
    "time": {"column": "date"},
    "columns": {"co2": {"metric": "co2", "unit": "ppm"}},
}
Said = Annotated[dict[str, Any], Body(openapi_examples={"a column that names the device": {"value": MAP}})]
BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is: CSV, Excel or Parquet",
        "content": {"application/octet-stream": BINARY},
    }
}


@dataclass(frozen=True)
class ApiImport:
    """A file of history: `draft` until somebody says what it holds, `asked`, `done` or `failed`, `undone`.

    `map` is what its columns are said to be, as `temoin import --map` reads it; readings `done` of `total`.
    `report` says what was left out, `trouble` why it failed.
    """

    id: int
    name: str
    status: str
    added_at: datetime
    added_by: str
    total: int
    done: int
    map: dict[str, Any] | None
    report: dict[str, Any] | None
    trouble: str | None
    may_undo: bool


@dataclass(frozen=True)
class ApiFileColumn:
    """A column of a file and its first values; none while an experiment runs: they may be of its rooms."""

    name: str
    samples: list[str]


@dataclass(frozen=True)
class ApiImportWhole(ApiImport):
    """A file of history and, while it is a draft, its columns."""

    columns: list[ApiFileColumn]


@dataclass(frozen=True)
class ApiPreview:
    """The first readings that a file gives by a map, and what is wrong with its first lines."""

    readings: list[ApiReading]
    faults: list[str]


@router.get("")
def list_imports(request: Request, paging: Part) -> list[ApiImport]:
    """Files that were sent, the latest first."""
    with request.app.state.registry.session() as session:
        found = paging.part(imports.latest(session, None), lambda each: each.id)
        return [ApiImport(**_facts(request, each)) for each in found]


@router.post("", status_code=201, openapi_extra=BODY)
async def send_file(
    request: Request,
    person: Facilities,
    name: Annotated[str, Query(min_length=1, max_length=120, description="What the file is called")],
) -> ApiImportWhole:
    """Keep a file; its columns are guessed, and nothing is written yet. At most 40 MB."""
    folder = imports.folder(request.app.state.settings)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        path = File(part.name)
        try:
            async for chunk in request.stream():
                part.write(chunk)
        except (ClientDisconnect, HTTPException) as error:
            await run_in_threadpool(path.unlink)
            if isinstance(error, HTTPException):  # it is too large
                raise
            raise HTTPException(400, "The connection ended before the file did; nothing was kept.") from error
    return await run_in_threadpool(_begun, request, person, path, name)


@router.get("/{number}")
def get_import(request: Request, number: Number) -> ApiImportWhole:
    """A file: what it holds as far as its header tells, or how its import went."""
    with request.app.state.registry.session() as session:
        return _whole(request, session, _known(session, number))


@router.post("/{number}/preview")
def preview_import(request: Request, number: Number, said: Said) -> ApiPreview:
    """The first readings that a draft would give; nothing is written. While an experiment runs, no value."""
    with request.app.state.registry.session() as session:
        row = _known(session, number, "draft")
        sealed = bool(embargo.embargoes(session, today(request)))
        try:
            found, faults = imports.preview(request.app.state.settings, row, said, datetime.now(UTC))
        except HistoryRejected as rejection:
            raise HTTPException(422, str(rejection)) from rejection
    readings = [
        ApiReading(each.device, each.metric, None if sealed else each.value, each.unit, each.time)
        for each in found
    ]
    return ApiPreview(readings, faults)


@router.post("/{number}/start", status_code=202)
def start_import(request: Request, number: Number, said: Said) -> ApiImport:
    """Say what the columns of a draft are, and have it imported soon."""
    with request.app.state.registry.session() as session:
        row = _known(session, number, "draft")
        try:
            imports.preview(request.app.state.settings, row, said, datetime.now(UTC))
        except HistoryRejected as rejection:
            raise HTTPException(422, str(rejection)) from rejection
        row.map, row.status = said, "asked"
        return ApiImport(**_facts(request, row))


@router.post("/{number}/undo", status_code=202)
def undo_import(request: Request, number: Number) -> ApiImport:
    """Take back what an import wrote, soon."""
    with request.app.state.registry.session() as session:
        row = _known(session, number, "done")
        if not imports.file_of(request.app.state.settings, row).exists():
            raise HTTPException(409, "Its file is no longer kept: it cannot be undone.")
        row.status = "undoing"
        return ApiImport(**_facts(request, row))


@router.delete("/{number}")
def drop_import(request: Request, number: Number) -> ApiImport:
    """Let a draft go; answers with what it was."""
    with request.app.state.registry.session() as session:
        row = _known(session, number, "draft")
        was = ApiImport(**_facts(request, row))
        imports.file_of(request.app.state.settings, row).unlink(missing_ok=True)
        session.delete(row)
        return was


def _begun(request: Request, person: Person, path: File, name: str) -> ApiImportWhole:
    settings = request.app.state.settings
    called = "".join(char for char in File(name).name if char.isprintable()) or "?"
    try:
        with request.app.state.registry.session() as session:
            row = imports.begin(session, settings, path, called, person.name, datetime.now(UTC))
            return _whole(request, session, row)
    except HistoryRejected as rejection:
        raise HTTPException(422, str(rejection)) from rejection
    finally:
        path.unlink(missing_ok=True)


def _known(session: Session, number: int, status: str | None = None) -> Import:
    row = session.get(Import, number)
    if row is None:
        raise HTTPException(404, f"There is no import {number}.")
    if status is not None and row.status != status:
        raise HTTPException(409, f"This import is {row.status}, not {status}.")
    return row


def _facts(request: Request, row: Import) -> dict[str, Any]:
    names = ("id", "name", "status", "added_at", "added_by", "total", "done", "map", "report", "trouble")
    kept = imports.file_of(request.app.state.settings, row).exists()
    return {name: getattr(row, name) for name in names} | {"may_undo": row.status == "done" and kept}


def _whole(request: Request, session: Session, row: Import) -> ApiImportWhole:
    sealed = bool(embargo.embargoes(session, today(request)))
    try:
        path = imports.file_of(request.app.state.settings, row)
        header, rows = imports.head(path) if row.status == "draft" else ([], [])
    except HistoryRejected:
        header, rows = [], []
    return ApiImportWhole(
        **_facts(request, row),
        columns=[
            ApiFileColumn(name, [] if sealed else imports.samples(rows, place))
            for place, name in enumerate(header)
        ],
    )
