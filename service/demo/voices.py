"""What agents say on leaving the virtual rooms: anonymous answers whose shares follow what is tried there."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from sensors.simulate.town import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from sensors.simulate import RoomDay, VirtualRoom
    from sensors.simulate.town import Meeting
    from service.demo.world import Opinion, World

RATE = 0.235  # of those present who answer
USUAL_ANSWERS = 4  # of a room on a working day
CUTS = (-2.1, -1.5, -0.9, -0.2, 0.6, 1.5)  # between the marks 1 to 7, in SDs of one person's opinion
ACHES, CLEAR_ACHES = 0.12, 0.04  # share who feel a discomfort, and a clear one
UNSAID, SKIPPED = 0.06, 0.12  # share who would rather not say, and who leave the further questions
REMARKS = 0.09  # share who write something
COOLER, WARMER, PER_DEGREE = 0.22, 0.17, 0.12  # who would have it so at 22 °C, and a degree further on
ON_TOPIC = 0.8  # share of the remarks that are about what is tried
BANDS = ((2, "1-2"), (5, "3-5"), (10, "6-10"))
STEPS = tuple(sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29))
NORMAL = NormalDist()


class Draws(NamedTuple):
    """One person's place, 0 to 1, in each question."""

    satisfaction: float
    helped: float
    temperature: float
    air: float
    hearing: float
    discomfort: float
    worth: float
    further: float
    remark: float
    which: float


def answers(world: World, room: RoomDay) -> Iterator[dict[str, Any]]:
    """The answers of a room's day, as columns of the registry's table but the room."""
    chance = world.town.chance(f"voices:{room.room.slug}", room.day)
    present = sum(meeting.people for meeting in room.meetings)
    count = int(present * RATE + chance.random())
    tried = _opinion(world, room.room, room.day)
    for number in range(count):
        meeting = room.meetings[int(chance.integers(len(room.meetings)))]
        yield _answer(world, room, meeting, tried, _draws(world.seed, room.room.slug, room.day, number))


def _answer(
    world: World, room: RoomDay, meeting: Meeting, tried: Opinion | None, draws: Draws
) -> dict[str, Any]:
    last = min(meeting.start + meeting.length, len(room.people)) - 1
    liked = _mood(room.room.slug)
    helped = liked + (tried.helped if tried else 0.0)
    satisfied = liked + (tried.satisfied if tried else 0.0)
    further = draws.further >= SKIPPED
    return {
        "day": room.day,
        "hour": _hour(world, room, last),
        "satisfaction": _mark(draws.satisfaction, satisfied),
        "helped": _mark(draws.helped, helped) if further else None,
        "temperature": _wish(draws.temperature, float(room.temperature[last])) if further else None,
        "air": _mark(draws.air, (900.0 - float(room.co2[last])) / 400.0) if further else None,
        "hearing": _mark(draws.hearing, (37.0 - float(room.sound.min())) / 6.0) if further else None,
        "discomfort": _ache(draws.discomfort, tried.discomfort if tried else 0.0),
        "worth": min(5, max(1, round(_mark(draws.worth, 0.2) * 5 / 7))) if further else None,
        "group_size": next((band for most, band in BANDS if meeting.people <= most), "11+"),
        "remark": _remark(draws, tried.theme if tried else "tous"),
    }


def _draws(seed: int, room: str, day: date, number: int) -> Draws:
    """A Kronecker sequence a question over the room's answers: a hundred already have the shares meant.

    Independent draws would move a share of 12 % by three points, and the demonstration's verdicts with it.
    """
    start = crc32(f"{seed} {room}".encode()) / 2**32
    place = day.toordinal() * USUAL_ANSWERS + number
    return Draws(*((start * (axis + 1) + step * place + axis / 7) % 1 for axis, step in enumerate(STEPS)))


def _opinion(world: World, room: VirtualRoom, day: date) -> Opinion | None:
    held = (each for each in world.opinions if each.room == room.slug and each.since <= day < each.until)
    return next(held, None)


def _mood(slug: str) -> float:
    """How much a room is liked as it is, in SDs."""
    return (crc32(slug.encode()) % 100 - 50) / 250


def _mark(draw: float, shift: float) -> int:
    """1 to 7 from a person's place among people, all of them moved by `shift`."""
    felt = NORMAL.inv_cdf(min(max(draw, 1e-6), 1 - 1e-6)) + shift
    return 1 + sum(felt > cut for cut in CUTS)


def _ache(draw: float, more: float) -> str:
    if draw > 1 - UNSAID:
        return "unsaid"
    if draw < CLEAR_ACHES:
        return "clear"
    return "slight" if draw < ACHES + more else "none"


def _wish(draw: float, degrees: float) -> str:
    warm = PER_DEGREE * (degrees - 22.0)
    if draw < COOLER + warm:
        return "cooler"
    return "warmer" if draw > 1 - WARMER + warm else "same"


def _hour(world: World, room: RoomDay, slot: int) -> int:
    return (room.start + timedelta(minutes=SLOT * (slot + 1))).astimezone(world.zone).hour


def _remark(draws: Draws, theme: str) -> str | None:
    if draws.remark >= REMARKS:
        return None
    known = _remarks()
    choice = known[theme if draws.which < ON_TOPIC else "tous"]
    return choice[int(draws.which * 997) % len(choice)]


@cache
def _remarks() -> dict[str, list[str]]:
    text = (files(__package__) / "remarks.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
