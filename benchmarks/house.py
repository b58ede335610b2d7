"""Server time of every page in a large house: 50 rooms × a year, 200 experiments, 100,000 answers.

    python benchmarks/house.py [postgresql://…]     without an address, on SQLite

Prints of each page and each answer of the API the median milliseconds of 9 requests, those of this process
alone (what a busy machine leaves as they are; without the time of PostgreSQL), its database queries, its size
as compressed.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import event, insert

from experiments.outcomes import OUTCOMES
from experiments.reason import ExperimentError
from service import results
from service.app import create_app
from service.logs import configure_logs
from service.registry import Registry, experiments, users
from service.registry.tables import (
    Answer,
    Arm,
    Decision,
    Device,
    DeviceDay,
    Experiment,
    Measure,
    Outcome,
    Placement,
    QuarantineCause,
    QuarantineEntry,
    Room,
    Site,
)
from service.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.orm import Session

NOW = datetime.now(UTC)
TODAY = NOW.date()
FIRST = TODAY - timedelta(days=364)
ROOMS, TRIALS, ANSWERS, DEVICES, PLACED, WAITING = 50, 200, 100_000, 2000, 250, 100_000
REQUESTS = 9
NAMED = {
    "{cause}": "1",
    "{number}": "1",
    "{key:path}": "g/d7",
    "/site/{slug}": "/site/site-0",
    "/experiments/{slug}": "/experiments/essai-0",
    "{slug}": "salle-3",
}
ASKED = {
    "/device": ["?key=g/d7"],
    "/device/photo": [],
    "/devices": ["", "?page=12"],
    "/rooms/compare": ["?room=salle-0&room=salle-1&room=salle-2"],
    "/rooms/{slug}": ["", "?span=day"],
}
MORE = ("/experiments/essai-120", "/experiments/essai-199")  # running, planned


def addresses(app: FastAPI) -> list[str]:
    """Every page and every answer of the API that is only looked at; none that a secret opens."""
    found = list(MORE)
    for each in iter_route_contexts(app.routes):
        if "GET" not in (each.methods or ()):
            continue
        path = each.path or ""
        for name, value in NAMED.items():
            path = path.replace(name, value)
        found += [path + query for query in ASKED.get(each.path or "", [""]) if "{" not in path]
    return sorted(set(found))


def fill(session: Session) -> list[Experiment]:
    """Everything but what is measured of experiments."""
    rng = np.random.default_rng(7)
    sites = [Site(slug=f"site-{n}", name=f"Bâtiment {n}") for n in range(5)]
    rooms = [
        Room(slug=f"salle-{n}", name=f"Salle {n}", site=sites[n % 5], floor=str(n % 4), capacity=6 + n % 9)
        for n in range(ROOMS)
    ]
    session.add_all(rooms)
    session.flush()
    days = [FIRST + timedelta(days=n) for n in range(364)]
    days = [day for day in days if day.isoweekday() <= 5]  # noqa: PLR2004 - Friday
    keys = [key for key, definition in OUTCOMES.items() if definition.family != "voice"]
    for room in rooms:
        rows = [
            {"room_id": room.id, "outcome": key, "day": day, "version": 1, "value": value, "coverage": 0.95}
            for key in keys
            for day, value in zip(days, rng.normal(200, 20, len(days)), strict=True)
        ]
        session.execute(insert(Outcome), rows)
    session.execute(
        insert(Answer),
        [
            {
                "room_id": rooms[n % ROOMS].id,
                "day": days[int(at)],
                "hour": 10,
                "satisfaction": int(score),
                "helped": None,
            }
            for n, (at, score) in enumerate(
                zip(rng.integers(0, len(days), ANSWERS), rng.integers(1, 8, ANSWERS), strict=True)
            )
        ],
    )
    for n in range(DEVICES):
        session.add(Device(key=f"g/d{n}", gateway="g", first_seen=NOW - timedelta(days=300), last_seen=NOW))
    session.flush()
    for n in range(PLACED):
        start = NOW - timedelta(days=300)
        session.add(Placement(device_key=f"g/d{n}", room_id=rooms[n % ROOMS].id, start=start))
    session.execute(
        insert(DeviceDay),
        [
            {
                "device_key": f"g/d{n}",
                "day": TODAY - timedelta(days=ago),
                "messages": 144,
                "interval": 600,
                "longest_gap": 1200,
                "stuck": "",
                "apart": "",
            }
            for n in range(DEVICES)
            for ago in range(1, 31)
        ],
    )
    cause = QuarantineCause(
        code="unknown_format",
        gateway="g",
        shape="{x}",
        waiting=WAITING,
        first_at=NOW,
        last_at=NOW,
        latest_id=1,
    )
    session.add(cause)
    session.flush()
    session.execute(
        insert(QuarantineEntry),
        [
            {
                "landing": "mqtt",
                "landing_id": n,
                "received_at": NOW,
                "topic": f"g/d{n % 500}/x",
                "payload": b'{"x": {"t1": 21.4}}',
                "code": "unknown_format",
                "reason": "unknown_format: neither topic nor shape is known",
                "status": "waiting",
                "cause_id": cause.id,
            }
            for n in range(WAITING)
        ],
    )
    trials = [_trial(session, number, rooms, days) for number in range(TRIALS)]
    session.flush()
    return trials


def _trial(session: Session, number: int, rooms: list[Room], days: list[date]) -> Experiment:
    """One of many: from a year ago to still planned, three rooms against five."""
    starts = days[0] + timedelta(days=number * 2)
    chosen = [rooms[(number + step * 6) % ROOMS] for step in range(8)]
    trial = Experiment(
        slug=f"essai-{number}", title=f"Essai {number}", declared_at=NOW, starts=starts,
        ends=starts + timedelta(weeks=12), washout=0, assignment="lot", sheet={"idea": "Des tables"},
        arms=[
            Arm(room=room, switch=starts + timedelta(weeks=6) if place < 3 else None)  # noqa: PLR2004 - treated
            for place, room in enumerate(chosen)
        ],
        measures=[
            Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0),
            Measure(outcome="co2_occupied", role="guardrail", better="lower", margin=150.0, position=1),
            Measure(outcome="satisfaction", role="secondary", better="higher", position=2),
        ],
    )  # fmt: skip
    session.add(trial)
    return trial


def judge(session: Session, trials: list[Experiment]) -> None:
    """Lock what began, freeze what ended, decide half of that."""
    for number, trial in enumerate(trials):
        assert trial.starts is not None and trial.ends is not None  # noqa: S101, PT018 - made so above
        if trial.starts > TODAY:
            continue
        began = datetime.combine(trial.starts, NOW.timetz()) - timedelta(days=9)
        experiments.lock(session, trial, "camille@ville.example", began)
        try:
            results.take_look(session, trial, NOW, TODAY)
        except ExperimentError as error:
            print(f"{trial.slug}: {error}")
        if trial.ends < TODAY and number % 2:
            trial.decision = Decision(
                choice="generalise",
                body="Comité",
                decided_on=TODAY,
                reason="Utile",
                lessons="Rien",
                entered_by="camille",
                entered_at=NOW,
            )


def main() -> None:
    """Fill, ask, print."""
    configure_logs("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), **({"database_url": sys.argv[1]} if sys.argv[1:] else {}))
        registry = Registry(settings.registry_url)
        registry.migrate()
        began = time.perf_counter()
        with registry.session() as session:
            trials = fill(session)
            judge(session, trials)
            print(Counter(experiments.status(trial, TODAY) for trial in trials))
            user = users.add(session, "a@ville.example", "Anne", "administrator", None, NOW)
            token = users.open_session(session, user, NOW, timedelta(hours=12))
        with registry.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")  # as autovacuum does within a minute
        print(f"filled in {time.perf_counter() - began:.0f} s")
        app = create_app(settings, registry)
        browser = TestClient(app)
        browser.cookies.set("temoin", token)
        asked = Counter[str]()
        event.listen(registry.engine, "before_cursor_execute", lambda *_: asked.update(["queries"]))
        print(f"{'page':<46}{'ms':>8}{'own ms':>8}{'queries':>9}{'kB':>7}")
        every = []
        for page in addresses(app):
            times, own, size = [], [], 0
            for _ in range(REQUESTS):
                asked.clear()
                began, before = time.perf_counter(), time.process_time()
                answer = browser.get(page)
                times.append(1000 * (time.perf_counter() - began))
                own.append(1000 * (time.process_time() - before))
                size = len(gzip.compress(answer.content))
            note = "" if answer.status_code == 200 else f"  {answer.status_code}"  # noqa: PLR2004 - OK
            took = f"{median(times):>8.1f}{median(own):>8.1f}"
            print(f"{page:<46}{took}{asked['queries']:>9}{size / 1000:>7.1f}{note}")
            every.append(median(times))
        print(f"{'the slowest':<46}{max(every):>8.1f}")
        app.state.store.close()
        registry.close()


if __name__ == "__main__":
    main()
