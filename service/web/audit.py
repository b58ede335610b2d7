"""What people changed, to read, to filter and to take away."""

from __future__ import annotations

import csv
import io
import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from dashboards.pages.people import AuditPage, ChangeLine
from service.auth import Analyst
from service.export import cell
from service.registry import audit
from service.web.reply import reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from service.registry import Registry
    from service.registry.tables import Change

router = APIRouter(include_in_schema=False)
SHOWN = 50
PIECE = 500  # lines
COLUMNS = ("id", "at", "who", "action", "kind", "row", "called", "field", "before", "after", "hash")


@router.get("/audit")
def audit_page(
    request: Request,
    person: Analyst,
    kind: str = "",
    who: str = "",
    below: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> Response:
    """The latest changes, of one table or person or of all; then those below an id."""
    zone = request.app.state.settings.zone
    kind, who = kind.replace("\0", ""), who.replace("\0", "")  # PostgreSQL takes none
    with request.app.state.registry.session() as session:
        found = audit.latest(session, SHOWN + 1, below, kind or None, who or None)
        last = audit.head(session)
        page = AuditPage(
            changes=tuple(_line(each, zone) for each in found[:SHOWN]),
            total=0 if last is None else last.id,
            head=audit.FIRST if last is None else last.hash,
            kinds=tuple(sorted(table.__tablename__ for table in audit.KEPT)),
            people=tuple(audit.authors(session)),
            zone=zone,
            kind=kind,
            who=who,
            older=found[SHOWN - 1].id if len(found) > SHOWN else None,
        )
    return reply(request, page, person=person)


@router.get("/audit.csv")
def audit_csv(request: Request, _person: Analyst) -> Response:
    """Every change, a line for each of its fields; nothing in it is a formula for a spreadsheet."""
    return _file(_csv(request.app.state.registry), "text/csv; charset=utf-8", "audit.csv")


@router.get("/audit.jsonl")
def audit_jsonl(request: Request, _person: Analyst) -> Response:
    """Every change as it was hashed, with its hash: whoever has it can walk the chain themselves."""
    return _file(_jsonl(request.app.state.registry), "application/jsonl", "audit.jsonl")


def _file(lines: Iterator[str], media_type: str, name: str) -> Response:
    attached = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_in_pieces(lines), media_type=media_type, headers=attached)


def _in_pieces(lines: Iterator[str]) -> Iterator[str]:
    """Lines by the hundreds: each piece costs a turn of a thread."""
    while piece := "".join(islice(lines, PIECE)):
        yield piece


def _jsonl(registry: Registry) -> Iterator[str]:
    with registry.session() as session:
        for change in audit.everything(session):
            yield audit.canonical(audit.document(change) | {"hash": change.hash}) + "\n"


def _csv(registry: Registry) -> Iterator[str]:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    with registry.session() as session:
        for change in audit.everything(session):
            about = (change.id, change.at.isoformat(), change.who, change.action, change.kind, change.row)
            for name, *values in _fields(change) or [("", None, None)]:
                told = (change.called, name, *map(_written, values), change.hash)
                writer.writerow([cell(value) for value in (*about, *told)])
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()


def _written(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _line(change: Change, zone: ZoneInfo) -> ChangeLine:
    return ChangeLine(
        id=change.id,
        at=change.at.astimezone(zone),
        who=change.who,
        action=change.action,  # type: ignore[arg-type]  # one of the three, written by `audit`
        kind=change.kind,
        called=change.called,
        fields=tuple(_fields(change)),
    )


def _fields(change: Change) -> list[tuple[str, Any, Any]]:
    """Each field with what it was and what it became."""
    names = dict.fromkeys([*change.before, *change.after])
    return [(name, change.before.get(name), change.after.get(name)) for name in names]
