"""The demonstration's past: measured, decoded, kept and computed like anything a gateway sends.

Days are made alone and are always the same, so that half a history that was interrupted is simply made again,
and a demonstration that was stopped for a night or a month catches up the same way.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from sensors.reading import Message
from sensors.simulate import batched, measured
from service import outcomes, results, river
from service.declare import declare
from service.demo import voices
from service.demo.world import DECIDED, DECLARED, Step
from service.registry import devices, experiments
from service.registry.tables import Answer, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.orm import Session

    from sensors.simulate import RoomDay
    from sensors.store import ReadingStore
    from service.demo.world import World
    from service.registry import Registry
    from service.settings import Settings

LANDING = "demo"  # the name under which history's refused payloads wait
DAY = timedelta(days=1)
HOUR = 18  # at which things are declared and decided


class History:
    """Fills one installation with the past of one world, up to the instant `until` (aware)."""

    def __init__(
        self, settings: Settings, registry: Registry, store: ReadingStore, world: World, until: datetime
    ) -> None:
        self._settings, self._registry, self._store = settings, registry, store
        self._world, self._until = world, until
        self._sieve = river.sieve(settings, registry)
        self._today = until.astimezone(world.zone).date()

    def every_day(self) -> list[date]:
        """The local days of the whole past, today included."""
        return self._days(self._world.first_day)

    def missing(self) -> list[date]:
        """The local days since the last reading of the sensor that is behind, today included."""
        alive = [device.key for device in self._world.devices if device.speaks(self._until)]
        heard = self._store.latest(alive).groupby("device")["time"].max()
        if len(heard) < len(alive):
            return self.every_day()
        return self._days(heard.min().to_pydatetime().astimezone(self._world.zone).date())

    def declare(self, steps: Iterable[Step] = DECLARED) -> None:
        """Sites, rooms, sensors, then what was declared, each on its day by its author; twice is harmless."""
        with self._registry.session() as session:
            first = self._world.at(min(step.day for step in DECLARED) - 7, HOUR)
            declare(session, self._world.sites(), "Camille Robert", first, self._world.zone)
        for step in steps:
            self._step(step)

    def make(self, days: Sequence[date], told: Callable[[], None], *, alone: bool = True) -> None:
        """Readings, outcomes and answers of these days, one after the other.

        Unless `alone`, another process makes the day before the first: that day's outcomes are left.
        """
        for day in days:
            made = {room.slug: self._world.town.day(room, day) for room in self._world.town.rooms}
            sifted = self._sieve.sift(enumerate(self._messages(made)), most=sys.maxsize)
            self._store.write(sifted.readings)
            with self._registry.session() as session:
                devices.note_seen(session, sifted.seen)
                if day < self._today:
                    self._answer(session, day, made.values())
                    if alone or day != days[0]:
                        outcomes.compute_day(session, self._store, day, self._world.zone)
            told()

    def compute(self, day: date) -> None:
        """The outcomes of one day."""
        with self._registry.session() as session:
            outcomes.compute_day(session, self._store, day, self._world.zone)

    def puzzle(self) -> None:
        """A few payloads of the kinds that real gateways send and nobody can read."""
        sifted = self._sieve.sift(enumerate(_oddities(self._world), 1), most=sys.maxsize)
        self._store.write(sifted.readings)
        river.RegistryQuarantine(self._registry).put(LANDING, sifted.refusals)

    def conclude(self) -> None:
        """Take the looks that were due, each on the day after its experiment, then enter the decisions."""
        now = datetime.now(UTC)
        for _day in outcomes.compute_stale(self._registry, self._store, self._world.zone, now):
            pass
        with self._registry.session() as session:
            for experiment in experiments.everything(session):
                if experiment.ends is None or experiment.ends >= self._today:
                    continue
                after = experiment.ends + DAY
                at = datetime.combine(after, datetime.min.time(), self._world.zone) + timedelta(minutes=7)
                results.take_look(session, experiment, at.astimezone(UTC), after)
        for step in DECIDED:
            self._step(step)

    def _step(self, step: Step) -> None:
        at = self._world.at(step.day, HOUR, 12)
        with self._registry.session() as session:
            declare(session, self._world.declaration(step), step.by, at, self._world.zone)

    def _days(self, first: date) -> list[date]:
        return [first + n * DAY for n in range((self._today - first).days + 1)]

    def _messages(self, made: dict[str, RoomDay]) -> Iterable[Message]:
        """One a device: what its gateway had in memory at the end of the day, or until now."""
        for device in self._world.devices:
            found = measured(self._world.town, device, made[device.room])
            kept = [each for each in found if each.time < self._until]
            if kept:
                yield batched(device, kept, kept[-1].time)

    def _answer(self, session: Session, day: date, made: Iterable[RoomDay]) -> None:
        """The day's answers, unless there are some."""
        if session.scalar(select(Answer.id).where(Answer.day == day).limit(1)) is not None:
            return
        ids = {slug: key for key, slug in session.execute(select(Room.id, Room.slug))}
        rows = [
            {"room_id": ids[room.room.slug], "flagged": False, **answer}
            for room in made
            for answer in voices.answers(self._world, room)
        ]
        if rows:
            session.execute(insert(Answer), rows)


def _oddities(world: World) -> list[Message]:
    """Payloads as they happen: a probe unplugged, a codec forgotten, a clock never set, half a message."""
    codec = {
        "deviceInfo": {"devEui": "a81758fffe0544c1", "deviceName": "nouveau-capteur"},
        "time": world.at(-2, 9, 14).isoformat(),
        "fCnt": 3,
        "data": "AWcBEAJoWwMDAkE=",
    }
    probe = {"temperature": 327.67, "humidity": 44.1, "linkquality": 76, "battery": 12}
    starting = {"people": 65535, "co2": 604}
    uplink = {
        "end_device_ids": {"device_id": "porte-cour"},
        "uplink_message": {
            "f_cnt": 18,
            "decoded_payload": {"alarm": 0, "open_times": 41},
            "received_at": world.at(-5, 8, 2).isoformat(),
        },
    }
    written = (
        ("zigbee2mqtt/accueil-air", probe, -6, 14, 20),
        ("zigbee2mqtt/accueil-air", probe, -6, 14, 30),
        ("application/17c82e96/device/a81758fffe0544c1/event/up", codec, -2, 9, 14),
        ("temoin/hdv/ecran-hall", {"time": 1234, "readings": {"light": 310}}, -9, 7, 58),
        ("temoin/hdv/maine-people-2", {"seq": 1, "readings": starting}, -18, 9, 6),
        ("v3/salles@tanneurs/devices/porte-cour/up", uplink, -5, 8, 2),
        ("temoin/tanneurs/atelier", {"readings": {"co2": 655, "temprature": 21.2}}, -3, 10, 41),
    )
    odd = [Message(topic, json.dumps(body).encode(), world.at(*at)) for topic, body, *at in written]
    cut = b'{"time": "2026-03-02T09:15:00Z", "readings": {"co2": 61'
    return [*odd, Message("temoin/tanneurs/passerelle-2", cut, world.at(-4, 3, 12))]
