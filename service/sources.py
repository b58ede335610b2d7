"""Who sends messages and how well: gateways that were let in, and sources that only were heard."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from service import embargo
from service.registry import devices, gateways
from service.registry.tables import Device, Placement, Room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Gateway, GatewayDay

DAYS = 7  # shown, today included
SILENT = timedelta(hours=2)
SOON = timedelta(days=30)  # before a token ends
Token = Literal["good", "soon", "ended"]


@dataclass(frozen=True)
class Source:
    """A gateway over the last DAYS days; `messages` by UTC day, None for a day under seal.

    A sensor that speaks when something moves tells by the number of its messages how much a room is used:
    while an experiment runs in a room, its gateways' numbers are hidden as the room's readings are, and of
    their last message only the day is told.
    `unpromised` is the share (0–1) that came at QoS 0, where what is lost under way is lost; `refused` the
    share that waits in quarantine, wholly or in part.
    """

    name: str
    added: bool
    last_message: datetime | date | None
    silent: bool
    messages: tuple[tuple[date, int | None], ...]
    unpromised: float | None
    refused: float | None
    devices: int
    token: Token | None
    token_until: datetime | None


def everything(session: Session, now: datetime, zone: tzinfo) -> list[Source]:
    """Every source, those that were let in first, by name."""
    today = gateways.utc_day(now)
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    heard: dict[str, list[GatewayDay]] = defaultdict(list)
    for each in gateways.days_since(session, days[0]):
        heard[each.gateway].append(each)
    last = {each.source: each.last_message for each in gateways.totals(session)}
    behind: dict[str, int] = defaultdict(int)
    for device in devices.everything(session):
        behind[device.gateway] += 1
    added = {each.name: each for each in gateways.everything(session)}
    names = sorted(last.keys() | added.keys(), key=lambda name: (name not in added, name))
    sealed = _sealed(session, now, zone)
    # a device of The Things Stack is of its tenant, its messages come by v3: nothing says by which source
    astray = min((since for gateway, since in sealed.items() if gateway not in names), default=None)
    hidden = {name: sealed.get(name) if behind[name] else astray for name in names}
    return [
        _source(name, added.get(name), heard[name], days, last.get(name), behind[name], now, hidden[name])
        for name in names
    ]


def _sealed(session: Session, now: datetime, zone: tzinfo) -> dict[str, date]:
    """Gateway → the first UTC day whose messages are hidden; without those that serve no running experiment.

    The seal is laid by local days: a UTC day is hidden as soon as a part of it is.
    """
    hidden = embargo.embargoes(session, now.astimezone(zone).date())
    query = (
        select(Device.gateway, Room.slug, Placement.end)
        .join(Placement.device)
        .join(Placement.room)
        .where(Room.slug.in_(hidden))
    )
    found: dict[str, date] = {}
    for gateway, room, end in session.execute(query):
        since = datetime.combine(hidden[room].since, time(), zone).astimezone(UTC)
        if end is None or end > since:
            found[gateway] = min(since.date(), found.get(gateway, since.date()))
    return found


def _source(
    name: str,
    gateway: Gateway | None,
    heard: Sequence[GatewayDay],
    days: Sequence[date],
    last: datetime | None,
    behind: int,
    now: datetime,
    sealed: date | None,
) -> Source:
    counts = {each.day: each.messages for each in heard}
    total = sum(counts.values())
    until = max((token.expires for token in gateway.tokens), default=None) if gateway else None
    return Source(
        name=name,
        added=gateway is not None,
        last_message=embargo.heard(last, now.tzinfo or UTC, by_day=sealed is not None),
        silent=last is None or now - last > SILENT,
        messages=tuple((day, None if sealed and day >= sealed else counts.get(day, 0)) for day in days),
        unpromised=sum(each.unpromised for each in heard) / total if total else None,
        refused=sum(each.refused for each in heard) / total if total else None,
        devices=behind,
        token=_state(until, now),
        token_until=until,
    )


def _state(until: datetime | None, now: datetime) -> Token | None:
    if until is None:
        return None
    if until <= now:
        return "ended"
    return "soon" if until - now < SOON else "good"
