"""What waits for somebody today, from the registry alone, in a number of queries that rows do not raise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median
from textwrap import shorten
from typing import TYPE_CHECKING, cast

from sqlalchemy import and_, func, select

from dashboards.pages.home import Deadline, Growth, Learned, ToLookAt
from service.registry import experiments, gateways
from service.registry.tables import Answer, Arm, Decision, Deviation, Experiment, GatewayDay, GatewayToken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date, tzinfo

    from sqlalchemy.orm import Session

    from dashboards.pages.experiments import Choice

AHEAD = timedelta(days=14)
NOTED = timedelta(days=7)
USUAL_DAYS = 7
FEWEST, TIMES = 20, 2  # refused messages of a day that are worth a word, and how far beyond the usual
LAST_DECISIONS = 5
LINE = 160  # characters


def to_look_at(session: Session, found: Sequence[Experiment], today: date, zone: tzinfo) -> list[ToLookAt]:
    """Looks at half-time that are due or suffice, then what was lately noted of running experiments."""
    running = {each.id: each for each in found if experiments.status(each, today) == "running"}
    shown = [look for each in running.values() for look in _interim(each, today, zone)]
    noted_since = datetime.combine(today, datetime.min.time(), zone) - NOTED
    query = (
        select(Deviation)
        .where(Deviation.experiment_id.in_(running), Deviation.entered_at >= noted_since.astimezone(UTC))
        .order_by(Deviation.day.desc(), Deviation.id.desc())
    )
    for noted in session.scalars(query):
        of = running[noted.experiment_id]
        shown.append(ToLookAt("unplanned", of.slug, of.title, noted.day, _line(noted.what)))
    return shown


def _interim(experiment: Experiment, today: date, zone: tzinfo) -> Iterator[ToLookAt]:
    """One that ended nothing is not told: `results` shows nothing of it either."""
    switch, ends = experiments.first_switch(experiment), experiment.ends
    for look in experiment.looks:
        if look.kind == "interim" and look.result["verdict"] is not None:
            day = look.taken_at.astimezone(zone).date()
            yield ToLookAt("interim_ends", experiment.slug, experiment.title, day)
    if experiment.interim and not experiment.looks and switch is not None and ends is not None:
        half_time = switch + (ends - switch) / 2
        if today > half_time:
            yield ToLookAt("interim_due", experiment.slug, experiment.title, half_time)


def growth(session: Session, now: datetime) -> Growth | None:
    """How much the quarantine grew today (UTC), where that is well beyond the usual; from counts by day."""
    today = gateways.utc_day(now)
    query = (
        select(GatewayDay.day, func.sum(GatewayDay.refused))
        .where(GatewayDay.day >= today - timedelta(days=USUAL_DAYS))
        .group_by(GatewayDay.day)
    )
    refused = {day: int(count) for day, count in session.execute(query)}
    usual = round(median(refused.get(today - timedelta(days=n), 0) for n in range(1, USUAL_DAYS + 1)))
    count = refused.get(today, 0)
    return Growth(count, usual) if count >= max(FEWEST, TIMES * usual) else None


def deadlines(session: Session, found: Sequence[Experiment], now: datetime) -> list[Deadline]:
    """What ends within AHEAD, and what should be over and is not: layouts and tokens without a successor."""
    today = now.date()
    last = today + AHEAD
    due = []
    for each in found:
        if each.ends is not None and today <= each.ends <= last and each.starts is not None:
            due.append(Deadline("experiment", each.ends, each.title, each.slug))
        if each.expires is not None and each.expires <= last:
            due.append(Deadline("layout", each.expires, each.title, each.slug, each.expires < today))
    query = select(GatewayToken.gateway_name, func.max(GatewayToken.expires)).group_by(
        GatewayToken.gateway_name
    )
    for name, expires in session.execute(query):
        if now - AHEAD <= expires <= now + AHEAD:
            due.append(Deadline("token", expires.astimezone(now.tzinfo).date(), name, past=expires <= now))
    return sorted(due, key=lambda each: (each.day, each.kind, each.name))


def answers_so_far(session: Session, ids: Collection[int]) -> dict[int, int]:
    """Experiment → how many answers its rooms had between its dates; without those that had none."""
    within = and_(
        Answer.room_id == Arm.room_id, Answer.day >= Experiment.starts, Answer.day <= Experiment.ends
    )
    query = (
        select(Experiment.id, func.count())
        .join(Arm, Arm.experiment_id == Experiment.id)
        .join(Answer, within)
        .where(Experiment.id.in_(ids))
        .group_by(Experiment.id)
    )
    return {key: count for key, count in session.execute(query)}  # noqa: C416 - dict() of rows is untyped


def learned(session: Session) -> tuple[list[Learned], int]:
    """The last decisions, a line each, and how many there are in all."""
    query = (
        select(Experiment.slug, Experiment.title, Decision.choice, Decision.decided_on, Decision.lessons)
        .join(Decision, Decision.experiment_id == Experiment.id)
        .order_by(Decision.decided_on.desc(), Experiment.id.desc())
        .limit(LAST_DECISIONS)
    )
    found = [
        Learned(slug, title, cast("Choice", choice), on, _line(lessons))  # held by the declaration
        for slug, title, choice, on, lessons in session.execute(query)
    ]
    return found, session.scalar(select(func.count()).select_from(Decision)) or 0


def _line(text: str) -> str:
    cut = shorten(text, LINE, placeholder="")
    return cut if cut == " ".join(text.split()) else cut.rstrip(" ,;:.") + "…"
