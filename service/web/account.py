"""One's own account: where one is signed in, and one's password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages.people import AccountPage
from service.asked import Typed
from service.auth import COOKIE, Person, SignedIn, cookie, csrf_checked
from service.guessable import guessable
from service.registry import people, second_factor, users
from service.web.passwords import tell
from service.web.people import line, session_lines
from service.web.reply import reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

log = structlog.get_logger("temoin.sign_in")
router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
DAYS = ("30", "90", "365")
MOST_TOKENS = 20
SAID: dict[str, Literal["password", "sessions"]] = {"password": "password", "sessions": "sessions"}


@router.get("/account")
def account_page(request: Request, person: SignedIn, done: str = "") -> Response:
    """Where one is signed in, and a form for one's password."""
    return _page(request, person, done=done)


@router.post("/account/sessions", dependencies=CHECKED)
def close_session(request: Request, person: SignedIn, handle: Typed = "") -> Response:
    """End one of one's own sessions, or all but this one without a handle."""
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        if handle:
            people.close(session, user, handle)
        else:
            people.close_others(session, user, cookie(request, COOKIE))
    return RedirectResponse("/account?done=sessions", 303)


@router.post("/account/tokens", dependencies=CHECKED)
def make_token(
    request: Request, person: SignedIn, token_name: Typed = "", scope: Typed = "read", days: Typed = "90"
) -> Response:
    """A token for one's programs: shown on this answer, and never again."""
    called = " ".join(token_name.split())
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        mistake = _of_token(
            called, sum(each.kind in users.API_KINDS for each in people.sessions(session, user, now))
        )
        if mistake:
            typed = {"named": token_name[:200], "scope": scope, "days": days}
            return _page(request, person, {"token_name": mistake}, 422, typed=typed)
        lasting = timedelta(days=int(days) if days in DAYS else 90)
        token = users.make_token(session, user, called, "write" if scope == "write" else "read", now, lasting)
    log.info("access_made", user=person.number, scope=scope)
    return _page(request, person, token=token)


@router.post("/account/password", dependencies=CHECKED)
def change_password(
    request: Request,
    person: SignedIn,
    later: BackgroundTasks,
    current: Typed = "",
    new: Typed = "",
    again: Typed = "",
) -> Response:
    """Another password, for who knows the one that is; other sessions end."""
    mistakes = _of_new(new, again, person)
    throttle = request.app.state.throttles["account"]
    if not mistakes and throttle.attempt(person.email):
        mistakes = {"current": "wait"}
    if not mistakes:
        with request.app.state.registry.session() as session:
            known = users.checked(session, person.email, current) is not None
        mistakes = {} if known else {"current": "wrong"}
    if mistakes:
        return _page(request, person, mistakes, 422)
    throttle.forget(person.email)
    hashed = users.hash_password(new)
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        user.password_hash = hashed
        people.close_others(session, user, cookie(request, COOKIE))
    log.info("password_chosen", user=person.number)
    later.add_task(tell, request, user, "password")
    return RedirectResponse("/account?done=password", 303)


def _of_token(name: str, count: int) -> str:
    if not name:
        return "missing"
    if len(name) > users.MAX_TOKEN_NAME or not name.isprintable():
        return "long"
    return "many" if count >= MOST_TOKENS else ""


def _of_new(new: str, again: str, person: Person) -> dict[str, str]:
    if not users.MIN_PASSWORD <= len(new) <= users.MAX_PASSWORD:
        return {"new": "length"}
    if guessable(new, (person.email, person.name)):
        return {"new": "guessable"}
    return {} if new == again else {"again": "differ"}


def _page(
    request: Request,
    person: Person,
    mistakes: Mapping[str, str] | None = None,
    status: int = 200,
    *,
    done: str = "",
    token: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        page = AccountPage(
            person=line(user, person.email),
            sessions=session_lines(session, user, zone, users.handle(cookie(request, COOKIE))),
            has_password=user.password_hash is not None,
            mistakes=mistakes or {},
            done=SAID.get(done),
            second_factor=second_factor.of(session, user) is not None,
            token=token,
            **(typed or {}),
        )
    return reply(request, page, status, person=person)
