"""Files of history: sent, looked at before anything is written, imported, undone."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from sensors.reading import HistoryRejected
from service import embargo, imports
from service.api.documentation import ErrorEnvelope
from service.api.paging import Part
from service.api.quarantine import ApiReading
from service.asked import Number, today
from service.auth import Facilities, Person, needs
from service.registry.tables import Import

if TYPE_CHECKING:
    from collections.abc import Iterator

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

FULL: dict[int | str, dict[str, Any]] = {507: {"model": ErrorEnvelope, "description": "The disk is full"}}


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


@router.post("", status_code=201, openapi_extra=BODY, responses=FULL)
async def send_file(
    request: Request,
    person: Facilities,
    name: Annotated[str, Query(min_length=1, max_length=120, description="What the file is called")],
) -> ApiImportWhole:
    """Keep a file; its columns are guessed, and nothing is written yet. At most 40 MB."""
    try:
        with imports.part(request.app.state.settings) as part:
            async for chunk in request.stream():
                part.write(chunk)
            return await run_in_threadpool(_begun, request, person, part, name)
    except ClientDisconnect as error:
        raise HTTPException(400, "The connection ended before the file did; nothing was kept.") from error
    except OSError as error:
        raise HTTPException(
            507, "The disk is full; nothing was kept. Tell who administers Témoin."
        ) from error


@router.get("/{number}")
def get_import(request: Request, number: Number) -> ApiImportWhole:
    """A file: what it holds as far as its header tells, or how its import went."""
    with request.app.state.registry.session() as session:
        return _whole(request, session, _known(session, number))


@router.post("/{number}/preview")
def preview_import(request: Request, number: Number, said: Said) -> ApiPreview:
    """The first readings that a draft would give; nothing is written. While an experiment runs, no value."""
    with request.app.state.registry.session() as session, _refusals():
        sealed = bool(embargo.embargoes(session, today(request)))
        row = _known(session, number)
        found, faults = imports.preview(request.app.state.settings, row, said, datetime.now(UTC))
    readings = [
        ApiReading(each.device, each.metric, None if sealed else each.value, each.unit, each.time)
        for each in found
    ]
    return ApiPreview(readings, faults)


@router.post("/{number}/start", status_code=202)
def start_import(request: Request, number: Number, said: Said) -> ApiImport:
    """Say what the columns of a draft are, and have it imported soon."""
    with request.app.state.registry.session() as session, _refusals():
        row = _known(session, number)
        imports.ask(request.app.state.settings, row, said, datetime.now(UTC))
        return ApiImport(**_facts(request, row))


@router.post("/{number}/undo", status_code=202)
def undo_import(request: Request, number: Number) -> ApiImport:
    """Take back what an import wrote, soon."""
    with request.app.state.registry.session() as session, _refusals():
        row = _known(session, number)
        imports.undo(request.app.state.settings, row)
        return ApiImport(**_facts(request, row))


@router.delete("/{number}")
def drop_import(request: Request, number: Number) -> ApiImport:
    """Let a draft go; answers with what it was."""
    with request.app.state.registry.session() as session, _refusals():
        row = _known(session, number)
        was = ApiImport(**_facts(request, row))
        imports.drop(session, request.app.state.settings, row)
        return was


@contextmanager
def _refusals() -> Iterator[None]:
    """What is refused of a file, as HTTPException."""
    try:
        yield
    except HistoryRejected as rejection:
        raise HTTPException(422, str(rejection)) from rejection
    except imports.NotNow as late:
        raise HTTPException(409, str(late)) from late


def _begun(request: Request, person: Person, part: IO[bytes], name: str) -> ApiImportWhole:
    settings = request.app.state.settings
    with request.app.state.registry.session() as session, _refusals():
        row = imports.begin(session, settings, part, name, person.name, datetime.now(UTC))
        return _whole(request, session, row)


def _known(session: Session, number: int) -> Import:
    row = session.get(Import, number)
    if row is None:
        raise HTTPException(404, f"There is no import {number}.")
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
