"""Rooms by week, as their list and « rooms side by side » show them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from service import device_health, embargo, weeks
from service.api.paging import Part
from service.asked import now
from service.registry import devices, rooms

router = APIRouter(prefix="/api/v1/weeks", tags=["rooms"])


@dataclass(frozen=True)
class ApiWeek:
    """A week, Monday `first` to Sunday: means of outcomes over days that count, how many, share observed."""

    first: date
    means: dict[str, float]
    days: dict[str, int]
    coverage: float | None


@dataclass(frozen=True)
class ApiRoomWeeks:
    """A room's full weeks, the earliest first; while an experiment (`hidden_by`) runs in it, coverage alone.

    `devices` are in it now, of which `silent` have not been heard of for longer than is usual for them.
    """

    room: str
    devices: int
    silent: int
    hidden_by: str | None
    weeks: list[ApiWeek]


@router.get("")
def list_weeks(
    request: Request,
    paging: Part,
    count: Annotated[int, Query(ge=1, le=weeks.MOST, description="How many weeks")] = 2,
    room: Annotated[list[str] | None, Query(description="Only these rooms", max_length=50)] = None,
) -> list[ApiRoomWeeks]:
    """Every room, or some, over the same last full weeks."""
    at = now(request)
    mondays, zone = weeks.full(at.date(), count), request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        known = {each.slug: each for site in rooms.sites(session) for each in site.rooms}
        if room and not known.keys() >= set(room):
            raise HTTPException(404, "There is no such room.")
        shown = paging.part(
            [each for each in known.values() if not room or each.slug in room], lambda each: each.slug
        )
        hidden = embargo.embargoes(session, at.date())
        seats = {each.slug: each.capacity for each in shown}
        found = weeks.of_rooms(session, seats, mondays, hidden, weeks.BESIDE) if seats else {}
        placed = Counter(each.room_id for each in devices.placed_now(session, at))
        silent = Counter(each.room.id for each in device_health.silences(session, at, zone) if each.room)
        return [
            ApiRoomWeeks(
                each.slug,
                placed[each.id],
                silent[each.id],
                hidden[each.slug].slug if each.slug in hidden else None,
                [
                    ApiWeek(first, dict(told.means), dict(told.days), told.coverage)
                    for first in mondays
                    if (told := found.get((each.slug, first))) is not None
                ],
            )
            for each in shown
        ]
