"""Today, and the pages that only explain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select

from dashboards.pages import AccessibilityPage, HomePage, MethodPage, SilentDevice, Standstill
from dashboards.render import assets
from service import device_health, ingest
from service.auth import Person, signed_in
from service.registry import answers, devices, experiments, quarantine, rooms
from service.registry.tables import Device, Experiment
from service.web.experiments import line
from service.web.reply import error, now, reply, today

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from dashboards.pages import Step

router = APIRouter(include_in_schema=False)
SOON = timedelta(days=90)


@router.get("/")
def home_page(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
    """What runs, what waits for a decision, what went silent."""
    preparing = getattr(request.app.state, "progress", None)  # set by the demonstration
    progress = None if preparing is None else preparing()
    day = today(request)
    if progress is not None:
        return reply(request, HomePage(day, progress=progress), person=person)
    with request.app.state.registry.session() as session:
        lines = [
            line(session, each, day)
            for each in experiments.everything(session, decided=False)
            if experiments.status(each, day) in ("running", "ended", "planned")
        ]
        slugs = [room.slug for site in rooms.sites(session) for room in site.rooms]
        placed = devices.placed_now(session, datetime.now(UTC))
        page = HomePage(
            today=day,
            running=tuple(each for each in lines if each.status == "running"),
            to_decide=tuple(each for each in lines if each.status == "ended"),
            next_up=tuple(
                each
                for each in lines
                if each.status == "planned" and each.starts and each.starts <= day + SOON
            ),
            silent=_silent(session, now(request)),
            rooms=len(slugs),
            devices=len(placed),
            standstill=_standstill(request),
            quarantined=sum(n for _, n in quarantine.waiting_by_code(session)),
            answers_week=answers.total(session, slugs, day - timedelta(days=6), day),
            path=_path(session, rooms=bool(slugs), placed=bool(placed)),
        )
    return reply(request, page, person=person)


def _silent(session: Session, at: datetime) -> tuple[SilentDevice, ...]:
    """Devices in rooms, silent for longer than is usual for them, those first that harm an experiment."""
    return tuple(
        SilentDevice(
            each.device.key,
            each.room.name,
            each.room.slug,
            each.device.last_seen and each.device.last_seen.astimezone(at.tzinfo),
            each.experiment,
        )
        for each in device_health.findings(session, at, at.tzinfo or UTC, device_health.SILENT)
        if each.room is not None
    )


def _path(session: Session, *, rooms: bool, placed: bool) -> dict[Step, bool]:
    """The steps of a new installation, each done or not; none once all are."""
    steps: dict[Step, bool] = {
        "rooms": rooms,
        "heard": session.scalar(select(Device.key).limit(1)) is not None,
        "placed": placed,
        "experiment": session.scalar(select(Experiment.id).limit(1)) is not None,
    }
    return {} if all(steps.values()) else steps


def _standstill(request: Request) -> Standstill | None:
    """What keeps readings from flowing on this machine's folder; None where all is well or nothing runs."""
    at = now(request)
    said = ingest.everyone(request.app.state.settings)
    waiting = sum(each.mover.backlog for each in said)
    for each in said:
        receiver, mover = each.receiver, each.mover
        if receiver.full:
            return Standstill("full", None, waiting)
        if at - each.heard > ingest.SILENT:
            return Standstill("stopped", each.heard.astimezone(at.tzinfo), waiting)
        if mover.trouble:
            since = None if mover.since is None else datetime.fromisoformat(mover.since).astimezone(at.tzinfo)
            return Standstill("store", since, waiting)
        if not receiver.connected:
            return Standstill("broker", None, waiting)
    return None


@router.get("/method")
def method_page(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
    """How Témoin compares."""
    return reply(request, MethodPage(), person=person)


public = APIRouter(include_in_schema=False)


@public.get("/accessibilite")
def accessibility_page(request: Request) -> Response:
    """The declaration of accessibility, open to everybody."""
    return reply(request, AccessibilityPage())


@public.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """A static file; its address holds its content's hash, so it never changes."""
    found = next((each for each in assets().values() if each.url == f"/static/{name}"), None)
    if found is None:
        return error(request, 404, "not_found")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)
