"""What an experiment's page shows besides its result: how far it is, what was said, what it can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from dashboards.pages.experiments import CostLine, CoverageDay, Split
from experiments.equipment import Item
from service import experiment_file
from service.api import documents
from service.api.experiments import known
from service.asked import now

if TYPE_CHECKING:
    from dashboards.pages.experiments import ExperimentPage

router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"])


@dataclass(frozen=True)
class ApiStrip:
    """What was observed of a room, day by day: the share of opening hours, and whether the day counts."""

    room: str
    treated: bool
    days: list[CoverageDay]


@dataclass(frozen=True)
class ApiSilence:
    """A device and its longest silence of a day (s); null where it said nothing all day."""

    device: str
    label: str | None
    seconds: int | None


@dataclass(frozen=True)
class ApiDayLost:
    """A day of a room that does not count for want of observation, and how long its devices were silent."""

    room: str
    day: date
    share: float
    silences: list[ApiSilence]


@dataclass(frozen=True)
class ApiProgress:
    """How far an experiment is: the week of so many, answers so far, room-days that count of those expected.

    `result_on` is the first day on which the result is shown. These are null once it is over. `lost` are the
    last days that do not count, the latest first.
    """

    week: int | None
    weeks: int | None
    answers: int | None
    result_on: date | None
    counted: int | None
    expected: int | None
    coverage: list[ApiStrip]
    lost: list[ApiDayLost]


@dataclass(frozen=True)
class ApiTheme:
    """How many remarks speak of a theme."""

    theme: str
    remarks: int


@dataclass(frozen=True)
class ApiTrialVoices:
    """What was said in the treated rooms, before and after; nothing of fewer than `fewest` answers.

    `remarks` are the last of `remarks_total`, in people's own words.
    """

    answers: int
    fewest: int
    splits: list[Split]
    remarks: list[str]
    remarks_total: int
    themes: list[ApiTheme]


@dataclass(frozen=True)
class ApiCosts:
    """Money and internal hours, planned or actual, of the treated rooms together and their seats."""

    kind: str
    lines: list[CostLine]
    rooms: int
    seats: int | None


@dataclass(frozen=True)
class ApiFile:
    """What lies beside an experiment's sheet; times are UTC, what there is none of is null.

    Who locked its protocol when; when the result was frozen, from which panel; what it costs; what its rooms
    still need before the start.
    """

    locked_at: datetime | None
    locked_by: str | None
    frozen_at: datetime | None
    panel_sha256: str | None
    costs: ApiCosts | None
    equipment: list[Item]


@router.get("/{slug}/progress")
def get_progress(request: Request, slug: str) -> ApiProgress:
    """How far an experiment is, and which days of its rooms were observed; nothing that tells arms apart."""
    page = _page(request, slug)
    so_far = page.meanwhile
    names = ("week", "weeks", "answers", "result_on", "counted", "expected")
    return ApiProgress(
        **{name: None if so_far is None else getattr(so_far, name) for name in names},
        coverage=[ApiStrip(each.room, each.treated, list(each.days)) for each in page.coverage],
        lost=[
            ApiDayLost(each.room, each.day, each.share, [ApiSilence(*silence) for silence in each.silences])
            for each in page.lost
        ],
    )


@router.get("/{slug}/file")
def get_file(request: Request, slug: str) -> ApiFile:
    """What lies beside an experiment's sheet: its lock, its frozen look, its costs, what its rooms need."""
    page = _page(request, slug)
    lock, look, costs = page.lock, page.look, page.costs
    return ApiFile(
        locked_at=None if lock is None else lock.at.astimezone(UTC),
        locked_by=None if lock is None else lock.by,
        frozen_at=None if look is None else look.at.astimezone(UTC),
        panel_sha256=None if look is None else look.sha256,
        costs=None if costs is None else ApiCosts(costs.kind, list(costs.lines), costs.rooms, costs.seats),
        equipment=list(page.equipment),
    )


@router.get("/{slug}/voices")
def get_trial_voices(request: Request, slug: str) -> ApiTrialVoices:
    """What was said in an experiment's rooms; 423 while it runs, 404 where nothing is to be compared yet."""
    page = _page(request, slug)
    if page.voices is None:
        _over(page)
        raise HTTPException(404, "There are no voices to show of this experiment yet.")
    told = page.voices
    return ApiTrialVoices(
        answers=told.answers,
        fewest=told.k,
        splits=list(told.splits),
        remarks=list(told.remarks),
        remarks_total=told.remarks_total,
        themes=[ApiTheme(theme, count) for theme, count in told.themes],
    )


@router.get("/{slug}/comfort")
def list_trial_comfort(request: Request, slug: str) -> list[Split]:
    """Occupied minutes of the treated rooms by EN 16798-1 category, before and after; 423 while it runs."""
    page = _page(request, slug)
    if not page.comfort:
        _over(page)
    return list(page.comfort)


@router.get("/{slug}/plan", responses=documents.PLAN)
def get_plan(request: Request, slug: str) -> JSONResponse:
    """What a planned experiment can tell: the best grade, what would be detected; 404 once it runs."""
    page = _page(request, slug)
    if page.plan is None:
        raise HTTPException(404, "This experiment is not planned, or is not compared.")
    return JSONResponse(page.plan.to_dict())


@router.get("/{slug}/later", responses=documents.RESULT)
def get_later(request: Request, slug: str) -> JSONResponse:
    """The result with corrections that came after it was frozen; 404 where there are none."""
    page = _page(request, slug)
    if page.later is None:
        raise HTTPException(404, "Nothing was corrected since the result was frozen.")
    return JSONResponse(page.later.to_dict())


def _page(request: Request, slug: str) -> ExperimentPage:
    """All that its page shows today: what is under seal there is not in it."""
    state = request.app.state
    with state.registry.session() as session:
        found = known(session, slug)
        return experiment_file.whole(session, state.store, found, now(request), state.settings.min_group)


def _over(page: ExperimentPage) -> None:
    if page.status == "running":
        raise HTTPException(423, f"The experiment runs until {page.ends}: ask again then.")
