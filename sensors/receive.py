"""From the broker to the landing, and only then the acknowledgement. Standard library and paho only.

One thread does everything in turn: read what the broker sent, land it in one transaction, acknowledge in
the order received. While the disk works the next messages gather in the socket. No lock, nothing to wake,
and no message id can outlive its connection, because each connection is a paho client of its own.

`python -m sensors.receive` reads its ReceiverConfig as JSON on stdin, so that no secret is in its arguments.
"""

from __future__ import annotations

import json
import logging
import os
import random
import select
import signal
import ssl
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sensors.landing import Landing
from sensors.reading import LandingError, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

WINDOW = 1000  # messages landed in one transaction; the ReceiveMaximum said to an MQTT 5 broker
WINDOW_BYTES = 16_000_000
BURST = 16  # a stock Mosquitto lets 20 be unacknowledged: with as many here, silence means it waits for us
SILENCE_IN_BURST = 0.005  # seconds
SILENCE = 0.05
LONGEST_WAIT = 0.2  # seconds from a message's arrival to its landing, however busy the broker
KEEPALIVE = 60
CONNECT_TIMEOUT = 10.0
LONGEST_PAUSE = 30.0  # seconds between attempts at the broker
FULL_PAUSE = 5.0  # and at a full landing
STEADY = 60.0  # a connection that lasted so long was a good one: the next attempt comes at once
SURELY_KNOWN = 2.0  # seconds after which an acknowledgement sent on a living connection has arrived
SESSION_EXPIRY = 0xFFFFFFFF  # never
TAKEN_OVER = 142  # MQTT 5: somebody connected under the same name; 3.1.1 only ends the connection
SUSPICIOUS = 3  # connections in a row that ended within STEADY
REFUSED = 128  # MQTT's reason codes from here on are refusals
STATUS_EVERY = 5.0
V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311

log = logging.getLogger("temoin.receive")


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """What a receiver needs to know; all of it is in the settings (`service.settings`)."""

    landing: str
    status: str
    url: str
    topics: tuple[str, ...]
    client_id: str = "temoin-ingest"
    protocol: str = "auto"  # auto: 3.1.1, which costs half, and 5 where the broker insists
    user: str | None = None
    password: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    most: int | None = None  # bytes the landing may hold
    spare: int = 0  # bytes its disk must have left
    parent: int | None = None  # ends when this process is no longer the parent


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """How the receiver does, as it writes it for others every few seconds; times are ISO 8601, UTC."""

    at: str
    connected: bool = False
    connected_since: str | None = None
    trouble: str | None = None
    landed: int = 0
    unpromised: int = 0  # delivered at QoS 0
    last_message: str | None = None
    sessions_lost: int = 0
    had_session: bool = False
    full: bool = False  # the landing takes nothing: nothing is acknowledged


class Arrival(NamedTuple):
    """What is kept of a paho message until it has landed: atoms, which cost the garbage collector nothing."""

    mid: int
    qos: int
    again: bool  # the broker says that it sent this before
    retained: bool
    topic: str
    payload: bytes
    at: float  # monotonic seconds


class Receiver:
    """Lands what the broker sends, until `stopped` says so, whatever the broker and the disk do meanwhile."""

    def __init__(self, config: ReceiverConfig, landing: Landing, stopped: Callable[[], bool]) -> None:
        self._config = config
        self._landing = landing
        self._stopped = stopped
        self._protocol = V5 if config.protocol == "5" else V311
        self._waiting: list[Arrival] = []
        self._waiting_bytes = 0
        self._doubtful: Counter[tuple[int, str, bytes]] = Counter()
        self._told_broker: deque[tuple[float, int]] = deque()  # when, last id acknowledged
        self._acknowledged = 0  # the last id of which the broker surely knows
        self._full_until = 0.0
        self._full_pause = 1.0
        self._told_at = 0.0
        self._connected_at: float | None = None
        self._brief = 0  # connections in a row that ended soon
        self._refused = False  # the broker has said why; that the connection then ends says less
        self.status = replace(
            _status_before(Path(config.status)), at=_now(), connected=False, trouble=None, full=False
        )

    def run(self) -> None:
        """Connect, receive, connect again, without end."""
        pause = 1.0
        while not self._stopped():
            began = time.monotonic()
            self._one_connection()
            if time.monotonic() - began > STEADY:
                pause = 1.0
            self._sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all come back at once
            pause = min(pause * 2, LONGEST_PAUSE)
        self._tell(connected=False, at_once=True)

    def _one_connection(self) -> None:
        client = self._client()
        address = urlsplit(self._config.url)
        tls = address.scheme == "mqtts"
        try:
            # what the broker may send again although it is here; each is recognised once
            self._told_broker.clear()
            self._doubtful = Counter(map(_identity, self._landing.doubtful()))
        except LandingError as error:
            self._warn(str(error))
            return
        try:
            if tls:
                client.tls_set(self._config.ca, self._config.cert, self._config.key)
            client.connect(
                address.hostname or "localhost",
                address.port or (8883 if tls else 1883),
                KEEPALIVE,
                **self._lasting(),
            )
        except (OSError, ssl.SSLError, ValueError) as error:
            self._warn(f"the broker at {address.hostname} cannot be reached ({error})")
            return
        try:
            self._receive(client)
        finally:
            self._land(client)
            if self._waiting:  # not acknowledged: the broker sends them again
                self._waiting.clear()
                self._waiting_bytes = 0
            client.disconnect()
            self._tell(connected=False, at_once=True)

    def _client(self) -> Client:
        v5 = self._protocol is V5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._config.client_id,
            clean_session=None if v5 else False,
            protocol=self._protocol,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if self._config.user:
            client.username_pw_set(self._config.user, self._config.password)
        client.connect_timeout = CONNECT_TIMEOUT
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _lasting(self) -> dict[str, Any]:
        """What makes an MQTT 5 session outlive its connection; 3.1.1 says it by clean_session."""
        if self._protocol is not V5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.SessionExpiryInterval = SESSION_EXPIRY
        properties.ReceiveMaximum = WINDOW
        return {"clean_start": False, "properties": properties}

    def _receive(self, client: Client) -> None:
        """Until the connection ends: read, land, acknowledge."""
        while not self._stopped():
            socket = client.socket()
            if socket is None:
                return
            room = len(self._waiting) < WINDOW and self._waiting_bytes < WINDOW_BYTES
            buffered = room and isinstance(socket, ssl.SSLSocket) and socket.pending() > 0
            readable, writable, _ = select.select(
                [socket] if room else [],
                [socket] if client.want_write() else [],
                [],
                0 if buffered else self._patience(),
            )
            if writable:
                client.loop_write()
            if (readable or buffered) and not self._read(client):
                return
            silent = not (readable or buffered)
            if self._due(silent=silent):
                self._land(client)
            elif silent:
                self._remember_acknowledged()
            if client.loop_misc() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            self._tell()

    def _patience(self) -> float:
        """How long the broker may be silent before what waits is landed, in seconds."""
        if not self._waiting:
            return 1.0
        if time.monotonic() < self._full_until:
            return 0.5
        return SILENCE_IN_BURST if len(self._waiting) >= BURST else SILENCE

    def _read(self, client: Client) -> bool:
        """Take what the socket has, up to a window; whether the connection is still there."""
        while len(self._waiting) < WINDOW and self._waiting_bytes < WINDOW_BYTES:
            before = len(self._waiting)
            result = client.loop_read()
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._consider_protocol(result)
                return False
            if len(self._waiting) == before:
                return True
        return True

    def _due(self, *, silent: bool) -> bool:
        if not self._waiting or time.monotonic() < self._full_until:
            return False
        if silent or len(self._waiting) >= WINDOW or self._waiting_bytes >= WINDOW_BYTES:
            return True
        return time.monotonic() - self._waiting[0].at >= LONGEST_WAIT

    def _land(self, client: Client) -> None:
        """One transaction, then the acknowledgements in order; a landing that fails acknowledges nothing."""
        if not self._waiting:
            return
        clock = time.time() - time.monotonic()
        fresh, again = self._fresh(clock)
        try:
            last = self._landing.append(fresh, self._surely_known())
        except LandingError as error:
            self._full_until = time.monotonic() + self._full_pause
            self._full_pause = min(self._full_pause * 2, FULL_PAUSE)
            self.status = replace(self.status, full=True)
            self._warn(f"{error}; nothing is acknowledged until it works again")
            return
        if self._full_until:
            self._full_until, self._full_pause = 0.0, 1.0
            log.warning("the landing works again")
            self.status = replace(self.status, trouble=None, full=False)
            self._tell(at_once=True)
        for each in self._waiting:
            if each.qos:
                client.ack(each.mid, each.qos)
        self._told_broker.append((time.monotonic(), last))
        self._doubtful.subtract(again)
        self._count(clock)
        self._waiting.clear()
        self._waiting_bytes = 0

    def _fresh(self, clock: float) -> tuple[list[Message], Counter[tuple[int, str, bytes]]]:
        """What waits, without what is here already and the broker sends again; and that, counted."""
        fresh: list[Message] = []
        again: Counter[tuple[int, str, bytes]] = Counter()
        for each in self._waiting:
            message = _message(each, clock)
            if each.again:
                known = _identity(message)
                if self._doubtful[known] > again[known]:
                    again[known] += 1
                    continue
            fresh.append(message)
        return fresh, again

    def _surely_known(self) -> int:
        """The last id acknowledged long enough ago; later ones are in doubt when the connection breaks."""
        until = time.monotonic() - SURELY_KNOWN
        known = self._acknowledged
        while self._told_broker and self._told_broker[0][0] <= until:
            _, known = self._told_broker.popleft()
        self._acknowledged = known
        return known

    def _remember_acknowledged(self) -> None:
        """In a silence, so that a message of an hour ago is never taken for one sent again."""
        before = self._acknowledged
        if self._surely_known() > before:
            with suppress(LandingError):  # the next batch remembers it too
                self._landing.append((), self._acknowledged)

    def _count(self, clock: float) -> None:
        landed = len(self._waiting)
        last = datetime.fromtimestamp(self._waiting[-1].at + clock, UTC)
        self.status = replace(
            self.status,
            landed=self.status.landed + landed,
            unpromised=self.status.unpromised + sum(not each.qos for each in self._waiting),
            last_message=last.isoformat(timespec="milliseconds"),
        )

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(its topic was not UTF-8)"  # MQTT forbids it, brokers refuse it
        payload = bytes(message.payload)
        self._waiting_bytes += len(payload)
        self._waiting.append(
            Arrival(message.mid, message.qos, message.dup, message.retain, topic, payload, message.timestamp)
        )

    def _on_connect(
        self, client: Client, _userdata: object, flags: ConnectFlags, reason: ReasonCode, _: Properties | None
    ) -> None:
        self._refused = reason.is_failure
        if reason.is_failure:
            self._warn(f"the broker refuses the connection: {reason}; check user, password and certificates")
            return
        if self.status.had_session and not flags.session_present:
            log.error(
                "the broker had forgotten our session: what was published while we were away is lost to us;"
                " its persistence should be on"
            )
            self.status = replace(self.status, sessions_lost=self.status.sessions_lost + 1)
        self._connected_at = time.monotonic()
        self.status = replace(self.status, had_session=True, connected_since=_now())
        log.info("connected; subscribing to %s", ", ".join(map(_without_group, self._config.topics)))
        self._tell(connected=True)
        try:
            client.subscribe([(topic, 1) for topic in self._config.topics])
        except ValueError:
            shown = ", ".join(map(_without_group, self._config.topics))
            self._warn(f"not all of these are MQTT topic filters: {shown}")

    def _on_subscribe(
        self, _client: Client, _userdata: object, _mid: int, reasons: list[ReasonCode], _: Properties | None
    ) -> None:
        refused = [
            _without_group(topic)
            for topic, reason in zip(self._config.topics, reasons, strict=False)
            if reason.value >= REFUSED
        ]
        trouble = None
        if refused:
            trouble = f"the broker refuses the subscription to {', '.join(refused)}: check its access list"
            log.error(trouble)
        self.status = replace(self.status, trouble=trouble)
        self._tell(connected=True, at_once=True)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _: Properties | None,
    ) -> None:
        if self._stopped() or self._refused:
            self._refused = False
            return
        brief = self._connected_at is not None and time.monotonic() - self._connected_at < STEADY
        self._brief = self._brief + 1 if brief else 0
        sentence = f"the connection to the broker ended: {reason}"
        if reason.value == TAKEN_OVER or self._brief >= SUSPICIOUS:
            sentence += (
                "; another program may use the name of this one: give each `temoin ingest` "
                "its own TEMOIN_MQTT_CLIENT_ID"
            )
        self._warn(sentence)

    def _consider_protocol(self, result: MQTTErrorCode) -> None:
        """A broker that speaks MQTT 5 only refuses 3.1.1 as a protocol error before anything else."""
        refused = result is MQTTErrorCode.MQTT_ERR_PROTOCOL and not self.status.connected
        if refused and self._config.protocol == "auto":
            self._protocol = V5 if self._protocol is V311 else V311
            log.warning("the broker refuses this version of MQTT; trying the other")

    def _warn(self, trouble: str) -> None:
        log.warning(trouble)
        self.status = replace(self.status, trouble=trouble)
        self._tell(at_once=True)

    def _tell(self, *, connected: bool | None = None, at_once: bool = False) -> None:
        """Write the status file, now or when it is time; a full disk leaves it old, which tells too."""
        if connected is not None:
            self.status = replace(self.status, connected=connected)
        if not at_once and time.monotonic() < self._told_at + STATUS_EVERY:
            return
        self._told_at = time.monotonic()
        self.status = replace(self.status, at=_now())
        path = Path(self._config.status)
        draft = path.with_suffix(".draft")
        with suppress(OSError):
            draft.write_text(json.dumps(asdict(self.status)), encoding="utf-8")
            draft.replace(path)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopped() and time.monotonic() < until:
            time.sleep(0.1)
            self._tell()


def read_status(path: Path) -> ReceiverStatus | None:
    """What the receiver last said of itself; None when it never did, or what it said is unreadable."""
    try:
        return ReceiverStatus(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _status_before(path: Path) -> ReceiverStatus:
    return read_status(path) or ReceiverStatus(at=_now())


def _message(each: Arrival, clock: float) -> Message:
    """`clock` turns the monotonic time of arrival into the time of day."""
    arrived = datetime.fromtimestamp(each.at + clock, UTC)
    return Message(each.topic, each.payload, arrived, each.qos, each.retained, each.mid)


def _identity(message: Message) -> tuple[int, str, bytes]:
    """What a message sent again has in common with the first time, and with no other in flight."""
    return message.mid, message.topic, message.payload


def _without_group(topic: str) -> str:
    """A topic without the name of its shared group: who knows that takes messages away."""
    return "$share/…/" + topic.split("/", 2)[2] if topic.startswith("$share/") else topic


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class JsonLines(logging.Formatter):
    """One JSON object a line, as the rest of Témoin logs where stderr is no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's message, level and time."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line = {"event": record.getMessage(), "level": record.levelname.lower(), "timestamp": at}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def main() -> int:
    """Receive until SIGTERM, Ctrl-C or the end of the parent; 1 when the landing cannot be had."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stderr
    )
    if not sys.stderr.isatty():
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    raw = json.load(sys.stdin)
    config = ReceiverConfig(**{**raw, "topics": tuple(raw["topics"])})
    asked = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    def stopped() -> bool:
        return asked or (config.parent is not None and os.getppid() != config.parent)

    try:
        landing = Landing(Path(config.landing), config.most, config.spare)
        landing.hold()
    except LandingError as error:
        log.error(error)  # noqa: TRY400 - a sentence for the operator, not a stack trace
        return 1
    Receiver(config, landing, stopped).run()
    landing.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
