"""Sites: their hours, the days they are closed, their rooms; for who may change them, as on their pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import Field

from service import places
from service.api.mistakes import refuse
from service.api.paging import Part
from service.api.rooms import ApiRoom, LocalTime, NewRoom, room_of
from service.api.said import HOUR, Day, Said
from service.api.unchanged import Have
from service.auth import needs
from service.registry import rooms

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.registry.tables import Site

router = APIRouter(prefix="/api/v1/sites", tags=["sites"], dependencies=[Depends(needs("facilities"))])
Hour = Annotated[str, Field(pattern=HOUR, description="Local time")]
Weekdays = Annotated[str, Field(pattern="^[1-7]{1,7}$", description="ISO, Monday is 1")]
Year = Annotated[int, Path(ge=2000, le=2100)]


@dataclass(frozen=True)
class ApiClosure:
    """A local day on which the whole site is closed."""

    day: date
    reason: str


@dataclass(frozen=True)
class ApiSite:
    """A site; `weekdays` are ISO (Monday is 1), `opens` and `closes` local time."""

    slug: str
    name: str
    opens: LocalTime
    closes: LocalTime
    weekdays: str
    rooms: list[str]


@dataclass(frozen=True)
class ApiSiteWhole(ApiSite):
    """A site and the days it is closed; `version` changes with its name and hours."""

    closures: list[ApiClosure]
    version: str


class SiteFacts(Said):
    """What is to be said of a site: what is left out stays."""

    name: str = Field("", min_length=1, max_length=places.MOST_NAME)
    opens: Hour = places.Hours.opens.isoformat()
    closes: Hour = places.Hours.closes.isoformat()
    weekdays: Weekdays = places.Hours.weekdays


class NewSite(SiteFacts):
    """What is to be said of a site more; hours and weekdays are those of an office unless said."""

    name: str = Field(min_length=1, max_length=places.MOST_NAME)


class ClosureReason(Said):
    """Why a site is closed that day; may be empty."""

    reason: str = Field("", max_length=places.MOST_REASON)


@router.get("")
def list_sites(request: Request, paging: Part) -> list[ApiSite]:
    """Every site, by name."""
    with request.app.state.registry.session() as session:
        return [ApiSite(**_facts(each)) for each in paging.part(rooms.sites(session), lambda each: each.slug)]


@router.post("", status_code=201)
def add_site(request: Request, said: NewSite) -> ApiSiteWhole:
    """One site more; its `slug` is made of its name."""
    hours = _hours(said)
    with request.app.state.registry.turn() as session:
        if any(each.name.casefold() == hours.name.casefold() for each in rooms.sites(session)):
            refuse({"name": "taken"}, 409)
        zone = request.app.state.settings.zone
        return _whole(places.save_site(session, None, hours, datetime.now(UTC), zone))


@router.get("/{slug}")
def get_site(request: Request, slug: str) -> ApiSiteWhole:
    """One site."""
    with request.app.state.registry.session() as session:
        return _whole(_known(session, slug))


@router.patch("/{slug}")
def change_site(request: Request, slug: str, said: SiteFacts, have: Have) -> ApiSiteWhole:
    """Its name, hours and weekdays; other hours have the days of its rooms computed again."""
    with request.app.state.registry.turn() as session:
        site = _known(session, slug)
        have.check(places.site_seen(site))
        hours = _hours(said, site)
        return _whole(
            places.save_site(session, site, hours, datetime.now(UTC), request.app.state.settings.zone)
        )


@router.delete("/{slug}")
def delete_site(request: Request, slug: str) -> ApiSiteWhole:
    """Forget a site that has no room; answers with what it was."""
    with request.app.state.registry.turn() as session:
        site = _known(session, slug)
        if site.rooms:
            raise HTTPException(409, "It has rooms: delete those first.")
        was = _whole(site)
        places.forget_site(session, site)
        return was


@router.put("/{slug}/closures/{day}")
def close_site(request: Request, slug: str, day: Day, said: ClosureReason) -> ApiSiteWhole:
    """Closed on a day; that day's outcomes are computed again."""
    reason = " ".join(said.reason.split())
    refuse(places.closure_mistakes(day, reason))
    return _closed(request, slug, {day: reason})


@router.put("/{slug}/holidays/{year}")
def close_on_holidays(request: Request, slug: str, year: Year) -> ApiSiteWhole:
    """Closed on the public holidays of France of a year."""
    return _closed(request, slug, places.public_holidays(year))


@router.delete("/{slug}/closures/{day}")
def open_site(request: Request, slug: str, day: Day) -> ApiSiteWhole:
    """Open on a day after all."""
    with request.app.state.registry.turn() as session:
        site = _known(session, slug)
        if all(each.day != day for each in site.closures):
            raise HTTPException(404, "It is not closed on that day.")
        places.open_again(session, site, day, datetime.now(UTC))
        return _whole(site)


@router.post("/{slug}/rooms", status_code=201)
def add_room(request: Request, slug: str, said: NewRoom) -> ApiRoom:
    """One room more; its `slug` is made of its name."""
    facts = said.checked()
    with request.app.state.registry.turn() as session:
        site = _known(session, slug)
        if any(each.name.casefold() == facts.name.casefold() for each in site.rooms):
            refuse({"name": "taken"}, 409)
        zone = request.app.state.settings.zone
        room = places.save_room(session, site, None, facts, datetime.now(UTC), zone)
        return room_of(room, site, None)


def _closed(request: Request, slug: str, days: dict[date, str]) -> ApiSiteWhole:
    with request.app.state.registry.turn() as session:
        site = _known(session, slug)
        places.close(session, site, days, datetime.now(UTC))
        session.expire(site, ["closures"])
        return _whole(site)


def _known(session: Session, slug: str) -> Site:
    site = rooms.site(session, slug)
    if site is None:
        raise HTTPException(404, "There is no such site.")
    return site


def _hours(said: SiteFacts, site: Site | None = None) -> places.Hours:
    """What was said, over what is; raises HTTPException 422."""
    told = said.model_dump()
    if site is not None:
        told |= {"name": site.name, "opens": site.opens.isoformat(), "closes": site.closes.isoformat()}
        told |= {"weekdays": site.weekdays, **said.model_dump(exclude_unset=True)}
    hours = places.site_hours(told["name"], told["opens"], told["closes"], told["weekdays"])
    refuse(hours.mistakes)
    return hours


def _facts(site: Site) -> dict[str, Any]:
    told = {key: getattr(site, key) for key in ("slug", "name", "opens", "closes", "weekdays")}
    return told | {"rooms": [each.slug for each in site.rooms]}


def _whole(site: Site) -> ApiSiteWhole:
    closures = [ApiClosure(each.day, each.reason) for each in site.closures]
    return ApiSiteWhole(**_facts(site), closures=closures, version=places.site_seen(site))
