"""A table to take away, as an answer to who asked for it: CSV as it is made, or a file of Parquet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from dashboards.language import language
from dashboards.pages.files import ExportColumn, ExportTable
from dashboards.words.tables import READINGS, TABLES
from service import export
from service.asked import locale, today

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fastapi import Request, Response

Name = Literal[
    "rooms", "outcomes", "experiments", "arms", "devices", "placements", "answers", "readings", "codebook"
]
LONGEST = timedelta(days=92)  # of readings at once


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
    path = export.temporary(request.app.state.settings.data_dir)
    done = BackgroundTask(path.unlink, missing_ok=True)
    try:
        export.parquet(path, names, given)
    except BaseException:  # whatever it was, nobody will fetch it
        path.unlink(missing_ok=True)
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
