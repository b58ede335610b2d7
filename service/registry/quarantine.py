"""Messages that could not become readings: kept with their bytes until replayed or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from service.registry.tables import QuarantineEntry
from service.registry.upsert import insert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from sensors.move import Refusal

WAITING, REPLAYED, DROPPED = "waiting", "replayed", "dropped"
PAGE = 500


def put(session: Session, landing: str, refusals: Sequence[Refusal]) -> None:
    """Keep these refused messages; one that is here already stays as it is."""
    statement = insert(session, QuarantineEntry).on_conflict_do_nothing(
        index_elements=[QuarantineEntry.landing, QuarantineEntry.landing_id]
    )
    session.execute(statement, [_row(landing, refusal) for refusal in refusals])


def waiting_by_code(session: Session) -> list[tuple[str, int]]:
    """How many messages wait, by code, most first."""
    count = func.count()
    query = (
        select(QuarantineEntry.code, count)
        .where(QuarantineEntry.status == WAITING)
        .group_by(QuarantineEntry.code)
        .order_by(count.desc(), QuarantineEntry.code)
    )
    return [(code, n) for code, n in session.execute(query)]


def recent(
    session: Session, code: str | None = None, status: str = WAITING, limit: int = 50
) -> Sequence[QuarantineEntry]:
    """The last messages refused, latest first."""
    query = select(QuarantineEntry).where(QuarantineEntry.status == status)
    if code is not None:
        query = query.where(QuarantineEntry.code == code)
    return session.scalars(query.order_by(QuarantineEntry.id.desc()).limit(limit)).all()


def chosen(
    session: Session, ids: Sequence[int] = (), code: str | None = None
) -> Iterator[list[QuarantineEntry]]:
    """Waiting messages with these ids, or of this code, or all, oldest first, a page at a time."""
    after = 0
    while True:
        query = select(QuarantineEntry).where(QuarantineEntry.status == WAITING, QuarantineEntry.id > after)
        if ids:
            query = query.where(QuarantineEntry.id.in_(ids))
        if code is not None:
            query = query.where(QuarantineEntry.code == code)
        page = list(session.scalars(query.order_by(QuarantineEntry.id).limit(PAGE)))
        if not page:
            return
        after = page[-1].id
        yield page


def judge(entry: QuarantineEntry, reason: str | None) -> None:
    """What a replay found: still a reason against it, or none and it is done."""
    if reason is None:
        entry.status = REPLAYED
        return
    entry.reason, entry.code = _clean(reason), _code(reason)


def drop(session: Session, why: str, ids: Sequence[int] = (), code: str | None = None) -> int:
    """Give these waiting messages up, saying why beside the reason they were refused for; how many."""
    dropped = 0
    for page in chosen(session, ids, code):
        for entry in page:
            entry.status = DROPPED
            entry.reason = f"{entry.reason} (dropped: {why})"
        dropped += len(page)
    return dropped


def _row(landing: str, refusal: Refusal) -> dict[str, object]:
    message = refusal.message
    return {
        "landing": landing,
        "landing_id": refusal.landing_id,
        "received_at": message.received_at,
        "topic": _clean(message.topic),
        "payload": message.payload,
        "retained": message.retained,
        "code": _code(refusal.reason),
        "reason": _clean(refusal.reason),
        "status": WAITING,
    }


def _code(reason: str) -> str:
    return reason.partition(":")[0][:40]


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL in text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
