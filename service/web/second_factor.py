"""One's own second factor: made with the password, proved by a code, taken away with both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer

from dashboards.pages.people import SecondFactorPage
from service.asked import Typed
from service.auth import COOKIE, Person, SignedIn, cookie, csrf_checked
from service.registry import people, second_factor, users
from service.web.passwords import tell
from service.web.reply import reply
from service.web.sign_in_code import fault

if TYPE_CHECKING:
    from service.registry.tables import User

router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
LASTING = 60 * 60  # seconds to install an application


@router.get("/account/second-factor")
def page(request: Request, person: SignedIn) -> Response:
    """What there is, and the form for the next step."""
    return _page(request, person)


@router.post("/account/second-factor", dependencies=CHECKED)
def begin(request: Request, person: SignedIn, current: Typed = "") -> Response:
    """A secret for who knows the password; nothing is kept before a code proves that it arrived."""
    if _there(request, person):
        return _page(request, person)
    mistake = _of_password(request, person, current)
    if mistake:
        return _page(request, person, {"current": mistake}, 422)
    return _secret(request, person, _signer(request).dumps([person.email, _sealed(request)]))


@router.post("/account/second-factor/code", dependencies=CHECKED)
def prove(
    request: Request, person: SignedIn, later: BackgroundTasks, draft: Typed = "", code: Typed = ""
) -> Response:
    """From now on it is asked for; the recovery codes are on this answer and never again."""
    now, secret = datetime.now(UTC), _drafted(request, person, draft)
    if secret is None or _there(request, person):
        return _page(request, person, {"current": "late"}, 422)
    step = second_factor.step_of(secret, code, now)
    if step is None:
        return _secret(request, person, draft, {"code": "wrong"}, 422)
    sealed = second_factor.seal(secret, request.app.state.settings.signing_key())
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        codes = second_factor.enrol(session, user, sealed, step, now)
        people.close_others(session, user, cookie(request, COOKIE))
    later.add_task(tell, request, user, "second_factor")
    return _page(request, person, recovery=tuple(map(second_factor.grouped, codes)))


@router.post("/account/second-factor/end", dependencies=CHECKED)
def end(
    request: Request, person: SignedIn, later: BackgroundTasks, current: Typed = "", code: Typed = ""
) -> Response:
    """The password alone serves again, for who has both."""
    mistake = _of_password(request, person, current)
    if mistake:
        return _page(request, person, {"current": mistake}, 422)
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
    if _wait(request, user) or fault(request, user, code):
        return _page(request, person, {"code": "wrong"}, 422)
    with request.app.state.registry.session() as session:
        second_factor.take_away(session, user)
    later.add_task(tell, request, user, "no_second_factor")
    return RedirectResponse("/account/second-factor", 303)


def _there(request: Request, person: Person) -> bool:
    """Whether there is one: it is taken away first, which needs its code."""
    with request.app.state.registry.session() as session:
        return second_factor.of(session, users.known(session, person.email)) is not None


def _of_password(request: Request, person: Person, typed: str) -> str:
    """Why this is not their password: wrong, wait; empty for the right one."""
    throttle = request.app.state.throttles["account"]
    if throttle.attempt(person.email):
        return "wait"
    with request.app.state.registry.session() as session:
        if users.checked(session, person.email, typed) is None:
            return "wrong"
    throttle.forget(person.email)
    return ""


def _wait(request: Request, user: User) -> int:
    return int(request.app.state.throttles["account"].attempt(f"code {user.id}"))


def _sealed(request: Request) -> str:
    return second_factor.seal(second_factor.new_secret(), request.app.state.settings.signing_key())


def _drafted(request: Request, person: Person, draft: str) -> str | None:
    """The secret that this person was shown, up to LASTING ago."""
    try:
        email, sealed = _signer(request).loads(draft, max_age=LASTING)
        secret = second_factor.unseal(sealed, request.app.state.settings.signing_key())
    except (BadSignature, second_factor.SealError):
        return None
    return secret if email == person.email else None


def _secret(
    request: Request, person: Person, draft: str, mistakes: dict[str, str] | None = None, status: int = 200
) -> Response:
    secret = _drafted(request, person, draft) or ""
    shown = second_factor.grouped(secret)
    address = second_factor.address(secret, person.email)
    return _page(request, person, mistakes, status, draft=draft, secret=shown, address=address)


def _page(
    request: Request,
    person: Person,
    mistakes: dict[str, str] | None = None,
    status: int = 200,
    *,
    draft: str = "",
    secret: str = "",
    address: str = "",
    recovery: tuple[str, ...] = (),
) -> Response:
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        factor = second_factor.of(session, user)
        context = SecondFactorPage(
            email=person.email,
            since=None if factor is None else factor.enrolled_at.astimezone(zone),
            left=0 if factor is None else len(factor.recovery_sha256),
            has_password=user.password_hash is not None,
            owed=person.owes_factor and factor is None,
            draft=draft,
            secret=secret,
            address=address,
            recovery=recovery,
            mistakes=mistakes or {},
        )
    return reply(request, context, status, person=person)


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.settings.signing_key(), salt="second-factor-draft")
