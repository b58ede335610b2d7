"""Today: what waits for somebody, what runs, what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from dashboards.pages.experiments import Choice, ExampleFile, ExperimentLine


@dataclass(frozen=True)
class SilentDevice:
    """A device not heard from for longer than is usual for it."""

    key: str
    room: str | None  # its room's name, None when it is placed nowhere
    room_slug: str | None
    last_seen: datetime | date | None  # a day alone where the hour would tell of who is in the room
    experiment: tuple[str, str] | None = None  # slug and title of the running one that loses days meanwhile


@dataclass(frozen=True)
class Progress:
    """The demonstration's history being built; the page reloads until it is there."""

    done: int
    total: int
    step: Literal["history", "outcomes", "experiments"]


@dataclass(frozen=True)
class Standstill:
    """Why readings do not flow from broker to store, since when, and how many messages wait on disk."""

    kind: Literal["full", "stopped", "broker", "store"]
    since: datetime | None
    waiting: int


Step = Literal["rooms", "heard", "placed", "experiment"]  # of a new installation, in order


@dataclass(frozen=True)
class ToLookAt:
    """What wants a look in a running experiment, and since when; `what` was noted of something unplanned.

    `interim_due`: half-time has come and days wait to be computed; `interim_ends`: that look suffices.
    """

    kind: Literal["interim_due", "interim_ends", "unplanned"]
    slug: str
    title: str
    day: date
    what: str = ""


@dataclass(frozen=True)
class Deadline:
    """An experiment that ends, a temporary layout that goes back, or a gateway's token that expires."""

    kind: Literal["experiment", "layout", "token"]
    day: date
    name: str
    slug: str | None = None  # of the experiment
    past: bool = False


@dataclass(frozen=True)
class Growth:
    """Messages refused today, and on a usual day: the median of the last seven."""

    today: int
    usual: int


@dataclass(frozen=True)
class Learned:
    """A decision in one line; `lessons` is cut to be one."""

    slug: str
    title: str
    choice: Choice
    on: date
    lessons: str


@dataclass(frozen=True)
class HomePage:
    """Today: what needs somebody, the most urgent first; what runs; what was learned."""

    today: date
    running: tuple[ExperimentLine, ...] = ()
    to_decide: tuple[ExperimentLine, ...] = ()
    next_up: tuple[ExperimentLine, ...] = ()
    silent: tuple[SilentDevice, ...] = ()  # those that harm a running experiment
    silent_elsewhere: int = 0
    rooms: int = 0
    devices: int = 0
    quarantined: int = 0
    answers_week: int = 0
    progress: Progress | None = None
    standstill: Standstill | None = None
    example: ExampleFile | None = None
    path: Mapping[Step, bool] = field(default_factory=dict)  # done or not; empty once all are
    look_at: tuple[ToLookAt, ...] = ()
    growth: Growth | None = None  # of the quarantine, where it is unusual
    deadlines: tuple[Deadline, ...] = ()
    learned: tuple[Learned, ...] = ()
    decided: int = 0  # of which `learned` are the last

    @property
    def quiet(self) -> bool:
        """Whether nothing waits for anybody."""
        waits = (self.to_decide, self.look_at, self.silent, self.growth, self.deadlines, self.standstill)
        return not any(waits)

    template = "home.html"
