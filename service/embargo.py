"""While an experiment runs its effect cannot be had: which rooms are hidden, and from which day.

Every room of it, treated or baseline, from the first switch to the end. Pages, API and exports ask here; a
total over several rooms is shown only when none of them is hidden, since the rest could be subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from service.registry import experiments
from service.registry.tables import Device, Placement, Room

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import tzinfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment


@dataclass(frozen=True)
class Embargo:
    """A room's values are hidden from `since` on, because `slug` runs until `ends` included."""

    slug: str
    title: str
    since: date
    ends: date


def of_experiment(experiment: Experiment, today: date) -> Embargo | None:
    """The embargo this experiment lays on each of its rooms today."""
    since = experiments.first_switch(experiment)
    if since is None or experiment.ends is None or experiments.status(experiment, today) != "running":
        return None
    return Embargo(experiment.slug, experiment.title, since, experiment.ends)


def embargoes(session: Session, today: date) -> dict[str, Embargo]:
    """Room → why it is hidden; rooms that are free are not in it.

    Where several run in a room: from the first of their switches, until the last of them is over.
    """
    hidden: dict[str, Embargo] = {}
    for experiment in experiments.running(session, today):
        laid = of_experiment(experiment, today)
        if laid is None:
            continue
        for arm in experiment.arms:
            other = hidden.get(arm.room.slug, laid)
            last = max(other, laid, key=attrgetter("ends"))
            hidden[arm.room.slug] = replace(last, since=min(other.since, laid.since))
    return hidden


def discreet(session: Session, hidden: Collection[str], now: datetime) -> set[str]:
    """The devices that were in a room under seal or for one person when last heard, or came there since.

    One that speaks when somebody moves tells at what time somebody was there.
    """
    query = (
        select(Placement.device_key)
        .join(Placement.room)
        .join(Placement.device)
        .where(
            or_(Room.capacity == 1, Room.slug.in_(hidden)),
            Placement.start <= now,
            or_(Placement.end.is_(None), Placement.end > func.coalesce(Device.last_seen, now)),
        )
    )
    return set(session.scalars(query))


def heard(at: datetime | None, zone: tzinfo, *, by_day: bool) -> datetime | date | None:
    """When something was last heard, local; its day alone of what is `discreet`."""
    local = None if at is None else at.astimezone(zone)
    return local.date() if local is not None and by_day else local
