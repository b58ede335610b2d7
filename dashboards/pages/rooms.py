"""Rooms by week, side by side, one by one; what is pinned at their doors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from experiments.profile import Profile


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
