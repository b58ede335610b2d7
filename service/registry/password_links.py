"""Links that let somebody choose a password: an hour, once, kept as a hash; one a person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete

from service.registry import users
from service.registry.tables import Session as SignedIn

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from service.registry.tables import User

KIND = "password"
LASTING = timedelta(hours=1)


def make(session: Session, user: User, now: datetime, lasting: timedelta = LASTING) -> str:
    """The token of a new link to `/new-password/{token}`; the ones before it open nothing any more."""
    session.execute(delete(SignedIn).where(SignedIn.user_id == user.id, SignedIn.kind == KIND))
    return users.open_session(session, user, now, lasting, kind=KIND)


def owner(session: Session, token: str, now: datetime) -> User | None:
    """Whose link this is, while it opens something."""
    return users.session_user(session, token, now, kind=KIND)


def use(session: Session, token: str, password: str, now: datetime) -> User | None:
    """Whose password it now is; signed out everywhere. None for a link that is spent or has expired.

    Raises UserError for a password that will not do; the link then still serves.
    """
    there = owner(session, token, now)
    if there is None:
        return None  # nothing is hashed for a link that opens nothing
    hashed = users.hash_password(password, (there.email, there.name))
    user = users.use_link(session, token, now, kind=KIND)
    if user is not None:
        session.info["who"] = users.signature(user.name, user.email)
        user.password_hash = hashed
        users.close_all(session, user)
    return user
