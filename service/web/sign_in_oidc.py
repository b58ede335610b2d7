"""Signing in at the organisation's OpenID provider: there, and back."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.exc import IntegrityError

from service.auth import cookie, current_person, delete_cookie, safe_path, set_cookie
from service.oidc import BACK, KNOWN, Attempt, ClockRefused, OidcError, Provider, ProviderAway, TokenRefused
from service.registry import identities
from service.registry.identities import IdentityRefused
from service.throttle import address_of
from service.web.sign_in import sign_in_form, welcome

if TYPE_CHECKING:
    from service.registry.identities import Told
    from service.registry.tables import User

public = APIRouter(include_in_schema=False)

COOKIE = "temoin-oidc"
LASTING = timedelta(minutes=10)  # to sign in at the provider
TABS = 3  # in which somebody may be on the way at once
LONGEST_PATH = 400  # characters: the cookie holds TABS of them
LONGEST_CODE = 4000
LONGEST_TOKEN = 3500  # of a cookie's 4096
TOO_LONG = "-"  # in its place; the provider then asks who signs out
FAULTS: dict[type[OidcError], tuple[str, int]] = {
    ProviderAway: ("away", 503),
    ClockRefused: ("clock", 400),
    TokenRefused: ("refused", 400),
}
log = structlog.get_logger("temoin.sign_in")


@public.get("/sign-in/oidc")
def go(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """To the provider; back to `next` in the end."""
    path = safe_path(next)
    try:
        address, attempt = _provider(request).begin(path if len(path) <= LONGEST_PATH else "/")
    except ProviderAway as error:
        return _failed(request, path, "away", str(error), 503)
    response = RedirectResponse(address, 303)
    _keep(request, response, [attempt, *_attempts(request)][:TABS])
    return response


@public.get(BACK)
def back(request: Request, state: str = "", code: str = "", error: str = "", iss: str = "") -> Response:
    """A session for whoever the provider says it is."""
    provider, attempts = _provider(request), _attempts(request)
    attempt = next((each for each in attempts if compare_digest(each.state.encode(), state.encode())), None)
    if attempt is None and current_person(request) is not None:
        return RedirectResponse("/", 303)  # the button « back », or the page again
    if attempt is None:
        return _failed(request, "/", "stale", "no such attempt in this browser", 400)
    response = _came_back(request, provider, attempt, code, error, iss)
    _keep(request, response, [each for each in attempts if each is not attempt])
    return response


@public.get("/sign-in/oidc/out")
def out(request: Request) -> Response:
    """Signed out here already: to the provider, which signs out there and sends back to the sign-in page."""
    provider, token = _provider(request), cookie(request, KNOWN)
    if current_person(request) is not None or not token:
        return RedirectResponse("/sign-in", 303)
    try:
        address = provider.end("" if token == TOO_LONG else token)
    except ProviderAway as error:
        return _failed(request, "/", "away", str(error), 503)
    response = RedirectResponse(address or "/sign-in", 303)
    delete_cookie(request, response, KNOWN)
    return response


def _came_back(
    request: Request, provider: Provider, attempt: Attempt, code: str, error: str, iss: str
) -> Response:
    if error:
        return _failed(request, attempt.path, "denied", f"the provider says {error[:60]!r}", 403)
    if iss and iss != provider.issuer:  # RFC 9207: the answer of another provider
        return _failed(request, attempt.path, "refused", f"the answer is from {iss[:200]!r}", 400)
    address, throttle = address_of(request), request.app.state.throttles["address"]
    wait = throttle.attempt(address)  # the provider is not to be asked a thousand times either
    if wait:
        return sign_in_form(request, attempt.path, error="too_many", status=429, wait=wait)
    try:
        told, token = provider.finish(attempt, code[:LONGEST_CODE], datetime.now(UTC))
        ends_there = provider.end(token) is not None
        response = welcome(request, _person(request, told), attempt.path, "provider")
    except OidcError as fault:
        key, status = FAULTS[type(fault)]
        return _failed(request, attempt.path, key, str(fault), status)
    except IdentityRefused as refused:
        return _failed(request, attempt.path, refused.why, f"subject {told.subject!r}", 403)
    throttle.forgive(address)
    if ends_there:
        lasting = timedelta(hours=request.app.state.settings.session_hours)
        set_cookie(request, response, KNOWN, token if len(token) <= LONGEST_TOKEN else TOO_LONG, lasting)
    return response


def _person(request: Request, told: Told) -> User:
    settings = request.app.state.settings
    new, link = settings.oidc_new == "reader", settings.oidc_link_by_email
    try:
        with request.app.state.registry.session() as session:
            return identities.person(session, told, datetime.now(UTC), new=new, link_by_email=link)
    except IntegrityError:  # two tabs of somebody new: the other one was first
        with request.app.state.registry.session() as session:
            return identities.person(session, told, datetime.now(UTC), new=new, link_by_email=link)


def _failed(request: Request, path: str, error: str, why: str, status: int) -> Response:
    """The sign-in page with a sentence; the log has the reason, never a token."""
    log.warning("oidc_refused", error=error, why=why)
    return sign_in_form(request, path, error=error, status=status)


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.oidc
    if provider is None:
        raise HTTPException(404, "There is no OpenID provider here: TEMOIN_OIDC_ISSUER is not set.")
    return provider


def _attempts(request: Request) -> list[Attempt]:
    """Where this browser is on its way; nothing that we did not sign, nothing older than LASTING."""
    try:
        signed, seconds = cookie(request, COOKIE), int(LASTING.total_seconds())
        kept: list[Any] = _signer(request).loads(signed, max_age=seconds)
    except BadSignature:
        return []
    return [Attempt(*each) for each in kept]


def _keep(request: Request, response: Response, attempts: list[Attempt]) -> None:
    if attempts:
        signed = _signer(request).dumps([astuple(each) for each in attempts])
        set_cookie(request, response, COOKIE, signed, LASTING)
    else:
        delete_cookie(request, response, COOKIE)


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.settings.signing_key(), salt="oidc-attempt")
