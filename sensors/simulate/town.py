"""Meeting rooms that do not exist: who meets in them, and what that does to the air, the warmth, the noise.

Everything follows from (seed, room, local day): any day can be made alone, in any order, in any process,
and is the same again. Five-minute slots from local midnight; a day has 23, 24 or 25 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from math import cos, exp, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sensors.simulate.holidays import french_holidays

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Floats = NDArray[np.float64]
SLOT = 5  # minutes
SLOTS_AN_HOUR = 60 // SLOT
OPENS, CLOSES = time(8), time(19)

OUTDOOR_CO2 = 420.0  # ppm
BREATH = 0.020  # m³ of CO2 an hour and person, sitting (facts: 20 L/h)
WARMED, SET_BACK = 21.4, 18.8  # °C while heated for people, and at night
HEATING_HOURS = (time(6), time(19))
ROOM_MEMORY, BODY_MEMORY = 6.0, 1.5  # hours in which a room forgets what heating, and people, did
WARMTH_A_PERSON = 0.10  # °C in the long run
SPEECH, SPEECH_A_DOUBLING = 51.0, 1.0  # dB(A) for one person talking, and for each doubling of the group

WEEKDAYS = (0.92, 1.08, 0.98, 1.10, 0.84)  # Monday to Friday, of the usual demand
LENGTHS, SHARES = (6, 9, 12, 18, 24), (0.22, 0.15, 0.35, 0.18, 0.10)  # slots of a meeting
SHORTEST = 3  # slots: less is added to the meeting before
MEMORY = 24  # days after which a shock to the demand is forgotten


@dataclass(frozen=True)
class VirtualRoom:
    """A room and its habits.

    `minutes` is how long it is occupied on a usual working day, `filled` the share of further seats that
    people take beyond two, `air_changes` what the ventilation does an hour, `quiet` its own noise in dB(A).
    """

    slug: str
    site: str
    capacity: int
    volume: float  # m³
    minutes: float = 170.0
    filled: float = 0.3
    air_changes: float = 2.6
    quiet: float = 34.0


@dataclass(frozen=True)
class Change:
    """What a layout does to a room, from its first day until before another: an effect of known size.

    Added: `minutes` a day, `sound` in dB(A) to the empty room's noise, `temperature` in °C. Multiplied:
    the ventilation by `air`.
    """

    room: str
    since: date
    until: date = date.max
    minutes: float = 0.0
    air: float = 1.0
    sound: float = 0.0
    temperature: float = 0.0

    def holds(self, room: str, day: date) -> bool:
        """Whether it is in the room on this day."""
        return room == self.room and self.since <= day < self.until


class Meeting(NamedTuple):
    """First slot of the day, slots, people."""

    start: int
    length: int
    people: int


@dataclass(frozen=True)
class RoomDay:
    """One room over one local day: a value a slot from `start` (UTC), people as whole numbers."""

    room: VirtualRoom
    day: date
    start: datetime
    meetings: tuple[Meeting, ...]
    people: Floats
    co2: Floats
    temperature: Floats
    humidity: Floats
    sound: Floats


@dataclass(frozen=True)
class Town:
    """Rooms, what is tried in them, and the seed of all chance. `zone` is that of local days."""

    rooms: tuple[VirtualRoom, ...]
    zone: ZoneInfo
    changes: tuple[Change, ...] = ()
    seed: int = 1

    def working(self, day: date) -> bool:
        """Whether people come to work: Monday to Friday, no public holiday."""
        return day.isoweekday() <= len(WEEKDAYS) and day not in french_holidays(day.year)

    def day(self, room: VirtualRoom, day: date) -> RoomDay:
        """What this room was like on this day."""
        rng = self.chance(room.slug, day)
        start = datetime.combine(day, time(), self.zone).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)
        slots = (end - start) // timedelta(minutes=SLOT)
        meetings = self._meetings(room, day, rng)
        people = np.zeros(slots)
        for meeting in meetings:
            people[meeting.start : meeting.start + meeting.length] = meeting.people
        return RoomDay(
            room=room,
            day=day,
            start=start,
            meetings=meetings,
            people=people,
            co2=self._co2(room, day, people, rng),
            temperature=self._temperature(room, day, people, rng),
            humidity=self._humidity(room, day, people, rng),
            sound=self._sound(room, day, people, rng),
        )

    def chance(self, name: str, day: date) -> np.random.Generator:
        """The generator of one thing on one day."""
        return np.random.default_rng((self.seed, crc32(name.encode()), day.toordinal()))

    def slot(self, day: date, at: time) -> int:
        """Slots between local midnight and a local time, whatever the clocks did that night."""
        midnight, moment = (datetime.combine(day, each, self.zone).astimezone(UTC) for each in (time(), at))
        return int((moment - midnight) // timedelta(minutes=SLOT))

    def _changes(self, room: VirtualRoom, day: date) -> Sequence[Change]:
        return [change for change in self.changes if change.holds(room.slug, day)]

    # ------------------------------------------------------------------------------------------- people

    def demand(self, room: VirtualRoom, day: date) -> float:
        """Minutes of meetings wanted on a working day: the site's mood, the room's own, what is tried."""
        usual = room.minutes * WEEKDAYS[day.weekday()]
        site = 1 + 0.07 * self._mood(f"demand:{room.site}", day)
        own = 13.0 * self._mood(f"demand:{room.slug}", day, memory=0.3)
        return usual * site + own + sum(change.minutes for change in self._changes(room, day))

    def _meetings(self, room: VirtualRoom, day: date, rng: np.random.Generator) -> tuple[Meeting, ...]:
        if not self.working(day):
            return ()
        opens, closes = self.slot(day, OPENS), self.slot(day, CLOSES)
        wanted = round(min(max(self.demand(room, day), 30.0), 0.9 * SLOT * (closes - opens)) / SLOT)
        lengths = _lengths(wanted, rng)
        gaps = rng.dirichlet([1.6, *[1.0] * (len(lengths) - 1), 2.2]) * (closes - opens - sum(lengths))
        starts = opens + np.floor(gaps.cumsum()[:-1]).astype(int) + np.cumsum([0, *lengths[:-1]])
        return tuple(map(Meeting, starts.tolist(), lengths, _groups(room, len(lengths), rng)))

    def _mood(self, name: str, day: date, memory: float = 0.6) -> float:
        """AR(1) over days, of variance one, from the shocks of the last days only."""
        last = day.toordinal()
        shocks = (memory**ago * _shock(self.seed, name, last - ago) for ago in range(MEMORY))
        return sqrt(1 - memory**2) * sum(shocks)

    def _drift(self, name: str, day: date, slots: int) -> Floats:
        """A mood that goes from one midnight's to the next one's without a jump."""
        moods = self._mood(name, day), self._mood(name, day + timedelta(days=1))
        return np.linspace(*moods, slots, endpoint=False)

    # ---------------------------------------------------------------------------------------------- air

    def _co2(self, room: VirtualRoom, day: date, people: Floats, rng: np.random.Generator) -> Floats:
        """Mass balance: V dC/dt = G·people − Q (C − outdoor), solved exactly over each slot."""
        air = room.air_changes * (1 + 0.04 * self._mood(f"air:{room.slug}", day))
        for change in self._changes(room, day):
            air *= change.air
        kept = exp(-air / SLOTS_AN_HOUR)
        risen = 1e6 * BREATH * people / (air * room.volume) * (1 - kept)
        excess = accumulate(risen.tolist(), lambda level, rise: level * kept + rise)
        return OUTDOOR_CO2 + np.fromiter(excess, float, len(people)) + 6.0 * rng.standard_normal(len(people))

    def _humidity(self, room: VirtualRoom, day: date, people: Floats, rng: np.random.Generator) -> Floats:
        season = -5.0 * cos(2 * pi * (day.timetuple().tm_yday - 30) / 365.25)
        level = 44.0 + season + 3.0 * self._drift(f"damp:{room.site}", day, len(people))
        breath = _faded(0.6 * people, BODY_MEMORY)
        return np.clip(level + breath + 0.4 * rng.standard_normal(len(people)), 15.0, 85.0)

    # ------------------------------------------------------------------------------------------- warmth

    def outdoors(self, day: date) -> float:
        """Mean outdoor temperature of a day, °C: a mild oceanic year and its weather."""
        season = -7.0 * cos(2 * pi * (day.timetuple().tm_yday - 20) / 365.25)
        return 12.8 + season + 2.2 * self._mood("weather", day, memory=0.7)

    def _temperature(self, room: VirtualRoom, day: date, people: Floats, rng: np.random.Generator) -> Floats:
        """Heated towards its set point, free in the warm season; yesterday is still in the walls."""
        yesterday = day - timedelta(days=1)
        aims = np.concatenate([self._aims(yesterday)[-12 * SLOTS_AN_HOUR :], self._aims(day, len(people))])
        walls = _faded(aims, ROOM_MEMORY, first=float(aims[0]))[-len(people) :]
        own = 0.25 * self._drift(f"warmth:{room.slug}", day, len(people))
        tried = sum(change.temperature for change in self._changes(room, day))
        bodies = _faded(WARMTH_A_PERSON * people, BODY_MEMORY)
        return walls + bodies + own + tried + 0.05 * rng.standard_normal(len(people))

    def _aims(self, day: date, slots: int = 24 * SLOTS_AN_HOUR) -> Floats:
        """What the heating and the weather pull a room towards."""
        free = 14.5 + 0.5 * self.outdoors(day)
        aims = np.full(slots, max(SET_BACK, free))
        if self.working(day):
            on, off = (self.slot(day, at) for at in HEATING_HOURS)
            # warmed up two hours early, and by more than it should be: people find it warm at eight
            aims[on:off] = max(WARMED, free) + 0.6
        return aims

    # -------------------------------------------------------------------------------------------- noise

    def _sound(self, room: VirtualRoom, day: date, people: Floats, rng: np.random.Generator) -> Floats:
        """LAeq of each slot: the room's own noise and, where people are, their talk, added as energies."""
        own = room.quiet + 0.5 * self._mood(f"street:{room.site}", day)
        own += 0.3 * self._mood(f"quiet:{room.slug}", day, memory=0.3)
        own += sum(change.sound for change in self._changes(room, day))
        levels = own + 0.7 * rng.standard_normal(len(people))
        if self.working(day):
            on, off = (self.slot(day, at) for at in HEATING_HOURS)
            levels[on:off] += 1.5  # the ventilation
        talk = SPEECH + SPEECH_A_DOUBLING * np.log2(np.maximum(people, 1.0))
        talk += 1.8 * rng.standard_normal(len(people))
        louder = 10 * np.log10(10 ** (levels / 10) + 10 ** (talk / 10))
        return np.where(people > 0, louder, levels)


def small_town(count: int, zone: ZoneInfo, seed: int = 1) -> Town:
    """So many unlike rooms of one site, where nothing is tried."""
    rooms = (
        VirtualRoom(
            slug=f"room-{number:02d}",
            site="town-hall",
            capacity=6 + 2 * (number % 4),
            volume=45.0 + 12.0 * (number % 4),
            minutes=140.0 + 15.0 * (number % 5),
            quiet=33.0 + number % 4,
        )
        for number in range(1, count + 1)
    )
    return Town(tuple(rooms), zone, seed=seed)


def _lengths(wanted: int, rng: np.random.Generator) -> list[int]:
    """Lengths of meetings that make `wanted` slots together."""
    lengths: list[int] = []
    while wanted > 0:
        length = min(int(rng.choice(LENGTHS, p=SHARES)), wanted)
        if length < SHORTEST and lengths:
            lengths[-1] += length
        else:
            lengths.append(length)
        wanted -= length
    return lengths


def _groups(room: VirtualRoom, count: int, rng: np.random.Generator) -> list[int]:
    """People of each meeting: two and a share of the other seats, small groups and large ones every day."""
    parts = (rng.permutation(count) + rng.random(count)) / count
    further = (room.capacity - 2) * room.filled * (0.3 + 1.4 * parts)
    whole: list[int] = (
        np.floor(np.minimum(2 + further + rng.random(count), room.capacity)).astype(int).tolist()
    )
    return whole


def _faded(pushes: Iterable[float], hours: float, first: float = 0.0) -> Floats:
    """What is left of pushes that are forgotten in so many hours; a lasting push is reached in the end."""
    kept = exp(-1 / (hours * SLOTS_AN_HOUR))
    levels = accumulate(pushes, lambda level, push: level * kept + push * (1 - kept), initial=first)
    return np.fromiter(levels, float)[1:]


@lru_cache(maxsize=65_536)
def _shock(seed: int, name: str, ordinal: int) -> float:
    return float(np.random.default_rng((seed, crc32(name.encode()), ordinal, 7)).standard_normal())
