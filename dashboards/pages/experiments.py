"""The list of experiments, and the page of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from experiments.design import Protocol
from experiments.equipment import Item
from experiments.planning import Plan
from experiments.verdict import Result, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

Choice = Literal["generalise", "extend", "adjust", "stop", "inconclusive"]
DayState = Literal["counted", "short", "silent", "washout", "ahead"]


@dataclass(frozen=True)
class Sheet:
    """The experiment in the words of those who try it; an empty string is not filled in."""

    idea: str = ""
    problem: str = ""
    hypothesis: str = ""
    change: str = ""
    why_rooms: str = ""
    people: str = ""
    owner: str = ""
    sponsor: str = ""
    risks: str = ""
    accessibility: str = ""
    committee: str = ""
    rooms_after: int | None = None  # rooms in the whole estate, if it is generalised
    expires: date | None = None


@dataclass(frozen=True)
class RoomInTrial:
    """A room's part: treated from `switch` (first day after the change), or baseline when None."""

    slug: str
    name: str
    switch: date | None
    capacity: int | None = None

    @property
    def treated(self) -> bool:
        """Whether the layout of this room changes."""
        return self.switch is not None


@dataclass(frozen=True)
class CoverageDay:
    """One opening day of a room: the share of its opening hours observed, and whether the day counts."""

    day: date
    share: float | None
    state: DayState


@dataclass(frozen=True)
class CoverageStrip:
    """A room's opening days in order, for the primary outcome."""

    room: str
    treated: bool
    days: tuple[CoverageDay, ...]


@dataclass(frozen=True)
class DayLost:
    """A room-day that does not count for want of observation: each sensor there, and its longest silence.

    `silences` are device key, its label if it has one, and seconds; None: it sent nothing all day.
    """

    room: str
    day: date
    share: float
    silences: tuple[tuple[str, str | None, int | None], ...]


@dataclass(frozen=True)
class Meanwhile:
    """What one may say before the end: nothing here tells the arms apart after the switch."""

    today: date
    week: int | None  # 1 is the first week; None before the start
    weeks: int
    answers: int
    result_on: date  # first day on which the result is shown
    counted: int = 0  # room-days that count so far
    expected: int = 0  # room-days there could have been so far


@dataclass(frozen=True)
class Split:
    """How answers in the treated rooms fall, before and after: counts by option, options in their order."""

    question: str  # a key of `words.QUESTIONS`
    options: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True)
class Voices:
    """What people said, where at least k said it (k is enforced by who fills this)."""

    answers: int
    k: int
    splits: tuple[Split, ...] = ()
    remarks: tuple[str, ...] = ()
    remarks_total: int = 0
    themes: tuple[tuple[str, int], ...] = ()  # a key of `words.THEMES` and how many remarks speak of it


@dataclass(frozen=True)
class CostLine:
    """Money and internal hours for all treated rooms together."""

    label: str
    euros: float
    hours: float


@dataclass(frozen=True)
class Costs:
    """What it costs, planned or actual; `seats` of the treated rooms, None when a capacity is unknown."""

    kind: Literal["planned", "actual"]
    lines: tuple[CostLine, ...]
    rooms: int
    seats: int | None

    @property
    def euros(self) -> float:
        """All lines together."""
        return sum(line.euros for line in self.lines)

    @property
    def hours(self) -> float:
        """Internal time, all lines together."""
        return sum(line.hours for line in self.lines)


@dataclass(frozen=True)
class Lock:
    """When the protocol was locked, by whom, and the SHA-256 of its document."""

    sha256: str
    at: datetime
    by: str


@dataclass(frozen=True)
class Unplanned:
    """A recorded deviation (« imprévu »)."""

    day: date
    what: str
    by: str


@dataclass(frozen=True)
class Decided:
    """What was decided, by which body, and who entered it."""

    choice: Choice
    body: str
    on: date
    reason: str
    lessons: str
    by: str
    entered_at: datetime


@dataclass(frozen=True)
class FrozenLook:
    """The panel the verdict rests on: when it was frozen and its SHA-256."""

    at: datetime
    sha256: str


@dataclass(frozen=True)
class ExperimentPage:
    """One experiment, in any state of its life.

    `result` is None for a free trial (`free`: observed, not compared) and for an idea. `plan` says what can
    be detected, while planned. `later` is the result with corrections that came after the look, None when
    they change nothing.
    """

    slug: str
    title: str
    status: Status
    starts: date | None
    ends: date | None
    rooms: tuple[RoomInTrial, ...]
    protocol: Protocol | None = None
    result: Result | None = None
    later: Result | None = None
    plan: Plan | None = None
    free: bool = False
    sheet: Sheet = field(default_factory=Sheet)
    meanwhile: Meanwhile | None = None
    coverage: tuple[CoverageStrip, ...] = ()
    lost: tuple[DayLost, ...] = ()  # the last ones, latest first
    voices: Voices | None = None
    comfort: tuple[Split, ...] = ()  # occupied minutes by category of `words.COMFORT`
    costs: Costs | None = None
    equipment: tuple[Item, ...] = ()  # what its rooms need and have, before the start
    lock: Lock | None = None
    look: FrozenLook | None = None
    deviations: tuple[Unplanned, ...] = ()
    decision: Decided | None = None
    owner: str | None = None  # in whose hands it is
    may_act: bool = True  # whether who is signed in may act for them
    template = "experiment.html"

    @property
    def names(self) -> Mapping[str, str]:
        """Room → its name."""
        return {room.slug: room.name for room in self.rooms}

    @property
    def treated(self) -> tuple[RoomInTrial, ...]:
        """The rooms whose layout changes."""
        return tuple(room for room in self.rooms if room.treated)

    @property
    def baseline(self) -> tuple[RoomInTrial, ...]:
        """The rooms that are left as they are."""
        return tuple(room for room in self.rooms if not room.treated)

    @property
    def switch_dates(self) -> Mapping[str, date]:
        """Treated room → the first day after its change."""
        return {room.slug: room.switch for room in self.rooms if room.switch is not None}

    @property
    def switch(self) -> date | None:
        """The first day after the first change."""
        return min((room.switch for room in self.rooms if room.switch), default=None)


@dataclass(frozen=True)
class ExperimentLine:
    """An experiment in a list; the effect only once it may be shown."""

    slug: str
    title: str
    status: Status
    n_treated: int
    n_baseline: int
    starts: date | None = None
    switch: date | None = None
    ends: date | None = None
    verdict: Verdict | None = None
    decision: Choice | None = None
    outcome: str | None = None  # the primary outcome
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    better: Literal["higher", "lower"] = "higher"
    free: bool = False
    week: int | None = None
    weeks: int | None = None
    owner: str | None = None  # in whose hands it is
    mine: bool = False
    answers: int | None = None  # so far, of one that runs: part of what one may say meanwhile

    @property
    def result_on(self) -> date | None:
        """The first day on which the result is shown."""
        return None if self.ends is None else self.ends + timedelta(days=1)


@dataclass(frozen=True)
class ExampleFile:
    """A comparison to come that could decide, as an example of a file, with rooms of the house if enough."""

    today: date
    there: tuple[str, ...] = ()
    ROOMS = ("erdre", "loire", "sevre", "cens", "isac", "maine", "ognon")  # to refit the first three

    @property
    def rooms(self) -> tuple[str, ...]:
        """Slugs of three rooms to refit, then of four baseline rooms."""
        return self.there if len(self.there) == len(self.ROOMS) else self.ROOMS

    @property
    def starts(self) -> date:
        """A Monday in three weeks or so."""
        return self.today + timedelta(days=28 - self.today.weekday())

    @property
    def switch(self) -> date:
        """Seven weeks later."""
        return self.starts + timedelta(weeks=7)

    @property
    def ends(self) -> date:
        """The Friday that ends the eleventh week after it."""
        return self.switch + timedelta(weeks=11, days=-3)


@dataclass(frozen=True)
class ExperimentsPage:
    """Every experiment; the page groups them by what they ask for."""

    experiments: tuple[ExperimentLine, ...]
    example: ExampleFile | None = None
    template = "experiments.html"


@dataclass(frozen=True)
class OwnerPage:
    """In whose hands an experiment is, and those it may be put in: (number, name).

    `mistake`: person (not one of those to choose from), meanwhile (somebody else put it in other hands).
    """

    slug: str
    title: str
    owner: tuple[int, str] | None
    people: tuple[tuple[int, str], ...]
    wanted: int | None  # what the form proposes
    may_act: bool
    mistake: Literal["person", "meanwhile"] | None = None
    template = "owner.html"
