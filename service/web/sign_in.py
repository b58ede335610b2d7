"""Signing in by account or by a one-time link, and out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages import SignInPage
from service.auth import (
    COOKIE,
    LASTING,
    Throttle,
    csrf_checked,
    current_person,
    end_session,
    form_checked,
    form_csrf,
    keep_form,
    safe_path,
    start_session,
)
from service.browser import browser_named
from service.registry import users
from service.web.reply import reply

if TYPE_CHECKING:
    from typing import Literal

    from service.registry.tables import User

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

WINDOW = 15 * 60  # seconds
OF_ACCOUNT = 8  # wrong passwords for one address in that time
OF_ALL = 300  # tries of everybody together: hashing costs a third of a second's work

EVERYBODY = "*"  # no address


def throttles() -> dict[str, Throttle]:
    """The counters of one app: by account, and overall."""
    return {"account": Throttle(OF_ACCOUNT, WINDOW), "all": Throttle(OF_ALL, WINDOW)}


@public.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """The form; whoever is signed in already goes on."""
    if current_person(request) is not None:
        return RedirectResponse(safe_path(next), 303)
    return _form(request, safe_path(next))


@public.post("/sign-in", dependencies=[Depends(form_checked)])
def sign_in(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the name of the field
) -> Response:
    """A session, or the form again; the same words for an unknown address and a wrong password."""
    account, path = email.strip().lower()[:254], safe_path(next)
    throttle = request.app.state.throttles
    wait = throttle["all"].attempt(EVERYBODY) or throttle["account"].attempt(account)
    if wait:
        response = _form(request, path, account, "too_many", 429)
        response.headers["Retry-After"] = str(wait)
        return response
    with request.app.state.registry.session() as session:
        user = users.checked(session, account, password)
    if user is None:
        return _form(request, path, account, "wrong", 401)
    throttle["account"].forget(account)
    return _welcome(request, user, path)


@public.get("/sign-in/{token}")
def follow_link(request: Request, token: str) -> Response:
    """A one-time link opens a session; followed again by the same browser it does no harm."""
    with request.app.state.registry.session() as session:
        user = users.use_link(session, token, datetime.now(UTC))
    if user is not None:
        return _welcome(request, user, "/")
    if current_person(request) is not None:
        return RedirectResponse("/", 303)
    return _form(request, "/", error="link_used", status=410)


@router.post("/sign-out", dependencies=[Depends(csrf_checked)])
def sign_out(request: Request) -> Response:
    """The session ends here and in the registry."""
    with request.app.state.registry.session() as session:
        users.close_session(session, request.cookies[COOKIE])
    response = RedirectResponse("/sign-in", 303)
    end_session(request, response)
    return response


def _welcome(request: Request, user: User, path: str) -> Response:
    """A new token for every sign-in; the one the browser came with opens nothing any more."""
    with request.app.state.registry.session() as session:
        users.close_session(session, request.cookies.get(COOKIE, ""))
        browser = browser_named(request.headers.get("user-agent", ""))
        token = users.open_session(session, user, datetime.now(UTC), LASTING, browser=browser)
    response = RedirectResponse(path, 303)
    start_session(request, response, token)
    return response


def _form(
    request: Request,
    path: str,
    email: str = "",
    error: Literal["wrong", "too_many", "link_used"] | None = None,
    status: int = 200,
) -> Response:
    csrf, half = form_csrf(request)
    response = reply(request, SignInPage(path, csrf, email, error), status)
    keep_form(request, response, half)
    return response
