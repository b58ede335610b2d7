"""A forgotten password: a link by mail, an hour, once; nobody is told whether there is such an account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from dashboards import letters
from dashboards.pages.people import ForgottenPage, NewPasswordPage
from service import mail
from service.asked import Typed
from service.auth import form_checked, form_csrf, keep_form
from service.registry import identities, password_links, users
from service.registry.users import MAX_PASSWORD, MIN_PASSWORD
from service.throttle import address_of
from service.web.reply import locale, reply

if TYPE_CHECKING:
    from service.registry.tables import User
    from service.settings import Settings

Mistake = Literal["short", "long", "differ", "guessable"]
public = APIRouter(include_in_schema=False)
log = structlog.get_logger("temoin.sign_in")


@public.get("/forgotten-password")
def ask_page(request: Request) -> Response:
    """The form, or whom to ask where there is no mail."""
    return _forgotten(request, "ask" if request.app.state.settings.smtp_url else "no_mail")


@public.post("/forgotten-password", dependencies=[Depends(form_checked)])
def ask(request: Request, later: BackgroundTasks, email: Typed = "") -> Response:
    """Looks nobody up before it has answered: neither words nor time tell who has an account."""
    if not request.app.state.settings.smtp_url:
        return _forgotten(request, "no_mail")
    wait = request.app.state.throttles["mail_address"].attempt(address_of(request))
    if wait:
        return _forgotten(request, "too_many", 429, wait)
    later.add_task(_send_link, request, email.strip().lower()[:254], locale(request))
    return _forgotten(request, "sent")


@public.get("/new-password/{token}")
def choose_page(request: Request, token: str) -> Response:
    """The form; the link still serves, since a mail scanner follows it too."""
    return _choose(request, token)


@public.post("/new-password/{token}", dependencies=[Depends(form_checked)])
async def choose(
    request: Request,
    later: BackgroundTasks,
    token: str,
    password: Typed = "",
    again: Typed = "",
) -> Response:
    """A new password, signed out everywhere, and on to the sign-in page."""
    error: Mistake | None = None
    if len(password) < MIN_PASSWORD:
        error = "short"
    elif len(password) > MAX_PASSWORD:
        error = "long"
    elif password != again:
        error = "differ"
    if error is not None:
        return await run_in_threadpool(_choose, request, token, error)
    try:
        user = await request.app.state.hashing.run(_use, request, token, password)
    except users.GuessableError:
        return await run_in_threadpool(_choose, request, token, "guessable")
    if user is None:
        return await run_in_threadpool(_choose, request, token)
    later.add_task(tell, request, user, "password")
    return RedirectResponse("/sign-in?chosen=1", 303)


def _use(request: Request, token: str, password: str) -> User | None:
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        user = password_links.use(session, token, password, now)
    if user is not None:
        request.app.state.throttles["account"].forget(user.email)
        log.info("password_chosen", user=user.id)
    return user


def _send_link(request: Request, email: str, language: str) -> None:
    """After the answer: to somebody active with a password of ours, at most OF_MAIL times a WINDOW."""
    settings: Settings = request.app.state.settings
    if request.app.state.throttles["mail"].attempt(email):
        return
    with request.app.state.registry.session() as session:
        user = users.find(session, email)
        if user is None or not user.active or (not user.password_hash and identities.known(session, user)):
            return
        token = password_links.make(session, user, datetime.now(UTC))
    mail.post(settings, user, letters.new_password(f"{settings.public_url}/new-password/{token}", language))


def tell(request: Request, user: User, what: letters.What) -> None:
    """What opens this account now, to its address: whoever did not change it is warned."""
    settings: Settings = request.app.state.settings
    address = f"{settings.public_url}/forgotten-password"
    mail.post(settings, user, letters.changed(what, address, locale(request)))


def _choose(request: Request, token: str, error: Mistake | None = None) -> Response:
    with request.app.state.registry.session() as session:
        user = password_links.owner(session, token, datetime.now(UTC))
    csrf, half = form_csrf(request)
    page = NewPasswordPage(None)
    if user is not None:
        page = NewPasswordPage(token, csrf, user.email, error, MIN_PASSWORD, MAX_PASSWORD)
    status = 410 if user is None else 422 if error else 200
    response = reply(request, page, status)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address of this page is a key
    keep_form(request, response, half)
    return response


def _forgotten(
    request: Request,
    state: Literal["ask", "sent", "too_many", "no_mail"],
    status: int = 200,
    wait: int = 0,
) -> Response:
    csrf, half = form_csrf(request)
    response = reply(request, ForgottenPage(csrf, state, -(-wait // 60)), status)
    keep_form(request, response, half)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
