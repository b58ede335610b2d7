"""Tables to take away, for analysts: what runs stays under seal, as on the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dashboards.pages.files import ExportColumn
from service.api.documentation import ErrorEnvelope
from service.api.said import Day
from service.auth import needs
from service.export_file import LONGEST, Name, described, table

router = APIRouter(prefix="/api/v1/exports", tags=["exports"], dependencies=[Depends(needs("analyst"))])
First = Annotated[Day | None, Query(description="Of readings: the first local day")]
Last = Annotated[Day | None, Query(description="Of readings: the last local day")]
EARLIEST = date(2000, 1, 1)
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string", "title": "ExportCsv"}},
            "application/vnd.apache.parquet": {
                "schema": {"type": "string", "format": "binary", "title": "ExportParquet"}
            },
        }
    },
    507: {"model": ErrorEnvelope, "description": "The disk is full"},
}


@dataclass(frozen=True)
class ApiTable:
    """A table by its name, and what its columns hold."""

    name: str
    columns: list[ExportColumn]


@router.get("")
def list_tables(request: Request) -> list[ApiTable]:  # noqa: ARG001 - every operation's first
    """Every table and what its columns hold; `codebook` says the same and explains the outcomes."""
    return [ApiTable(each.name, list(each.columns)) for each in described("en")]


@router.get("/{name}.{kind}", response_class=Response, responses=FILE)
def get_table(
    request: Request,
    name: Name,
    kind: Literal["csv", "parquet"],
    first: First = None,
    last: Last = None,
) -> Response:
    """One table; of `readings` the local days from `first` to `last`, three months at most."""
    span = None
    if name == "readings":
        if first is None or last is None:
            raise HTTPException(422, "first, last: of readings, say the first and the last local day.")
        if not EARLIEST <= first <= last < first + LONGEST:
            raise HTTPException(422, f"first, last: at most {LONGEST.days} days, and none before {EARLIEST}.")
        span = first, last
    try:
        return table(request, name, kind, span)
    except OSError as error:
        raise HTTPException(507, "The disk is full: ask for CSV, or tell who runs this.") from error
