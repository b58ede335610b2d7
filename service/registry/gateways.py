"""Gateways that may send, their HTTP tokens, and what came from each on each day."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select
from sqlalchemy.orm import joinedload

from service.registry.tables import Gateway, GatewayDay, GatewayToken
from service.registry.upsert import insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

NAME = re.compile(r"[a-z0-9-]{1,40}")
OURS = "temoin"  # the receiver's own user at the broker
TOKEN_MARK = "temoin-gw-"  # noqa: S105 - what every token begins with, so that a leaked one is recognised
LONGEST_SOURCE = 100


class GatewayError(Exception):
    """Something about a gateway that cannot be done; the sentence says why."""


def add(session: Session, name: str, broker_hash: str, now: datetime, receiver: str | None = None) -> Gateway:
    """A new gateway, without a token; `receiver` is the name Témoin itself signs in by at the broker.

    Raises GatewayError for a name that is taken or cannot be one.
    """
    if not NAME.fullmatch(name):
        raise GatewayError(
            f"« {name} » cannot be a gateway's name: 1 to 40 lower-case letters, digits and hyphens."
        )
    if name in (OURS, receiver):
        raise GatewayError(f"« {name} » is how Témoin itself signs in at the broker: choose another name.")
    if session.get(Gateway, name) is not None:
        raise GatewayError(f"{name} is there already: `temoin gateway rotate {name}` gives it new secrets.")
    gateway = Gateway(name=name, added_at=now, broker_hash=broker_hash)
    session.add(gateway)
    session.flush()
    return gateway


def known(session: Session, name: str) -> Gateway:
    """The gateway of this name; raises GatewayError when there is none."""
    gateway = session.get(Gateway, name)
    if gateway is None:
        raise GatewayError(f"There is no gateway {name}: `temoin gateway list` shows those there are.")
    return gateway


def everything(session: Session) -> Sequence[Gateway]:
    """Every gateway with its tokens, by name."""
    query = select(Gateway).options(joinedload(Gateway.tokens)).order_by(Gateway.name)
    return session.scalars(query).unique().all()


def new_token(gateway: Gateway, now: datetime, lasting: timedelta, overlap: timedelta = timedelta(0)) -> str:
    """A token for HTTP, valid for `lasting`; only its SHA-256 is kept. Older ones end after `overlap`."""
    for older in gateway.tokens:
        older.expires = min(older.expires, now + overlap)
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    gateway.tokens.append(GatewayToken(token_sha256=_sha256(token), made_at=now, expires=now + lasting))
    return token


def of_token(session: Session, token: str, now: datetime) -> str | None:
    """The name of the gateway whose valid token this is."""
    row = session.get(GatewayToken, _sha256(token))
    return row.gateway_name if row is not None and row.expires > now else None


def source(topic: str) -> str:
    """Who sent a message of this topic: the gateway of `temoin/{gateway}/…`, elsewhere the topic's root."""
    levels = topic.split("/", 2)
    own = levels[0] == OURS and len(levels) > 1
    return (levels[1] if own else levels[0])[:LONGEST_SOURCE].replace("\0", "\N{REPLACEMENT CHARACTER}")


def count(
    session: Session, heard: Iterable[tuple[str, int, datetime]], refused: Iterable[tuple[str, datetime]]
) -> None:
    """Add messages (topic, QoS, received) and refusals (topic, received) to their sources' days."""
    messages: Counter[tuple[str, date]] = Counter()
    unpromised: Counter[tuple[str, date]] = Counter()
    last: dict[tuple[str, date], datetime] = {}
    for topic, qos, received_at in heard:
        key = (source(topic), received_at.date())
        messages[key] += 1
        unpromised[key] += qos == 0
        last[key] = received_at
    failed = Counter((source(topic), received_at.date()) for topic, received_at in refused)
    rows = [
        {
            "gateway": name,
            "day": day,
            "messages": messages[name, day],
            "unpromised": unpromised[name, day],
            "refused": failed[name, day],
            "last_message": last[name, day],
        }
        for name, day in sorted(messages)  # one order in every process: no deadlock
    ]
    if rows:
        _increase(session, rows)


def _increase(session: Session, rows: list[dict[str, object]]) -> None:
    statement = insert(session, GatewayDay)
    new, old = statement.excluded, GatewayDay
    statement = statement.on_conflict_do_update(
        index_elements=[GatewayDay.gateway, GatewayDay.day],
        set_={
            **{name: getattr(old, name) + new[name] for name in ("messages", "unpromised", "refused")},
            "last_message": case(
                (old.last_message >= new.last_message, old.last_message), else_=new.last_message
            ),
        },
    )
    session.execute(statement, rows)


@dataclass(frozen=True)
class Total:
    """Everything that ever came from one source."""

    source: str
    messages: int
    unpromised: int
    refused: int
    last_message: datetime


def totals(session: Session) -> list[Total]:
    """What came from each source since it is counted, by name."""
    query = (
        select(
            GatewayDay.gateway,
            func.sum(GatewayDay.messages),
            func.sum(GatewayDay.unpromised),
            func.sum(GatewayDay.refused),
            func.max(GatewayDay.last_message),
        )
        .group_by(GatewayDay.gateway)
        .order_by(GatewayDay.gateway)
    )
    return [
        Total(name, int(messages), int(unpromised), int(refused), last)
        for name, messages, unpromised, refused, last in session.execute(query)
    ]


def days_since(session: Session, first: date) -> Sequence[GatewayDay]:
    """What came from each source on each UTC day from `first` on, by name and day."""
    query = select(GatewayDay).where(GatewayDay.day >= first).order_by(GatewayDay.gateway, GatewayDay.day)
    return session.scalars(query).all()


def utc_day(now: datetime) -> date:
    """The UTC day in which counts of this instant go."""
    return now.astimezone(UTC).date()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
