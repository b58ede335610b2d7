"""In whose hands an experiment is: who acts on it, and may put it in others'."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages.experiments import OwnerPage
from service.asked import Typed
from service.auth import Facilities, Person, csrf_checked
from service.registry import experiments, users
from service.web.reply import Instead, error, reply

if TYPE_CHECKING:
    from typing import Literal

    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment

router = APIRouter(include_in_schema=False)


@router.get("/experiments/{slug}/owner")
def owner_page(request: Request, person: Facilities, slug: str) -> Response:
    """Whose it is, and a form for who may say otherwise."""
    with request.app.state.registry.session() as session:
        experiment = experiments.find(session, slug)
        if experiment is None:
            return error(request, 404, "not_found")
        page = _page(session, experiment, person)
    return reply(request, page, person=person)


@router.post("/experiments/{slug}/owner", dependencies=[Depends(csrf_checked)])
def hand_over(
    request: Request, person: Facilities, slug: str, owner: Typed = "", seen: Typed = ""
) -> Response:
    """Put it in somebody's hands, or nobody's; `seen` is in whose it was when the form was shown."""
    with request.app.state.registry.turn() as session:
        experiment = experiments.find(session, slug)
        if experiment is None:
            raise Instead(error, request, 404, "not_found")
        if not person.may_act_for(experiment.owner):
            raise Instead(reply, request, _page(session, experiment, person), 403, person)
        able = {str(each.id): each for each in users.able(session, "facilities")}
        if owner and owner not in able:
            raise Instead(reply, request, _page(session, experiment, person, mistake="person"), 422, person)
        known = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else None  # noqa: PLR2004 - a number of the registry
        if not experiments.hand_over(session, experiment, known, able.get(owner)):
            wanted = able[owner].id if owner else None
            page = _page(session, experiment, person, wanted=wanted, mistake="meanwhile")
            raise Instead(reply, request, page, 409, person)
    return RedirectResponse(f"/experiments/{experiment.slug}", 303)


def _page(
    session: Session,
    experiment: Experiment,
    person: Person,
    *,
    wanted: int | None = None,
    mistake: Literal["person", "meanwhile"] | None = None,
) -> OwnerPage:
    """Proposes `wanted`; else who has it; else, where nobody has, who is signed in."""
    owner = experiment.owner
    able = users.able(session, "facilities")
    names = Counter(each.name for each in able)
    me = next((each.id for each in able if each.email == person.email), None)
    proposed = me if owner is None else owner.id
    return OwnerPage(
        slug=experiment.slug,
        title=experiment.title,
        owner=None if owner is None else (owner.id, owner.name),
        people=tuple(
            (each.id, each.name if names[each.name] == 1 else f"{each.name}, {each.email}") for each in able
        ),
        wanted=wanted if mistake == "meanwhile" else proposed,
        may_act=person.may_act_for(owner),
        mistake=mistake,
    )
