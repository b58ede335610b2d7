"""Outcomes of closed local days, one day at a time, from that day's readings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from experiments.panel import LOOK_BACK, day_bounds, outcomes_of_day
from sensors import health
from service.registry import bookings, device_days, devices, outcomes, rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from sensors.store import ReadingStore
    from service.registry import Registry

METRICS = ("people", "people_in", "people_out", "presence", "motion", "co2", "temperature", "sound")
READ = tuple(dict.fromkeys((*METRICS, *health.METRICS)))
UNHEARD = timedelta(days=31)  # how far back a day without a single reading is looked for
log = structlog.get_logger("temoin.outcomes")


def compute_day(session: Session, store: ReadingStore, day: date, zone: ZoneInfo) -> None:
    """Compute every outcome of every room open on `day`, and how its devices did; replace what was there."""
    start, end = day_bounds(day, zone)
    placed = rooms.placed_between(session, start, end)
    devices = {placement.device: placement.room for placement in placed}
    readings = store.read(start - LOOK_BACK, end, devices.keys(), READ)
    opened = rooms.open_rooms(session, day)
    measured = readings[readings["metric"].isin(METRICS)]
    booked = bookings.of_day(session, day, (start, end))
    found = outcomes_of_day(measured, placed, opened, day, zone, booked)
    outcomes.replace_day(session, day, found)
    device_days.replace_day(session, day, health.day_health(readings, devices, start, end))


def mark_unheard(session: Session, zone: ZoneInfo, now: datetime) -> None:
    """Mark the days of the last month on which rooms were open, devices placed and nothing was heard.

    A reading marks its day; a day without any is not missing from the strips, it is unobserved. An
    installation that was silent all that while, or only has a history, is left alone.
    """
    today = now.astimezone(zone).date()
    first, last = today - UNHEARD, today - timedelta(days=1)
    if not devices.heard_since(session, now - UNHEARD):
        return
    known = outcomes.days(session, first, last) | {day for day, _ in outcomes.stale_days(session, today)}
    unheard = rooms.open_days(session, first, last) - known
    placed = [day for day in sorted(unheard) if rooms.placed_between(session, *day_bounds(day, zone))]
    devices.mark_stale(session, placed, now)


def compute_stale(
    registry: Registry,
    store: ReadingStore,
    zone: ZoneInfo,
    now: datetime,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[date]:
    """Compute the days that are over and marked, oldest first, a transaction each, while `go_on()`."""
    today = now.astimezone(zone).date()
    with registry.session() as session:
        waiting = outcomes.stale_days(session, before=today)
    for day, marked_at in waiting:
        if not go_on():
            return
        with registry.session() as session:
            compute_day(session, store, day, zone)
            outcomes.computed(session, day, marked_at)
        log.info("outcomes computed", day=day.isoformat())
        yield day
