"""Virtual gateways on a broker, as real ones are: QoS 1, a reading when it is measured, no end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sensors.reading import SensorError
from sensors.simulate.gateways import measured, message

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from sensors.simulate.gateways import Measurement, VirtualDevice
    from sensors.simulate.town import Town

UNACKNOWLEDGED = 100  # messages sent ahead of the broker's answers
ANSWER_WITHIN = 10.0  # seconds
PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerError(SensorError):
    """The broker cannot be reached, or does not let the virtual gateways in."""


@dataclass(frozen=True, slots=True)
class BrokerLogin:
    """Where the broker is (mqtt:// or mqtts://) and how one gets in."""

    url: str
    user: str | None = None
    password: str | None = None
    ca: Path | None = None


def stream(
    town: Town, devices: Sequence[VirtualDevice], since: datetime
) -> Iterator[tuple[VirtualDevice, Measurement]]:
    """What the devices measure from `since` (aware) on, in the order of time, without end."""
    rooms = {room.slug: room for room in town.rooms}
    day = since.astimezone(town.zone).date()
    while True:
        made = {slug: town.day(room, day) for slug, room in rooms.items()}
        today = [(each, device) for device in devices for each in measured(town, device, made[device.room])]
        today.sort(key=lambda pair: pair[0].time)
        yield from ((device, each) for each, device in today if each.time >= since)
        day += timedelta(days=1)


def publish(
    town: Town,
    devices: Sequence[VirtualDevice],
    login: BrokerLogin,
    stop: threading.Event,
    since: datetime,
    speed: float = 60.0,
    told: Callable[[VirtualDevice, Measurement], None] = lambda _device, _measurement: None,
) -> None:
    """Publish what the devices measure until `stop`: from `since` at `speed` times the clock's, then with it.

    No reading is sent before its time. A broker that goes away later is waited for. Raises BrokerError when
    there is none at first.
    """
    client = _connected(login)
    began = datetime.now(UTC)
    waiting: deque[MQTTMessageInfo] = deque()
    try:
        for device, measurement in stream(town, devices, since):
            due = max(began + (measurement.time - since) / speed, measurement.time)
            if stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
                return
            sent = message(device, measurement)
            waiting.append(client.publish(sent.topic, sent.payload, qos=1))
            told(device, measurement)
            while len(waiting) > UNACKNOWLEDGED and not stop.is_set():
                if not waiting[0].is_published():
                    stop.wait(0.02)
                    continue
                waiting.popleft()
    finally:
        client.disconnect()
        client.loop_stop()


def _connected(login: BrokerLogin) -> Client:
    address = urlsplit(login.url)
    if address.scheme not in PORTS or not address.hostname:
        raise BrokerError(f"{login.url} is no broker: write it as mqtt://host:1883 or mqtts://host")
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    if address.scheme == "mqtts":
        client.tls_set(None if login.ca is None else str(login.ca))
    if login.user is not None:
        client.username_pw_set(login.user, login.password)
    answers: list[ReasonCode] = []

    def answered(
        _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        answers.append(code)

    client.on_connect = answered
    try:
        client.connect(address.hostname, address.port or PORTS[address.scheme], keepalive=30)
    except OSError as error:
        raise BrokerError(f"{login.url} does not answer ({error})") from error
    until = datetime.now(UTC) + timedelta(seconds=ANSWER_WITHIN)
    while not answers and datetime.now(UTC) < until:
        client.loop(0.1)
    if not answers or answers[0].is_failure:
        why = answers[0] if answers else "no answer"
        raise BrokerError(f"{login.url} does not let the virtual gateways in ({why})")
    client.loop_start()
    return client
