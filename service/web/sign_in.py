"""Signing in by account or by a one-time link, and out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from dashboards import letters
from dashboards.pages.people import Kept, SignInPage
from service import mail
from service.asked import Typed
from service.auth import (
    cookie,
    csrf_checked,
    current_person,
    end_session,
    form_checked,
    form_csrf,
    keep_form,
    safe_path,
    set_cookie,
    start_session,
)
from service.oidc import KNOWN
from service.registry import users
from service.throttle import Throttle, address_of
from service.web.kept import carried, resume
from service.web.reply import locale, reply
from service.web.sign_in_code import asked, code_page, fault, whose

if TYPE_CHECKING:
    from service.auth import How, Person
    from service.registry.tables import User

log = structlog.get_logger("temoin.sign_in")
router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

WINDOW = 15 * 60  # seconds
OF_ACCOUNT = 8  # wrong passwords for one account in that time
OF_ADDRESS = 60  # for one network address: an office shares one
OF_ALL = 600  # of everybody together, so that many addresses guess no faster
OF_MAIL = 3  # links mailed to one account
HASHING = 2  # passwords checked at once: 64 MB and a third of a second each
WAITING = 20  # people who may wait for that; the next is asked to come back
BUSY = 10  # seconds until then

EVERYBODY = "*"  # no address
BROWSER = "temoin-browser"  # the cookie of one that somebody signed in with
KNOWN_FOR = timedelta(days=180)


def throttles() -> dict[str, Throttle]:
    """The counters of one app: by account, by network address, overall; likewise mail; wrong codes once."""
    return {
        "account": Throttle(OF_ACCOUNT, WINDOW),
        "address": Throttle(OF_ADDRESS, WINDOW),
        "all": Throttle(OF_ALL, WINDOW),
        "mail": Throttle(OF_MAIL, WINDOW),
        "mail_address": Throttle(OF_ACCOUNT, WINDOW),
        "told": Throttle(1, WINDOW),
    }


@public.get("/sign-in")
def sign_in_page(request: Request, next: str = "/", chosen: str = "") -> Response:  # noqa: A002 - the name in the address
    """The form; whoever is signed in already goes on."""
    if current_person(request) is not None:
        return RedirectResponse(safe_path(next), 303)
    return sign_in_form(request, next, new_password=chosen == "1")


@public.post("/sign-in", dependencies=[Depends(form_checked)])
async def sign_in(
    request: Request,
    email: Typed = "",
    password: Typed = "",
    next: Typed = "/",  # noqa: A002 - the name of the field
) -> Response:
    """A session, or the form again; the same words for an unknown address and a wrong password.

    Passwords are checked beside the event loop and the threads of the pages, HASHING at a time.
    """
    account, kept = email.strip().lower()[:254], await carried(request)
    again: dict[str, Any] = {"email": account, "kept": kept}
    wait = _wait(request, account)
    if wait:
        again |= {"error": "too_many", "status": 429, "wait": wait}
        _log_refusal("too_many")
    elif request.app.state.hashing.full:
        again |= {"error": "busy", "status": 503, "wait": BUSY}
    else:
        user = await request.app.state.hashing.run(_checked, request, account, password)
        if user is not None:
            _succeeded(request, account)
            return await run_in_threadpool(admit, request, user, next, "password", kept)
        again |= {"error": "wrong", "status": 401}
    return await run_in_threadpool(sign_in_form, request, next, **again)


@public.post("/sign-in/code", dependencies=[Depends(form_checked)])
async def sign_in_code(
    request: Request,
    ticket: Typed = "",
    code: Typed = "",
    next: Typed = "/",  # noqa: A002 - the name of the field
) -> Response:
    """A session for who gave the password before, and now the code."""
    return await run_in_threadpool(_with_code, request, ticket, code, next, await carried(request))


@public.post("/sign-in/resume", dependencies=[Depends(form_checked)])
async def signed_in_elsewhere(request: Request) -> Response:
    """What was typed, once one has signed in again in another tab."""
    kept, person = await carried(request), await run_in_threadpool(current_person, request)
    if person is None:
        return await run_in_threadpool(sign_in_form, request, "/", kept=kept)
    return RedirectResponse("/", 303) if kept is None else resume(request, kept, person)


@public.get("/sign-in/{token}")
def follow_link(request: Request, token: str) -> Response:
    """A one-time link opens a session; followed again by the same browser it does no harm."""
    with request.app.state.registry.session() as session:
        user = users.use_link(session, token, datetime.now(UTC))
    if user is not None:
        return admit(request, user, "/", "link")
    if current_person(request) is not None:
        return RedirectResponse("/", 303)
    _log_refusal("link_used")
    return sign_in_form(request, "/", error="link_used", status=410)


@router.post("/sign-out", dependencies=[Depends(csrf_checked)])
def sign_out(request: Request) -> Response:
    """The session ends here and in the registry."""
    response = RedirectResponse("/sign-in", 303)
    end_session(request, response)
    log.info("signed_out", user=request.state.number)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'  # cookies: ours alone, the language stays
    return response


def admit(request: Request, user: User, path: str, how: How, kept: Kept | None = None) -> Response:
    """In, or to the second factor of who has one."""
    if asked(request, user):
        return code_page(request, user, path, kept)
    return welcome(request, user, path, how, kept)


def welcome(request: Request, user: User, path: str, how: How, kept: Kept | None = None) -> Response:
    """On to where they were going, or to what they had typed, in a session of its own."""
    if kept is None:
        response: Response = RedirectResponse(safe_path(path), 303)
        _begin(request, response, user, how)
        return response
    cookies = Response()
    response = resume(request, kept, _begin(request, cookies, user, how))
    response.raw_headers.extend(header for header in cookies.raw_headers if header[0] == b"set-cookie")
    return response


def _begin(request: Request, response: Response, user: User, how: How) -> Person:
    """A session, in a browser that is known from now on where a password opened it."""
    if how in ("password", "code"):
        made = _browsers(request).dumps([_mark(request, user.email), secrets.token_urlsafe(16)])
        set_cookie(request, response, BROWSER, made, KNOWN_FOR)
    return start_session(request, response, user, how)


def sign_in_form(
    request: Request,
    path: str,
    *,
    email: str = "",
    error: Any = None,  # noqa: ANN401 - a key of SignInPage.error
    status: int = 200,
    wait: int = 0,
    new_password: bool = False,
    kept: Kept | None = None,
) -> Response:
    """The sign-in page; `wait` in seconds."""
    csrf, half = form_csrf(request)
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        nobody = not users.anybody(session)
    page = SignInPage(
        nobody=nobody,
        next=safe_path(path),
        csrf=csrf,
        email=email,
        error=error,
        minutes=-(-wait // 60),
        provider=settings.oidc_name if settings.oidc_issuer else None,
        new_password=new_password,
        kept=kept,
        known=bool(settings.oidc_issuer and cookie(request, KNOWN)),
    )
    response = reply(request, page, status)
    keep_form(request, response, half)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _wait(request: Request, account: str) -> int:
    """Seconds until this one may try; whoever is stopped by their address counts for no account.

    A browser that this account signed in with before has a count of its own, as large as an account's:
    whoever guesses elsewhere shuts nobody out of it (OWASP: « device cookies »).
    """
    throttle, browser = request.app.state.throttles, known_browser(request, account)
    if browser:
        return int(throttle["account"].attempt(f"browser {browser}"))
    return int(
        throttle["address"].attempt(address_of(request))
        or throttle["account"].attempt(account)
        or throttle["all"].attempt(EVERYBODY)
    )


def known_browser(request: Request, account: str) -> str:
    """What a browser is called that this account signed in with before; empty for any other."""
    try:
        mark, called = _browsers(request).loads(
            cookie(request, BROWSER), max_age=int(KNOWN_FOR.total_seconds())
        )
    except BadSignature:
        return ""
    return str(called) if hmac.compare_digest(str(mark), _mark(request, account)) else ""


def _browsers(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.settings.signing_key(), salt="browser")


def _mark(request: Request, account: str) -> str:
    """The account, as nobody reads it in the cookie."""
    key = f"browser:{request.app.state.settings.signing_key()}"
    return hmac.new(key.encode(), account.encode(), hashlib.sha256).hexdigest()[:32]


def _with_code(request: Request, ticket: str, code: str, path: str, kept: Kept | None) -> Response:
    user = whose(request, ticket)
    if user is None:
        return sign_in_form(request, path, error="stale", status=400, kept=kept)
    throttle = request.app.state.throttles["account"]
    counted = f"code {user.id} {known_browser(request, user.email)}".strip()
    wait = throttle.attempt(counted)
    if wait:
        _log_refusal("too_many", user)
        response = code_page(request, user, path, kept, error="too_many", status=429, wait=wait)
        if not request.app.state.throttles["told"].attempt(counted):
            response.background = BackgroundTask(_tell_of_codes, request, user)
        return response
    error = fault(request, user, code)
    if error is not None:
        return code_page(request, user, path, kept, error=error, status=401)
    throttle.forget(counted)
    return welcome(request, user, path, "code", kept)


def _tell_of_codes(request: Request, user: User) -> None:
    """Whoever has the password and no telephone is a stranger who has the password."""
    settings = request.app.state.settings
    mend = f"{settings.public_url}/forgotten-password"
    mail.post(settings, user, letters.changed("codes", mend, locale(request)))


def _log_refusal(why: str, user: User | None = None) -> None:
    """By number: what was typed for an address may be a password."""
    log.warning("sign_in_refused", why=why, user=None if user is None else user.id)


def _succeeded(request: Request, account: str) -> None:
    throttle, browser = request.app.state.throttles, known_browser(request, account)
    if browser:
        throttle["account"].forget(f"browser {browser}")
        return
    throttle["account"].forget(account)
    throttle["address"].forgive(address_of(request))
    throttle["all"].forgive(EVERYBODY)


def _checked(request: Request, account: str, password: str) -> User | None:
    with request.app.state.registry.session() as session:
        user = users.checked(session, account, password)
        if user is None:
            _log_refusal("wrong", users.find(session, account))
    return user
