"""Who is asking, and whether a form came from our own page. Deny by default: see `signed_in`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import structlog
from fastapi import Depends, Form, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.browser import browser_named
from service.registry import audit, gateways, identities, second_factor, users
from service.registry.users import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Response
    from sqlalchemy.orm import Session
    from starlette.types import Scope

    from service.registry.tables import User

R = TypeVar("R")
How = Literal["password", "code", "link", "provider"]  # somebody signed in
COOKIE = "temoin"
CSRF_HEADER = "X-CSRF-Token"
FORM_COOKIE = "temoin-form"  # of the sign-in form, before there is a session
UNCHANGING = frozenset({"GET", "HEAD"})
TO_ENROL = ("/account/second-factor", "/sign-out")  # for whoever owes a second factor
log = structlog.get_logger("temoin.sign_in")
FORM_LASTING = timedelta(hours=12)  # what was typed waits in it, over a lunch and a meeting

GATEWAY_TOKEN = HTTPBearer(
    scheme_name="gateway", description="A token of `temoin gateway add`", auto_error=False
)


class SignInNeeded(Exception):  # noqa: N818 - not an error: the app answers with the sign-in page or a 401
    """Nobody is signed in and this place is not public."""


class SecondFactorNeeded(Exception):  # noqa: N818 - likewise: the app leads to the page where it is made
    """Who is signed in may do nothing here before they have a second factor."""


class CsrfRejected(HTTPException):
    """A form without the token of the page it should come from."""

    def __init__(self) -> None:
        super().__init__(403, "This form is too old or did not come from here: open the page again.")


@dataclass(frozen=True)
class Person:
    """Who is signed in on this request, and the token its forms must carry."""

    email: str
    name: str
    role: str
    csrf: str
    owes_factor: bool = False  # an administrator where SECOND_FACTOR asks for one, until it is there
    number: int = 0  # of the registry: what the log calls them by

    @property
    def signature(self) -> str:
        """Who this is in the audit: a name alone may be borne by two."""
        return users.signature(self.name, self.email)

    def may_act_for(self, owner: User | None) -> bool:
        """Whether this person may act on what is in these hands: theirs, nobody's, any if they administer."""
        return owner is None or owner.email == self.email or self.may("administrator")

    def may(self, role: str) -> bool:
        """Whether this person's role is at least `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


def current_person(request: Request) -> Person | None:
    """The person whose session cookie came with this request; below `/api/v1/` also whose token.

    Raises HTTPException: 401 for a token that opens nothing, 403 for one that only reads.
    """
    given = _api_token(request)
    if given is not None:
        return _of_token(request, given)
    token = cookie(request, COOKIE)
    if not token:
        return None
    idle = timedelta(minutes=request.app.state.settings.session_idle_minutes)
    with request.app.state.registry.session() as session:
        user = users.session_user(session, token, datetime.now(UTC), idle=idle)
        owes = user is not None and _owes_factor(request, session, user)
    if user is None:
        return None
    request.state.number = user.id
    return Person(user.email, user.name, user.role, _csrf_of(request, token), owes, user.id)


def _owes_factor(request: Request, session: Session, user: User) -> bool:
    """Whether a second factor is asked of them and missing; without a password it is the provider's."""
    if request.app.state.settings.second_factor == "optional" or user.role != "administrator":
        return False
    if user.password_hash is None and identities.known(session, user):
        return False
    return second_factor.of(session, user) is None


def _api_token(request: Request) -> str | None:
    """The token of a person's program that came with this request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    ours = scheme.lower() == "bearer" and token.startswith(users.API_TOKEN)
    return token.strip() if ours and request.url.path.startswith("/api/v") else None


def _of_token(request: Request, token: str) -> Person:
    with request.app.state.registry.session() as session:
        found = users.token_user(session, token, datetime.now(UTC))
        owes = found is not None and _owes_factor(request, session, found[0])
    if found is None:
        raise HTTPException(
            401,
            "This token opens nothing: it expired or was taken back. Make another under « Mon compte ».",
            headers={"WWW-Authenticate": "Bearer"},
        )
    user, scope = found
    if scope == "read" and request.method not in UNCHANGING:
        raise HTTPException(403, "This token only reads: a change needs one of scope write.")
    request.state.number = user.id
    return Person(user.email, user.name, user.role, "", owes, user.id)


def signed_in(request: Request) -> Person:
    """Dependency: the person signed in, else SignInNeeded; SecondFactorNeeded where one is owed."""
    person = current_person(request)
    if person is None:
        raise SignInNeeded
    if person.owes_factor and not request.url.path.startswith(TO_ENROL):
        raise SecondFactorNeeded
    return person


async def named(person: Annotated[Person, Depends(signed_in)]) -> None:
    """Dependency: the audit names who is signed in for what this request changes."""
    audit.acting.set(person.signature)  # async, since a thread's context would end with this call


def needs(role: str) -> Callable[[Person], Person]:
    """Dependency: a person whose role is at least `role`, else 403."""

    def checked(person: Annotated[Person, Depends(signed_in)]) -> Person:
        if not person.may(role):
            raise HTTPException(403, f"This needs the role {role}.")
        return person

    return checked


# What a route says of who may use it: `person: Facilities`.
SignedIn = Annotated[Person, Depends(signed_in)]
Facilities = Annotated[Person, Depends(needs("facilities"))]
Analyst = Annotated[Person, Depends(needs("analyst"))]
Administrator = Annotated[Person, Depends(needs("administrator"))]


def may_upload(scope: Scope) -> None:
    """Before more of a large file is taken than of any form; its route asks the same again.

    Raises HTTPException: to the sign-in page for who is not signed in, 403 for a role that sends no files.
    """
    person = current_person(Request(scope))
    if person is None:
        raise HTTPException(303, headers={"Location": "/sign-in"})
    needs("facilities")(person)


def gateway_of(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(GATEWAY_TOKEN)]
) -> str:
    """Dependency: the gateway whose bearer token came with this request, else 401."""
    if given is not None:
        with request.app.state.registry.session() as session:
            gateway = gateways.of_token(session, given.credentials, datetime.now(UTC))
        if gateway is not None:
            return gateway
    raise HTTPException(
        401,
        "This needs the token of a gateway that has not expired: Authorization: Bearer …; "
        "`temoin gateway rotate NAME --token` makes a new one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def csrf_checked(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """Dependency of every form of a signed-in person: its token must be the session's."""
    _same_token(request, COOKIE, csrf)


def change_checked(request: Request) -> None:
    """Dependency of the whole API: a change that comes with a cookie also says the session's form token."""
    if request.method not in UNCHANGING and _api_token(request) is None:
        _same_token(request, COOKIE, request.headers.get(CSRF_HEADER, ""))


def form_checked(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """Dependency of the sign-in form: its token must be the one of the browser it was given to."""
    _same_token(request, FORM_COOKIE, csrf)


def form_csrf(request: Request) -> tuple[str, str]:
    """The token a sign-in form carries, and its other half for the browser (see `keep_form`)."""
    half = cookie(request, FORM_COOKIE) or secrets.token_urlsafe(32)
    return _csrf_of(request, half), half


def keep_form(request: Request, response: Response, half: str) -> None:
    """Give the browser its half of a sign-in form's token."""
    set_cookie(request, response, FORM_COOKIE, half, FORM_LASTING)


def start_session(request: Request, response: Response, user: User, how: How) -> Person:
    """A new session for this browser; the one it came with opens nothing any more. `how` is for the log."""
    lasting = timedelta(hours=request.app.state.settings.session_hours)
    browser = browser_named(request.headers.get("user-agent", ""))
    with request.app.state.registry.session() as session:
        users.close_session(session, cookie(request, COOKIE))
        token = users.open_session(session, user, datetime.now(UTC), lasting, browser=browser)
    set_cookie(request, response, COOKIE, token, lasting)
    log.info("signed_in", how=how, user=user.id)
    return Person(user.email, user.name, user.role, _csrf_of(request, token), number=user.id)


def end_session(request: Request, response: Response) -> None:
    """Forget the session, here and in the registry."""
    with request.app.state.registry.session() as session:
        users.close_session(session, cookie(request, COOKIE))
    delete_cookie(request, response, COOKIE)


def cookie_name(request: Request, name: str) -> str:
    """Over https a cookie is `__Host-`: browsers take such a one from this very host, from no neighbour."""
    return f"__Host-{name}" if request.app.state.settings.secure else name


def cookie(request: Request, name: str) -> str:
    """What the browser sent by this name; empty where it sent none."""
    return request.cookies.get(cookie_name(request, name), "")


def set_cookie(request: Request, response: Response, name: str, value: str, lasting: timedelta) -> None:
    """Give the browser something to bring back: out of reach of scripts and of other sites."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=int(lasting.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.app.state.settings.secure,
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget it."""
    secure = request.app.state.settings.secure
    response.delete_cookie(cookie_name(request, name), httponly=True, samesite="lax", secure=secure)


def safe_path(path: str) -> str:
    """`path` when it stays on this site, else `/`: nobody is sent elsewhere after signing in."""
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if inside else "/"


def _same_token(request: Request, name: str, csrf: str) -> None:
    token = cookie(request, name)
    if not token or not hmac.compare_digest(csrf.encode(), _csrf_of(request, token).encode()):
        raise CsrfRejected


def _csrf_of(request: Request, token: str) -> str:
    key = f"csrf:{request.app.state.settings.signing_key()}"
    return hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()
