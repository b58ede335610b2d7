"""Who is asking, and whether a form came from our own page. Deny by default: routers depend on `signed_in`."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Form, HTTPException, Request

from service.registry import users
from service.registry.users import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Response

COOKIE = "temoin"
LASTING = timedelta(hours=12)
LINK_LASTING = timedelta(hours=1)


class SignInNeeded(Exception):  # noqa: N818 - not an error: the app answers with the sign-in page or a 401
    """Nobody is signed in and this place is not public."""


@dataclass(frozen=True)
class Person:
    """Who is signed in on this request, and the token its forms must carry."""

    email: str
    name: str
    role: str
    csrf: str

    def may(self, role: str) -> bool:
        """Whether this person's role is at least `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


def current_person(request: Request) -> Person | None:
    """The person whose session cookie came with this request."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with request.app.state.registry.session() as session:
        user = users.session_user(session, token, datetime.now(UTC))
    if user is None:
        return None
    return Person(user.email, user.name, user.role, _csrf_of(request, token))


def signed_in(request: Request) -> Person:
    """Dependency: the person signed in, else SignInNeeded."""
    person = current_person(request)
    if person is None:
        raise SignInNeeded
    return person


def needs(role: str) -> Callable[[Person], Person]:
    """Dependency: a person whose role is at least `role`, else 403."""

    def checked(person: Annotated[Person, Depends(signed_in)]) -> Person:
        if not person.may(role):
            raise HTTPException(403, f"This needs the role {role}.")
        return person

    return checked


def csrf_checked(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """Dependency of every form of a signed-in person: its token must be the session's."""
    token = request.cookies.get(COOKIE, "")
    if not hmac.compare_digest(csrf, _csrf_of(request, token)):
        raise HTTPException(403, "This form is too old or did not come from here: open the page again.")


def start_session(request: Request, response: Response, token: str) -> None:
    """Give the browser its session cookie."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LASTING.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.app.state.settings.secure,
    )


def _csrf_of(request: Request, token: str) -> str:
    key = f"csrf:{request.app.state.settings.signing_key()}"
    return hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()


class Throttle:
    """At most `limit` failures a `window` seconds for one key; in memory, the oldest keys forgotten first."""

    def __init__(self, limit: int, window: float, remembered: int = 10_000) -> None:
        self.limit, self.window, self.remembered = limit, window, remembered
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def blocked_for(self, key: str, now: float | None = None) -> int:
        """Seconds until this key may try again; 0 when it may."""
        now = time.monotonic() if now is None else now
        recent = [at for at in self._failures.get(key, ()) if now - at < self.window]
        if len(recent) < self.limit:
            return 0
        return int(self.window - (now - recent[-self.limit])) + 1

    def failed(self, key: str, now: float | None = None) -> None:
        """Count a failure."""
        now = time.monotonic() if now is None else now
        recent = [at for at in self._failures.pop(key, ()) if now - at < self.window]
        self._failures[key] = [*recent[-self.limit :], now]
        while len(self._failures) > self.remembered:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """A success clears the key."""
        self._failures.pop(key, None)
