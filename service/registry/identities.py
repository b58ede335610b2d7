"""Who somebody is at the organisation's OpenID provider, by issuer and subject; never by address alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from service.registry import people, turn, users
from service.registry.tables import Identity, User

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

LONGEST = 255  # characters of a subject: OpenID Connect Core 1.0, section 2
LONGEST_NAME = 120


@dataclass(frozen=True)
class Told:
    """What a provider says of somebody, its signature checked. `role` is None where it decides none."""

    issuer: str
    subject: str
    email: str  # may be empty
    name: str
    email_verified: bool | None  # None: it says nothing, as Entra ID and AD FS do
    role: str | None = None


class IdentityRefused(Exception):  # noqa: N818 - named as PayloadRejected and AnswerRejected are
    """Somebody the provider knows and who may not come in; `why` picks the sentence of the page."""

    def __init__(self, why: Literal["unknown", "disabled", "no_address", "address_taken"]) -> None:
        super().__init__(why)
        self.why: Literal["unknown", "disabled", "no_address", "address_taken"] = why


def person(
    session: Session, told: Told, now: datetime, *, new: bool = True, link_by_email: bool = False
) -> User:
    """Whose identity this is; the first time an account is linked or, if `new`, made. Raises IdentityRefused.

    1. An account is linked by its address only where `link_by_email` and the provider says it verified it.
    2. An address that the provider says it did not verify is nobody's.
    3. The role the provider tells holds from this sign-in on, but the last administrator stays one.
    """
    turn.take(session)  # two who come in at once: one account is made, and the last administrator stays one
    identity = session.get(Identity, (told.issuer, told.subject))
    user = session.get(User, identity.user_id) if identity is not None else None
    if user is None:
        user = _first_time(session, told, now, new=new, link_by_email=link_by_email)
        session.add(Identity(issuer=told.issuer, subject=told.subject, user_id=user.id, linked_at=now))
    if not user.active:
        raise IdentityRefused("disabled")
    if told.role is not None and people.administrators(session) != [user.id]:
        user.role = told.role
    return user


def known(session: Session, user: User) -> bool:
    """Whether this person comes by way of a provider."""
    return session.scalar(select(Identity.user_id).where(Identity.user_id == user.id).limit(1)) is not None


def _first_time(session: Session, told: Told, now: datetime, *, new: bool, link_by_email: bool) -> User:
    if not told.email or told.email_verified is False:
        raise IdentityRefused("no_address")
    there = users.find(session, told.email)
    if there is not None and link_by_email and told.email_verified:
        return there
    if there is not None:
        raise IdentityRefused("address_taken")
    if not new:
        raise IdentityRefused("unknown")
    try:
        return users.add(session, told.email, told.name[:LONGEST_NAME], told.role or "reader", None, now)
    except users.UserError as error:
        raise IdentityRefused("no_address") from error
