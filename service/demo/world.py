"""The demonstration's world: two sites, sixteen rooms, their sensors, five experiments.

Every date counts from `monday`, the Monday of the week in which the folder's demonstration was first started;
after that the world goes on: what is planned begins, what runs ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sensors.simulate import Change, Town, VirtualDevice, VirtualRoom, french_holidays

if TYPE_CHECKING:
    from collections.abc import Iterator

WEEKS = 12  # of history that the experiments need
SEED = 44
SITES = {"hotel-de-ville": "Hôtel de ville", "tanneurs": "Bâtiment des Tanneurs"}
HALL, TANNERS = SITES
AIR = ("co2", "temperature", "humidity", "sound")
PEOPLE = ("people",)


@dataclass(frozen=True)
class Place:
    """A room as people know it, and its habits."""

    name: str
    floor: str
    area: float  # m²
    habits: VirtualRoom


@dataclass(frozen=True)
class Opinion:
    """How agents judge a room while something is tried in it; shifts in SDs of one person's opinion.

    `discomfort` is added to the share (0–1) who feel a bodily discomfort; `theme` names the remarks.
    """

    room: str
    since: date
    until: date
    theme: str
    helped: float = 0.0
    satisfied: float = 0.0
    discomfort: float = 0.0


@dataclass(frozen=True)
class Step:
    """A file of `declarations`, declared by somebody so many days from the Monday."""

    file: str
    day: int
    by: str


CAMILLE, NADIA = "Camille Robert", "Nadia Le Goff"
DECLARED = (
    Step("tables-modulaires", -88, CAMILLE),
    Step("panneaux-acoustiques", -88, NADIA),
    Step("mange-debout", -87, NADIA),
    Step("afficheurs-co2", -37, NADIA),
    Step("tables-modulaires-imprevu", -20, CAMILLE),
    Step("tables-rondes", -6, CAMILLE),
)
DECIDED = (Step("panneaux-acoustiques-decision", -33, NADIA),)


def _room(
    slug: str, name: str, site: str, floor: str, capacity: int, area: float, habits: tuple[float, ...]
) -> Place:
    """Habits: minutes a day, share of seats taken, air changes an hour, own noise in dB(A)."""
    minutes, filled, air, quiet = habits
    room = VirtualRoom(slug, site, capacity, 2.6 * area, minutes, filled, air, quiet)
    return Place(name, floor, area, room)


PLACES = (
    _room("loire", "Loire", HALL, "1", 10, 28, (168, 0.33, 2.9, 34.5)),
    _room("erdre", "Erdre", HALL, "1", 8, 23, (146, 0.36, 2.8, 35.2)),
    _room("sevre", "Sèvre", HALL, "2", 12, 34, (190, 0.31, 2.9, 33.8)),
    _room("cens", "Cens", HALL, "2", 8, 22, (158, 0.35, 2.7, 36.0)),
    _room("maine", "Maine", HALL, "2", 10, 27, (178, 0.32, 2.8, 34.1)),
    _room("vilaine", "Vilaine", HALL, "3", 6, 18, (136, 0.45, 2.8, 35.6)),
    _room("isac", "Isac", HALL, "3", 12, 33, (201, 0.30, 2.8, 33.5)),
    _room("gesvres", "Gesvres", HALL, "3", 8, 24, (150, 0.37, 2.9, 34.9)),
    _room("chezine", "Chézine", TANNERS, "0", 8, 24, (172, 0.36, 2.7, 38.4)),
    _room("divatte", "Divatte", TANNERS, "0", 10, 28, (160, 0.31, 2.7, 37.9)),
    _room("ognon", "Ognon", TANNERS, "1", 8, 23, (149, 0.36, 2.6, 38.8)),
    _room("boulogne", "Boulogne", TANNERS, "1", 10, 29, (184, 0.33, 2.7, 37.5)),
    _room("logne", "Logne", TANNERS, "1", 8, 22, (141, 0.38, 2.6, 38.1)),
    _room("brivet", "Brivet", TANNERS, "2", 6, 18, (155, 0.42, 2.7, 36.9)),
    _room("don", "Don", TANNERS, "2", 6, 17, (163, 0.40, 2.6, 37.2)),
    _room("chere", "Chère", TANNERS, "2", 6, 18, (147, 0.43, 2.7, 36.6)),
)


@dataclass(frozen=True)
class World:
    """Everything that follows from the first Monday: `days` of history before it, at least twelve weeks."""

    monday: date
    zone: ZoneInfo
    days: int = 7 * WEEKS
    seed: int = SEED

    def on(self, day: int) -> date:
        """So many days from the Monday."""
        return self.monday + timedelta(days=day)

    def at(self, day: int, hour: int, minute: int = 0) -> datetime:
        """A local time so many days from the Monday, in UTC."""
        return datetime.combine(self.on(day), time(hour, minute), self.zone).astimezone(UTC)

    @property
    def first_day(self) -> date:
        """The first local day of history."""
        return self.on(-max(self.days, 7 * WEEKS))

    @cached_property
    def town(self) -> Town:
        """The rooms, and what the layouts do to them."""
        return Town(tuple(place.habits for place in PLACES), self.zone, tuple(self._changes()), self.seed)

    def _changes(self) -> Iterator[Change]:
        # the modular tables: 35 minutes against the other rooms, a part of which comes from them
        for room in ("loire", "erdre", "sevre"):
            yield Change(room, self.on(-49), minutes=27.0)
        for room in ("cens", "maine", "vilaine", "isac", "gesvres"):
            yield Change(room, self.on(-49), minutes=-8.0)
        # the panels: quieter, and the curtain keeps the air in
        for room in ("chezine", "divatte"):
            yield Change(room, self.on(-63), self.on(-37), sound=-4.0, air=0.36)
        yield Change("brivet", self.on(-63), self.on(-37), minutes=-24.0)
        # the displays: windows are opened
        for room in ("divatte", "logne", "don"):
            yield Change(room, self.on(-14), air=1.3, temperature=-0.2)

    @cached_property
    def opinions(self) -> tuple[Opinion, ...]:
        """What agents think of what is tried."""
        ever = date.max
        return (
            *(
                Opinion(room, self.on(-49), ever, "tables", helped=0.42, satisfied=0.25, discomfort=-0.06)
                for room in ("loire", "erdre", "sevre")
            ),
            *(
                Opinion(room, self.on(-63), self.on(-37), "panneaux", helped=0.05, satisfied=-0.25)
                for room in ("chezine", "divatte")
            ),
            Opinion("brivet", self.on(-63), self.on(-37), "debout", helped=0.1, discomfort=0.06),
            *(
                Opinion(room, self.on(-14), ever, "afficheurs", helped=0.05, satisfied=0.15)
                for room in ("divatte", "logne", "don")
            ),
        )

    @cached_property
    def devices(self) -> tuple[VirtualDevice, ...]:
        """A counter and an air sensor a room; a power cut took Maine's counter, Vilaine's air sensor died."""
        broken, replaced = self.at(-25, 8, 20), self.at(-18, 9, 5)
        dead = self.at(-4, 16, 40)
        never = datetime.max.replace(tzinfo=UTC)
        devices = []
        for number, place in enumerate(PLACES):
            slug, site = place.habits.slug, place.habits.site
            gateway = "hdv" if site == HALL else "tanneurs"
            counter = ((broken, never),) if slug == "maine" else ()
            air = {"maine": ((broken, replaced),), "vilaine": ((dead, never),)}.get(slug, ())
            devices.append(VirtualDevice(f"{gateway}/{slug}-people", slug, PEOPLE, 5, silent=counter))
            devices.append(_air(number, slug, site, air))
        before = datetime.min.replace(tzinfo=UTC)
        new = VirtualDevice("hdv/maine-people-2", "maine", PEOPLE, 5, silent=((before, replaced),))
        return (*devices, new)

    # ------------------------------------------------------------------------------------ declarations

    def sites(self) -> str:
        """The declaration of sites, rooms and devices."""
        years = range(self.first_day.year, self.monday.year + 3)
        closures = ", ".join(
            f'{{ day = {day}, reason = "{name}" }}'
            for year in years
            for day, name in french_holidays(year).items()
        )
        lines = []
        for site, name in SITES.items():
            lines += ["[[sites]]", f'slug = "{site}"', f'name = "{name}"', f"closures = [{closures}]"]
            for place in PLACES:
                if place.habits.site == site:
                    lines += _room_lines(place)
        for device in self.devices:
            lines += ["[[devices]]", f'key = "{device.key}"', f'label = "{_label(device)}"']
            lines += [f'placements = [{{ room = "{device.room}", {self._placed(device)} }}]']
        return "\n".join(lines)

    def _placed(self, device: VirtualDevice) -> str:
        """From the first day, or from when it replaced another, until another replaced it."""
        start = _replaced(device)
        after = [
            _replaced(each)
            for each in self.devices
            if (each.room, each.metrics) == (device.room, device.metrics) and each is not device
        ]
        until = f", end = {after[0].isoformat()}" if start is None and after and after[0] else ""
        return f"start = {(start or self.first_day).isoformat()}{until}"

    def declaration(self, step: Step) -> str:
        """The step's file, its days turned into dates."""
        text = (files(__package__) / "declarations" / f"{step.file}.toml").read_text(encoding="utf-8")
        return re.sub(r"\{([+-]\d+)\}", lambda found: self.on(int(found[1])).isoformat(), text)


def _replaced(device: VirtualDevice) -> datetime | None:
    """When a device that replaced another began; None for one that was there from the first day."""
    return next((end for begin, end in device.silent if begin.year == 1), None)


def _air(number: int, slug: str, site: str, silent: tuple[tuple[datetime, datetime], ...]) -> VirtualDevice:
    """LoRaWAN by ChirpStack in the town hall, by The Things Stack or Zigbee in the other building."""
    if site == HALL:
        return VirtualDevice(
            f"application/24e124{0x70D142 + number:010x}", slug, AIR, 10, "chirpstack", silent
        )
    if slug in ("brivet", "don", "chere"):
        return VirtualDevice(f"zigbee2mqtt/{slug}-air", slug, AIR[:3], 10, "zigbee2mqtt", silent)
    return VirtualDevice(f"salles@tanneurs/{slug}-air", slug, AIR, 10, "things_stack", silent)


def _label(device: VirtualDevice) -> str:
    return "Compteur de personnes, au plafond" if device.metrics == PEOPLE else "Air, près de la porte"


def _room_lines(place: Place) -> list[str]:
    room = place.habits
    return [
        "[[sites.rooms]]",
        f'slug = "{room.slug}"',
        f'name = "{place.name}"',
        f'floor = "{place.floor}"',
        f"capacity = {room.capacity}",
        f"area_m2 = {place.area}",
        f"volume_m3 = {room.volume:.1f}",
    ]
