"""Devices: where they are now, when they were last heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from service import device_health
from service.registry import devices

if TYPE_CHECKING:
    from service.registry.tables import Device

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])


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


@router.get("")
def list_devices(request: Request) -> list[ApiDevice]:
    """Every device that was heard or declared, by key."""
    now = datetime.now(UTC)
    with request.app.state.registry.session() as session:
        rooms = {placed.device_key: placed.room.slug for placed in devices.placed_now(session, now)}
        found = devices.everything(session)
        quiet = device_health.silent(session, found, now, request.app.state.settings.zone)
        return [_device(device, rooms.get(device.key), silent=device.key in quiet) for device in found]


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
