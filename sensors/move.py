"""From the landing to the store: decode, gate, keep; what cannot be read goes to quarantine with its bytes.

The position moves last, so that a mover killed at any instant does its last batch again; store, quarantine
and ledger take the same thing twice without harm.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sensors.reading import Message, PayloadRejected, Reading, ReadingsRefused, SensorError, StoreError

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import tzinfo

    from sensors.decode import Decoder
    from sensors.landing import Landing
    from sensors.quality import Gate
    from sensors.store import ReadingStore

BATCH_MESSAGES = 2000
BATCH_READINGS = 20_000  # a single payload may hold 10,000: memory stays bounded by this
IDLE = 0.5  # seconds between looks at an empty landing
LONGEST_PAUSE = 60.0  # seconds between attempts at a store that does not answer
TIDY_EVERY = 60.0  # seconds between two compressions of what was moved

log = logging.getLogger("temoin.move")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that could not, or not wholly, become readings; `reason` is `code: sentence`."""

    landing_id: int
    message: Message
    reason: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device of which readings came, through which gateway, first and last time received."""

    gateway: str
    first: datetime
    last: datetime


Heard = tuple[str, int, datetime]  # a message's topic, QoS and time of reception


class Quarantine(Protocol):
    """Where refused messages wait, with their bytes, for somebody to mend a mapping or drop them."""

    def put(self, landing: str, refusals: Sequence[Refusal]) -> None:
        """Keep them, one entry a (landing, landing_id) however often it comes; raises StoreError."""
        ...


class Census(Protocol):
    """Who keeps count of what comes from where, for whoever watches the gateways."""

    def count(self, heard: Sequence[Heard], refusals: Sequence[Refusal]) -> None:
        """Add messages that were moved and those of them that were refused; raises StoreError."""
        ...


class Ledger(Protocol):
    """What the rest of the house must know about readings that arrived."""

    def record(self, seen: Mapping[str, Sighting], days: Collection[date]) -> None:
        """Devices seen, by key, and local days that got readings; twice is harmless; raises StoreError."""
        ...


@dataclass(slots=True)
class Sifted:
    """What a run of messages came to."""

    readings: list[Reading] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    seen: dict[str, Sighting] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    heard: list[Heard] = field(default_factory=list)
    messages: int = 0
    last_id: int = 0


class Sieve:
    """Decoder and gate in one: messages in, readings and refusals out. `zone` is that of local days."""

    def __init__(self, decoder: Decoder, gate: Gate, zone: tzinfo) -> None:
        self._decoder = decoder
        self._gate = gate
        self._zone = zone
        self._days: dict[datetime, date] = {}

    def sift(self, messages: Iterable[tuple[int, Message]], most: int = BATCH_READINGS) -> Sifted:
        """Readings and refusals of the messages, stopping after the one that reaches `most` readings."""
        sifted = Sifted()
        for landing_id, message in messages:
            self._take(sifted, landing_id, message)
            sifted.heard.append((message.topic, message.qos, message.received_at))
            sifted.messages += 1
            sifted.last_id = landing_id
            if len(sifted.readings) >= most:
                break
        return sifted

    def decoded(self, message: Message) -> tuple[Sequence[Reading], str | None]:
        """Every reading of a message, before the gate, and why it is not wholly understood, if it is not."""
        try:
            return self._decoder.decode(
                message.topic, message.payload, message.received_at, message.retained
            ), None
        except PayloadRejected as rejection:
            return rejection.readings, rejection.reason
        except StoreError:  # the registry does not say which mappings there are: the message waits
            raise
        except Exception as error:  # a bug in one format must not stop the river; its bytes are kept
            log.exception("the decoder failed on a message of %s", message.topic)
            return (
                (),
                f"internal: the decoder failed ({type(error).__name__}); the payload is kept for replay",
            )

    def _take(self, sifted: Sifted, landing_id: int, message: Message) -> None:
        readings, reason = self.decoded(message)
        received_at = message.received_at
        check = self._gate.check
        device, instant = "", None
        for reading in readings:
            fault = check(reading, received_at)
            if fault is not None:
                reason = reason or fault
                continue
            sifted.readings.append(reading)
            if reading.device != device:
                device = reading.device
                _see(sifted.seen, reading, received_at)
            if reading.time is not instant:
                instant = reading.time
                sifted.days.add(self.day(instant))
        if reason is not None:
            sifted.refusals.append(Refusal(landing_id, message, reason))

    def day(self, instant: datetime) -> date:
        """The local day; offsets of zones change on quarters of an hour at most."""
        quarter = instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
        day = self._days.get(quarter)
        if day is None:
            if len(self._days) > 10_000:  # noqa: PLR2004 - a hundred days of quarters
                self._days.clear()
            day = self._days[quarter] = instant.astimezone(self._zone).date()
        return day


@dataclass(frozen=True, slots=True)
class Progress:
    """How the mover does, since it started; `trouble` says what it waits for, `since` when that began."""

    moved: int = 0
    readings: int = 0
    refused: int = 0
    position: int = 0
    trouble: str | None = None
    since: datetime | None = None


class Mover:
    """Moves messages of one landing into the store, for ever, and loses none whatever the store does.

    `waiting`: the trouble in which an earlier mover of this landing ended, and since when it waited.
    """

    def __init__(
        self,
        landing: Landing,
        sieve: Sieve,
        store: ReadingStore,
        quarantine: Quarantine,
        ledger: Ledger,
        raw_retention: timedelta = timedelta(days=30),
        census: Census | None = None,
        waiting: tuple[str, datetime] | None = None,
    ) -> None:
        self._landing = landing
        self._sieve = sieve
        self._store = store
        self._quarantine = quarantine
        self._ledger = ledger
        self._raw_retention = raw_retention
        self._census = census
        self._tidy_at = 0.0
        trouble, since = waiting or (None, None)
        self.progress = Progress(position=landing.position, trouble=trouble, since=since)

    def step(self) -> int:
        """Move one batch; how many messages it was. Raises SensorError and has then moved nothing."""
        begun = self._landing.position
        sifted = self._sieve.sift(self._landing.after(begun, BATCH_MESSAGES))
        if not sifted.messages:
            return 0
        if sifted.readings:
            try:
                self._store.write(sifted.readings)
            except ReadingsRefused as refusal:
                again = self._landing.after(begun, sifted.messages)
                sifted.refusals += traced(self._sieve, again, refusal, sifted.refusals)
            self._ledger.record(sifted.seen, sifted.days)
        if sifted.refusals:
            self._quarantine.put(self._landing.name, sifted.refusals)
        if self._census is not None:
            self._census.count(sifted.heard, sifted.refusals)
        self._landing.moved_to(sifted.last_id)
        done = self.progress
        self.progress = replace(
            done,
            moved=done.moved + sifted.messages,
            readings=done.readings + len(sifted.readings),
            refused=done.refused + len(sifted.refusals),
            position=sifted.last_id,
        )
        return sifted.messages

    def run(self, stop: threading.Event) -> None:
        """Move until `stop` is set; what raises is tried again, ever more slowly, without end."""
        pause = IDLE
        while not stop.is_set():
            try:
                moved = self.step()
                self._tidy()
            except SensorError as error:
                asked = getattr(error, "retry_after", None) or 0.0
                self._in_trouble(str(error), max(pause, asked))
                stop.wait(max(pause, asked))
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            self._out_of_trouble()
            pause = IDLE
            if moved < BATCH_MESSAGES:
                stop.wait(IDLE)

    def _tidy(self) -> None:
        if time.monotonic() < self._tidy_at and not self._landing.crowded:
            return
        self._tidy_at = time.monotonic() + TIDY_EVERY
        self._landing.tidy(datetime.now(UTC) - self._raw_retention)

    def _in_trouble(self, trouble: str, pause: float) -> None:
        since = self.progress.since or datetime.now(UTC)
        self.progress = replace(self.progress, trouble=trouble, since=since)
        log.warning(
            "%s; nothing is lost, trying again in %.1f s (since %s)", trouble, pause, since.isoformat()
        )

    def _out_of_trouble(self) -> None:
        if self.progress.trouble is not None:
            log.info("moving again")
            self.progress = replace(self.progress, trouble=None, since=None)


def traced(
    sieve: Sieve,
    messages: Iterable[tuple[int, Message]],
    refusal: ReadingsRefused,
    known: Iterable[Refusal] = (),
) -> list[Refusal]:
    """The messages, but the `known` ones, whose readings the store will never take; decoded once more."""
    why = {(each.device, each.metric, each.time): reason for each, reason in refusal.refused}
    done = {each.landing_id for each in known}
    found = []
    for landing_id, message in messages:
        readings, _ = sieve.decoded(message)  # not through the gate: it remembers, and may judge anew
        reasons = [why.get((each.device, each.metric, each.time)) for each in readings]
        reason = next(filter(None, reasons), None)
        if reason is not None and landing_id not in done:
            found.append(Refusal(landing_id, message, f"store_refused: {reason}"))
    return found


def _see(seen: dict[str, Sighting], reading: Reading, received_at: datetime) -> None:
    known = seen.get(reading.device)
    if known is None:
        seen[reading.device] = Sighting(reading.gateway, received_at, received_at)
    elif known.last < received_at:
        seen[reading.device] = replace(known, last=received_at)
