"""A city's own Témoin, small and complete: rooms, readings, answers, an experiment at each stage of its life."""
# ruff: noqa: E501 - a fact a line, read as a table

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from experiments.panel import DayOutcome
from sensors.move import Refusal
from sensors.reading import Message, Reading
from sensors.store import ReadingStore
from service import results
from service.registry import Registry, experiments, outcomes, quarantine
from service.registry.tables import (
    Answer,
    Arm,
    Cost,
    Decision,
    Deviation,
    Experiment,
    Measure,
    Room,
    Site,
)
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

ZONE = ZoneInfo("Europe/Paris")
TODAY = datetime.now(ZONE).date()
NAMES = (
    "Loire",
    "Erdre",
    "Sèvre",
    "Cens",
    "Maine",
    "Vilaine",
    "Isac",
    "Gesvres",
    "Divatte",
    "Ognon",
    "Chère",
    "Don",
    "Brivet",
    "Boulogne",
)
SLUGS = tuple(name.lower().replace("è", "e") for name in NAMES)
RUNNING_ROOMS = SLUGS[8:12]
SWITCHED = TODAY - timedelta(days=20)  # the running experiment's change


@dataclass
class World:
    """The installation under test."""

    settings: Settings
    registry: Registry
    store: ReadingStore
    token: str


def working_days(first: date, last: date) -> list[date]:
    """Mondays to Fridays."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.isoweekday() <= 5]


def monday(weeks_ago: int) -> date:
    """A Monday so many weeks ago."""
    return TODAY - timedelta(days=TODAY.weekday() + 7 * weeks_ago)


def _experiment(
    slug: str, rooms: list[Room], treated: int, starts: date, switch: date, ends: date, **more: object
) -> Experiment:
    facts = {
        "title": f"Essai {slug}", "declared_at": datetime.combine(starts, datetime.min.time(), UTC) - timedelta(days=9),
        "washout": 0, "assignment": "lot", "sheet": {"idea": "Des tables qui se plient", "people": "300 par semaine", "rooms_after": 41},
        "measures": [
            Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0),
            Measure(outcome="co2_occupied", role="guardrail", better="lower", margin=150.0, position=1),
            Measure(outcome="helped", role="secondary", better="higher", position=3),
        ],
        "costs": [Cost(kind="actual", label="Tables", euros=6240.0, hours=12.0), Cost(kind="planned", label="Tables", euros=6000.0)],
        "deviations": [Deviation(day=switch, what="Capteur remplacé", entered_by="Camille", entered_at=datetime.now(UTC))],
    } | more  # fmt: skip
    return Experiment(
        slug=slug, starts=starts, ends=ends,
        arms=[Arm(room=room, switch=switch if i < treated else None) for i, room in enumerate(rooms)],
        **facts,
    )  # fmt: skip


def declare(session: Session) -> None:
    """Sites, rooms, experiments, outcomes, answers, one payload in quarantine."""
    site = Site(slug="mairie", name="Hôtel de ville")
    rooms = [
        Room(slug=slug, name=name, site=site, capacity=10, floor="2")
        for slug, name in zip(SLUGS, NAMES, strict=True)
    ]
    session.add_all(rooms)
    starts, switch, ends = monday(14), monday(10), monday(5) - timedelta(days=1)
    done = _experiment("tables", rooms[:8], 3, starts, switch, ends)
    aches = Measure(outcome="discomfort", role="guardrail", better="lower", margin=8.0, position=2)
    running = _experiment("ecrans", rooms[8:12], 2, monday(7), SWITCHED, TODAY + timedelta(days=14))
    running.measures.append(aches)
    planned = _experiment(
        "assises",
        rooms[:8],
        3,
        TODAY + timedelta(days=3),
        TODAY + timedelta(days=40),
        TODAY + timedelta(days=80),
    )
    free = _experiment("coin", rooms[12:13], 1, starts, switch, ends, measures=[])
    decided = _experiment(
        "cloisons", rooms[:3], 1, monday(30), monday(26), monday(20),
        decision=Decision(choice="adjust", body="Comité de direction", decided_on=monday(18), reason="Trop peu de salles.",
                          lessons="En prendre huit.", entered_by="Camille", entered_at=datetime.now(UTC)),
    )  # fmt: skip
    idea = Experiment(
        slug="debout",
        title="Sièges assis-debout",
        declared_at=datetime.now(UTC),
        sheet={"idea": "Rester debout"},
    )
    every = [done, running, planned, free, decided, idea]
    session.add_all(every)
    session.flush()
    for each in (done, running):
        experiments.lock(session, each, "Camille", datetime.now(UTC))
    _measure(session)
    session.add_all(_answers(rooms))
    session.flush()
    results.take_look(session, done, datetime.now(UTC), TODAY)
    missing = Message("zigbee2mqtt/loire", b'{"temperature": 327.67}', datetime.now(UTC))
    why = "sentinel: temperature: 327.67 is what a missing probe says"
    quarantine.put(session, "serve", [Refusal(1, missing, why)])


def _measure(session: Session) -> None:
    rng = np.random.default_rng(7)
    for day in working_days(monday(31), TODAY - timedelta(days=1)):
        found = []
        for i, slug in enumerate(SLUGS):
            gain = 35.0 if slug in SLUGS[:3] and day >= monday(10) else 0.0
            found += [
                DayOutcome(slug, day, "occupied_minutes", 1, 170 + 3 * i + gain + rng.normal(0, 12), 0.95),
                DayOutcome(slug, day, "time_utilisation", 1, 30 + rng.normal(0, 4), 0.95),
                DayOutcome(
                    slug, day, "co2_occupied", 1, 720 + rng.normal(0, 25), 0.5 if day.day == 3 else 0.95
                ),
            ]
        outcomes.replace_day(session, day, found)


def _answers(rooms: list[Room]) -> Iterator[Answer]:
    for n, day in enumerate(working_days(monday(14), TODAY - timedelta(days=1))[::2]):
        for i, room in enumerate(rooms):
            better = i < 3 and day >= monday(10)
            yield Answer(
                room_id=room.id, day=day, hour=10, satisfaction=4 + better + (n + i) % 2, helped=3 + better + (5 * n + 3 * i) % 4 // 2 + (n * n + i) % 3,
                temperature=("cooler", "same", "warmer")[(n + i) % 3], discomfort=("none", "none", "slight")[n % 3],
                remark="La prise est trop loin." if n % 9 == 0 else None,
            )  # fmt: skip


def readings(now: datetime) -> Iterator[Reading]:
    """Thirty hours of three metrics in the rooms that have a device."""
    for slug in SLUGS[:12]:
        for minutes in range(0, 60 * 30, 10):
            at = (now - timedelta(minutes=minutes)).replace(microsecond=0)
            for metric, value, unit in (
                ("co2", 612.0 + minutes % 70, "ppm"),
                ("temperature", 21.5, "°C"),
                ("people", float(minutes % 40 < 20), "people"),
            ):
                yield Reading(f"city/{slug}", metric, value, unit, at, "device", "city", None)
