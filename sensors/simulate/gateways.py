"""Virtual sensors and the gateways that pass on what they measure, in the formats real ones speak."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID, uuid5
from zlib import crc32

from sensors.reading import Message
from sensors.simulate.town import SLOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sensors.simulate.town import Floats, RoomDay, Town, VirtualRoom

Format = Literal["native", "chirpstack", "things_stack", "zigbee2mqtt"]
AIR = ("co2", "temperature", "humidity", "sound")
DECIMALS = {"co2": 0, "temperature": 1, "humidity": 1, "sound": 1, "people": 0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORT_OUTAGES = 0.012  # share of device-days with a hole of some hours
SHORTEST_HOLE, LONGEST_HOLE = 60, 210  # minutes
APPLICATION = UUID("17c82e96-be03-4f38-aef3-f83d48582d97")  # of ChirpStack; ids of messages derive from it


class Measurement(NamedTuple):
    """What a device measured at one instant, its how manieth it is, and the values by metric."""

    time: datetime
    seq: int
    values: dict[str, float]


@dataclass(frozen=True)
class VirtualDevice:
    """A sensor of a room; `key` is `gateway/name`, as readings will carry it.

    It measures every so many minutes, at an offset of its own. `silent` are spans (aware) in which it says
    nothing; one without an end is that of a dead sensor.
    """

    key: str
    room: str
    metrics: tuple[str, ...]
    every: int = 10  # minutes, a multiple of the town's slots
    format: Format = "native"
    silent: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def gateway(self) -> str:
        """What its messages come through."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its name at the gateway."""
        return self.key.partition("/")[2]

    @property
    def offset(self) -> timedelta:
        """How long after a full interval it measures."""
        return timedelta(seconds=crc32(self.key.encode()) % (60 * self.every))

    def speaks(self, at: datetime) -> bool:
        """Whether it is alive at this instant."""
        return not any(start <= at < end for start, end in self.silent)


def fleet(rooms: Iterable[VirtualRoom]) -> tuple[VirtualDevice, ...]:
    """A counter and an air sensor for each room, behind the four kinds of gateway in turn."""
    devices = []
    for number, room in enumerate(rooms):
        air = (
            VirtualDevice(f"application/24e124{number:010x}", room.slug, AIR, 10, "chirpstack"),
            VirtualDevice(f"rooms@town/{room.slug}-air", room.slug, AIR, 10, "things_stack"),
            VirtualDevice(f"zigbee2mqtt/{room.slug}", room.slug, AIR[:3], 10, "zigbee2mqtt"),
            VirtualDevice(f"town/{room.slug}-air", room.slug, AIR, 10, "native"),
        )
        devices += [VirtualDevice(f"town/{room.slug}-people", room.slug, ("people",), 5), air[number % 4]]
    return tuple(devices)


def measured(town: Town, device: VirtualDevice, room: RoomDay) -> Iterator[Measurement]:
    """What the device measured on the room's day, in order; nothing while it is silent."""
    chance = town.chance(device.key, room.day)
    hole = _hole(room.start, chance.random(), chance.random(), chance.random())
    every = timedelta(minutes=device.every)
    end = room.start + timedelta(minutes=SLOT * len(room.people))
    columns = [(name, _rounded(getattr(room, name), DECIMALS[name])) for name in device.metrics]
    seq = -((EPOCH + device.offset - room.start) // every)  # the first that is not before the day
    at = EPOCH + device.offset + seq * every
    while at < end:
        if device.speaks(at) and not hole[0] <= at < hole[1]:
            slot = (at - room.start) // timedelta(minutes=SLOT)
            yield Measurement(at, seq, {name: column[slot] for name, column in columns})
        at, seq = at + every, seq + 1


def message(device: VirtualDevice, measurement: Measurement) -> Message:
    """The message of its gateway for one measurement, received when it was measured."""
    topic, payload = WRITERS[device.format](device, measurement)
    return Message(topic, json.dumps(payload).encode(), measurement.time)


def batched(device: VirtualDevice, measurements: Iterable[Measurement], received_at: datetime) -> Message:
    """What the gateway's memory held, as one native message: a list, whatever the gateway usually speaks."""
    entries = [_native_entry(each) for each in measurements]
    topic = f"temoin/{device.gateway}/{device.name}"
    return Message(topic, json.dumps(entries).encode(), received_at)


def _rounded(values: Floats, decimals: int) -> list[float]:
    """As a sensor with so many decimals tells them: whole numbers without a point."""
    rounded: list[float] = (values.round(decimals) if decimals else values.round().astype(int)).tolist()
    return rounded


def _hole(start: datetime, happens: float, begins: float, lasts: float) -> tuple[datetime, datetime]:
    """A short outage of the day, or an empty span."""
    if happens >= SHORT_OUTAGES:
        return start, start
    begin = start + timedelta(hours=7 + 9 * begins)
    minutes = SHORTEST_HOLE + (LONGEST_HOLE - SHORTEST_HOLE) * lasts
    return begin, begin + timedelta(minutes=minutes)


# --------------------------------------------------------------------------------------------- the formats


def _native_entry(measurement: Measurement) -> dict[str, Any]:
    return {
        "time": (measurement.time - EPOCH) // timedelta(milliseconds=1),
        "seq": measurement.seq,
        "readings": measurement.values,
    }


def _native(device: VirtualDevice, measurement: Measurement) -> tuple[str, Any]:
    return f"temoin/{device.gateway}/{device.name}", _native_entry(measurement)


def _chirpstack(device: VirtualDevice, measurement: Measurement) -> tuple[str, Any]:
    at = measurement.time.isoformat(timespec="milliseconds")
    payload = {
        "deduplicationId": str(uuid5(APPLICATION, f"{device.key} {measurement.seq}")),
        "time": at,
        "deviceInfo": {
            "tenantName": "ChirpStack",
            "applicationId": str(APPLICATION),
            "applicationName": device.gateway,
            "deviceProfileName": "Room air",
            "deviceName": device.room,
            "devEui": device.name,
        },
        "devAddr": "00189440",
        "adr": True,
        "dr": 5,
        "fCnt": measurement.seq,
        "fPort": 85,
        "data": _bytes(measurement),
        "object": _spelled(measurement, {"sound": "laeq"}),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -71, "snr": 9.5}],
    }
    return f"{device.gateway}/{APPLICATION}/device/{device.name}/event/up", payload


def _things_stack(device: VirtualDevice, measurement: Measurement) -> tuple[str, Any]:
    at = measurement.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    application, _, tenant = device.gateway.partition("@")
    payload = {
        "end_device_ids": {
            "device_id": device.name,
            "application_ids": {"application_id": application},
            "dev_eui": f"A84041{crc32(device.key.encode()):010X}",
        },
        "received_at": at,
        "uplink_message": {
            "f_port": 2,
            "f_cnt": measurement.seq,
            "frm_payload": _bytes(measurement),
            "decoded_payload": _spelled(measurement, {"sound": "laeq"}),
            "rx_metadata": [{"gateway_ids": {"gateway_id": tenant}, "rssi": -83, "snr": 7.2}],
            "received_at": at,
        },
    }
    return f"v3/{device.gateway}/devices/{device.name}/up", payload


def _zigbee2mqtt(device: VirtualDevice, measurement: Measurement) -> tuple[str, Any]:
    payload = {
        "battery": 97,
        **_spelled(measurement, {"people": "people_count"}),
        "last_seen": measurement.time.isoformat(timespec="milliseconds"),
        "linkquality": 80 + measurement.seq % 60,
    }
    return f"{device.gateway}/{device.name}", payload


def _spelled(measurement: Measurement, names: dict[str, str]) -> dict[str, float]:
    """The values under the names that codecs of this kind give them."""
    return {names.get(metric, metric): value for metric, value in measurement.values.items()}


def _bytes(measurement: Measurement) -> str:
    """Something like the radio's payload: nobody decodes it here."""
    return base64.b64encode(bytes(int(value) % 256 for value in measurement.values.values())).decode()


WRITERS: dict[Format, Callable[[VirtualDevice, Measurement], tuple[str, Any]]] = {
    "native": _native,
    "chirpstack": _chirpstack,
    "things_stack": _things_stack,
    "zigbee2mqtt": _zigbee2mqtt,
}
