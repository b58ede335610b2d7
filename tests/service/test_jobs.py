"""What is done by the clock, on a real embedded store and registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from sensors.reading import Reading
from service.jobs import Jobs, Pass, months_before
from service.registry.tables import (
    Answer,
    Device,
    Lease,
    Outcome,
    Placement,
    Room,
    Site,
    SpentNonce,
    StaleDay,
)
from service.river import open_store

DAY = date(2026, 3, 3)
NEXT_NIGHT = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)  # 00:30 in Paris on the 4th
CAMERA = "g/cam"


def people(hour, count):
    at = datetime(2026, 3, 3, tzinfo=UTC) + timedelta(hours=hour)
    return Reading(CAMERA, "people", float(count), "people", at, "device", "g")


@pytest.fixture
def house(registry):
    """One room with a camera, its day marked."""
    seen = datetime(2026, 3, 2, 23, tzinfo=UTC)  # midnight in Paris
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="m", name="Mairie"), capacity=8)
        camera = Device(key=CAMERA, gateway="g", first_seen=seen, last_seen=seen)
        session.add_all([room, camera])
        session.add(Placement(device=camera, room=room, start=seen))
        session.add(StaleDay(day=DAY, marked_at=seen))
    return registry


@pytest.fixture
def store(settings):
    store = open_store(settings)
    store.write([people(6 + i / 12, 3 if i < 36 else 0) for i in range(13 * 12)])
    yield store
    store.close()


@pytest.fixture
def jobs(settings, house, store):
    return Jobs(settings, house, store)


def computed(registry):
    with registry.session() as session:
        return {row.outcome: row.value for row in session.scalars(select(Outcome))}


def test_a_day_that_is_over_and_marked_is_computed(jobs, house):
    """People from 07:00 to 10:00 in Paris; the room opens at 8."""
    done = jobs.once(NEXT_NIGHT)
    assert (done.held, done.computed) == (True, 1)
    assert computed(house)["occupied_minutes"] == pytest.approx(120)


def test_today_waits_until_midnight_in_paris(jobs, house):
    assert jobs.once(datetime(2026, 3, 3, 22, 59, tzinfo=UTC)).computed == 0
    assert computed(house) == {}
    assert jobs.once(datetime(2026, 3, 3, 23, 0, tzinfo=UTC)).computed == 1


def test_a_computed_day_is_not_computed_again_until_marked(jobs, house, store):
    jobs.once(NEXT_NIGHT)
    assert jobs.once(NEXT_NIGHT).computed == 0
    store.write([people(9 + i / 12, 3) for i in range(12)])  # late: 10:00 to 11:00
    with house.session() as session:
        session.add(StaleDay(day=DAY, marked_at=NEXT_NIGHT))
    assert jobs.once(NEXT_NIGHT).computed == 1
    assert computed(house)["occupied_minutes"] == pytest.approx(180)


def test_a_day_marked_again_while_it_is_computed_stays_marked(jobs, house, store):
    class Late:
        """Marks the day again, as the mover would, while it is read."""

        def __getattr__(self, name):
            return getattr(store, name)

        def read(self, *arguments):
            with house.session() as session:
                session.get(StaleDay, DAY).marked_at = NEXT_NIGHT
            return store.read(*arguments)

    jobs._store = Late()  # noqa: SLF001 - the store this process would have
    first = jobs.once(NEXT_NIGHT)
    assert first.computed == 1
    assert jobs.once(NEXT_NIGHT).computed == 1


def test_only_one_process_holds_the_jobs(jobs, settings, house, store):
    other = Jobs(settings, house, store)
    assert jobs.once(NEXT_NIGHT).held
    assert not other.once(NEXT_NIGHT + timedelta(seconds=30)).held
    assert other.once(NEXT_NIGHT + timedelta(minutes=3)).held  # the first one died
    assert not jobs.once(NEXT_NIGHT + timedelta(minutes=4)).held


def test_a_lease_from_a_clock_that_was_wrong_keeps_nobody_from_the_jobs(jobs, settings, house, store):
    assert jobs.once(NEXT_NIGHT + timedelta(days=1)).held  # and then it died, and the clock was put right
    assert Jobs(settings, house, store).once(NEXT_NIGHT).held


def test_a_clock_that_is_a_minute_ahead_keeps_its_lease(jobs, settings, house, store):
    assert jobs.once(NEXT_NIGHT + timedelta(minutes=1)).held
    assert not Jobs(settings, house, store).once(NEXT_NIGHT).held


def test_a_process_that_ends_lets_go_at_once(jobs, settings, house, store):
    stop = threading.Event()
    stop.set()
    jobs.once(datetime.now(UTC))
    jobs.run(stop)
    assert Jobs(settings, house, store).once(datetime.now(UTC)).held


def test_a_closed_day_leaves_no_outcome(jobs, house):
    with house.session() as session:
        session.scalar(select(Site)).weekdays = "1"  # the 3rd is a Tuesday
    assert jobs.once(NEXT_NIGHT).computed == 1
    assert computed(house) == {}


def test_a_day_on_which_nothing_was_heard_is_unobserved_and_not_missing(jobs, house):
    """The 4th, without one reading, that nobody marked; the 7th is a Saturday."""
    jobs.once(datetime(2026, 3, 8, 9, tzinfo=UTC))
    with house.session() as session:
        coverage = dict(
            session.execute(
                select(Outcome.day, Outcome.coverage).where(Outcome.outcome == "occupied_minutes")
            ).all()
        )
    assert sorted(day.day for day in coverage) == [3, 4, 5, 6]
    assert coverage[date(2026, 3, 4)] == 0
    assert jobs.once(datetime(2026, 3, 8, 9, 1, tzinfo=UTC)).computed == 0


def test_a_registry_that_does_not_answer_is_tried_again(jobs, monkeypatch):
    stop, passes = threading.Event(), []

    def once(_now, _stop):
        passes.append(1)
        if len(passes) == 1:
            raise OperationalError("SELECT 1", {}, Exception("database is locked"))
        stop.set()
        return Pass(held=True)

    monkeypatch.setattr(jobs, "once", once)
    monkeypatch.setattr("service.jobs.EVERY", 0.01)
    jobs.run(stop)
    assert len(passes) == 2


def test_what_must_go_goes(jobs, house):
    with house.session() as session:
        room = session.scalar(select(Room))
        for day in (date(2025, 1, 30), date(2025, 8, 1), date(2026, 3, 2)):
            session.add(Answer(room_id=room.id, day=day, hour=9, satisfaction=5, remark="Trop chaud"))
        session.add(SpentNonce(nonce="old", expires=NEXT_NIGHT - timedelta(hours=1)))
        session.add(SpentNonce(nonce="new", expires=NEXT_NIGHT + timedelta(hours=1)))
    jobs.once(NEXT_NIGHT)
    with house.session() as session:
        left = [
            (answer.day, answer.remark) for answer in session.scalars(select(Answer).order_by(Answer.day))
        ]
        nonces = [row.nonce for row in session.scalars(select(SpentNonce))]
    assert left == [(date(2025, 8, 1), None), (date(2026, 3, 2), "Trop chaud")]
    assert nonces == ["new"]


def test_the_lease_runs_out_by_itself(jobs, house):
    jobs.once(NEXT_NIGHT)
    with house.session() as session:
        assert NEXT_NIGHT < session.get(Lease, "jobs").until <= NEXT_NIGHT + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("day", "months", "earlier"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2026, 3, 4), 13, date(2025, 2, 4)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2026, 12, 31), 12, date(2025, 12, 31)),
    ],
)
def test_months_are_counted_as_people_do(day, months, earlier):
    assert months_before(day, months) == earlier


@pytest.mark.machine_clock
def test_sigterm_ends_the_command_and_gives_the_lease_back(settings, registry):
    environment = {**os.environ, "TEMOIN_DATA_DIR": str(settings.data_dir)}
    command = [Path(sys.executable).with_name("temoin"), "jobs"]
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not held(registry):
            assert time.monotonic() < deadline, "the command took no lease within 20 s"
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        _, logged = running.communicate(timeout=20)
    finally:
        running.kill()
    assert (running.returncode, b"Traceback" in logged) == (0, False)
    assert not held(registry)


def held(registry):
    with registry.session() as session:
        lease = session.get(Lease, "jobs")
        return lease is not None and lease.until > datetime.now(UTC)
