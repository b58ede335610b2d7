"""Experiments as declared, their protocol and where they stand in their life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select
from sqlalchemy.orm import contains_eager, defer, joinedload, selectinload

from experiments.design import Design, Measure, Protocol
from experiments.outcomes import OUTCOMES
from service.registry import turn
from service.registry.tables import Arm, Decision, Experiment, Look, Room, User
from service.registry.tables import Measure as MeasureRow
from service.registry.tables import Protocol as LockedProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from experiments.design import Assignment, Better, Role
    from experiments.verdict import Status

_WHOLE = (
    selectinload(Experiment.arms).joinedload(Arm.room).joinedload(Room.site),
    selectinload(Experiment.measures),
    joinedload(Experiment.protocol),
    joinedload(Experiment.decision),
    selectinload(Experiment.looks),
    joinedload(Experiment.owner),
)


def everything(session: Session, *, decided: bool = True) -> Sequence[Experiment]:
    """Every experiment, whole, the latest start first; those that were decided too unless told otherwise."""
    query = (
        select(Experiment).options(*_WHOLE).order_by(Experiment.starts.desc().nulls_first(), Experiment.id)
    )
    if not decided:
        query = query.where(~select(Decision).where(Decision.experiment_id == Experiment.id).exists())
    return session.scalars(query).unique().all()


def listed(session: Session) -> Sequence[Experiment]:
    """Every experiment for a list, the latest start first, without rooms, looks and protocols."""
    query = (
        select(Experiment)
        .options(
            selectinload(Experiment.arms),
            selectinload(Experiment.measures),
            joinedload(Experiment.decision),
            joinedload(Experiment.owner),
            defer(Experiment.sheet),
        )
        .order_by(Experiment.starts.desc().nulls_first(), Experiment.id)
    )
    return session.scalars(query).all()


def headlines(session: Session) -> dict[int, dict[str, Any]]:
    """By experiment what its final look says in a line, and no more of that long document.

    `verdict`, then of the primary outcome: `outcome`, `better`, `effect`, `ci_low`, `ci_high`.
    """
    primary = {
        **{name: Look.result[("primary", "measure", name)].as_string() for name in ("outcome", "better")},
        **{
            name: Look.result[("primary", "estimate", name)].as_float()
            for name in ("effect", "ci_low", "ci_high")
        },
    }
    said = {"verdict": Look.result["verdict"].as_string(), **primary}
    query = select(Look.experiment_id, *(what.label(name) for name, what in said.items()))
    found = session.execute(query.where(Look.kind == "final", said["outcome"].is_not(None)))
    return {row.experiment_id: {name: getattr(row, name) for name in said} for row in found}


def under_way(session: Session, today: date) -> Sequence[Experiment]:
    """Those that neither ended before `today` nor were decided, with their arms and measures alone."""
    query = (
        select(Experiment)
        .outerjoin(Decision)
        .where(Decision.experiment_id.is_(None), or_(Experiment.ends.is_(None), Experiment.ends >= today))
        .options(
            selectinload(Experiment.arms).joinedload(Arm.room),
            selectinload(Experiment.measures),
            contains_eager(Experiment.decision),
        )
        .order_by(Experiment.starts.desc().nulls_first(), Experiment.id)
    )
    return session.scalars(query).unique().all()


def running(session: Session, today: date) -> list[Experiment]:
    """Those of `under_way` whose rooms were changed."""
    return [each for each in under_way(session, today) if status(each, today) == "running"]


def running_in(session: Session, today: date) -> dict[int, tuple[str, str]]:
    """Room → slug and title of an experiment that runs in it."""
    return {arm.room_id: (each.slug, each.title) for each in running(session, today) for arm in each.arms}


def hand_over(session: Session, experiment: Experiment, seen: int | None, owner: User | None) -> bool:
    """Put it in these hands, or nobody's; False, and nothing done, where they are no longer those `seen`."""
    turn.take(session)
    if experiment.owner_id not in (seen, None if owner is None else owner.id):
        return False
    experiment.owner = owner
    return True


def of_room(session: Session, room_id: int) -> list[tuple[str, str]]:
    """Slug and title of every experiment a room takes or took part in, the latest start first."""
    query = select(Experiment.slug, Experiment.title).join(Arm).where(Arm.room_id == room_id)
    found = session.execute(query.order_by(Experiment.starts.desc().nulls_first(), Experiment.id))
    return [(slug, title) for slug, title in found]


def find(session: Session, slug: str) -> Experiment | None:
    """The experiment of this address, whole."""
    return (
        session.scalars(select(Experiment).options(*_WHOLE).where(Experiment.slug == slug)).unique().first()
    )


def first_switch(experiment: Experiment) -> date | None:
    """The first day after the first change; None without a treated room."""
    return min((arm.switch for arm in experiment.arms if arm.switch is not None), default=None)


def status(experiment: Experiment, today: date) -> Status:
    """Where an experiment stands on the local day `today`."""
    if experiment.decision is not None:
        return "decided"
    if experiment.starts is None or experiment.ends is None:
        return "idea"
    if today > experiment.ends:
        return "ended"
    switch = first_switch(experiment)
    return "running" if switch is not None and today >= switch else "planned"


def compared(experiment: Experiment) -> bool:
    """Whether this is an experiment to compare, and not a free trial (« essai libre ») or an idea."""
    roles = {measure.role for measure in experiment.measures}
    return (
        "primary" in roles
        and first_switch(experiment) is not None
        and experiment.starts is not None
        and experiment.ends is not None
    )


def protocol(experiment: Experiment) -> Protocol | None:
    """The locked protocol, or what would be locked today; None for what cannot be compared."""
    if experiment.protocol is not None:
        return Protocol.from_json(experiment.protocol.document)
    return draft(experiment) if compared(experiment) else None


def lock(session: Session, experiment: Experiment, who: str, now: datetime) -> LockedProtocol:
    """Freeze what the verdict will depend on; locking twice gives the first lock. Raises DesignError."""
    if experiment.protocol is None:
        turn.take(session)
    if experiment.protocol is None:
        document = draft(experiment)
        experiment.protocol = LockedProtocol(
            document=document.to_json(), sha256=document.sha256, locked_at=now, locked_by=who
        )
        session.flush()
    return experiment.protocol


def draft(experiment: Experiment) -> Protocol:
    """What would be locked today, of an experiment that is `compared`. Raises DesignError."""
    if experiment.starts is None or experiment.ends is None:
        raise ValueError(f"{experiment.slug} has no dates")  # callers ask `compared` first
    switch = {arm.room.slug: arm.switch for arm in experiment.arms if arm.switch is not None}
    baseline = tuple(sorted(arm.room.slug for arm in experiment.arms if arm.switch is None))
    assignment: Assignment = experiment.assignment  # type: ignore[assignment]  # checked by Design
    return Protocol(
        slug=experiment.slug,
        title=experiment.title,
        design=Design(
            switch=switch,
            baseline=baseline,
            washout=experiment.washout,
            min_days=experiment.min_days,
            assignment=assignment,
            pairs=_pairs(experiment),
            seed=experiment.seed,
        ),
        starts=experiment.starts,
        ends=experiment.ends,
        measures=tuple(_measure(measure) for measure in experiment.measures),
        alpha=experiment.alpha,
        interim=experiment.interim,
        retrospective=_retrospective(experiment),
        sites={arm.room.slug: arm.room.site.slug for arm in experiment.arms},
        min_coverage=experiment.min_coverage,
        sheet=experiment.sheet,
    )


def _measure(row: MeasureRow) -> Measure:
    definition = OUTCOMES[row.outcome]
    role: Role = row.role  # type: ignore[assignment]  # checked by Measure
    better: Better = row.better  # type: ignore[assignment]  # likewise
    return Measure(
        row.outcome, role, better, row.useful, row.margin, unit=definition.unit, version=definition.version
    )


def _retrospective(experiment: Experiment) -> bool:
    """Declared after its switch: at most indicative."""
    switch = first_switch(experiment)
    declared_on = experiment.declared_on or experiment.declared_at.date()
    return switch is not None and declared_on >= switch


def _pairs(experiment: Experiment) -> tuple[tuple[str, str], ...] | None:
    labels = {arm.room.slug: arm.pair for arm in experiment.arms if arm.pair is not None}
    if not labels:
        return None
    treated = {arm.pair: arm.room.slug for arm in experiment.arms if arm.pair and arm.switch is not None}
    baseline = {arm.pair: arm.room.slug for arm in experiment.arms if arm.pair and arm.switch is None}
    return tuple((treated[label], baseline[label]) for label in sorted(treated) if label in baseline)
