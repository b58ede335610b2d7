"""Rooms as declared, and whether an experiment hides their values now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from service import embargo
from service.registry import rooms
from service.web.reply import today

if TYPE_CHECKING:
    from service.registry.tables import Room, Site

router = APIRouter(prefix="/api/v1/rooms", tags=["rooms"])


@dataclass(frozen=True)
class Hidden:
    """Values of a room are hidden from `since` on, until the experiment is over."""

    experiment: str
    since: date
    until: date


@dataclass(frozen=True)
class ApiRoom:
    """A room; `opens`, `closes` and `weekdays` (ISO, Monday is 1) are its site's, local time."""

    slug: str
    name: str
    site: str
    site_name: str
    floor: str | None
    capacity: int | None
    area_m2: float | None
    volume_m3: float | None
    opens: time
    closes: time
    weekdays: str
    hidden: Hidden | None


@router.get("")
def list_rooms(request: Request) -> list[ApiRoom]:
    """Every room, by site and name."""
    with request.app.state.registry.session() as session:
        hidden = embargo.embargoes(session, today(request))
        return [
            _room(room, site, hidden.get(room.slug)) for site in rooms.sites(session) for room in site.rooms
        ]


def _room(room: Room, site: Site, laid: embargo.Embargo | None) -> ApiRoom:
    return ApiRoom(
        slug=room.slug,
        name=room.name,
        site=site.slug,
        site_name=site.name,
        floor=room.floor,
        capacity=room.capacity,
        area_m2=room.area_m2,
        volume_m3=room.volume_m3,
        opens=site.opens,
        closes=site.closes,
        weekdays=site.weekdays,
        hidden=None if laid is None else Hidden(laid.slug, laid.since, laid.ends),
    )
