"""What could not be read, and the mappings that read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class QuarantineLine:
    r"""A payload that waits, and the beginning of it as text (bytes that are no text as \xNN)."""

    id: int
    received_at: datetime
    topic: str
    code: str
    reason: str
    size: int
    preview: str | None  # None while an experiment runs: a payload may hold readings of its rooms


@dataclass(frozen=True)
class CauseLine:
    """Why payloads of one gateway and shape wait: how many, when the first and the last came."""

    id: int
    code: str
    gateway: str
    shape: str
    waiting: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class ReplayLine:
    """A replay under way or done: messages looked at of `total`, understood, waiting on; readings."""

    asked_at: datetime
    asked_by: str
    done: int
    total: int
    stored: int
    waiting: int
    readings: int
    removed: int
    ended: bool


@dataclass(frozen=True)
class MappingLine:
    """What the payloads of a topic were said to mean: field names to metrics, by whom, when."""

    number: int
    version: int
    topic: str
    fields: tuple[tuple[str, str], ...]
    made_by: str
    made_at: datetime


@dataclass(frozen=True)
class QuarantinePage:
    """Why payloads could not become readings, those most first; what was said of some; what is replayed."""

    causes: tuple[CauseLine, ...]
    counts: tuple[tuple[str, int], ...]
    total: int
    code: str | None = None  # shown alone
    page: int = 1
    pages: int = 1
    replays: tuple[ReplayLine, ...] = ()
    mappings: tuple[MappingLine, ...] = ()
    may_change: bool = False
    done: str = ""
    template = "quarantine.html"


@dataclass(frozen=True)
class FieldRow:
    """A field of a payload and what is said of it; `value` None: it is not in the sample, or not shown.

    `choice` is `metric|unit`; `scale` a factor, as text.
    """

    pointer: str
    value: str | None
    choice: str = ""
    scale: str = "1"
    may_name: bool = False
    may_time: bool = False

    @property
    def name(self) -> str:
        """The pointer as one reads it; empty for the message as a whole."""
        return self.pointer[1:].replace("/", " › ").replace("~1", "/").replace("~0", "~")


@dataclass(frozen=True)
class MappingForm:
    """What the form holds. `levels` are those of a topic, `varies` the places of those that vary.

    `each` points to a list of records; `told` is the device that the refusing format named, if it did.
    """

    levels: tuple[str, ...]
    varies: frozenset[int]
    rows: tuple[FieldRow, ...]
    device_from: str = "topic"
    device_field: str = ""
    device_name: str = ""
    time_from: str = "reception"
    time_field: str = ""
    each: str | None = None
    told: str = ""

    @property
    def topic(self) -> str:
        """The topic filter."""
        return "/".join("+" if place in self.varies else level for place, level in enumerate(self.levels))


@dataclass(frozen=True)
class TriedLine:
    """What a message would give: readings, each with whether its device is known; what is not understood."""

    topic: str
    readings: tuple[tuple[str, bool, str, float | None, datetime, str], ...]
    reason: str  # `code: sentence`, empty when all is understood


@dataclass(frozen=True)
class CausePage:
    """Payloads that wait for one reason, to be mapped, replayed, dropped; no values shown while `sealed`."""

    cause: CauseLine
    entries: tuple[QuarantineLine, ...]
    form: MappingForm | None
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    may_change: bool
    sealed: bool = False
    mistake: str = ""
    other: str = ""
    tried: tuple[TriedLine, ...] | None = None
    why: str = ""  # typed
    template = "cause.html"


@dataclass(frozen=True)
class MappingPage:
    """What was said of the payloads of a topic, version by version, to be corrected or withdrawn."""

    line: MappingLine
    versions: tuple[MappingLine, ...]
    form: MappingForm
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    may_change: bool
    sealed: bool = False
    mistake: str = ""
    other: str = ""
    tried: tuple[TriedLine, ...] | None = None
    withdrawn: bool = False
    meanwhile: bool = False
    saved: MappingForm | None = None  # what is written, beside `form`, what was typed
    template = "mapping.html"
