"""The list of experiments and the page of each."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from dashboards.pages.experiments import ExampleFile, ExperimentsPage
from service import experiment_file
from service.asked import now, today
from service.auth import SignedIn
from service.registry import experiments
from service.registry.rooms import first_slugs
from service.web.reply import error, reply

router = APIRouter(include_in_schema=False)


@router.get("/experiments")
def experiments_page(request: Request, person: SignedIn) -> Response:
    """Every experiment, grouped by what it asks for."""
    day = today(request)
    with request.app.state.registry.session() as session:
        said = experiments.headlines(session)
        found = tuple(
            experiment_file.line(each, day, said.get(each.id, {})) for each in experiments.listed(session)
        )
        example = ExampleFile(day, first_slugs(session, len(ExampleFile.ROOMS)))
    return reply(request, ExperimentsPage(found, example), person=person)


@router.get("/experiments/{slug}")
def experiment_page(request: Request, slug: str, person: SignedIn) -> Response:
    """One experiment, whatever its state."""
    with request.app.state.registry.session() as session:
        found = experiments.find(session, slug)
        if found is None:
            return error(request, 404, "not_found")
        state = request.app.state
        whole = experiment_file.whole(session, state.store, found, now(request), state.settings.min_group)
        page = replace(whole, may_act=person.may_act_for(found.owner))
    return reply(request, page, person=person)
