"""Between the password and the session of who has a second factor: the page that asks for a code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from dashboards.pages.people import CodePage
from service.auth import form_csrf, keep_form, safe_path
from service.registry import people, second_factor, users
from service.web.reply import reply

if TYPE_CHECKING:
    from fastapi import Request, Response

    from dashboards.pages.people import Kept
    from service.registry.tables import User

LASTING = timedelta(minutes=10)  # to find one's telephone
Error = Literal["wrong", "too_many", "unreadable"]
log = structlog.get_logger("temoin.sign_in")


def asked(request: Request, user: User) -> bool:
    """Whether this person's password is not enough."""
    with request.app.state.registry.session() as session:
        return second_factor.of(session, user) is not None


def code_page(
    request: Request,
    user: User,
    path: str,
    kept: Kept | None = None,
    *,
    error: Error | None = None,
    status: int = 200,
    wait: int = 0,
) -> Response:
    """The form for a code; its ticket says whose password was right, in this browser alone.

    `wait` in seconds.
    """
    csrf, half = form_csrf(request)
    ticket = _signer(request).dumps([user.id, csrf])
    response = reply(request, CodePage(safe_path(path), csrf, ticket, error, -(-wait // 60), kept), status)
    keep_form(request, response, half)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def whose(request: Request, ticket: str) -> User | None:
    """Who gave the right password in this browser, up to LASTING ago, and is still let in."""
    try:
        number, csrf = _signer(request).loads(ticket, max_age=int(LASTING.total_seconds()))
    except BadSignature:
        return None
    with request.app.state.registry.session() as session:
        user = people.find(session, number)
    return user if user is not None and user.active and csrf == form_csrf(request)[0] else None


def fault(request: Request, user: User, code: str) -> Error | None:
    """Why this code opens nothing; None for a right one, which is then spent."""
    signing_key, now = request.app.state.settings.signing_key(), datetime.now(UTC)
    error: Error | None
    try:
        with request.app.state.registry.session() as session:
            session.info["who"] = users.signature(user.name, user.email)
            error = None if second_factor.accepts(session, user, code, signing_key, now) else "wrong"
    except second_factor.SealError:
        error = "unreadable"
    if error is not None:
        log.warning("second_factor_refused", why=error, user=user.id)
    return error


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.settings.signing_key(), salt="second-factor")
