"""What people changed, for analysts: the audit, with the hashes of its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from service.auth import needs
from service.registry import audit

if TYPE_CHECKING:
    from service.registry.tables import Change

router = APIRouter(prefix="/api/v1/changes", tags=["changes"], dependencies=[Depends(needs("analyst"))])
MOST = 1000


@dataclass(frozen=True)
class ApiChange:
    """A change: by whom, of what, from what to what by field.

    `hash` is the SHA-256 of everything else in canonical JSON (sorted keys, no spaces), `previous` the one of
    the change before: what `temoin verify` walks. The latest change's hash stands for all.
    """

    id: int
    at: datetime
    who: str
    action: str
    kind: str
    row: str
    called: str
    before: dict[str, Any]
    after: dict[str, Any]
    previous: str
    hash: str


@router.get("")
def list_changes(
    request: Request,
    response: Response,
    kind: Annotated[str | None, Query(max_length=60, description="Of this table")] = None,
    who: Annotated[str | None, Query(max_length=400, description="By this person")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most")] = 100,
    after: Annotated[
        int | None, Query(ge=1, lt=2**63, description="As `Link` of the part before says")
    ] = None,
) -> list[ApiChange]:
    """Every change of what people made, the latest first."""
    with request.app.state.registry.session() as session:
        found = audit.latest(session, limit + 1, after, kind, who)
        if len(found) > limit:
            following = request.url.include_query_params(limit=limit, after=found[limit - 1].id)
            response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [_change(each) for each in found[:limit]]


def _change(row: Change) -> ApiChange:
    return ApiChange(**{name: getattr(row, name) for name in ApiChange.__dataclass_fields__})
