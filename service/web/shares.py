"""Links for somebody without an account: an experiment's page as it was when the link was made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from dashboards import render
from dashboards.pages.frame import Frame
from dashboards.pages.shares import SharedPage, ShareGonePage, ShareLine, SharesPage
from service import experiment_file
from service.asked import Number, Typed, now
from service.auth import Facilities, Person, csrf_checked
from service.registry import experiments, shares
from service.registry.shares import LASTING, TooManyShares
from service.throttle import Throttle, address_of
from service.web.reply import error, locale, reply
from service.web.sign_in import OF_ADDRESS, WINDOW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Literal
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment, Share

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
HEADERS = {
    "Referrer-Policy": "no-referrer",  # the address is the secret
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language",
}


def limits() -> Throttle:
    """The counter of tokens that open nothing, by network address, as of wrong passwords.

    None counts everybody together: 256 bits are not guessed, and it would let one shut out all.
    """
    return Throttle(OF_ADDRESS, WINDOW)


@public.get("/s/{token}")
def shared_page(request: Request, token: str) -> Response:
    """The page as it was; a link unknown, expired or revoked answers the same."""
    throttle, address = request.app.state.throttles["share"], address_of(request)
    wait = throttle.attempt(address)
    if wait:
        headers = HEADERS | {"Retry-After": str(wait)}
        return _bare(request, ShareGonePage(-(-wait // 60)), 429, headers)
    with request.app.state.registry.session() as session:
        share = shares.follow(session, token, now(request))
        if share is None:
            return _bare(request, ShareGonePage(), 404, HEADERS)
        zone, frozen = request.app.state.settings.zone, share.frozen
        made, until = share.made_at.astimezone(zone), share.expires.astimezone(zone)
    throttle.forgive(address)
    page = SharedPage(frozen["title"], frozen[locale(request)], made, until)
    return _bare(request, page, 200, HEADERS)


@router.get("/experiments/{slug}/shares")
def shares_page(request: Request, person: Facilities, slug: str, done: str = "") -> Response:
    """The links of one experiment, and a form for one more."""
    with request.app.state.registry.session() as session:
        experiment = experiments.find(session, slug)
        if experiment is None:
            return error(request, 404, "not_found")
        page = _page(request, session, experiment, person, revoked=done == "revoked")
    return reply(request, page, person=person)


@router.post("/experiments/{slug}/shares", dependencies=CHECKED)
def make_share(request: Request, person: Facilities, slug: str, days: Typed = "") -> Response:
    """A link to the page as it is now, shown once: only its hash is kept."""
    at, state = now(request), request.app.state
    with state.registry.session() as session:
        experiment = experiments.find(session, slug)
        if experiment is None:
            return error(request, 404, "not_found")
        if not person.may_act_for(experiment.owner):
            return reply(request, _page(request, session, experiment, person), 403, person)
        if days not in map(str, LASTING):
            return reply(request, _page(request, session, experiment, person, mistake="days"), 422, person)
        whole = experiment_file.whole(session, state.store, experiment, at, state.settings.min_group)
        try:
            token = shares.make(
                session, experiment, experiment_file.frozen(whole), person.name, at, int(days)
            )
        except TooManyShares:
            return reply(request, _page(request, session, experiment, person, mistake="many"), 409, person)
        # where this person is, not TEMOIN_PUBLIC_URL: that may be the forms' own address
        link, until = f"{request.base_url}s/{token}", at + timedelta(days=int(days))
        page = _page(request, session, experiment, person, link=link, until=until)
    return reply(request, page, person=person)


@router.post("/experiments/{slug}/shares/{number}/revoke", dependencies=CHECKED)
def revoke_share(request: Request, person: Facilities, slug: str, number: Number) -> Response:
    """The link opens nothing any more; revoked twice it does no harm."""
    with request.app.state.registry.session() as session:
        experiment = experiments.find(session, slug)
        if experiment is not None and not person.may_act_for(experiment.owner):
            return reply(request, _page(request, session, experiment, person), 403, person)
        if experiment is None or not shares.revoke(session, experiment, number, now(request)):
            return error(request, 404, "not_found")
    return RedirectResponse(f"/experiments/{experiment.slug}/shares?done=revoked", 303)


def _page(
    request: Request,
    session: Session,
    experiment: Experiment,
    person: Person,
    *,
    link: str | None = None,
    until: datetime | None = None,
    mistake: Literal["days", "many"] | None = None,
    revoked: bool = False,
) -> SharesPage:
    zone, at = request.app.state.settings.zone, now(request)
    lines = tuple(_line(each, zone, at) for each in shares.of_experiment(session, experiment))
    owner = experiment.owner
    return SharesPage(
        experiment.slug,
        experiment.title,
        lines,
        link,
        until,
        mistake,
        revoked,
        None if owner is None else owner.name,
        person.may_act_for(owner),
    )


def _line(share: Share, zone: ZoneInfo, at: datetime) -> ShareLine:
    return ShareLine(
        id=share.id,
        made=share.made_at.astimezone(zone),
        by=share.made_by,
        until=share.expires.astimezone(zone),
        used=share.last_used.astimezone(zone) if share.last_used else None,
        state=shares.state(share, at),
    )


def _bare(
    request: Request, page: SharedPage | ShareGonePage, status: int, headers: Mapping[str, str]
) -> Response:
    """Without navigation, also for who is signed in: what they see is what they share."""
    frame = Frame(request.url.path)
    return HTMLResponse(render.page(page, locale(request), frame), status, headers)
