"""What each page shows, as data: numbers, dates, keys and people's own texts. Words are made at rendering.

Rooms, devices and outcomes go by their keys. Times are aware and in the installation's zone, days are local
dates, shares are 0–1 unless a unit says %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from experiments.design import Protocol
from experiments.equipment import Item
from experiments.planning import Plan
from experiments.profile import Profile
from experiments.verdict import Result, Status, Verdict

Choice = Literal["generalise", "extend", "adjust", "stop", "inconclusive"]
DayState = Literal["counted", "short", "silent", "washout", "ahead"]


@dataclass(frozen=True)
class Frame:
    """What surrounds every page: where one is, who is signed in, and the token that goes with forms."""

    path: str = "/"
    query: str = ""  # without `lang`, so that the language switch stays on the same view
    user: str | None = None  # a name; None is not signed in: no navigation, no sign-out
    csrf: str = ""
    waiting: int = 0  # payloads in quarantine, shown beside its link
    role: str = ""  # reader, facilities, analyst, administrator
    wrong: bool = False  # a form came back with something to correct: the title says so first


# ------------------------------------------------------------------------------------- experiments


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


EXAMPLE_ROOMS = 5  # that experiment_file.html names


@dataclass(frozen=True)
class ExperimentsPage:
    """Every experiment; the page groups them by what they ask for."""

    experiments: tuple[ExperimentLine, ...]
    example: tuple[str, ...] = ()  # rooms that an example of a file may name
    template = "experiments.html"


# ------------------------------------------------------------------------------------------- rooms


@dataclass(frozen=True)
class RoomWeek:
    """A room over a week or so: the mean of each outcome over the days that count, and the share observed.

    `means` lacks what no day of it knows; `days` says on how many days each rests. `coverage` is 0–1, None
    without a single opening day.
    """

    means: Mapping[str, float] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)
    coverage: float | None = None


@dataclass(frozen=True)
class RoomLine:
    """A room in the list, over the last full week and the one before; hidden, only how it was observed."""

    slug: str
    name: str
    floor: str | None
    capacity: int | None
    devices: int
    silent: int  # devices not heard from for longer than is usual for them
    last: RoomWeek = field(default_factory=RoomWeek)
    before: RoomWeek = field(default_factory=RoomWeek)
    hidden_by: str | None = None  # slug of the running experiment
    experiment: str | None = None  # its title


@dataclass(frozen=True)
class SiteRooms:
    """A site and its rooms."""

    slug: str
    name: str
    rooms: tuple[RoomLine, ...]


@dataclass(frozen=True)
class RoomsPage:
    """Every room, by site, over the week from the Monday `week` and the one before."""

    sites: tuple[SiteRooms, ...]
    week: date
    template = "rooms.html"


@dataclass(frozen=True)
class RoomBeside:
    """A room among others; `weeks` go with the page's, and know only the coverage while it is hidden."""

    slug: str
    name: str
    site: str
    capacity: int | None
    weeks: tuple[RoomWeek, ...]
    hidden: Hidden | None = None

    @property
    def coverage(self) -> float | None:
        """The share of opening hours observed over its weeks."""
        known = [week.coverage for week in self.weeks if week.coverage is not None]
        return sum(known) / len(known) if known else None

    def mean(self, outcome: str) -> float | None:
        """Over all the days that count, whichever week they are of."""
        days = sum(week.days.get(outcome, 0) for week in self.weeks)
        total = sum(week.means.get(outcome, 0.0) * week.days.get(outcome, 0) for week in self.weeks)
        return total / days if days else None


Mistake = Literal["", "few", "many", "unknown"]  # of what was asked to be compared


@dataclass(frozen=True)
class ComparePage:
    """Rooms side by side over the same full weeks (Mondays); `mistake` says why there are none."""

    weeks: tuple[date, ...]
    outcomes: tuple[str, ...] = ()  # those at least one room knows
    rooms: tuple[RoomBeside, ...] = ()
    mistake: Mistake = ""
    template = "room_compare.html"

    @property
    def until(self) -> date:
        """The last day of the last week."""
        return self.weeks[-1] + timedelta(days=6)

    @property
    def shown(self) -> tuple[RoomBeside, ...]:
        """The rooms that are not hidden."""
        return tuple(room for room in self.rooms if room.hidden is None)


@dataclass(frozen=True)
class Series:
    """One metric of a room over a stretch of time; a None value is a gap, drawn as one."""

    metric: str
    points: tuple[tuple[datetime, float | None], ...]


@dataclass(frozen=True)
class Daily:
    """One outcome of a room by local day; a None value is a day that was not observed enough."""

    outcome: str
    days: tuple[tuple[date, float | None], ...]


@dataclass(frozen=True)
class DeviceInRoom:
    """A device placed in a room; `end` None is still there."""

    key: str
    label: str | None
    start: datetime
    end: datetime | None
    last_seen: datetime | date | None  # a day alone where the hour would tell of who is in the room
    silent: bool


@dataclass(frozen=True)
class Hidden:
    """Why a room's values are not shown, and until when."""

    slug: str
    title: str
    until: date

    @property
    def shown_on(self) -> date:
        """The first day on which they are."""
        return self.until + timedelta(days=1)


@dataclass(frozen=True)
class RoomSeason:
    """A room from the first day of a season on; `comfort` is quantity → occupied minutes by category."""

    first: date
    told: RoomWeek
    comfort: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class VoicesOfMonth:
    """What was said of a room in a month, by `answers` people, k at least; `satisfied` is a share (0–1)."""

    first: date
    answers: int
    satisfied: float


@dataclass(frozen=True)
class Notice:
    """What is measured in a room, who sees it and until when; `metrics` None where nobody can tell now."""

    metrics: tuple[str, ...] | None
    devices: int
    raw_days: int
    readings_days: int  # 0: for ever
    answer_months: int
    remark_months: int
    k: int
    alone: bool = False  # a room for one person


@dataclass(frozen=True)
class RoomPage:
    """One room: a week or a day up to yesterday, its days, seasons and voices. Hidden: devices only."""

    slug: str
    name: str
    site: str
    floor: str | None
    capacity: int | None
    area_m2: float | None
    start: datetime  # the stretch of `series`
    end: datetime
    notice: Notice
    span: Literal["day", "week"] = "week"
    past: bool = False  # the stretch ends before last midnight
    weeks: tuple[RoomWeek, RoomWeek] | None = None  # the last full one and the one before
    week: date | None = None  # the Monday of the last full one
    series: tuple[Series, ...] = ()
    daily: tuple[Daily, ...] = ()
    profile: Profile | None = None  # of the last eight weeks
    seasons: tuple[RoomSeason, ...] = ()
    voices: tuple[VoicesOfMonth, ...] = ()
    volume_m3: float | None = None
    devices: tuple[DeviceInRoom, ...] = ()
    hidden: Hidden | None = None
    experiments: tuple[tuple[str, str], ...] = ()  # (slug, title) this room takes or took part in
    form_url: str | None = None  # the address behind the room's QR code
    template = "room.html"

    def comfort(self, quantity: str) -> tuple[tuple[date, tuple[int, ...]], ...]:
        """Season and its occupied minutes by category of this quantity, of the seasons that know them."""
        return tuple(
            (each.first, each.comfort[quantity]) for each in self.seasons if quantity in each.comfort
        )

    @property
    def last(self) -> date:
        """The last day of the stretch."""
        return self.end.date() - timedelta(days=1)

    @property
    def earlier(self) -> date:
        """The last day of the stretch before this one."""
        return self.start.date() - timedelta(days=1)

    @property
    def later(self) -> date | None:
        """The last day of the stretch after this one; None when this one is the present."""
        return self.end.date() + (self.end - self.start) - timedelta(days=1) if self.past else None


@dataclass(frozen=True)
class NoticePage:
    """The sheet that says in a room what is measured there, to be printed and pinned."""

    slug: str
    name: str
    notice: Notice
    template = "notice.html"


@dataclass(frozen=True)
class PosterPage:
    """The sheet to print and pin in a room: its QR code, which carries `url`."""

    slug: str
    name: str
    url: str
    template = "poster.html"


# --------------------------------------------------------------------------------------- the house


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
    example: tuple[str, ...] = ()  # rooms that an example of a file may name
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


@dataclass(frozen=True)
class ImportLine:
    """A file of history: draft, asked, done, failed, undoing or undone; readings done of `total`.

    `left_out` counts lines and readings, told in `faults` (lines, in words) and `refused` (cause, how many).
    """

    id: int
    name: str
    status: str
    added_at: datetime
    added_by: str
    total: int = 0
    done: int = 0
    devices: tuple[str, ...] = ()
    left_out: int = 0
    faults: tuple[str, ...] = ()
    refused: tuple[tuple[str, int], ...] = ()
    trouble: str = ""
    may_undo: bool = False


@dataclass(frozen=True)
class ImportsPage:
    """Send a file of history; those sent before. `mistake`: empty, large, or table (`why` says more)."""

    lines: tuple[ImportLine, ...]
    mistake: str = ""
    why: str = ""
    template = "imports.html"


@dataclass(frozen=True)
class FileColumn:
    """A column of a file, some of its values (none under seal), and what is said of it: `metric|unit`."""

    name: str
    samples: tuple[str, ...]
    choice: str = ""


@dataclass(frozen=True)
class PreviewLine:
    """A reading as a file would give it; no value under seal."""

    device: str
    metric: str
    value: float | None
    time: datetime


@dataclass(frozen=True)
class ImportPage:
    """What the columns of a file are said to be, the first readings once looked at; or how it went."""

    line: ImportLine
    columns: tuple[FileColumn, ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    device: str = ""  # the column that names it; empty: `device_name` does
    device_name: str = ""
    time: str = ""
    format: str = ""
    preview: tuple[PreviewLine, ...] | None = None
    faults: tuple[str, ...] = ()  # of the first lines
    why: str = ""
    wrong: Literal["", "time", "device", "device_name", "columns"] = ""  # the field that `why` is about
    template = "import.html"


@dataclass(frozen=True)
class ExportColumn:
    """A column of an exported table: its name, its unit, what it holds (in English, as the files are)."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class ExportTable:
    """A table to take away, and its dictionary."""

    name: str
    columns: tuple[ExportColumn, ...]


@dataclass(frozen=True)
class ExportPage:
    """Every table to take away; the days of readings asked for, and what is wrong with them."""

    tables: tuple[ExportTable, ...]
    first: str
    last: str
    mistake: str = ""
    template = "export.html"


@dataclass(frozen=True)
class GatewayLine:
    """A source of messages over the last days: one that was let in, or one that only was heard.

    `messages` is by UTC day, the last one today, None under the seal of a running experiment; `unpromised`
    and `refused` are shares (0–1) of all of them, None without any; `token` says how long its HTTP token is
    good, None when it has none.
    """

    name: str
    added: bool
    last_message: datetime | None
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
class SiteLine:
    """A site: its hours, `weekdays` as `12345` (Monday is 1), how many rooms."""

    slug: str
    name: str
    opens: time
    closes: time
    weekdays: str
    rooms: int


@dataclass(frozen=True)
class SitesPage:
    """Every site, and a form for one more: `form` has name, opens, closes, weekdays as typed."""

    sites: tuple[SiteLine, ...]
    form: Any
    mistakes: Mapping[str, str] = field(default_factory=dict)
    template = "sites.html"


@dataclass(frozen=True)
class PastedLine:
    """A room of a pasted list; `known`: one of this name is there and will be changed."""

    line: int
    name: str
    capacity: int | None
    floor: str | None
    area_m2: float | None
    volume_m3: float | None
    known: bool = False
    mistakes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SitePage:
    """One site. `rooms` are (slug, name, floor, seats); `typed` what was typed in the smaller forms."""

    site: SiteLine
    rooms: tuple[tuple[str, str, str | None, int | None], ...]
    closures: tuple[tuple[date, str], ...]
    form: Any
    years: tuple[int, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[PastedLine, ...] = ()
    mistakes: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    meanwhile: bool = False
    saved: bool = False
    template = "site.html"


@dataclass(frozen=True)
class RoomFactsPage:
    """What is said of a room: `kept` is what is written down, `typed` what the form holds, both as text."""

    slug: str
    name: str
    site: tuple[str, str]
    typed: Mapping[str, str]
    kept: Mapping[str, str]
    mistakes: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    meanwhile: bool = False
    template = "room_facts.html"


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

    `mistakes` by field; `other` (room, local start) is the stay in the way; `seen` is what the forms send
    back, so that a change made meanwhile is not lost.
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


# ------------------------------------------------------------------------------------ people, audit


@dataclass(frozen=True)
class PersonLine:
    """Somebody who may sign in; `seen` is when they last used a session that is still open."""

    id: int
    name: str
    email: str
    role: str
    active: bool
    seen: datetime | None = None
    me: bool = False


@dataclass(frozen=True)
class PersonForm:
    """Somebody as typed into a form, and by field what is wrong: missing, bad, long, taken, unknown, last."""

    name: str = ""
    email: str = ""
    role: str = "reader"
    active: bool = True
    mistakes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PeoplePage:
    """Everybody who may sign in, and a form for one more."""

    people: tuple[PersonLine, ...]
    form: PersonForm = PersonForm()
    deleted: bool = False  # somebody was, just now
    template = "people.html"


@dataclass(frozen=True)
class SessionLine:
    """A browser on which somebody is signed in; `handle` is what a form says to mean it."""

    handle: str
    browser: str | None
    opened: datetime | None
    seen: datetime | None
    until: datetime
    here: bool = False
    scope: str = ""  # read or write: a token for programs, called `browser`


@dataclass(frozen=True)
class PersonPage:
    """Somebody, for administrators. `form` has what was typed, `person` what they are.

    `meanwhile` says that somebody else changed them while the form was open, `by` and `at` who and when.
    `link` is shown once: whoever has it chooses the password, until `link_until`.
    """

    person: PersonLine
    form: PersonForm
    sessions: tuple[SessionLine, ...] = ()
    meanwhile: bool = False
    by: str | None = None
    at: datetime | None = None
    link: str | None = None
    link_until: datetime | None = None
    has_password: bool = True
    by_provider: bool = False  # signs in by the organisation's OpenID provider
    saved: bool = False
    template = "person.html"


@dataclass(frozen=True)
class AccountPage:
    """Oneself: where one is signed in, and one's password.

    `mistakes` by field: wrong, wait (too many tries), length, differ; of a token: missing, long, many.
    """

    person: PersonLine
    sessions: tuple[SessionLine, ...]
    has_password: bool = True
    mistakes: Mapping[str, str] = field(default_factory=dict)
    done: Literal["password", "sessions"] | None = None
    second_factor: bool = False
    token: str = ""  # just made, shown once
    named: str = ""  # typed, as the two that follow
    scope: str = "read"
    days: str = "90"
    template = "account.html"


@dataclass(frozen=True)
class SecondFactorPage:
    """One's second factor: none, a secret to be proved, recovery codes just made, or in place since."""

    email: str
    since: datetime | None = None
    left: int = 0  # recovery codes
    has_password: bool = True
    owed: bool = False  # the installation asks it of this person
    draft: str = ""  # the secret, signed and sealed, as the next form carries it
    secret: str = ""  # in groups of four, shown once
    address: str = ""  # otpauth:
    recovery: tuple[str, ...] = ()  # shown once
    mistakes: Mapping[str, str] = field(default_factory=dict)  # current: wrong, wait, late; code: wrong
    template = "second_factor.html"


@dataclass(frozen=True)
class ChangeLine:
    """Who changed what; each field with what it was and what it became, as the audit's JSON has them."""

    id: int
    at: datetime
    who: str  # « Marie Dupont <marie@ville.example> », or a program
    action: Literal["created", "changed", "deleted"]
    kind: str  # the table
    called: str
    fields: tuple[tuple[str, Any, Any], ...]

    @property
    def name(self) -> str:
        """Who, without the address."""
        return self.who.partition(" <")[0]


@dataclass(frozen=True)
class AuditPage:
    """The changes people made, newest first, a page of them; `head` is the hash of the last of all."""

    changes: tuple[ChangeLine, ...]
    total: int
    head: str
    kinds: tuple[str, ...]
    people: tuple[str, ...]
    zone: ZoneInfo
    kind: str = ""
    who: str = ""
    older: int | None = None  # the page after this one begins below this id
    template = "audit.html"


@dataclass(frozen=True)
class Kept:
    """What was typed into a form whose session had ended; `path` is where it goes, on this site."""

    path: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SignInPage:
    """Local accounts, and the organisation's provider; `next` is a path of this site."""

    next: str = "/"
    csrf: str = ""
    email: str = ""
    error: (
        Literal[
            "wrong", "too_many", "busy", "link_used",
            "away", "refused", "clock", "stale", "denied",
            "unknown", "disabled", "no_address", "address_taken",
        ]
        | None
    ) = None  # fmt: skip
    minutes: int = 0  # to wait, where there were too many attempts
    provider: str | None = (
        None  # what the provider's account is called; "" where it has no name; None: no provider
    )
    new_password: bool = False  # it was just chosen
    nobody: bool = False  # no account was ever made
    kept: Kept | None = None
    known: bool = False  # the provider may still know this browser, and can be told to forget it
    template = "sign_in.html"


@dataclass(frozen=True)
class CodePage:
    """The second factor of who gave the right password; `ticket` says who that is."""

    next: str = "/"
    csrf: str = ""
    ticket: str = ""
    error: Literal["wrong", "too_many", "unreadable"] | None = None
    minutes: int = 0  # to wait, where there were too many attempts
    kept: Kept | None = None
    template = "sign_in_code.html"


@dataclass(frozen=True)
class ResumePage:
    """Signed in again: what was typed, to be sent now. `csrf` is the new session's."""

    kept: Kept
    csrf: str
    template = "resume.html"


@dataclass(frozen=True)
class ForgottenPage:
    """Asking for a mail to choose a password with."""

    csrf: str = ""
    state: Literal["ask", "sent", "too_many", "no_mail"] = "ask"
    minutes: int = 0
    template = "forgotten.html"


@dataclass(frozen=True)
class NewPasswordPage:
    """Choosing a password by a link; without a token the link opens nothing any more."""

    token: str | None
    csrf: str = ""
    email: str = ""
    error: Literal["short", "long", "differ", "guessable"] | None = None
    least: int = 12
    most: int = 128
    template = "new_password.html"


@dataclass(frozen=True)
class ErrorPage:
    """Something could not be shown; `key` picks the sentence, `status` is HTTP's."""

    status: int
    key: Literal[
        "not_found",
        "forbidden",
        "form_key",
        "form_spent",
        "too_many",
        "too_large",
        "locked",
        "csrf",
        "failed",
    ]
    template = "error.html"


@dataclass(frozen=True)
class ShareLine:
    """A link to an experiment's page as it was; `state` is open, expired or revoked."""

    id: int
    made: datetime
    by: str
    until: datetime
    used: datetime | None  # the last time
    state: Literal["open", "expired", "revoked"]


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


@dataclass(frozen=True)
class SharesPage:
    """The links of one experiment, and the one just made, which is shown this once.

    `mistake`: days (none of those to choose from), many (one has to be revoked first).
    """

    slug: str
    title: str
    shares: tuple[ShareLine, ...]
    link: str | None = None
    until: datetime | None = None  # of the one just made
    mistake: Literal["days", "many"] | None = None
    revoked: bool = False
    owner: str | None = None
    may_act: bool = True
    template = "share_list.html"


@dataclass(frozen=True)
class SharedPage:
    """An experiment's page as it was, for somebody without an account; `main` is HTML that we rendered."""

    title: str
    main: str
    made: datetime
    until: datetime
    template = "share.html"


@dataclass(frozen=True)
class ShareGonePage:
    """A link that opens nothing; `minutes` to wait, for an address that tried too many."""

    minutes: int = 0
    template = "share_gone.html"


@dataclass(frozen=True)
class MethodPage:
    """How Témoin compares, for who decides and who checks."""

    template = "method.html"


@dataclass(frozen=True)
class GlossaryPage:
    """The words that are used with care, each with its one meaning."""

    template = "glossary.html"


@dataclass(frozen=True)
class SiteMapPage:
    """Every page that the reader's role opens."""

    template = "site_map.html"


@dataclass(frozen=True)
class LookPage:
    """Each part that pages are made of, for who writes one."""

    template = "look.html"


@dataclass(frozen=True)
class AccessibilityPage:
    """The declaration of accessibility: whose it is, and where an obstacle is reported (empty: not said)."""

    template = "accessibility.html"
    CHECKED = date(2026, 11, 29)  # when what it says was last compared with the pages

    organisation: str = ""
    contact: str = ""

    @property
    def link(self) -> str:
        """The contact as an address to follow; empty for a telephone number."""
        if self.contact.startswith("https://"):
            return self.contact
        return f"mailto:{self.contact}" if "@" in self.contact and " " not in self.contact else ""


@dataclass(frozen=True)
class ApiParameter:
    """A parameter of an operation: `where` is `path` or `query`."""

    name: str
    where: str
    required: bool
    text: str = ""


@dataclass(frozen=True)
class ApiOperation:
    """One thing the API does, what is sent and what comes back as JSON, and how else it may answer."""

    method: str
    path: str
    summary: str
    parameters: tuple[ApiParameter, ...]
    body: str
    answer: str
    answers: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ApiNoun:
    """What the API does with one kind of thing."""

    name: str
    text: str
    operations: tuple[ApiOperation, ...]


@dataclass(frozen=True)
class ApiPage:
    """The API, from its OpenAPI description; `refusals` are what nearly every answer may be instead."""

    nouns: tuple[ApiNoun, ...]
    refusals: tuple[tuple[int, str], ...]
    template = "api.html"


# ---------------------------------------------------------------------------------------- the form


@dataclass(frozen=True)
class FormPage:
    """The questions of a room; `ask` is the running guardrail's question, shown with the first ones.

    `values` are what was ticked when the form comes back with an error; nothing is preselected otherwise.
    """

    slug: str
    name: str
    nonce: str
    key: str
    ask: Literal["discomfort", "temperature", "air", "hearing"] | None = None
    error: Literal["missing", "expired", "invalid", "fast"] | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    template = "form.html"


@dataclass(frozen=True)
class ThanksPage:
    """The answer is kept."""

    slug: str
    name: str
    template = "thanks.html"


Page = (
    ExperimentPage
    | ExperimentsPage
    | RoomsPage
    | ComparePage
    | RoomPage
    | LookPage
    | NoticePage
    | OwnerPage
    | PosterPage
    | HomePage
    | QuarantinePage
    | CausePage
    | ExportPage
    | ImportPage
    | ImportsPage
    | MappingPage
    | GatewaysPage
    | DeviceHealthPage
    | DevicePage
    | DevicesPage
    | RoomFactsPage
    | SitePage
    | SitesPage
    | SignInPage
    | CodePage
    | ResumePage
    | ForgottenPage
    | NewPasswordPage
    | ErrorPage
    | SharesPage
    | SharedPage
    | ShareGonePage
    | MethodPage
    | GlossaryPage
    | SiteMapPage
    | AccessibilityPage
    | AuditPage
    | PeoplePage
    | PersonPage
    | AccountPage
    | SecondFactorPage
    | ApiPage
    | FormPage
    | ThanksPage
)
