"""Devices: where they are now, when they were last heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from service import device_health, embargo, placing
from service.api.paging import Paging
from service.api.unchanged import IfMatch
from service.auth import Person, change_checked, needs
from service.registry import devices
from service.web.reply import today

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import tzinfo

    from sqlalchemy.orm import Session

    from service.registry.tables import Device, Room

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])
Part = Annotated[Paging, Depends()]
Facilities = Annotated[Person, Depends(needs("facilities"))]
Have = Annotated[IfMatch, Depends()]


@dataclass(frozen=True)
class ApiDevice:
    """A device; `key` is `gateway/name`, `room` where it measures now, times are UTC.

    In a room under seal or for one person `last_seen` is the local midnight before: that day, at no hour.
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
    """A device in a room from `start` (included) to `end` (excluded; null while it is there), UTC."""

    room: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class ApiDeviceWhole(ApiDevice):
    """A device, what is known of it, and where it was, the latest last.

    `version` changes with what people say of it, not with what it measures.
    """

    model: str | None
    position: str | None
    continues: str | None
    stays: list[ApiStay]
    version: str


class DeviceFacts(BaseModel):
    """What is to be said of a device: what is left out stays, null takes away."""

    model_config = ConfigDict(extra="forbid")
    label: str | None = Field(None, max_length=120)
    model: str | None = Field(None, max_length=120)
    position: str | None = Field(None, max_length=200)


@router.get("")
def list_devices(request: Request, paging: Part) -> list[ApiDevice]:
    """Every device that was heard or declared, by key."""
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        zone, hidden = request.app.state.settings.zone, embargo.embargoes(session, today(request))
        rooms = {placed.device_key: placed.room for placed in devices.placed_now(session, now)}
        found = paging.part(devices.everything(session), lambda each: each.key)
        quiet = device_health.silent(session, found, now, zone)
        return [_device(each, rooms.get(each.key), hidden, zone, silent=each.key in quiet) for each in found]


@router.get("/{key:path}")
def get_device(request: Request, key: str) -> ApiDeviceWhole:
    """One device, by its key `gateway/name`."""
    with request.app.state.registry.session() as session:
        return _whole(request, session, _known(session, key))


@router.patch("/{key:path}", dependencies=[Depends(change_checked)])
def describe_device(
    request: Request,
    person: Facilities,  # noqa: ARG001 - let in
    key: str,
    said: DeviceFacts,
    have: Have,
) -> ApiDeviceWhole:
    """Say what a device is called, its make, where in its room it hangs."""
    texts = {
        name: " ".join(text.split()) if text else None
        for name, text in said.model_dump(exclude_unset=True).items()
    }
    for name, text in texts.items():
        if not (text or "").isprintable():
            raise HTTPException(422, f"{name}: has characters that cannot be printed; leave them out.")
    with request.app.state.registry.session() as session:
        device = _known(session, key)
        have.check(placing.seen(device))
        for name, text in texts.items():
            setattr(device, name, text or None)
        return _whole(request, session, device)


def _known(session: Session, key: str) -> Device:
    device = devices.find(session, key)
    if device is None:
        raise HTTPException(404, "There is no such device.")
    return device


def _whole(request: Request, session: Session, device: Device) -> ApiDeviceWhole:
    now = datetime.now(UTC)
    zone, hidden = request.app.state.settings.zone, embargo.embargoes(session, today(request))
    told = placing.stays(device)
    stays = [ApiStay(each.room.slug, each.start, each.end) for each in told]
    quiet = device_health.silent(session, [device], now, zone)
    here = next(
        (each.room for each in told if each.start <= now and (each.end is None or each.end > now)), None
    )
    return ApiDeviceWhole(
        **vars(_device(device, here, hidden, zone, silent=bool(quiet))),
        model=device.model,
        position=device.position,
        continues=device.continues_key,
        stays=stays,
        version=placing.seen(device),
    )


def _device(
    device: Device, room: Room | None, hidden: Container[str], zone: tzinfo, *, silent: bool
) -> ApiDevice:
    heard = embargo.heard(device.last_seen, room, hidden, zone)
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
