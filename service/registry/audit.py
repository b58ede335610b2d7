"""The audit: every change of what people made, each bound to the one before it by SHA-256.

A change is noted while it is flushed and written when its session commits, by whatever page or command it
came; `session.info["who"]` says who. Answers, readings, outcomes and sessions are not in it.

1. The hash of a change is the SHA-256 of `canonical` of its columns but `hash`, the hash before included.
2. Ids are 1, 2, 3…: one that is missing was taken out. The last ones can be cut off without a trace in the
   table: that is what the head, kept elsewhere, is for.
3. Writers take turns from the last id to their commit, which takes no other lock: no deadlock.
"""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.orm import Session, object_session

from service.registry import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Column, Connection
    from sqlalchemy.orm import InstanceState, Mapper, ORMExecuteState

    from service.registry.tables import Base, Change

    Fields = tuple[dict[str, Any], dict[str, Any]]  # of what changed: before, after

# A table that people fill is named here, with the columns that machines write or that are too large.
KEPT: dict[type[Base], frozenset[str]] = {
    tables.Site: frozenset(),
    tables.Closure: frozenset(),
    tables.Room: frozenset(),
    tables.Device: frozenset({"first_seen", "last_seen"}),
    tables.DevicePhoto: frozenset({"image"}),
    tables.Placement: frozenset(),
    tables.Experiment: frozenset(),
    tables.Arm: frozenset(),
    tables.Measure: frozenset(),
    tables.Protocol: frozenset({"document"}),  # its sha256 says it
    tables.Look: frozenset({"panel", "result"}),
    tables.Deviation: frozenset(),
    tables.Cost: frozenset(),
    tables.Decision: frozenset(),
    tables.Gateway: frozenset(),
    tables.GatewayToken: frozenset(),
    tables.User: frozenset(),
    tables.Identity: frozenset(),
    tables.SecondFactor: frozenset({"last_step"}),
    tables.MappingVersion: frozenset(),
    tables.Import: frozenset({"total", "done", "report", "trouble"}),
    tables.Share: frozenset({"last_used", "frozen"}),
}
SECRET = frozenset(
    {"password_hash", "broker_hash", "token_sha256", "sealed_secret", "recovery_sha256"}
)  # that it changed is said, never to what
HIDDEN = "•"
FIRST = "0" * 64  # what the first change has for the hash before it
WRITING = 0x7E402  # any constant: the PostgreSQL lock that writers of the chain take turns on
OWN_NAMES = ("name", "title", "label", "key")
IDENTITIES = ("slug", "email")

acting: ContextVar[str | None] = ContextVar("acting", default=None)  # who is signed in on this request


@dataclass(frozen=True)
class Chain:
    """What verifying found: how many changes hold, the hash of the last of them, the first that does not."""

    count: int
    head: str
    broken: int | None = None  # id
    why: str | None = None


def canonical(change: dict[str, Any]) -> str:
    """The JSON that is hashed: keys sorted, no spaces, UTF-8 as it is, the time in UTC."""
    return json.dumps(change, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def document(change: Change) -> dict[str, Any]:
    """A change as it is hashed and exported, without its hash."""
    names = ("id", "who", "action", "kind", "row", "called", "before", "after", "previous")
    return {"at": change.at.isoformat(), **{name: getattr(change, name) for name in names}}


def verify(session: Session) -> Chain:
    """Walk the whole chain, in steady memory."""
    count, last = 0, FIRST
    for change in everything(session):
        why = _fault(change, count + 1, last)
        if why is not None:
            return Chain(count, last, change.id, why)
        count, last = change.id, change.hash
    return Chain(count, last)


def holds(session: Session, told: str) -> bool:
    """Whether some change has this hash; the first of all begins the chain and always holds."""
    return (
        told == FIRST
        or session.scalar(select(tables.Change.id).where(tables.Change.hash == told)) is not None
    )


def head(session: Session) -> Change | None:
    """The last change: its hash stands for all before it."""
    return next(iter(latest(session, 1)), None)


def everything(session: Session) -> Iterator[Change]:
    """Every change from the first on, in steady memory."""
    query = select(tables.Change).order_by(tables.Change.id)
    for change in session.scalars(query.execution_options(yield_per=1000)):
        session.expunge(change)
        yield change


def latest(
    session: Session, limit: int, below: int | None = None, kind: str | None = None, who: str | None = None
) -> list[Change]:
    """The last changes, newest first: of one table, of one person, before the one with the id `below`."""
    query = select(tables.Change).order_by(tables.Change.id.desc()).limit(limit)
    if below is not None:
        query = query.where(tables.Change.id < below)
    if kind is not None:
        query = query.where(tables.Change.kind == kind)
    if who is not None:
        query = query.where(tables.Change.who == who)
    return list(session.scalars(query))


def authors(session: Session) -> list[str]:
    """Whoever changed something, by name."""
    return list(session.scalars(select(tables.Change.who).distinct().order_by(tables.Change.who)))


def _fault(change: Change, expected: int, previous: str) -> str | None:
    if change.id != expected:
        return f"change {expected} is missing"
    if change.previous != previous:
        return f"change {change.id} does not follow the one before it"
    if change.hash != _hash(document(change)):
        return f"change {change.id} is not as it was written"
    return None


def _hash(change: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(change).encode()).hexdigest()


# ------------------------------------------------------------------------------- noted while it is flushed


def _created(session: Session, mapper: Mapper[Any], row: Base) -> Fields:
    return {}, _values(session, mapper, row)


def _deleted(session: Session, mapper: Mapper[Any], row: Base) -> Fields:
    return _values(session, mapper, row), {}


def _changed(session: Session, mapper: Mapper[Any], row: Base) -> Fields:
    state: InstanceState[Any] = inspect(row)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for column in _columns(mapper):
        history = state.attrs[column.name].history
        if history.has_changes():
            before |= _told(session, column, history.deleted[0] if history.deleted else None)
            after |= _told(session, column, history.added[0] if history.added else None)
    same = {name for name in before if before[name] == after.get(name, before) != HIDDEN}
    for name in same:
        del before[name], after[name]
    return before, after


def _note(
    action: str,
    fields: Callable[[Session, Mapper[Any], Base], Fields],
    mapper: Mapper[Any],
    _connection: Connection,
    row: Base,
) -> None:
    """Keep a change of this row for the commit, if anything in it changed."""
    session = object_session(row)
    if session is None:
        return
    before, after = fields(session, mapper, row)
    if not before and not after:
        return
    session.info["noted"].append(
        {
            "action": action,
            "kind": row.__tablename__,
            "row": "/".join(_key(each, row) for each in mapper.columns if each.primary_key)[:400],
            "called": _called(session, mapper, row),
            "before": before,
            "after": after,
        }
    )


def _columns(mapper: Mapper[Any]) -> list[Column[Any]]:
    return [column for column in mapper.columns if column.name not in KEPT[mapper.class_]]


def _values(session: Session, mapper: Mapper[Any], row: Base) -> dict[str, Any]:
    """What a row holds that is loaded and not empty: nothing is read from the database for it."""
    loaded: dict[str, Any] = inspect(row).dict
    told: dict[str, Any] = {}
    for column in _columns(mapper):
        if loaded.get(column.name) is not None and column.name != "id":
            told |= _told(session, column, loaded[column.name])
    return told


def _told(session: Session, column: Column[Any], value: Any) -> dict[str, Any]:  # noqa: ANN401 - any column's value
    """A column's value as JSON has it: a reference by its slug, a sheet key by key, a secret not at all."""
    if column.name in SECRET:
        return {column.name: None if value is None else HIDDEN}
    if isinstance(value, dict):
        return {f"{column.name}.{key}": _plain(each) for key, each in value.items()}
    if column.foreign_keys and value is not None:
        return {column.name.removesuffix("_id"): _of(session, column, value, IDENTITIES)}
    return {column.name.removesuffix("_id") if column.foreign_keys else column.name: _plain(value)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - from any column to JSON
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


def _key(column: Column[Any], row: Base) -> str:
    value = inspect(row).dict.get(column.name)
    return str(value)[:8] if column.name in SECRET else str(value)


def _called(session: Session, mapper: Mapper[Any], row: Base) -> str:
    """A row's own name, or the names of what it belongs to and what tells it from the others there."""
    loaded: dict[str, Any] = inspect(row).dict
    for name in OWN_NAMES:
        if loaded.get(name):
            return str(loaded[name])
    columns = [each for each in mapper.columns if loaded.get(each.name) is not None]
    parts = [_of(session, each, loaded[each.name], OWN_NAMES) for each in columns if each.foreign_keys]
    own = [each for each in columns if each.primary_key and not each.foreign_keys]
    parts += [str(_plain(loaded[each.name])) for each in own if each.name not in SECRET | {"id"}]
    return ", ".join(parts)


def _of(session: Session, column: Column[Any], value: Any, names: tuple[str, ...]) -> str:  # noqa: ANN401 - any key
    """What the row that this reference points at is called; asked once a flush."""
    told: dict[tuple[Any, ...], str] = session.info["told"]
    target = next(iter(column.foreign_keys)).column
    if (target, value, names) not in told:
        asked = (
            select(target.table.c[each]).where(target == value) for each in names if each in target.table.c
        )
        found = (session.connection().scalar(query) for query in asked)
        told[target, value, names] = str(next(filter(None, found), value))
    return told[target, value, names]


# ------------------------------------------------------------------------------ written at the commit


def _write(session: Session, changes: list[dict[str, Any]]) -> None:
    """Append to the chain; the turn ends with the transaction."""
    if not changes:
        return
    connection = session.connection()
    if connection.dialect.name == "postgresql":  # SQLite has one writer, and the flush made us that
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING})")
    newest = select(tables.Change.id, tables.Change.hash).order_by(tables.Change.id.desc()).limit(1)
    last = connection.execute(newest).first()
    number, previous = (0, FIRST) if last is None else (last.id, last.hash)
    now = datetime.now(UTC)
    rows = []
    for change in changes:
        number += 1
        row = change | {"id": number, "who": _who(session), "previous": previous}
        previous = _hash(row | {"at": now.isoformat()})
        rows.append(row | {"at": now, "hash": previous})
    connection.execute(insert(tables.Change), rows)


def _who(session: Session) -> str:
    return str(session.info.get("who") or "temoin")[:400]


def _waiting(session: Session) -> list[dict[str, Any]]:
    """What waits for the commit of this transaction; what waited for one rolled back is forgotten."""
    under_way = session.get_transaction()
    changes: list[dict[str, Any]]
    transaction, changes = session.info.get("changes", (None, []))
    if transaction is not under_way:
        changes = []
        session.info["changes"] = (under_way, changes)
    return changes


@event.listens_for(Session, "before_flush")
def _begin(session: Session, _context: object, _instances: object) -> None:
    session.info["noted"] = []  # a flush that failed noted things too
    session.info["told"] = {}


@event.listens_for(Session, "after_flush")
def _flushed(session: Session, _context: object) -> None:
    """What a savepoint may yet take back is written inside it, so that it is taken back too."""
    if session.in_nested_transaction():
        _write(session, session.info["noted"])
    else:
        _waiting(session).extend(session.info["noted"])


@event.listens_for(Session, "before_commit")
def _at_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        session.flush()
        changes = _waiting(session)
        _write(session, changes)
        changes.clear()


@event.listens_for(Session, "do_orm_execute")
def _only_by_object(state: ORMExecuteState) -> None:
    """An UPDATE or DELETE of many rows at once would pass by unnoted."""
    mapper = state.bind_mapper
    if (state.is_update or state.is_delete) and mapper is not None and mapper.class_ in KEPT:
        raise TypeError(f"{mapper.class_.__name__} is in the audit: change or delete it by its object.")


for _kept in KEPT:
    event.listen(_kept, "after_insert", partial(_note, "created", _created))
    event.listen(_kept, "after_update", partial(_note, "changed", _changed))
    event.listen(_kept, "after_delete", partial(_note, "deleted", _deleted))
