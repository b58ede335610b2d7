"""Sensors, where they hang, how they do, and the gateways they come by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True)
class GatewayLine:
    """A source of messages over the last days: one that was let in, or one that only was heard.

    `messages` is by UTC day, the last one today, None under the seal of a running experiment; `unpromised`
    and `refused` are shares (0–1) of all of them, None without any; `token` says how long its HTTP token is
    good, None when it has none.
    """

    name: str
    added: bool
    last_message: datetime | date | None  # a day alone under seal
    silent: bool
    messages: tuple[tuple[date, int | None], ...]
    unpromised: float | None
    refused: float | None
    devices: int
    token: Literal["good", "soon", "ended"] | None = None
    token_until: datetime | None = None


@dataclass(frozen=True)
class GatewaysPage:
    """Who sends, how much, how well, and until when."""

    gateways: tuple[GatewayLine, ...]
    template = "gateways.html"

    @property
    def sealed(self) -> bool:
        """Whether some number is hidden, which has to be explained."""
        return any(n is None for gateway in self.gateways for _day, n in gateway.messages)


@dataclass(frozen=True)
class DeviceLine:
    """A device in a list; `room` (slug, name) is where it is now, `since` when."""

    key: str
    label: str | None
    room: tuple[str, str] | None
    since: datetime | None
    last_seen: datetime | date | None  # a day alone where the hour would tell of who is in the room
    silent: bool = False


@dataclass(frozen=True)
class DevicesPage:
    """Devices, those without a room first; `page` of `pages`, of `total` that fit `q`."""

    devices: tuple[DeviceLine, ...]
    total: int
    q: str = ""
    page: int = 1
    pages: int = 1
    template = "devices.html"

    @property
    def groups(self) -> tuple[tuple[str, tuple[DeviceLine, ...]], ...]:
        """`free` and `placed`, those that have any."""
        free = tuple(line for line in self.devices if line.room is None)
        placed = tuple(line for line in self.devices if line.room is not None)
        return tuple((name, lines) for name, lines in (("free", free), ("placed", placed)) if lines)


@dataclass(frozen=True)
class StayLine:
    """A device was in a room (slug, name); `trial` (slug, title) is the running experiment the room is in."""

    id: int
    room: tuple[str, str]
    start: datetime
    end: datetime | None
    trial: tuple[str, str] | None = None


@dataclass(frozen=True)
class DeviceForm:
    """What was typed in one of a device's forms; `stay` is the row that is corrected."""

    room: str = ""
    when: str = "now"
    at: str = ""
    stay: str = ""
    start: str = ""
    end: str = ""
    label: str = ""
    model: str = ""
    position: str = ""
    heartbeat: str = ""
    continues: str = ""


@dataclass(frozen=True)
class DevicePage:
    """One device. `sites` are (name, ((slug, name) of each room)); `trials` the rooms of running experiments.

    `mistakes` by field; `other` (room, local start) is the stay in the way; `sealed` (title, last day) the
    experiment whose seal it would open; `seen` is what the forms send back, so that a change made meanwhile
    is not lost.
    """

    device: DeviceLine
    stays: tuple[StayLine, ...]
    sites: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    form: DeviceForm
    model: str | None = None
    position: str | None = None
    heartbeat: int | None = None
    continues: str | None = None
    first_seen: datetime | None = None
    trials: frozenset[str] = frozenset()
    here: str | None = None
    mistakes: Mapping[str, str] = field(default_factory=dict)
    other: tuple[str, str] | None = None
    sealed: tuple[str, date] | None = None
    seen: str = ""
    meanwhile: bool = False
    done: str = ""
    may_change: bool = True
    measures: tuple[str, ...] = ()  # the metrics it ever reported, no value
    photo: tuple[int, int] | None = None  # width and height
    template = "device.html"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one device, and what it harms.

    `since` is local, or a day, None where it never was well; `usual_hours` is the longest that it is used to
    say nothing; `battery` is in %; `trial` (slug, title) the running experiment its room is in.
    """

    kind: Literal["silent", "clock", "range", "stuck", "apart", "battery"]
    device: str
    label: str | None
    since: datetime | date | None
    room: tuple[str, str] | None = None  # slug, name
    trial: tuple[str, str] | None = None
    metrics: tuple[str, ...] = ()
    battery: float | None = None
    usual_hours: float | None = None


@dataclass(frozen=True)
class DeviceHealthPage:
    """What is wrong with devices, what harms a running experiment first; `watched` devices are in a room."""

    faults: tuple[Fault, ...]
    watched: int
    template = "device_health.html"

    @property
    def groups(self) -> tuple[tuple[str, tuple[Fault, ...]], ...]:
        """By what is harmed: `trial`, `room` or `nothing`; those that have one."""
        parts: dict[str, list[Fault]] = {"trial": [], "room": [], "nothing": []}
        for fault in self.faults:
            parts["trial" if fault.trial else "room" if fault.room else "nothing"].append(fault)
        return tuple((name, tuple(found)) for name, found in parts.items() if found)
