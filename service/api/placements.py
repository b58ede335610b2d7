"""Which room a device is in, since when: said, and corrected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from service import placing
from service.api.devices import ApiDeviceWhole, whole
from service.api.mistakes import refuse, sealed
from service.api.said import Instant, Said
from service.api.unchanged import Have
from service.asked import Number
from service.auth import Facilities, Person
from service.registry import devices, rooms
from service.registry.tables import Placement

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.placing import Stay
    from service.registry.tables import Device

router = APIRouter(prefix="/api/v1/placements", tags=["devices"])
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class NewPlacement(Said):
    """A device is in a room (null: in none) since an instant, by default now, until further notice."""

    device: str = Field(max_length=200)
    room: str | None = Field(max_length=60)
    since: Instant | None = None


class StayFacts(Said):
    """When a device really came into a room and left it: what is left out stays; `end` null is not yet."""

    start: Instant | None = None
    end: Instant | None = None


@dataclass(frozen=True)
class ApiMoved:
    """The device as it is now, and the titles of the running experiments in which this was noted."""

    device: ApiDeviceWhole
    noted: list[str]


@router.post("", status_code=201)
def move_device(request: Request, person: Facilities, said: NewPlacement, have: Have) -> ApiMoved:
    """Say that a device is in a room since some moment; days it measured since are computed again.

    `If-Match` names the `version` of the device. A running experiment whose rooms it concerns notes it. 409
    where readings of days before today would come out of its seal into a room that shows them.
    """
    now = datetime.now(UTC)
    since = now if said.since is None else _sensible("since", said.since)
    with request.app.state.registry.turn() as session:
        device = devices.find(session, said.device)
        if device is None:
            raise HTTPException(404, "There is no such device.")
        have.check(placing.seen(device))
        room = None if said.room is None else rooms.room(session, said.room)
        if said.room is not None and room is None:
            raise HTTPException(404, "There is no such room.")
        try:
            return _kept(request, session, device, placing.moved(device, room, since, now), person)
        except placing.PlacingRefused as refused:
            _refuse("since", refused)


@router.patch("/{number}")
def correct_stay(
    request: Request, person: Facilities, number: Number, said: StayFacts, have: Have
) -> ApiMoved:
    """Correct when a device came into a room, or left it; a stay that touches it gives way.

    409 as for a new one.
    """
    with request.app.state.registry.turn() as session:
        row = session.get(Placement, number)
        device = None if row is None else devices.find(session, row.device_key)
        if row is None or device is None:
            raise HTTPException(404, f"There is no placement {number}.")
        have.check(placing.seen(device))
        start = row.start if said.start is None else _sensible("start", said.start)
        end = row.end if "end" not in said.model_fields_set else said.end
        try:
            wanted = placing.corrected(device, row, start, end, datetime.now(UTC))
            return _kept(request, session, device, wanted, person)
        except placing.PlacingRefused as refused:
            _refuse("start" if said.start else "end", refused)


def _kept(request: Request, session: Session, device: Device, wanted: list[Stay], person: Person) -> ApiMoved:
    now, zone = datetime.now(UTC), request.app.state.settings.zone
    noted = placing.keep(session, device, wanted, person.name, now, zone)
    session.commit()  # nobody waits while the store is asked
    session.refresh(device, ["placements"])
    return ApiMoved(whole(request, session, device), noted)


def _refuse(name: str, refused: placing.PlacingRefused) -> NoReturn:
    if refused.laid is not None:
        sealed(refused.laid)
    refuse({name: refused.code})
    raise refused


def _sensible(name: str, moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        refuse({name: "range"})
    return moment.astimezone(UTC)
