"""The data to take away: tables with their dictionary, as CSV or Parquet; what runs stays under seal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from dashboards.pages.files import ExportPage
from service.asked import locale, today
from service.auth import Analyst, Person
from service.export_file import LONGEST, Name, described, table
from service.web.reply import error, reply

router = APIRouter(include_in_schema=False)
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
