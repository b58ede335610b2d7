"""What payloads that no format knows were said to mean, version by version; and replays asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sensors.mapping import Mapping, MappingRefused, overlap
from service.registry import turn
from service.registry.tables import MappingVersion, Replay

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


def versions(session: Session, number: int) -> list[MappingVersion]:
    """Every version of one mapping, the latest first."""
    query = select(MappingVersion).where(MappingVersion.number == number)
    return list(session.scalars(query.order_by(MappingVersion.version.desc())))


def latest(session: Session) -> list[MappingVersion]:
    """The last version of every mapping that was not withdrawn, by topic."""
    last = select(MappingVersion.number, func.max(MappingVersion.version).label("version"))
    newest = last.group_by(MappingVersion.number).subquery()
    query = select(MappingVersion).join(
        newest,
        (MappingVersion.number == newest.c.number) & (MappingVersion.version == newest.c.version),
    )
    rows = session.scalars(query.order_by(MappingVersion.topic, MappingVersion.number))
    return [row for row in rows if row.document is not None]


def holding(session: Session, number: int) -> MappingVersion | None:
    """The version of one mapping that holds; None once it is withdrawn, or where there is none."""
    rows = versions(session, number)
    return rows[0] if rows and rows[0].document is not None else None


def current(session: Session) -> list[Mapping]:
    """The mappings that hold now."""
    return [Mapping.from_json(row.document) for row in latest(session)]


def keep(
    session: Session, mapping: Mapping, who: str, now: datetime, number: int | None = None
) -> MappingVersion:
    """Keep a mapping, as the next version of `number` or as a new one.

    Raises MappingRefused when another mapping speaks of some of the same topics.
    """
    turn.take(session)
    check(session, mapping, number)
    return _add(session, number, mapping, mapping.topic, who, now)


def check(session: Session, mapping: Mapping, number: int | None = None) -> None:
    """Raise MappingRefused when another mapping speaks of some of the same topics."""
    for row in latest(session):
        if row.number != number and overlap(row.topic, mapping.topic):
            raise MappingRefused(
                "overlap",
                f"mapping {row.number} ({row.topic}) speaks of some of these topics: correct that one",
            )


def in_the_way(session: Session, topic: str, number: int | None = None) -> str:
    """The number of the mapping that speaks of some topics of this filter already, or nothing."""
    rows = (row for row in latest(session) if row.number != number and overlap(row.topic, topic))
    return next((str(row.number) for row in rows), "")


def withdraw(session: Session, number: int, who: str, now: datetime) -> MappingVersion:
    """Let a mapping hold no longer; its versions stay to be read."""
    turn.take(session)
    return _add(session, number, None, versions(session, number)[0].topic, who, now)


def ask(
    session: Session, who: str, now: datetime, cause: int | None = None, mapping: int | None = None
) -> Replay:
    """Ask for a replay; the one that waits already for the same is given back."""
    turn.take(session)
    query = select(Replay).where(Replay.ended_at.is_(None), Replay.done == 0)
    for waiting in session.scalars(query):
        if (waiting.cause_id, waiting.mapping) == (cause, mapping):
            waiting.asked_at = now
            return waiting
    replay = Replay(cause_id=cause, mapping=mapping, asked_at=now, asked_by=who)
    session.add(replay)
    session.flush()
    return replay


def due(session: Session, until: datetime) -> Replay | None:
    """The replay that waits for longest, asked for before `until`."""
    query = select(Replay).where(Replay.ended_at.is_(None), Replay.asked_at <= until)
    return session.scalars(query.order_by(Replay.id).limit(1)).first()


def replays(session: Session, limit: int = 20) -> list[Replay]:
    """The replays last asked for, latest first."""
    return list(session.scalars(select(Replay).order_by(Replay.id.desc()).limit(limit)))


def _add(
    session: Session, number: int | None, mapping: Mapping | None, topic: str, who: str, now: datetime
) -> MappingVersion:
    if number is None:
        number = (session.scalar(select(func.max(MappingVersion.number))) or 0) + 1
    version = (
        session.scalar(select(func.max(MappingVersion.version)).where(MappingVersion.number == number)) or 0
    ) + 1
    row = MappingVersion(
        number=number,
        version=version,
        topic=topic,
        document=None if mapping is None else mapping.to_json(),
        made_at=now,
        made_by=who,
    )
    session.add(row)
    session.flush()
    return row
