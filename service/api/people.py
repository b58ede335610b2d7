"""People, for administrators: who they are and what they may do.

What opens an account (an invitation, a password, a second factor) is made in a browser, never by a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import Field

from service import version
from service.api.mistakes import refuse
from service.api.paging import Part
from service.api.said import Said
from service.api.unchanged import Have
from service.asked import Number
from service.auth import needs
from service.registry import identities, people, users
from service.registry.people import Facts, LastAdministrator

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.registry.tables import Session as SignedIn
    from service.registry.tables import User

router = APIRouter(prefix="/api/v1/people", tags=["people"], dependencies=[Depends(needs("administrator"))])
Role = Literal["reader", "facilities", "analyst", "administrator"]


@dataclass(frozen=True)
class ApiSession:
    """Where somebody is signed in, or a token of their programs: then `scope` is `read` or `write`.

    `handle` names it and opens nothing.
    """

    handle: str
    name: str | None
    scope: str
    opened: datetime | None
    last_seen: datetime | None
    expires: datetime


@dataclass(frozen=True)
class ApiPerson:
    """Somebody who may sign in, unless not `active`; `last_seen` in a browser that is still signed in."""

    id: int
    name: str
    email: str
    role: Role
    active: bool
    last_seen: datetime | None


@dataclass(frozen=True)
class ApiPersonWhole(ApiPerson):
    """Somebody, how they sign in, and where they are; `version` changes with name, role and `active`."""

    has_password: bool
    by_provider: bool
    sessions: list[ApiSession]
    version: str


class PersonFacts(Said):
    """What is to be said of somebody: what is left out stays."""

    name: str = Field("", min_length=1, max_length=users.MAX_NAME)
    role: Role = "reader"
    active: bool = True


class NewPerson(Said):
    """Somebody more."""

    email: str = Field(max_length=254)
    name: str = Field(min_length=1, max_length=users.MAX_NAME)
    role: Role


@router.get("")
def list_people(request: Request, paging: Part) -> list[ApiPerson]:
    """Everybody who may sign in."""
    with request.app.state.registry.session() as session:
        last = people.last_seen(session, datetime.now(UTC))
        found = paging.part(users.everyone(session), lambda each: each.id)
        return [ApiPerson(**_facts(each), last_seen=last.get(each.id)) for each in found]


@router.post("", status_code=201)
def add_person(request: Request, said: NewPerson) -> ApiPersonWhole:
    """Somebody more; the link by which they choose a password is made on their page."""
    email, name = said.email.strip(), _name(said.name)
    with request.app.state.registry.turn() as session:
        if not users.ADDRESS.fullmatch(email) or not email.isprintable():
            refuse({"email": "bad"})
        if users.find(session, email) is not None:
            refuse({"email": "taken"}, 409)
        user = users.add(session, email, name, said.role, None, datetime.now(UTC))
        session.flush()
        return _whole(session, user)


@router.get("/{number}")
def get_person(request: Request, number: Number) -> ApiPersonWhole:
    """Somebody: what they may do, where they are signed in."""
    with request.app.state.registry.session() as session:
        return _whole(session, _known(session, number))


@router.patch("/{number}")
def change_person(request: Request, number: Number, said: PersonFacts, have: Have) -> ApiPersonWhole:
    """Their name, their role, whether they may sign in; who may not is signed out everywhere."""
    with request.app.state.registry.turn() as session:
        before = Facts.of(_known(session, number))
        have.check(_version(before))
        told = vars(before) | said.model_dump(exclude_unset=True)
        wanted = Facts(_name(told["name"]), told["role"], told["active"])
        try:
            user = people.change(session, number, before, wanted)
        except LastAdministrator:
            refuse({"role": "last"}, 409)
            raise
        return _whole(session, _known(session, number) if user is None else user)


@router.delete("/{number}")
def delete_person(request: Request, number: Number) -> ApiPersonWhole:
    """Delete somebody; what they decided keeps their name. Answers with who it was."""
    with request.app.state.registry.session() as session:
        was = _whole(session, _known(session, number))
        try:
            people.remove(session, number)
        except LastAdministrator:
            refuse({"role": "last"}, 409)
        return was


@router.delete("/{number}/sessions")
def sign_out_person(request: Request, number: Number) -> ApiPersonWhole:
    """Sign somebody out everywhere, and take the tokens of their programs back."""
    with request.app.state.registry.session() as session:
        user = _known(session, number)
        users.close_all(session, user)
        session.flush()
        return _whole(session, user)


def sessions_of(session: Session, user: User) -> list[ApiSession]:
    """Where somebody is signed in, the last used first."""
    return [_session(each) for each in people.sessions(session, user, datetime.now(UTC))]


def _session(row: SignedIn) -> ApiSession:
    return ApiSession(
        handle=people.handle_of(row),
        name=row.browser,
        scope=row.kind.partition("-")[2],
        opened=row.created_at,
        last_seen=row.last_seen,
        expires=row.expires,
    )


def _known(session: Session, number: int) -> User:
    user = people.find(session, number)
    if user is None:
        raise HTTPException(404, f"There is nobody {number}.")
    return user


def _name(said: str) -> str:
    name = " ".join(said.split())
    refuse({"name": "missing"} if not name else {} if name.isprintable() else {"name": "bad"})
    return name


def _version(facts: Facts) -> str:
    return version.of(facts.name, facts.role, facts.active)


def _facts(user: User) -> dict[str, Any]:
    return {key: getattr(user, key) for key in ("id", "name", "email", "role", "active")}


def _whole(session: Session, user: User) -> ApiPersonWhole:
    found = sessions_of(session, user)
    return ApiPersonWhole(
        **_facts(user),
        last_seen=max((each.last_seen for each in found if each.last_seen and not each.scope), default=None),
        has_password=user.password_hash is not None,
        by_provider=identities.known(session, user),
        sessions=found,
        version=_version(Facts.of(user)),
    )
