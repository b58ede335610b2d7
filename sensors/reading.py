"""A reading, and everything that can go wrong with one.

SensorError
├── PayloadRejected     a payload, or a part of it, is not a measurement we understand
├── HistoryRejected     an imported file is not what its map says
├── LandingError        the landing cannot take a message (disk full, held by another receiver)
└── StoreError          the store refuses or cannot be reached
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

TimeSource = Literal["device", "network", "received"]


class Reading(NamedTuple):  # a third of the time a frozen dataclass takes, and there are millions
    """One value of one metric of one device at one instant.

    `device` is `gateway/name`; `value` is in `unit`, the metric's own (see `sensors.metrics`);
    `time` is aware, UTC, whole milliseconds; `time_source` says whose clock gave it.
    """

    device: str
    metric: str
    value: float
    unit: str
    time: datetime
    time_source: TimeSource
    gateway: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a gateway sent, as it came: nothing is decoded, nothing is lost.

    `received_at` is aware UTC; `qos` is the one it was delivered with (0 promises nothing), `retained`
    says that the broker had kept it for whoever subscribes later, and `mid` is the number under which the
    broker sends it until it is acknowledged (0: none), by which one that comes again is told from its twin.
    """

    topic: str
    payload: bytes
    received_at: datetime
    qos: int = 1
    retained: bool = False
    mid: int = 0


class SensorError(Exception):
    """Root of what this package raises."""


class PayloadRejected(SensorError):  # noqa: N818 - the contract's name
    """A payload that is not, or not wholly, a measurement.

    `reason` is `code: sentence naming the field`; `code` is stable and groups the quarantine.
    `readings` holds the good readings of a payload that also has a bad one.
    """

    def __init__(self, reason: str, readings: Iterable[Reading] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.readings = tuple(readings)

    @property
    def code(self) -> str:
        """The stable first word of the reason."""
        return self.reason.partition(":")[0]


class HistoryRejected(SensorError):  # noqa: N818 - sibling of PayloadRejected
    """A history file that cannot be read as its map says; the sentence names line and column."""


class LandingError(SensorError):
    """The landing cannot take messages now; nothing may be acknowledged."""


class StoreError(SensorError):
    """The store refuses, or cannot be reached; what was to be written is still in the landing.

    `retry_after`: seconds that the store asks for before it is tried again, None when it did not say.
    """

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class ReadingsRefused(StoreError):  # noqa: N818 - sibling of PayloadRejected
    """The store kept everything but these readings, which it will never take, each with its reason."""

    def __init__(self, refused: Iterable[tuple[Reading, str]]) -> None:
        self.refused = tuple(refused)
        reading, why = self.refused[0]
        super().__init__(
            f"{len(self.refused)} readings were refused, first {reading.metric} of {reading.device} at "
            f"{reading.time.isoformat()}: {why}"
        )
