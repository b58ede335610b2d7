"""Messages that could not become readings: kept with their bytes until replayed or dropped.

Each belongs to a cause: a reason, a gateway, the names in the payload. How many of a cause wait is kept as
they come and go, in the same transaction, so that a page shows a million of them at once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, literal, or_, select, update

from sensors.draft import parsed
from sensors.mapping import fits, gateway_of
from sensors.reading import PayloadRejected
from service.registry.tables import QuarantineCause, QuarantineEntry
from service.registry.upsert import insert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from sensors.move import Refusal

WAITING, REPLAYED, DROPPED = "waiting", "replayed", "dropped"
PAGE = 500
MOST_CAUSES = 200  # of one code and gateway; a gateway that invents names has the rest in one
OTHERS = "…"
LARGEST = 100_000  # bytes of a payload whose names are looked at
LONGEST_SHAPE = 200
LONGEST_REASON = 300  # of why messages are given up

Key = tuple[str, str, str]  # code, gateway, shape


class ReasonRefused(ValueError):  # noqa: N818 - it says what happened
    """Why messages are given up, said so that nobody could read it; `code` is missing, long or bad."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Say why, in {LONGEST_REASON} printable characters at most.")
        self.code = code


def put(session: Session, landing: str, refusals: Sequence[Refusal]) -> None:
    """Keep these refused messages; one that is here already stays as it is."""
    rows = [_row(landing, refusal) for refusal in refusals]
    keys = [_key(refusal) for refusal in refusals]
    causes = _causes(session, keys, min(refusal.message.received_at for refusal in refusals))
    for row, key in zip(rows, keys, strict=True):
        row["cause_id"] = causes[key]
    statement = (
        insert(session, QuarantineEntry)
        .on_conflict_do_nothing(index_elements=[QuarantineEntry.landing, QuarantineEntry.landing_id])
        .returning(QuarantineEntry.id, QuarantineEntry.cause_id, QuarantineEntry.received_at)
    )
    came: dict[int, list[tuple[int, datetime]]] = {}
    for id_, cause, received_at in session.execute(statement, rows):
        if cause is not None:
            came.setdefault(cause, []).append((id_, received_at))
    for cause in sorted(came):  # in one order, so that two writers never wait for each other
        times = [received_at for _, received_at in came[cause]]
        _came(session, cause, len(times), min(times), max(times), max(id_ for id_, _ in came[cause]))


def waiting_by_code(session: Session) -> list[tuple[str, int]]:
    """How many messages wait, by code, most first."""
    count = func.sum(QuarantineCause.waiting)
    query = (
        select(QuarantineCause.code, count)
        .where(QuarantineCause.waiting > 0)
        .group_by(QuarantineCause.code)
        .order_by(count.desc(), QuarantineCause.code)
    )
    return [(code, n) for code, n in session.execute(query)]


def causes(
    session: Session, code: str | None = None, limit: int = 50, offset: int = 0
) -> list[tuple[QuarantineCause, QuarantineEntry | None]]:
    """Why messages wait, those most first, each with the one that came last."""
    query = select(QuarantineCause).where(QuarantineCause.waiting > 0)
    if code is not None:
        query = query.where(QuarantineCause.code == code)
    query = query.order_by(QuarantineCause.waiting.desc(), QuarantineCause.id)
    found = list(session.scalars(query.limit(limit).offset(offset)))
    latest = [cause.latest_id for cause in found]
    entries = session.scalars(select(QuarantineEntry).where(QuarantineEntry.id.in_(latest)))
    by_id = {entry.id: entry for entry in entries}
    return [(cause, by_id.get(cause.latest_id)) for cause in found]


def count_causes(session: Session, code: str | None = None) -> int:
    """How many causes have messages that wait."""
    query = select(func.count()).select_from(QuarantineCause).where(QuarantineCause.waiting > 0)
    if code is not None:
        query = query.where(QuarantineCause.code == code)
    return session.scalar(query) or 0


def recent(
    session: Session,
    code: str | None = None,
    status: str = WAITING,
    limit: int = 50,
    cause: int | None = None,
    before: int | None = None,
) -> Sequence[QuarantineEntry]:
    """The last messages refused, latest first; those that came before the one of this id."""
    query = select(QuarantineEntry).where(QuarantineEntry.status == status)
    if code is not None:
        query = query.where(QuarantineEntry.code == code)
    if cause is not None:
        query = query.where(QuarantineEntry.cause_id == cause)
    if before is not None:
        query = query.where(QuarantineEntry.id < before)
    return session.scalars(query.order_by(QuarantineEntry.id.desc()).limit(limit)).all()


def chosen(
    session: Session,
    ids: Sequence[int] = (),
    code: str | None = None,
    cause: int | None = None,
    page: int = 0,
) -> Iterator[list[QuarantineEntry]]:
    """Waiting messages with these ids, or of this code or cause, or all, oldest first, a page at a time."""
    wanted = [QuarantineEntry.status == WAITING, *_which(ids, code, cause)]
    return _pages(session, wanted, page or PAGE)


def on_topics(session: Session, filters: Collection[str], page: int = 0) -> Iterator[list[QuarantineEntry]]:
    """Messages that wait or were replayed and whose topic fits one of the MQTT filters, by the page."""
    wanted = [QuarantineEntry.status != DROPPED, or_(*map(_begins, filters))]
    levels = [each.split("/") for each in filters]
    for entries in _pages(session, wanted, page or PAGE):
        yield [each for each in entries if any(fits(filter_, each.topic.split("/")) for filter_ in levels)]


def latest_on(session: Session, filter_: str, limit: int) -> list[QuarantineEntry]:
    """The last messages, waiting or replayed, whose topic fits an MQTT filter; looked for among the last."""
    query = select(QuarantineEntry).where(QuarantineEntry.status != DROPPED, _begins(filter_))
    levels = filter_.split("/")
    found = session.scalars(query.order_by(QuarantineEntry.id.desc()).limit(PAGE))
    return [entry for entry in found if fits(levels, entry.topic.split("/"))][:limit]


def count_chosen(session: Session, cause: int | None = None, filters: Collection[str] = ()) -> int:
    """How many messages `chosen` or `on_topics` will look at."""
    if filters:
        query = select(func.count()).select_from(QuarantineEntry)
        return (
            session.scalar(query.where(QuarantineEntry.status != DROPPED, or_(*map(_begins, filters)))) or 0
        )
    total = select(func.coalesce(func.sum(QuarantineCause.waiting), 0))
    return session.scalar(total if cause is None else total.where(QuarantineCause.id == cause)) or 0


def landed(session: Session, landing: str, first: int, last: int) -> set[int]:
    """Which ids of a landing, from `first` to `last`, are here, whatever became of them."""
    query = select(QuarantineEntry.landing_id).where(
        QuarantineEntry.landing == landing, QuarantineEntry.landing_id.between(first, last)
    )
    return set(session.scalars(query))


def settle(
    session: Session, entries: Iterable[QuarantineEntry], refused: Mapping[int, str], now: datetime
) -> None:
    """What a replay found of each: by its id the reason that still is against it, or none and it is done."""
    change: Counter[int] = Counter()
    left = {entry.id: refused.get(entry.id) for entry in entries}
    keys = {
        entry.id: (_code(reason), *_told(session, entry))
        for entry in entries
        if (reason := left[entry.id]) is not None
    }
    now_of = _causes(session, list(keys.values()), now) if keys else {}
    latest: dict[int, int] = {}
    for entry in entries:
        reason = left[entry.id]
        if entry.status == WAITING and entry.cause_id is not None:
            change[entry.cause_id] -= 1
        if reason is None:
            entry.status, entry.settled_at = REPLAYED, now
            continue
        entry.status, entry.settled_at = WAITING, None
        entry.reason, entry.code = _clean(reason), _code(reason)
        entry.cause_id = now_of[keys[entry.id]]
        change[entry.cause_id] += 1
        latest[entry.cause_id] = max(entry.id, latest.get(entry.cause_id, 0))
    for cause in sorted(change):
        if change[cause]:
            session.execute(
                update(QuarantineCause)
                .where(QuarantineCause.id == cause)
                .values(
                    waiting=QuarantineCause.waiting + change[cause],
                    latest_id=_greater(QuarantineCause.latest_id, latest.get(cause, 0)),
                )
            )


def drop(
    session: Session,
    why: str,
    now: datetime,
    ids: Sequence[int] = (),
    code: str | None = None,
    cause: int | None = None,
) -> int:
    """Give these waiting messages up, saying why beside the reason they were refused for; how many."""
    wanted = [QuarantineEntry.status == WAITING, *_which(ids, code, cause)]
    dropped = session.execute(
        update(QuarantineEntry)
        .where(*wanted)
        .values(status=DROPPED, settled_at=now, reason=QuarantineEntry.reason + f" (dropped: {_clean(why)})")
        .returning(QuarantineEntry.cause_id)
        .execution_options(synchronize_session=False)
    )
    counts = Counter(id_ for (id_,) in dropped)
    for id_ in sorted(each for each in counts if each is not None):
        session.execute(
            update(QuarantineCause)
            .where(QuarantineCause.id == id_)
            .values(waiting=QuarantineCause.waiting - counts[id_])
        )
    return counts.total()


def give_up(session: Session, cause: int, who: str, why: str, now: datetime) -> int:
    """Give the messages of a cause up in somebody's name; how many. Raises ReasonRefused."""
    reason = " ".join(why.split())
    if not reason:
        raise ReasonRefused("missing")
    if len(reason) > LONGEST_REASON:
        raise ReasonRefused("long")
    if not reason.isprintable():
        raise ReasonRefused("bad")
    return drop(session, f"{who}: {reason}", now, cause=cause)


def forget(session: Session, before: datetime) -> int:
    """Delete what was replayed or dropped before this instant; how many."""
    gone = session.execute(
        delete(QuarantineEntry)
        .where(QuarantineEntry.status != WAITING, QuarantineEntry.settled_at < before)
        .returning(literal(1))
    )
    return len(gone.all())


def shape(payload: bytes) -> str:
    """The names at the top of a payload, as a cause tells them: `{co2, t1}`, `[{id, x}]`, `21.4`: a value."""
    if len(payload) > LARGEST:
        return OTHERS
    try:
        document = parsed(payload)
    except PayloadRejected as rejection:
        return "" if rejection.code == "empty" else f"({rejection.code})"
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return f"[{_names(document[0])}]"
    if isinstance(document, dict):
        return _names(document)
    return "[]" if isinstance(document, list) else f"({type(document).__name__})"


def _names(document: Mapping[str, object]) -> str:
    names = ", ".join(sorted(name[:40] for name in list(document)[:40]))
    cut = names if len(names) <= LONGEST_SHAPE - 4 else f"{names[: LONGEST_SHAPE - 5]}…"
    return "{" + "".join(char if char.isprintable() else "�" for char in cut) + "}"


def _key(refusal: Refusal) -> Key:
    message = refusal.message
    return _code(refusal.reason), _gateway(message.topic), shape(message.payload)


def _gateway(topic: str) -> str:
    return _clean(gateway_of(topic)[:100])


def _told(session: Session, entry: QuarantineEntry) -> tuple[str, str]:
    """Gateway and shape of an entry, from its cause where that tells them."""
    cause = session.get(QuarantineCause, entry.cause_id) if entry.cause_id is not None else None
    if cause is not None and cause.gateway:
        return cause.gateway, cause.shape
    return _gateway(entry.topic), shape(entry.payload)


def _causes(session: Session, keys: Sequence[Key], now: datetime) -> dict[Key, int]:
    """The ids of these causes, made where they are not there."""
    ids: dict[Key, int] = {}
    for key in dict.fromkeys(keys):
        ids[key] = _cause(session, key, now)
    return ids


def _cause(session: Session, key: Key, now: datetime) -> int:
    code, gateway, form = key
    same = (QuarantineCause.code == code, QuarantineCause.gateway == gateway)
    found = session.scalar(select(QuarantineCause.id).where(*same, QuarantineCause.shape == form))
    if found is not None:
        return found
    count = session.scalar(select(func.count()).select_from(QuarantineCause).where(*same)) or 0
    if count >= MOST_CAUSES and form != OTHERS:
        return _cause(session, (code, gateway, OTHERS), now)
    row = {"code": code, "gateway": gateway, "shape": form, "waiting": 0, "latest_id": 0}
    session.execute(
        insert(session, QuarantineCause)
        .on_conflict_do_nothing(
            index_elements=[QuarantineCause.code, QuarantineCause.gateway, QuarantineCause.shape]
        )
        .values(**row, first_at=now, last_at=now)
    )
    return session.scalars(select(QuarantineCause.id).where(*same, QuarantineCause.shape == form)).one()


def _came(session: Session, cause: int, count: int, first: datetime, last: datetime, latest: int) -> None:
    """So many more wait; the time of the first is that of the first that waits."""
    begun = case(
        (or_(QuarantineCause.waiting == 0, QuarantineCause.first_at > first), first),
        else_=QuarantineCause.first_at,
    )
    session.execute(
        update(QuarantineCause)
        .where(QuarantineCause.id == cause)
        .values(
            waiting=QuarantineCause.waiting + count,
            first_at=begun,
            last_at=_greater(QuarantineCause.last_at, last),
            latest_id=_greater(QuarantineCause.latest_id, latest),
        )
    )


def _greater(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[Any]:
    return case((column < value, literal(value, column.type)), else_=column)


def _which(ids: Sequence[int], code: str | None, cause: int | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if ids:
        wanted.append(QuarantineEntry.id.in_(ids))
    if code is not None:
        wanted.append(QuarantineEntry.code == code)
    if cause is not None:
        wanted.append(QuarantineEntry.cause_id == cause)
    return wanted


def _pages(
    session: Session, wanted: Sequence[ColumnElement[bool]], size: int
) -> Iterator[list[QuarantineEntry]]:
    after = 0
    while True:
        query = select(QuarantineEntry).where(QuarantineEntry.id > after, *wanted)
        page = list(session.scalars(query.order_by(QuarantineEntry.id).limit(size).with_for_update()))
        if not page:
            return
        after = page[-1].id
        yield page


def _begins(filter_: str) -> ColumnElement[bool]:
    """What can be asked of a topic before its levels are compared: how it begins."""
    beginning = filter_.partition("#")[0].partition("+")[0]
    return QuarantineEntry.topic.startswith(beginning.removesuffix("/"), autoescape=True)


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
