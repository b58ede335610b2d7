"""Devices: where they are now, when they were last heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Request

from service import device_health, placing
from service.api.paging import Paging
from service.registry import devices

if TYPE_CHECKING:
    from service.registry.tables import Device

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])
Part = Annotated[Paging, Depends()]


@dataclass(frozen=True)
class ApiDevice:
    """A device; `key` is `gateway/name`, `room` where it measures now, times are UTC."""

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
    """A device, what is known of it, and where it was, the latest last."""

    model: str | None
    position: str | None
    continues: str | None
    stays: list[ApiStay]


@router.get("")
def list_devices(request: Request, paging: Part) -> list[ApiDevice]:
    """Every device that was heard or declared, by key."""
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        rooms = {placed.device_key: placed.room.slug for placed in devices.placed_now(session, now)}
        found = paging.part(devices.everything(session), lambda each: each.key)
        quiet = device_health.silent(session, found, now, request.app.state.settings.zone)
        return [_device(device, rooms.get(device.key), silent=device.key in quiet) for device in found]


@router.get("/{key:path}")
def get_device(request: Request, key: str) -> ApiDeviceWhole:
    """One device, by its key `gateway/name`."""
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        device = devices.find(session, key)
        if device is None:
            raise HTTPException(404, "There is no such device.")
        stays = [ApiStay(each.room.slug, each.start, each.end) for each in placing.stays(device)]
        quiet = device_health.silent(session, [device], now, request.app.state.settings.zone)
        here = next((each.room for each in reversed(stays) if each.start <= now and each.end is None), None)
        return ApiDeviceWhole(
            **vars(_device(device, here, silent=bool(quiet))),
            model=device.model,
            position=device.position,
            continues=device.continues_key,
            stays=stays,
        )


def _device(device: Device, room: str | None, *, silent: bool) -> ApiDevice:
    return ApiDevice(
        key=device.key,
        gateway=device.gateway,
        label=device.label,
        room=room,
        heartbeat_minutes=device.heartbeat_minutes,
        first_seen=device.first_seen,
        last_seen=device.last_seen,
        silent=silent,
    )
