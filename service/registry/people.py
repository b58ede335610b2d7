"""Adding, changing and removing people; who keeps the last key. Signing in is `users`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from service.registry import second_factor, turn, users
from service.registry.tables import Change, Experiment, Identity, User
from service.registry.tables import Session as SignedIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


class LastAdministrator(users.UserError):
    """Nobody would be left who may let people in."""

    def __init__(self) -> None:
        super().__init__("This is the last active administrator: make somebody else one first.")


class ChangedMeanwhile(users.UserError):
    """Somebody else changed this person since they were shown; `now` is what they are."""

    def __init__(self, now: Facts) -> None:
        super().__init__("Somebody else changed this person meanwhile.")
        self.now = now


@dataclass(frozen=True)
class Facts:
    """What administrators set of a person."""

    name: str
    role: str
    active: bool

    @classmethod
    def of(cls, user: User) -> Facts:
        """As the registry has them."""
        return cls(user.name, user.role, user.active)


def find(session: Session, number: int) -> User | None:
    """The person of this number."""
    return session.get(User, number)


def change(session: Session, number: int, seen: Facts, wanted: Facts) -> User | None:
    """Make somebody `wanted`, who was shown as `seen`; None where they are gone meanwhile.

    Raises ChangedMeanwhile where they no longer are as they were shown, and LastAdministrator. Closing an
    account signs the person out everywhere.
    """
    turn.take(session)
    user = find(session, number)
    if user is None:
        return None
    if Facts.of(user) not in (seen, wanted):
        raise ChangedMeanwhile(Facts.of(user))
    if not (wanted.active and wanted.role == "administrator"):
        _somebody_is_left(session, number)
    user.name, user.role, user.active = wanted.name, wanted.role, wanted.active
    if not user.active:
        users.close_all(session, user)
    return user


def remove(session: Session, number: int) -> User | None:
    """Delete somebody and their sessions; what they decided and changed keeps their name.

    Their experiments are in nobody's hands from then on.

    Raises LastAdministrator. None where they are gone already.
    """
    turn.take(session)
    user = find(session, number)
    if user is None:
        return None
    _somebody_is_left(session, number)
    users.close_all(session, user)
    for experiment in session.scalars(select(Experiment).where(Experiment.owner_id == number)):
        experiment.owner = None  # by us, not the database alone: the audit says so
    for identity in session.scalars(select(Identity).where(Identity.user_id == number)):
        session.delete(identity)
    second_factor.take_away(session, user)
    session.delete(user)
    return user


def sessions(session: Session, user: User, now: datetime) -> Sequence[SignedIn]:
    """Where somebody is signed in, and the tokens of their programs, the last used first."""
    kinds = ("session", *users.API_KINDS)
    query = select(SignedIn).where(
        SignedIn.user_id == user.id, SignedIn.kind.in_(kinds), SignedIn.expires > now
    )
    return session.scalars(query.order_by(SignedIn.last_seen.desc(), SignedIn.token_sha256)).all()


def last_seen(session: Session, now: datetime) -> dict[int, datetime]:
    """Number of a person → when they last used a session that is still open."""
    query = select(SignedIn.user_id, func.max(SignedIn.last_seen)).where(
        SignedIn.kind == "session", SignedIn.expires > now
    )
    found = session.execute(query.group_by(SignedIn.user_id))
    return {number: seen for number, seen in found if seen is not None}


def close(session: Session, user: User, handle: str) -> bool:
    """End the session of this person that has this handle; whether there was one."""
    found = [each for each in _signed_in(session, user) if handle_of(each) == handle]
    for each in found:
        session.delete(each)
    return bool(found)


def close_others(session: Session, user: User, token: str) -> None:
    """Sign somebody out everywhere but here."""
    own = users.handle(token)
    for each in _signed_in(session, user):
        if handle_of(each) != own:
            session.delete(each)


def handle_of(signed_in: SignedIn) -> str:
    """What a form says which session it means by: it opens nothing."""
    return signed_in.token_sha256[: users.HANDLE]


def last_change(session: Session, number: int) -> Change | None:
    """The audit's last word on somebody."""
    query = select(Change).where(Change.kind == "users", Change.row == str(number))
    return session.scalar(query.order_by(Change.id.desc()).limit(1))


def _signed_in(session: Session, user: User) -> Iterator[SignedIn]:
    yield from session.scalars(select(SignedIn).where(SignedIn.user_id == user.id))


def administrators(session: Session) -> list[int]:
    """Who may let people in."""
    query = select(User.id).where(User.role == "administrator", User.active).order_by(User.id)
    return list(session.scalars(query))


def _somebody_is_left(session: Session, without: int) -> None:
    if administrators(session) == [without]:
        raise LastAdministrator
