"""Experiments, what may be said of them, and what anybody needs to recompute it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from experiments.verdict import Status
from service import results
from service.api import documents
from service.api.paging import Part
from service.asked import today
from service.registry import experiments

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from experiments.design import Protocol
    from service.registry.tables import Experiment

router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])


@dataclass(frozen=True)
class ApiArm:
    """A room's part: treated from `switch` (the first day after the change), or baseline (null)."""

    room: str
    switch: date | None


@dataclass(frozen=True)
class ApiMeasure:
    """An outcome and what was fixed about it, in the outcome's unit."""

    outcome: str
    role: str
    better: str
    useful: float | None
    margin: float | None


@dataclass(frozen=True)
class ApiExperiment:
    """An experiment; `protocol_sha256` is null while its protocol is not locked."""

    slug: str
    title: str
    status: Status
    starts: date | None
    ends: date | None
    arms: list[ApiArm]
    measures: list[ApiMeasure]
    protocol_sha256: str | None
    decision: str | None


@dataclass(frozen=True)
class ApiDeviation:
    """Something that did not go as planned, on a local day."""

    day: date
    what: str
    entered_by: str


@dataclass(frozen=True)
class ApiDecision:
    """What was decided, by whom, on which day, why, and what is kept of it."""

    choice: str
    body: str
    decided_on: date
    reason: str
    lessons: str


@dataclass(frozen=True)
class ApiExperimentWhole(ApiExperiment):
    """An experiment and its file; `owner` is in whose hands it is, `expires` when the layout goes back."""

    sheet: dict[str, Any]
    owner: str | None
    expires: date | None
    deviations: list[ApiDeviation]
    decided: ApiDecision | None


@router.get("")
def list_experiments(request: Request, paging: Part) -> list[ApiExperiment]:
    """Every experiment, the latest start first."""
    day = today(request)
    with request.app.state.registry.session() as session:
        found = paging.part(experiments.everything(session), lambda each: each.slug)
        return [_experiment(each, day) for each in found]


@router.get("/{slug}")
def get_experiment(request: Request, slug: str) -> ApiExperimentWhole:
    """One experiment with its sheet, what did not go as planned, and what was decided."""
    with request.app.state.registry.session() as session:
        experiment = known(session, slug)
        told, owner = experiment.decision, experiment.owner
        return ApiExperimentWhole(
            **vars(_experiment(experiment, today(request))),
            sheet=experiment.sheet,
            owner=None if owner is None else owner.name,
            expires=experiment.expires,
            deviations=[ApiDeviation(each.day, each.what, each.entered_by) for each in experiment.deviations],
            decided=None
            if told is None
            else ApiDecision(told.choice, told.body, told.decided_on, told.reason, told.lessons),
        )


@router.get("/{slug}/result", responses=documents.RESULT)
def result(request: Request, slug: str) -> JSONResponse:
    """What may be said today. Until the end `verdict` is null, with the reason `locked`.

    Fields: `status`, `verdict`, `grade`, `reasons`, `primary`, `secondaries`, `guardrails`, `quality` and
    more. An undefined number is null.
    """
    day = today(request)
    with request.app.state.registry.session() as session:
        experiment = known(session, slug)
        said = results.result_of(session, experiment, day, request.app.state.settings.min_group)
        return JSONResponse(_not_compared(experiment, day) if said is None else said.to_dict())


@router.get("/{slug}/protocol.json", responses=documents.PROTOCOL)
def protocol(request: Request, slug: str) -> Response:
    """The protocol as locked, byte by byte; before that, what would be locked today.

    It is what `temoin analyse --design` reads.
    """
    with request.app.state.registry.session() as session:
        experiment = known(session, slug)
        document = _compared(experiment)
        text = document.to_json() if experiment.protocol is None else experiment.protocol.document
    return Response(text, media_type="application/json", headers={"ETag": f'"{document.sha256}"'})


@router.get("/{slug}/panel.csv", response_class=Response, responses=documents.PANEL)
def panel(
    request: Request,
    slug: str,
    until: Annotated[
        Literal["switch"] | None,
        Query(description="`switch`: only days before the first switch, at any time"),
    ] = None,
) -> Response:
    """Room, day, outcome, value, n: what `temoin analyse` recomputes the verdict from. 423 while it runs."""
    with request.app.state.registry.session() as session:
        experiment = known(session, slug)
        document = _compared(experiment)
        if until == "switch":
            csv: bytes | None = results.panel_until_switch(session, document)
        else:
            k = request.app.state.settings.min_group
            csv = results.published_panel(session, experiment, today(request), k)
    if csv is None:
        raise HTTPException(
            423, f"The experiment runs until {experiment.ends}: ask again then, or with ?until=switch."
        )
    headers = {"Content-Disposition": f'attachment; filename="{slug}.panel.csv"'}
    return Response(csv, media_type="text/csv", headers=headers)


def known(session: Session, slug: str) -> Experiment:
    """The experiment of this address; raises HTTPException 404."""
    experiment = experiments.find(session, slug)
    if experiment is None:
        raise HTTPException(404, f"There is no experiment {slug}.")
    return experiment


def _compared(experiment: Experiment) -> Protocol:
    document = experiments.protocol(experiment)
    if document is None:
        raise HTTPException(404, "This experiment is not compared: it has neither protocol nor panel.")
    return document


def _experiment(experiment: Experiment, day: date) -> ApiExperiment:
    return ApiExperiment(
        slug=experiment.slug,
        title=experiment.title,
        status=experiments.status(experiment, day),
        starts=experiment.starts,
        ends=experiment.ends,
        arms=[ApiArm(arm.room.slug, arm.switch) for arm in experiment.arms],
        measures=[
            ApiMeasure(each.outcome, each.role, each.better, each.useful, each.margin)
            for each in experiment.measures
        ],
        protocol_sha256=None if experiment.protocol is None else experiment.protocol.sha256,
        decision=None if experiment.decision is None else experiment.decision.choice,
    )


def _not_compared(experiment: Experiment, day: date) -> dict[str, Any]:
    """An idea or a free trial: observed, not compared."""
    return {
        "status": experiments.status(experiment, day),
        "verdict": None,
        "grade": "none",
        "reasons": [{"code": "not_compared", "numbers": {}}],
        "primary": None,
        "secondaries": [],
        "guardrails": [],
        "quality": [],
    }
