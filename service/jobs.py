"""What is done by the clock: put days away, compute outcomes, take looks, delete what must go.

One holder at a time, by a lease in the registry; another process waits until it runs out.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from experiments.reason import ExperimentError
from sensors.reading import SensorError
from service import imports, outcomes, replays, results
from service.registry import answers, device_days, experiments, mappings, quarantine, shares, users
from service.registry.tables import Lease
from service.registry.upsert import insert

if TYPE_CHECKING:
    import threading

    from sensors.store import ReadingStore
    from service.registry import Registry
    from service.settings import Settings

LEASE, LASTING = "jobs", timedelta(minutes=2)
EVERY = 30.0  # seconds between two passes
LISTENING = 1.0  # seconds between two looks whether somebody asked for something
DEVICE_DAYS = timedelta(days=400)  # how long is kept how devices did: two winters can be compared
DAYS_A_PASS = 20  # computed before the lease is renewed
log = structlog.get_logger("temoin.jobs")


@dataclass(frozen=True)
class Pass:
    """What one pass did; `held` False: somebody else holds the jobs. `more` days still wait."""

    held: bool
    settled: int = 0
    computed: int = 0
    looks: int = 0
    more: bool = False


class Jobs:
    """The jobs of one installation. `holder` names this process in the lease."""

    def __init__(self, settings: Settings, registry: Registry, store: ReadingStore) -> None:
        self._settings, self._registry, self._store = settings, registry, store
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until `stop`; a store or registry that fails is tried again at the next pass."""
        while not stop.is_set():
            done = self._try(stop)
            if done is None or not done.more:
                self._rest(stop, asked=done is not None and done.held)
        try:
            self.release()
        except SQLAlchemyError as error:
            log.warning("the lease was not given back; it runs out by itself", error=str(error))

    def _rest(self, stop: threading.Event, *, asked: bool) -> None:
        """Wait for the next pass, which is now when somebody asked for a replay."""
        until = time.monotonic() + EVERY
        while not stop.wait(LISTENING) and time.monotonic() < until:
            if asked and self._is_asked():
                return

    def _is_asked(self) -> bool:
        try:
            with self._registry.session() as session:
                replay = mappings.due(session, datetime.now(UTC) - replays.SETTLING)
                return replay is not None or imports.is_due(session)
        except SQLAlchemyError:  # the next pass says so
            return False

    def _try(self, stop: threading.Event) -> Pass | None:
        try:
            return self.once(datetime.now(UTC), stop)
        except (SensorError, SQLAlchemyError) as error:
            log.warning("store or registry cannot be used; tried again", error=str(error))
            return None

    def once(self, now: datetime, stop: threading.Event | None = None) -> Pass:
        """One pass, at the instant `now`."""
        if not self._hold(now):
            return Pass(held=False)
        began = time.monotonic()

        def goes_on() -> bool:
            """Whether what takes long may: nobody stops it, and the lease is still ours."""
            held = self._hold(now + timedelta(seconds=time.monotonic() - began))
            return held and not (stop is not None and stop.is_set())

        asked = replays.run_due(self._settings, self._registry, self._store, now, goes_on)
        asked += imports.run_due(self._settings, self._registry, self._store, goes_on)
        if asked:
            return Pass(held=True, more=True)  # the days concerned are computed after this
        today = now.astimezone(self._settings.zone).date()
        settled = len(self._store.settle(now.astimezone(UTC).date()))
        with self._registry.session() as session:
            outcomes.mark_unheard(session, self._settings.zone, now)
        computed = 0
        for _day in outcomes.compute_stale(self._registry, self._store, self._settings.zone, now):
            computed += 1
            if computed >= DAYS_A_PASS or (stop is not None and stop.is_set()):
                return Pass(held=True, settled=settled, computed=computed, more=True)
        looks = self._look(now, today)
        self._forget(now, today)
        return Pass(held=True, settled=settled, computed=computed, looks=looks)

    def _look(self, now: datetime, today: date) -> int:
        taken = 0
        with self._registry.session() as session:
            for experiment in experiments.everything(session):
                for take in (results.take_interim, results.take_look):
                    try:
                        look = take(session, experiment, now, today, self._settings.min_group)
                    except ExperimentError as error:  # the others' looks are due all the same
                        log.warning("look not taken", experiment=experiment.slug, error=str(error))
                        continue
                    if look is not None:
                        taken += 1
                        log.info("look taken", experiment=experiment.slug, kind=look.kind, sha256=look.sha256)
        return taken

    def _forget(self, now: datetime, today: date) -> None:
        settings = self._settings
        with self._registry.session() as session:
            answers.forget(
                session,
                months_before(today, settings.answer_months),
                months_before(today, settings.remark_months),
                now,
            )
            users.forget_expired(session, now)
            shares.forget(session, now)
            device_days.forget(session, today - DEVICE_DAYS)
            imports.forget(session, settings, now)
            quarantine.forget(session, now - timedelta(days=settings.raw_days))

    def _hold(self, now: datetime) -> bool:
        """Take or renew the lease."""
        until = now + LASTING
        free = or_(
            Lease.holder == self.holder,
            Lease.until < now,
            Lease.until > now + 2 * LASTING,  # from a clock that was wrong: nobody is given as much
        )
        with self._registry.session() as session:
            statement = insert(session, Lease).values(name=LEASE, holder=self.holder, until=until)
            session.execute(statement.on_conflict_do_nothing(index_elements=[Lease.name]))
            renewed = session.execute(
                update(Lease)
                .where(Lease.name == LEASE, free)
                .values(holder=self.holder, until=until)
                .returning(Lease.name)
            )
            return renewed.first() is not None

    def release(self) -> None:
        """Let another process hold the jobs at once; twice is fine."""
        with self._registry.session() as session:
            session.execute(
                update(Lease)
                .where(Lease.name == LEASE, Lease.holder == self.holder)
                .values(until=datetime.now(UTC) - LASTING)
            )


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    first_after = date(year + (month == 11), (month + 1) % 12 + 1, 1)  # noqa: PLR2004 - December
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_after - timedelta(days=1))
