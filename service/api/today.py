"""What waits for somebody today, what runs, what was learned: the first page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request

from dashboards.pages.experiments import ExperimentLine
from dashboards.pages.home import Deadline, Growth, Learned, ToLookAt
from service import today
from service.asked import now
from service.auth import SignedIn

if TYPE_CHECKING:
    from dashboards.pages.home import HomePage, SilentDevice

router = APIRouter(prefix="/api/v1/today", tags=["today"])


@dataclass(frozen=True)
class ApiSilent:
    """A silent device that costs a running experiment its days; last heard on a local day, no more."""

    device: str
    room: str | None
    last_seen: datetime | date | None
    experiment: str


@dataclass(frozen=True)
class ApiStandstill:
    """What keeps readings from flowing since then (UTC), and how many messages wait meanwhile."""

    kind: Literal["full", "stopped", "broker", "store"]
    since: datetime | None
    waiting: int


@dataclass(frozen=True)
class ApiToday:
    """What waits for somebody on this local day, then what runs, what comes and what was learned.

    `silent_elsewhere` counts silent devices that harm no experiment; `growth` is the quarantine's, null where
    it is usual; `decided` is how many decisions there are, of which `learned` are the last.
    """

    today: date
    to_decide: list[ExperimentLine]
    look_at: list[ToLookAt]
    silent: list[ApiSilent]
    silent_elsewhere: int
    growth: Growth | None
    standstill: ApiStandstill | None
    deadlines: list[Deadline]
    running: list[ExperimentLine]
    next_up: list[ExperimentLine]
    learned: list[Learned]
    decided: int
    rooms: int
    devices: int
    quarantined: int
    answers_week: int


SAME = ("today", "silent_elsewhere", "growth", "decided", "rooms", "devices", "quarantined", "answers_week")
LISTS = ("to_decide", "look_at", "deadlines", "running", "next_up", "learned")


@router.get("")
def get_today(request: Request, person: SignedIn) -> ApiToday:
    """What the first page says; experiments in whose hands one is come first."""
    with request.app.state.registry.session() as session:
        page = today.of(session, request.app.state.settings, person, now(request))
    told: dict[str, Any] = {name: getattr(page, name) for name in SAME}
    told |= {name: list(getattr(page, name)) for name in LISTS}
    silent = [_silent(each) for each in page.silent]
    return ApiToday(**told, silent=silent, standstill=_standstill(page))


def _silent(each: SilentDevice) -> ApiSilent:
    seen = each.last_seen.astimezone(UTC) if isinstance(each.last_seen, datetime) else each.last_seen
    return ApiSilent(each.key, each.room_slug, seen, "" if each.experiment is None else each.experiment[0])


def _standstill(page: HomePage) -> ApiStandstill | None:
    told = page.standstill
    if told is None:
        return None
    return ApiStandstill(told.kind, None if told.since is None else told.since.astimezone(UTC), told.waiting)
