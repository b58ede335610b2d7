"""What waits for somebody today, what runs, what was learned: the first page, and the API's `today`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from dashboards.pages.experiments import ExampleFile
from dashboards.pages.home import HomePage, SilentDevice, Standstill
from service import device_health, ingest, waiting
from service.experiment_file import line
from service.registry import answers, devices, experiments, quarantine, rooms
from service.registry.tables import Device, Experiment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from dashboards.pages.experiments import ExperimentLine
    from dashboards.pages.home import Step
    from experiments.verdict import Status
    from service.auth import Person
    from service.settings import Settings

SOON = timedelta(days=90)


def of(session: Session, settings: Settings, person: Person, at: datetime) -> HomePage:
    """All of it for this person at the local instant `at`."""
    day = at.date()
    found = experiments.everything(session, decided=False)
    by_status = _lines(session, found, day, person)
    slugs = [room.slug for site in rooms.sites(session) for room in site.rooms]
    silent = [each for each in _silent(session, at) if each.room is not None]
    placed = devices.count_placed(session, at)
    learned, decided = waiting.learned(session)
    return HomePage(
        today=day,
        to_decide=tuple(sorted(by_status["ended"], key=lambda each: (not each.mine, each.ends or day))),
        look_at=tuple(waiting.to_look_at(session, found, day, at.tzinfo or UTC)),
        silent=tuple(each for each in silent if each.experiment is not None),
        silent_elsewhere=sum(each.experiment is None for each in silent),
        growth=waiting.growth(session, at),
        deadlines=tuple(waiting.deadlines(session, found, at)),
        running=tuple(by_status["running"]),
        next_up=tuple(each for each in by_status["planned"] if each.starts and each.starts <= day + SOON),
        learned=tuple(learned),
        decided=decided,
        rooms=len(slugs),
        devices=placed,
        standstill=_standstill(settings, at),
        quarantined=sum(n for _, n in quarantine.waiting_by_code(session)),
        answers_week=answers.total(session, slugs, day - timedelta(days=6), day),
        example=ExampleFile(day, rooms.first_slugs(session, len(ExampleFile.ROOMS))),
        path=_path(session, rooms=bool(slugs), placed=bool(placed)),
    )


def _lines(
    session: Session, found: Sequence[Experiment], day: date, person: Person
) -> dict[Status, list[ExperimentLine]]:
    """Experiments by where they stand; of one that is over the frozen result, or none yet."""
    by_status: dict[Status, list[ExperimentLine]] = defaultdict(list)
    status = {each.id: experiments.status(each, day) for each in found}
    given = waiting.answers_so_far(session, [key for key, where in status.items() if where == "running"])
    for each in found:
        mine = each.owner is not None and each.owner.email == person.email
        shown = replace(line(each, day), mine=mine)
        running = shown.status == "running"
        by_status[shown.status].append(replace(shown, answers=given.get(each.id, 0)) if running else shown)
    return by_status


def _silent(session: Session, at: datetime) -> list[SilentDevice]:
    """Devices silent for longer than is usual for them, those first that harm an experiment."""
    return [
        SilentDevice(
            each.device.key,
            None if each.room is None else each.room.name,
            None if each.room is None else each.room.slug,
            each.since.astimezone(at.tzinfo) if isinstance(each.since, datetime) else each.since,
            each.experiment,
        )
        for each in device_health.silences(session, at, at.tzinfo or UTC)
    ]


def _path(session: Session, *, rooms: bool, placed: bool) -> dict[Step, bool]:
    """The steps of a new installation, each done or not; none once all are."""
    steps: dict[Step, bool] = {
        "rooms": rooms,
        "heard": session.scalar(select(Device.key).limit(1)) is not None,
        "placed": placed,
        "experiment": session.scalar(select(Experiment.id).limit(1)) is not None,
    }
    return {} if all(steps.values()) else steps


def _standstill(settings: Settings, at: datetime) -> Standstill | None:
    """What keeps readings from flowing on this machine's folder; None where all is well or nothing runs."""
    said = ingest.everyone(settings)
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
