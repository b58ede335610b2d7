"""People, for administrators: who they are, what they may do, where they are signed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages.people import PeoplePage, PersonForm, PersonLine, PersonPage, SessionLine
from service.asked import Number, Typed
from service.auth import Administrator, Person, csrf_checked
from service.registry import identities, password_links, people, users
from service.registry.people import ChangedMeanwhile, Facts, LastAdministrator
from service.web.reply import error, reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Session as SignedIn
    from service.registry.tables import User

log = structlog.get_logger("temoin.sign_in")
router = APIRouter(include_in_schema=False)
INVITED = timedelta(days=3)  # a link to choose a password goes by a colleague's hands
CHECKED = [Depends(csrf_checked)]


@router.get("/people")
def people_page(request: Request, person: Administrator, done: str = "") -> Response:
    """Everybody who may sign in, and a form for one more."""
    return _everybody(request, person, PersonForm(), deleted=done == "deleted")


@router.post("/people", dependencies=CHECKED)
def add_person(
    request: Request, person: Administrator, email: Typed = "", name: Typed = "", role: Typed = ""
) -> Response:
    """Somebody more; a password is chosen by a link, which their page makes."""
    email, name = email.strip(), " ".join(name.split())
    with request.app.state.registry.turn() as session:
        mistakes = _address_mistake(session, email) | _mistakes(name, role)
        if not mistakes:
            user = users.add(session, email, name, role, None, datetime.now(UTC))
            return RedirectResponse(f"/people/{user.id}?done=saved", 303)
    return _everybody(request, person, PersonForm(name, email, role, mistakes=mistakes), status=422)


@router.get("/people/{number}")
def person_page(request: Request, person: Administrator, number: Number, done: str = "") -> Response:
    """Somebody: what they may do, where they are signed in."""
    return _one(request, person, number, saved=done == "saved")


@router.post("/people/{number}", dependencies=CHECKED)
def change_person(  # noqa: PLR0913 - what is wanted, and what was seen
    request: Request,
    person: Administrator,
    number: Number,
    *,
    name: Typed = "",
    role: Typed = "",
    active: Typed = "",
    seen_name: Typed = "",
    seen_role: Typed = "",
    seen_active: Typed = "",
) -> Response:
    """Change somebody, unless somebody else did since the form was opened: then both versions are shown."""
    wanted = Facts(" ".join(name.split()), role, active == "yes")
    form = PersonForm(wanted.name, "", role, wanted.active, _mistakes(wanted.name, role))
    if form.mistakes:
        return _one(request, person, number, form, status=422)
    try:
        with request.app.state.registry.session() as session:
            seen = Facts(seen_name, seen_role, seen_active == "yes")
            if people.change(session, number, seen, wanted) is None:
                return error(request, 404, "not_found")
    except ChangedMeanwhile:
        return _one(request, person, number, form, status=409, meanwhile=True)
    except LastAdministrator:
        form = PersonForm(wanted.name, "", role, wanted.active, {"role": "last"})
        return _one(request, person, number, form, status=409)
    return RedirectResponse(f"/people/{number}?done=saved", 303)


@router.post("/people/{number}/delete", dependencies=CHECKED)
def delete_person(request: Request, person: Administrator, number: Number) -> Response:
    """Delete somebody; what they decided keeps their name."""
    try:
        with request.app.state.registry.session() as session:
            people.remove(session, number)
    except LastAdministrator:
        return _one(request, person, number, mistakes={"role": "last"}, status=409)
    return RedirectResponse("/people?done=deleted", 303)


@router.post("/people/{number}/link", dependencies=CHECKED)
def make_link(request: Request, person: Administrator, number: Number) -> Response:
    """A link by which somebody chooses a password, shown once; the one before it opens nothing any more."""
    with request.app.state.registry.session() as session:
        user = people.find(session, number)
        if user is None:
            return error(request, 404, "not_found")
        if not user.active:
            return RedirectResponse(f"/people/{number}", 303)
        token = password_links.make(session, user, datetime.now(UTC), INVITED)
    log.warning("password_link_made", user=number, by=person.number)
    base = request.app.state.settings.public_url or str(request.base_url).rstrip("/")
    return _one(request, person, number, link=f"{base}/new-password/{token}")


@router.post("/people/{number}/sessions", dependencies=CHECKED)
def close_session(request: Request, person: Administrator, number: Number, handle: Typed = "") -> Response:
    """Sign somebody out of one browser, or of all without a handle."""
    _ = person
    with request.app.state.registry.session() as session:
        user = people.find(session, number)
        if user is None:
            return error(request, 404, "not_found")
        if handle:
            people.close(session, user, handle)
        else:
            users.close_all(session, user)
    return RedirectResponse(f"/people/{number}", 303)


def session_lines(
    session: Session, user: User, zone: ZoneInfo, here: str | None = None
) -> tuple[SessionLine, ...]:
    """Where somebody is signed in; `here` is the handle of the session that asks."""
    return tuple(_session(each, zone, here) for each in people.sessions(session, user, datetime.now(UTC)))


def _session(row: SignedIn, zone: ZoneInfo, here: str | None) -> SessionLine:
    handle = people.handle_of(row)
    opened, seen = (at and at.astimezone(zone) for at in (row.created_at, row.last_seen))
    scope = row.kind.partition("-")[2]
    return SessionLine(handle, row.browser, opened, seen, row.expires.astimezone(zone), handle == here, scope)


def line(user: User, me: str, seen: datetime | None = None) -> PersonLine:
    """Somebody in a list; `me` is the address of who looks."""
    return PersonLine(user.id, user.name, user.email, user.role, user.active, seen, user.email == me)


def _everybody(
    request: Request, person: Person, form: PersonForm, status: int = 200, *, deleted: bool = False
) -> Response:
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        seen = people.last_seen(session, datetime.now(UTC))
        lines = tuple(
            line(user, person.email, seen[user.id].astimezone(zone) if user.id in seen else None)
            for user in users.everyone(session)
        )
    return reply(request, PeoplePage(lines, form, deleted), status, person=person)


def _one(  # noqa: PLR0913 - what may be said of one person
    request: Request,
    person: Person,
    number: int,
    form: PersonForm | None = None,
    status: int = 200,
    *,
    mistakes: Mapping[str, str] | None = None,
    meanwhile: bool = False,
    link: str | None = None,
    saved: bool = False,
) -> Response:
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        user = people.find(session, number)
        if user is None:
            return error(request, 404, "not_found")
        last = people.last_change(session, number)
        page = PersonPage(
            person=line(user, person.email),
            form=form or PersonForm(user.name, user.email, user.role, user.active, mistakes or {}),
            sessions=session_lines(session, user, zone),
            meanwhile=meanwhile,
            by=None if last is None else last.who.partition(" <")[0],
            at=None if last is None else last.at.astimezone(zone),
            link=link,
            link_until=None if link is None else (datetime.now(UTC) + INVITED).astimezone(zone),
            has_password=user.password_hash is not None,
            by_provider=identities.known(session, user),
            saved=saved,
        )
    return reply(request, page, status, person=person)


def _address_mistake(session: Session, email: str) -> dict[str, str]:
    if not email:
        return {"email": "missing"}
    if not users.ADDRESS.fullmatch(email) or not email.isprintable():
        return {"email": "bad"}
    return {"email": "taken"} if users.find(session, email) is not None else {}


def _mistakes(name: str, role: str) -> dict[str, str]:
    """By field, what is wrong with what was typed."""
    found = {}
    if not name:
        found["name"] = "missing"
    elif len(name) > users.MAX_NAME:
        found["name"] = "long"
    elif not name.isprintable():
        found["name"] = "bad"
    if role not in users.ROLES:
        found["role"] = "unknown"
    return found
