"""What is wrong with devices, what harms a running experiment first.

Nothing of what they measured: the rooms of a running experiment are under seal, their sensors' state is not.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, select

from service import embargo
from service.registry import device_days, devices, experiments
from service.registry.tables import Device, QuarantineEntry, Room

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from sqlalchemy.orm import Session

    from service.registry.tables import DeviceDay, Placement

Kind = Literal["silent", "clock", "range", "stuck", "apart", "battery"]
KINDS: tuple[Kind, ...] = ("silent", "clock", "range", "stuck", "apart", "battery")  # the worst first
LEARNED = timedelta(days=7)  # what a device's habits are learned from, and how far back faults are looked for
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(hours=24)
UNKNOWN = timedelta(hours=2)
LOW_BATTERY = 20.0  # %
CODES: dict[str, Kind] = {
    "clock_behind": "clock",
    "clock_ahead": "clock",
    "out_of_range": "range",
    "sentinel": "range",
}
MOST_TOPICS = 5_000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one device now.

    `since` is aware, or a day; None where it was never well. `metrics` are those concerned; `experiment`
    (slug, title) is the running one its room is in, whose days are lost meanwhile.
    """

    kind: Kind
    device: Device
    since: datetime | date | None
    metrics: tuple[str, ...] = ()
    battery: float | None = None
    usual: timedelta | None = None  # longer than this is silence
    room: Room | None = None
    experiment: tuple[str, str] | None = None


def findings(session: Session, now: datetime, zone: tzinfo) -> list[Finding]:
    """What is wrong: what harms a running experiment, then other rooms, then no room."""
    today = now.astimezone(zone).date()
    placed = {each.device_key: each for each in devices.placed_now(session, now)}
    refused = _refused(session, now - LEARNED)
    looked_at = placed.keys() | refused.keys()  # what is in no room harms nothing by being silent
    days = device_days.since(session, today - LEARNED, looked_at)
    running, discreet = experiments.running_in(session, today), _discreet(session, now, today)
    found = []
    for device in devices.some(session, looked_at):
        wrong = _of_one(device, days.get(device.key, ()), refused.get(device.key, {}), now)
        found += [_harming(each, placed.get(device.key), running, discreet, zone) for each in wrong]
    return sorted(found, key=_harm)


def silences(session: Session, now: datetime, zone: tzinfo) -> list[Finding]:
    """Of findings those of silent devices, without a look at anything else."""
    today = now.astimezone(zone).date()
    placed = devices.placed_now(session, now)
    quiet = silent(session, [each.device for each in placed], now, zone)
    if not quiet:
        return []
    running, discreet = experiments.running_in(session, today), _discreet(session, now, today)
    found = [
        _harming(Finding("silent", each.device, each.device.last_seen), each, running, discreet, zone)
        for each in placed
        if each.device_key in quiet
    ]
    return sorted(found, key=_harm)


def _discreet(session: Session, now: datetime, today: date) -> set[str]:
    return embargo.discreet(session, embargo.embargoes(session, today), now)


def _harming(
    finding: Finding,
    placement: Placement | None,
    running: Mapping[int, tuple[str, str]],
    discreet: Collection[str],
    zone: tzinfo,
) -> Finding:
    since = finding.since
    if isinstance(since, datetime):
        since = embargo.heard(since, zone, by_day=finding.device.key in discreet)
    if placement is None:
        return replace(finding, since=since)
    return replace(finding, since=since, room=placement.room, experiment=running.get(placement.room_id))


def silent(session: Session, found: Collection[Device], now: datetime, zone: tzinfo) -> set[str]:
    """The keys of those of these devices that are silent for longer than is usual for them."""
    since = now.astimezone(zone).date() - LEARNED
    pauses = device_days.longest_gaps(session, since, [each.key for each in found])
    return {each.key for each in found if _is_silent(each, patience(each, pauses.get(each.key, ())), now)}


def _is_silent(device: Device, usual: timedelta, now: datetime) -> bool:
    return device.last_seen is None or now - device.last_seen > usual


def patience(device: Device, pauses: Sequence[int]) -> timedelta:
    """How long a device may say nothing before it is silent, from the longest pause (s) of each day it spoke.

    Three heartbeats where one is declared; else half as long again as it has been silent of late, the longest
    pause apart: a sensor that speaks when somebody moves is quiet every night.
    """
    if device.heartbeat_minutes is not None:
        return timedelta(minutes=3 * device.heartbeat_minutes)
    if len(pauses) < 2:  # noqa: PLR2004 - one day is no habit
        return UNKNOWN
    return min(max(timedelta(seconds=1.5 * sorted(pauses)[-2]), SHORTEST), LONGEST)


def _of_one(
    device: Device, days: Sequence[DeviceDay], refused: Mapping[Kind, datetime], now: datetime
) -> Iterator[Finding]:
    spoken = [each for each in days if each.messages]
    usual = patience(device, [each.longest_gap for each in spoken])
    if _is_silent(device, usual, now):
        yield Finding("silent", device, device.last_seen, usual=usual)
    for kind, since in refused.items():
        yield Finding(kind, device, since)
    if not spoken:
        return
    last = spoken[-1]
    if last.stuck:
        yield Finding("stuck", device, _ever_since(spoken, "stuck"), tuple(last.stuck.split(",")))
    if last.apart:
        yield Finding("apart", device, _ever_since(spoken, "apart"), tuple(last.apart.split(",")))
    if last.battery is not None and last.battery < LOW_BATTERY:
        yield Finding("battery", device, last.day, battery=last.battery)


def _ever_since(days: Sequence[DeviceDay], what: str) -> date:
    """The first of the last days in a row on which this was wrong."""
    return [each.day for each in takewhile(lambda day: bool(getattr(day, what)), reversed(days))][-1]


def _harm(finding: Finding) -> tuple[bool, bool, int, str]:
    return (
        finding.experiment is None,
        finding.room is None,
        KINDS.index(finding.kind),
        finding.device.key,
    )


def _refused(session: Session, since: datetime) -> dict[str, dict[Kind, datetime]]:
    """Device → what its payloads that wait in quarantine say of it, and since when."""
    first = func.min(QuarantineEntry.received_at)
    query = (
        select(QuarantineEntry.topic, QuarantineEntry.code, first)
        .where(
            QuarantineEntry.status == "waiting",
            QuarantineEntry.code.in_(CODES),
            QuarantineEntry.received_at >= since,
        )
        .group_by(QuarantineEntry.topic, QuarantineEntry.code)
        .limit(MOST_TOPICS)
    )
    rows = session.execute(query).all()
    if not rows:
        return {}
    levels: dict[str, list[str]] = defaultdict(list)  # a device's name is a level of its gateway's topics
    for device in devices.everything(session):
        levels[device.key.partition("/")[2].lower()].append(device.key)
    found: dict[str, dict[Kind, datetime]] = defaultdict(dict)
    for topic, code, at in rows:
        keys = {key for level in topic.lower().split("/") for key in levels.get(level, ())}
        if len(keys) == 1:  # two devices of one name on two gateways: better none than the wrong one
            earlier = found[keys.pop()]
            kind = CODES[code]
            earlier[kind] = min(at, earlier.get(kind, at))
    return found
