"""Devices: where they are now, when they were last heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import Field

from sensors.metrics import METRICS
from sensors.reading import StoreError
from service import device_health, embargo, placing
from service.api.mistakes import refuse, sealed
from service.api.paging import Part
from service.api.said import Said
from service.api.unchanged import Have
from service.asked import today
from service.auth import Facilities
from service.registry import devices
from service.registry.tables import DevicePhoto

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import tzinfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Device, Room

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])
photos = APIRouter(prefix="/api/v1/photos", tags=["devices"])
PHOTO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary", "title": "Photo"}}}}
}


@dataclass(frozen=True)
class ApiDevice:
    """A device; `key` is `gateway/name`, `room` where it measures now, times are UTC.

    Where it was last heard, or is now, in a room under seal or for one person `last_seen` is the local
    midnight before: that day, at no hour.
    """

    key: str
    gateway: str
    label: str | None
    room: str | None
    heartbeat_minutes: int | None
    first_seen: datetime | None
    last_seen: datetime | None
    silent: bool


@dataclass(frozen=True)
class ApiStay:
    """A device in a room from `start` (included) to `end` (excluded; null while it is there), UTC.

    `id` is what `PATCH /api/v1/placements/{number}` corrects it by.
    """

    id: int
    room: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class ApiDeviceWhole(ApiDevice):
    """A device, what is known of it, and where it was, the latest last.

    `continues` is the device it took the place of; `measures` the metrics it ever reported, null while the
    store does not answer; `photo` whether there is one of where it hangs (`GET /api/v1/photos/{key}`).
    `version` changes with what people say of it, not with what it measures.
    """

    model: str | None
    position: str | None
    continues: str | None
    measures: list[str] | None
    photo: bool
    stays: list[ApiStay]
    version: str


class DeviceFacts(Said):
    """What is to be said of a device: what is left out stays, null takes away."""

    label: str | None = Field(None, max_length=120)
    model: str | None = Field(None, max_length=120)
    position: str | None = Field(None, max_length=200)
    heartbeat_minutes: int | None = Field(None, ge=1, le=24 * 60)
    continues: str | None = Field(None, max_length=200, description="Key of the device it took the place of")


@router.get("")
def list_devices(request: Request, paging: Part) -> list[ApiDevice]:
    """Every device that was heard or declared, by key."""
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        zone = request.app.state.settings.zone
        discreet = embargo.discreet(session, embargo.embargoes(session, today(request)), now)
        rooms = {placed.device_key: placed.room for placed in devices.placed_now(session, now)}
        found = paging.part(devices.everything(session), lambda each: each.key)
        quiet = device_health.silent(session, found, now, zone)
        return [
            _device(each, rooms.get(each.key), discreet, zone, silent=each.key in quiet) for each in found
        ]


@router.get("/{key:path}")
def get_device(request: Request, key: str) -> ApiDeviceWhole:
    """One device, by its key `gateway/name`."""
    with request.app.state.registry.session() as session:
        return whole(request, session, _known(session, key))


@router.patch("/{key:path}")
def describe_device(
    request: Request, person: Facilities, key: str, said: DeviceFacts, have: Have
) -> ApiDeviceWhole:
    """Say what a device is called, its make, where it hangs, how often it speaks, whom it goes on for.

    Going on for another, a device that is in no room yet takes its place, from its own first message on.
    """
    told = said.model_dump(exclude_unset=True)
    told = {name: " ".join(each.split()) if isinstance(each, str) else each for name, each in told.items()}
    refuse({name: "bad" for name, each in told.items() if isinstance(each, str) and not each.isprintable()})
    with request.app.state.registry.turn() as session:
        device = _known(session, key)
        have.check(placing.seen(device))
        told = {name: each or None for name, each in told.items()}
        if "continues" in told:
            old = told["continues_key"] = told.pop("continues")
            refuse(
                {"continues": "unknown"} if old == key or (old and not devices.known(session, [old])) else {}
            )
        now, zone = datetime.now(UTC), request.app.state.settings.zone
        try:
            placing.describe(session, device, told, person.name, now, zone)
        except placing.PlacingRefused as refused:
            if refused.laid is not None:
                sealed(refused.laid)
            raise
        session.commit()  # nobody waits while the store is asked
        return whole(request, session, device)


@photos.get("/{key:path}", response_class=Response, responses=PHOTO)
def get_photo(request: Request, key: str) -> Response:
    """Where a device hangs, as somebody took it: JPEG."""
    with request.app.state.registry.session() as session:
        photo = session.get(DevicePhoto, key)
    if photo is None:
        raise HTTPException(404, "There is no photo of such a device.")
    return Response(photo.image, media_type="image/jpeg")


def _known(session: Session, key: str) -> Device:
    device = devices.find(session, key)
    if device is None:
        raise HTTPException(404, "There is no such device.")
    return device


def _measures(request: Request, key: str) -> list[str] | None:
    try:
        found = set(request.app.state.store.latest([key])["metric"])
    except StoreError:
        return None
    return [metric for metric in METRICS if metric in found]


def whole(request: Request, session: Session, device: Device) -> ApiDeviceWhole:
    """A device as it is told by its own address."""
    now = datetime.now(UTC)
    zone = request.app.state.settings.zone
    discreet = embargo.discreet(session, embargo.embargoes(session, today(request)), now)
    told = placing.stays(device)
    stays = [ApiStay(each.row.id if each.row else 0, each.room.slug, each.start, each.end) for each in told]
    quiet = device_health.silent(session, [device], now, zone)
    here = placing.here(device, now)
    return ApiDeviceWhole(
        **vars(_device(device, here.room if here else None, discreet, zone, silent=bool(quiet))),
        model=device.model,
        position=device.position,
        continues=device.continues_key,
        measures=_measures(request, device.key),
        photo=devices.photo_size(session, device.key) is not None,
        stays=stays,
        version=placing.seen(device),
    )


def _device(
    device: Device, room: Room | None, discreet: Container[str], zone: tzinfo, *, silent: bool
) -> ApiDevice:
    heard = embargo.heard(device.last_seen, zone, by_day=device.key in discreet)
    if heard is not None and not isinstance(heard, datetime):
        heard = datetime.combine(heard, time(), zone)
    return ApiDevice(
        key=device.key,
        gateway=device.gateway,
        label=device.label,
        room=None if room is None else room.slug,
        heartbeat_minutes=device.heartbeat_minutes,
        first_seen=device.first_seen,
        last_seen=None if heard is None else heard.astimezone(UTC),
        silent=silent,
    )
