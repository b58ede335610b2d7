"""People who sign in, their passwords and their sessions."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from service.guessable import guessable
from service.registry.tables import Session as SignedIn
from service.registry.tables import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pwdlib import PasswordHash
    from sqlalchemy.orm import Session

ROLES = ("reader", "facilities", "analyst", "administrator")
ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")  # RFC 5321's limits; who has it is asked of nobody
MAX_NAME = 120
SEEN_TO = timedelta(minutes=10)  # when somebody was last seen is written no more often
HANDLE = 16  # characters of a session's hash
API_TOKEN = "temoin-api-"  # noqa: S105 - what a token begins with, to be known for what it is in a leak
MAX_TOKEN_NAME = 40
API_KINDS = ("api-read", "api-write")
MIN_PASSWORD = 12
MAX_PASSWORD = 128  # argon2 would hash a novel for an attacker
ONCE_MAX_PASSWORD = 200  # such ones were taken once, and still open their account
_hashing = BoundedSemaphore(2)  # 64 MB each: forty at once would be 2.5 GB


class UserError(Exception):
    """Something about a person that cannot be done; the sentence says why."""


class GuessableError(UserError):
    """A password that is among the first that are tried."""

    def __init__(self) -> None:
        super().__init__(
            "This password is among the first that are tried: a row of keys, common words, a name. "
            "Choose several words that have nothing to do with each other."
        )


def add(session: Session, email: str, name: str, role: str, password: str | None, now: datetime) -> User:
    """A new person; raises UserError for a taken address, an unknown role or a short password."""
    email = email.strip().lower()
    if not ADDRESS.fullmatch(email) or not email.isprintable():
        raise UserError(f"« {email[:100]} » is not an e-mail address.")
    if len(name.strip()) > MAX_NAME or not name.isprintable():
        raise UserError(f"A name has at most {MAX_NAME} characters, on one line.")
    known_role(role)
    if find(session, email) is not None:
        raise UserError(f"{email} is there already.")
    user = User(
        email=email,
        name=name.strip() or email[:MAX_NAME],
        role=role,
        password_hash=None if password is None else hash_password(password, (email, name)),
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def find(session: Session, email: str) -> User | None:
    """The person with this address."""
    if "\0" in email:  # PostgreSQL has no such text, and says so
        return None
    return session.scalar(select(User).where(User.email == email.strip().lower()))


def known(session: Session, email: str) -> User:
    """The person with this address; raises UserError when there is none."""
    user = find(session, email)
    if user is None:
        raise UserError(f"Nobody here has the address {email}.")
    return user


def known_role(role: str) -> str:
    """The role, if there is such a one; raises UserError."""
    if role not in ROLES:
        raise UserError(f"There is no role « {role} »: choose one of {', '.join(ROLES)}.")
    return role


def everyone(session: Session) -> Sequence[User]:
    """All people, by address."""
    return session.scalars(select(User).order_by(User.email)).all()


def anybody(session: Session) -> bool:
    """Whether there is an account at all."""
    return session.scalar(select(User.id).limit(1)) is not None


def able(session: Session, role: str) -> Sequence[User]:
    """Those whose account is open and whose role is at least this one, by name."""
    roles = ROLES[ROLES.index(role) :]
    query = select(User).where(User.active, User.role.in_(roles)).order_by(User.name, User.id)
    return session.scalars(query).all()


def signature(name: str, email: str) -> str:
    """Who somebody is in the audit: a name alone may be borne by two."""
    return f"{name} <{email}>"


def hash_password(password: str, about: Iterable[str] = ()) -> str:
    """Argon2id hash; raises UserError for a password of another length, GuessableError for one tried first.

    `about` are the address and the name of whose it will be.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UserError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    if guessable(password, about):
        raise GuessableError
    with _hashing:
        return _argon2().hash(password)


def checked(session: Session, email: str, password: str) -> User | None:
    """The active person with this address and password; as slow for nobody as for somebody."""
    user = find(session, email)
    known = user is not None and user.active and user.password_hash is not None
    stored = user.password_hash if known and user is not None else _nobody()
    if len(password) > ONCE_MAX_PASSWORD:
        return None
    with _hashing:
        right = _argon2().verify(password, stored or _nobody())
    return user if known and right else None


def open_session(
    session: Session,
    user: User,
    now: datetime,
    lasting: timedelta,
    kind: str = "session",
    browser: str | None = None,
) -> str:
    """A token for this person, valid for `lasting`; only its SHA-256 is kept."""
    token = secrets.token_urlsafe(32)
    opened = SignedIn(token_sha256=_sha256(token), kind=kind, user_id=user.id, expires=now + lasting)
    opened.created_at, opened.last_seen, opened.browser = now, now, browser
    session.add(opened)
    return token


def session_user(
    session: Session, token: str, now: datetime, kind: str = "session", idle: timedelta | None = None
) -> User | None:
    """Whose token this is, while it is valid, used more often than `idle` and the person active."""
    row = session.get(SignedIn, _sha256(token))
    if row is None or row.kind != kind or row.expires <= now or not row.user.active:
        return None
    if idle is not None and row.last_seen is not None and now - row.last_seen >= idle:
        return None
    # more often where sessions rest but a little: who is at work would be signed out
    often = SEEN_TO if idle is None else min(SEEN_TO, idle / 5)
    if row.last_seen is None or now - row.last_seen >= often:
        row.last_seen = now
    return row.user


def make_token(session: Session, user: User, name: str, scope: str, now: datetime, lasting: timedelta) -> str:
    """A token with which programs of this person ask the API; `scope` read or write, shown once.

    It ends like a session: closed by its person, with the account, or when its time is over.
    """
    kind = {"read": "api-read", "write": "api-write"}[scope]
    return API_TOKEN + open_session(session, user, now, lasting, kind, name[:MAX_TOKEN_NAME])


def token_user(session: Session, token: str, now: datetime) -> tuple[User, str] | None:
    """Whose API token this is and what for: read or write; None when it opens nothing."""
    for kind in API_KINDS:
        user = session_user(session, token.removeprefix(API_TOKEN), now, kind)
        if user is not None:
            return user, kind.partition("-")[2]
    return None


def use_link(session: Session, token: str, now: datetime, kind: str = "link") -> User | None:
    """Whose one-time link this is; it serves once, also when it is followed twice at the same time."""
    used = delete(SignedIn).where(
        SignedIn.token_sha256 == _sha256(token), SignedIn.kind == kind, SignedIn.expires > now
    )
    user_id = session.scalar(used.returning(SignedIn.user_id))
    user = None if user_id is None else session.get(User, user_id)
    return user if user is not None and user.active else None


def handle(token: str) -> str:
    """What tells a session from the others of its person, in a form: it opens nothing."""
    return _sha256(token)[:HANDLE]


def close_session(session: Session, token: str) -> None:
    """Forget this token; an unknown one is fine."""
    session.execute(delete(SignedIn).where(SignedIn.token_sha256 == _sha256(token)))


def close_all(session: Session, user: User) -> None:
    """Sign a person out everywhere."""
    session.execute(delete(SignedIn).where(SignedIn.user_id == user.id))


def forget_expired(session: Session, now: datetime) -> None:
    """Delete sessions and links that no longer open anything."""
    session.execute(delete(SignedIn).where(SignedIn.expires <= now))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _argon2() -> PasswordHash:
    from pwdlib import PasswordHash  # noqa: PLC0415 - only where a password is at hand

    return PasswordHash.recommended()


@cache
def _nobody() -> str:
    """A hash that no password opens, so that an unknown address takes as long as a known one."""
    return _argon2().hash(secrets.token_urlsafe(16))
