"""The data to take away: tables with their dictionary, as CSV or Parquet; what runs stays under seal."""

from __future__ import annotations

import os
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from dashboards.language import language
from dashboards.pages.files import ExportColumn, ExportPage, ExportTable
from dashboards.words.tables import READINGS, TABLES
from service import export
from service.asked import today
from service.auth import Analyst, Person
from service.web.reply import error, locale, reply

if TYPE_CHECKING:
    from collections.abc import Iterator

router = APIRouter(include_in_schema=False)
Name = Literal[
    "rooms", "outcomes", "experiments", "arms", "devices", "placements", "answers", "readings", "codebook"
]
LONGEST = timedelta(days=92)  # of readings at once
USUAL = timedelta(days=28)


@router.get("/export")
def export_page(request: Request, person: Analyst) -> Response:
    """Every table, what its columns hold, and where to take it."""
    return _page(request, person)


@router.get("/export/{name}.{kind}")
def take(
    request: Request,
    person: Analyst,
    name: Name,
    kind: Literal["csv", "parquet"],
    first: Annotated[str, Query(max_length=10)] = "",
    last: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """One table; of readings the local days from `first` to `last`."""
    if name != "readings":
        span = None
    else:
        span, mistake = _span(first, last)
        if span is None:
            return _page(request, person, first, last, mistake)
    try:
        return table(request, name, kind, span)
    except OSError:
        return error(request, 507, "failed")


def table(
    request: Request, name: str, kind: Literal["csv", "parquet"], span: tuple[date, date] | None
) -> Response:
    """A table as a file; of readings the days of `span`. Raises OSError where the disk takes no more."""
    names = export.CODEBOOK if name == "codebook" else export.header(f"{name}.csv")
    called = f"temoin-{name}{f'-{span[0]}-{span[1]}' if span else ''}.{kind}"
    given = _rows(request, name, span)
    if kind == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{called}"'}
        return StreamingResponse(export.lines(names, given), media_type="text/csv", headers=headers)
    descriptor, path = tempfile.mkstemp(".parquet", dir=request.app.state.settings.data_dir)
    os.close(descriptor)
    done = BackgroundTask(Path(path).unlink, missing_ok=True)
    try:
        export.parquet(Path(path), names, given)
    except OSError:
        Path(path).unlink(missing_ok=True)
        raise
    return FileResponse(path, media_type="application/vnd.apache.parquet", filename=called, background=done)


def _rows(request: Request, name: str, span: tuple[date, date] | None) -> Iterator[export.Row]:
    """The rows, with a session that is open for as long as they are read."""
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        if name == "codebook":
            yield from export.codebook(locale(request))
        elif span is not None:
            store = request.app.state.store
            yield from export.readings(session, store, *span, today(request), settings.zone)
        else:
            yield from export.rows(session, f"{name}.csv", today(request), settings.min_group)


def described(locale: str) -> tuple[ExportTable, ...]:
    """Every table and what its columns hold."""
    say = language(locale)
    tables = {**TABLES, "readings.csv": READINGS}
    return tuple(
        ExportTable(
            name.removesuffix(".csv"),
            tuple(
                ExportColumn(each.name, each.unit and say(each.unit), each.meaning and say(each.meaning))
                for each in columns
            ),
        )
        for name, columns in tables.items()
    )


def _span(first: str, last: str) -> tuple[tuple[date, date] | None, str]:
    """The days asked for, or what is wrong with them."""
    try:
        span = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None, "bad"
    if span[1] < span[0]:
        return None, "order"
    return (None, "long") if span[1] - span[0] >= LONGEST else (span, "")


def _page(request: Request, person: Person, first: str = "", last: str = "", mistake: str = "") -> Response:
    day = today(request)
    page = ExportPage(
        tables=described(locale(request)),
        first=first or (day - USUAL).isoformat(),
        last=last or (day - timedelta(days=1)).isoformat(),
        mistake=mistake,
    )
    return reply(request, page, 422 if mistake else 200, person=person)
