"""An experiment's links for somebody without an account, and in whose hands it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import Field

from service import experiment_file
from service.api.experiments import known
from service.api.mistakes import refuse
from service.api.paging import Part
from service.api.said import Said
from service.api.unchanged import Have
from service.asked import Number, now
from service.auth import Facilities, Person, needs
from service.registry import shares, users
from service.registry.shares import State

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment, Share

router = APIRouter(
    prefix="/api/v1/experiments", tags=["experiments"], dependencies=[Depends(needs("facilities"))]
)


@dataclass(frozen=True)
class ApiShare:
    """A link to an experiment's page as it was at `made`; times are UTC."""

    id: int
    made: datetime
    by: str
    until: datetime
    last_used: datetime | None
    state: State


@dataclass(frozen=True)
class ApiShareMade:
    """A link that was made: `link` is told this once, only its hash is kept."""

    link: str
    until: datetime


class NewShare(Said):
    """For how many days a link opens the page."""

    days: Literal[7, 30, 90]


@dataclass(frozen=True)
class ApiHolder:
    """Somebody who may act on an experiment, by their number."""

    id: int
    name: str


@dataclass(frozen=True)
class ApiOwner:
    """In whose hands an experiment is (null: nobody's), and in whose it may be put; `version` is its."""

    owner: ApiHolder | None
    able: list[ApiHolder]
    version: str


class NewOwner(Said):
    """In whose hands it is put: their number, or null for nobody's."""

    person: int | None = Field(ge=1, lt=2**31)


@router.get("/{slug}/shares")
def list_shares(request: Request, slug: str, paging: Part) -> list[ApiShare]:
    """The links of one experiment, the newest first."""
    at = now(request)
    with request.app.state.registry.session() as session:
        found = shares.of_experiment(session, known(session, slug))
        return [_share(each, at) for each in paging.part(found, lambda each: each.id)]


@router.post("/{slug}/shares", status_code=201)
def make_share(request: Request, person: Facilities, slug: str, said: NewShare) -> ApiShareMade:
    """A link to the experiment's page as it is now, for somebody without an account."""
    at, state = now(request), request.app.state
    with state.registry.session() as session:
        experiment = _theirs(session, slug, person)
        page = experiment_file.whole(session, state.store, experiment, at, state.settings.min_group)
        try:
            token = shares.make(session, experiment, experiment_file.frozen(page), person.name, at, said.days)
        except shares.TooManyShares as error:
            raise HTTPException(409, f"{shares.MOST} links are open: revoke one first.") from error
    return ApiShareMade(f"{request.base_url}s/{token}", at.astimezone(UTC) + timedelta(days=said.days))


@router.delete("/{slug}/shares/{number}")
def revoke_share(request: Request, person: Facilities, slug: str, number: Number) -> ApiShare:
    """The link opens nothing any more; revoked twice it does no harm."""
    at = now(request)
    with request.app.state.registry.session() as session:
        experiment = _theirs(session, slug, person)
        if not shares.revoke(session, experiment, number, at):
            raise HTTPException(404, f"There is no link {number}.")
        return next(
            _share(each, at) for each in shares.of_experiment(session, experiment) if each.id == number
        )


@router.get("/{slug}/owner")
def get_owner(request: Request, slug: str) -> ApiOwner:
    """In whose hands an experiment is, and in whose it may be put."""
    with request.app.state.registry.session() as session:
        return _owner(session, known(session, slug))


@router.put("/{slug}/owner")
def hand_over(request: Request, person: Facilities, slug: str, said: NewOwner, have: Have) -> ApiOwner:
    """Put an experiment in somebody's hands, or nobody's: theirs who has it, or who administers."""
    with request.app.state.registry.turn() as session:
        experiment = _theirs(session, slug, person)
        have.check(_version(experiment))
        able = {each.id: each for each in users.able(session, "facilities")}
        refuse({"person": "unknown"} if said.person is not None and said.person not in able else {})
        owner = None if said.person is None else able[said.person]
        experiment.owner = owner
        session.flush()
        return _owner(session, experiment)


def _theirs(session: Session, slug: str, person: Person) -> Experiment:
    experiment = known(session, slug)
    if not person.may_act_for(experiment.owner):
        raise HTTPException(403, "It is in somebody else's hands: they act on it, or an administrator.")
    return experiment


def _version(experiment: Experiment) -> str:
    return str(experiment.owner_id or "nobody")


def _owner(session: Session, experiment: Experiment) -> ApiOwner:
    owner = experiment.owner
    return ApiOwner(
        None if owner is None else ApiHolder(owner.id, owner.name),
        [ApiHolder(each.id, each.name) for each in users.able(session, "facilities")],
        _version(experiment),
    )


def _share(share: Share, now: datetime) -> ApiShare:
    return ApiShare(
        id=share.id,
        made=share.made_at,
        by=share.made_by,
        until=share.expires,
        last_used=share.last_used,
        state=shares.state(share, now),
    )
