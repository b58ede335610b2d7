"""What an operator's Prometheus reads: requests as they pass, and the river's levels when asked.

What the registry knows is the whole installation's; what is under `landing` is this folder's. Every name
ends in its unit.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import func, select

from sensors.reading import LandingError
from service import ingest, intake, river
from service.registry import gateways
from service.registry.tables import Device, QuarantineEntry, StaleDay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from sensors.landing import Landing
    from service.intake import Intake
    from service.registry import Registry
    from service.settings import Settings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)  # seconds


class Monitoring:
    """The metrics of one app."""

    def __init__(self, settings: Settings, registry: Registry, intake: Intake) -> None:
        self._metrics = CollectorRegistry()
        self._metrics.register(Levels(registry))
        self._metrics.register(Sources(registry))
        self._metrics.register(River(settings, intake))
        self._requests = Counter(
            "temoin_http_requests", "Requests", ["method", "route", "status"], registry=self._metrics
        )
        self._seconds = Histogram(
            "temoin_http_seconds", "Time to answer", ["route"], buckets=BUCKETS, registry=self._metrics
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; a made-up method is counted as `other`."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._metrics)


class Levels:
    """What stands in the registry at the moment of asking."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the registry is not asked before somebody scrapes."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        waiting = GaugeMetricFamily(
            "temoin_quarantine_waiting", "Messages that could not become readings", labels=["code"]
        )
        with self._registry.session() as session:
            by_code = (
                select(QuarantineEntry.code, func.count())
                .where(QuarantineEntry.status == "waiting")
                .group_by(QuarantineEntry.code)
            )
            for code, count in session.execute(by_code):
                waiting.add_metric([code], count)
            stale = session.scalar(select(func.count()).select_from(StaleDay)) or 0
            devices = session.scalar(select(func.count()).select_from(Device)) or 0
            heard = session.scalar(select(func.max(Device.last_seen)))
        yield waiting
        yield GaugeMetricFamily("temoin_stale_days", "Days whose outcomes wait to be computed", stale)
        yield GaugeMetricFamily("temoin_devices", "Devices known", devices)
        if heard is not None:
            yield GaugeMetricFamily(
                "temoin_last_reading_timestamp_seconds", "When a device was last heard", heard.timestamp()
            )


class Sources:
    """What came from each gateway since it is counted, and until when its token is good."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, as for Levels."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Counters and ages, by gateway."""
        received = _counter("temoin_received_messages", "Messages moved on, by gateway", "gateway")
        unpromised = _counter("temoin_unpromised_messages", "Of them at QoS 0", "gateway")
        refused = _counter("temoin_refused_messages", "Of them refused, wholly or in part", "gateway")
        age = _gauge("temoin_last_message_age_seconds", "Since a gateway was last heard", "gateway")
        ends = _gauge("temoin_token_ends_timestamp_seconds", "When its last HTTP token ends", "gateway")
        quarantined = _counter("temoin_quarantined_messages", "Ever put in quarantine, by reason", "code")
        now = datetime.now(UTC)
        with self._registry.session() as session:
            for total in gateways.totals(session):
                received.add_metric([total.source], total.messages)
                unpromised.add_metric([total.source], total.unpromised)
                refused.add_metric([total.source], total.refused)
                age.add_metric([total.source], max(0.0, (now - total.last_message).total_seconds()))
            for gateway in gateways.everything(session):
                if gateway.tokens:
                    ends.add_metric([gateway.name], gateway.tokens[-1].expires.timestamp())
            by_code = select(QuarantineEntry.code, func.count()).group_by(QuarantineEntry.code)
            for code, count in session.execute(by_code):
                quarantined.add_metric([code], count)
        return (received, unpromised, refused, age, ends, quarantined)


class River:
    """How far messages have come on this machine: landed, moved, waiting, and the disk they wait on."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._settings, self._intake = settings, intake
        self._opened: dict[str, Landing] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, as for Levels."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Levels of each landing there is, what receiver and mover say of themselves, the disk."""
        with suppress(OSError):
            free = shutil.disk_usage(self._settings.data_dir).free
            yield GaugeMetricFamily("temoin_disk_free_bytes", "Left on the disk of the landings", free)
        yield from self._levels()
        yield from self._said()

    def _levels(self) -> Iterable[Metric]:
        landed = _counter("temoin_landed_messages", "Messages ever kept on disk", "landing")
        moved = _counter("temoin_moved_messages", "Of them moved to the store or quarantine", "landing")
        queue = _gauge("temoin_queue_messages", "Messages that wait to be moved", "landing")
        lag = _gauge("temoin_lag_seconds", "Age of the oldest message that waits; 0 without one", "landing")
        size = _gauge("temoin_landing_bytes", "Room that messages take up on disk", "landing")
        for name, landing in self._landings():
            with suppress(LandingError):  # a full disk, which the other metrics tell
                waiting, position = landing.backlog, landing.position
                oldest = landing.after(position, 1) if waiting else []
                late = (datetime.now(UTC) - oldest[0][1].received_at).total_seconds() if oldest else 0.0
                landed.add_metric([name], position + waiting)
                moved.add_metric([name], position)
                queue.add_metric([name], waiting)
                lag.add_metric([name], max(0.0, late))
                size.add_metric([name], landing.size)
        return (landed, moved, queue, lag, size)

    def _landings(self) -> Iterable[tuple[str, Landing]]:
        """Those that are there: none is made for somebody who only looks."""
        folder = self._settings.data_dir / "landing"
        for name in sorted(path.stem for path in folder.glob("*.db")):
            with suppress(LandingError):
                if name == intake.LANDING:
                    yield name, self._intake.landing()
                    continue
                if name not in self._opened:
                    self._opened[name] = river.open_landing(self._settings, name)
                yield name, self._opened[name]

    def _said(self) -> Iterable[Metric]:
        stored = _counter("temoin_stored_readings", "Readings stored since their mover started", "landing")
        silence = _gauge(
            "temoin_silence_seconds", "Since receiver and mover last said how they do", "landing", "part"
        )
        now = datetime.now(UTC)
        connected = _gauge("temoin_broker_connected", "1 while the receiver is", "landing")
        lost = _counter("temoin_broker_sessions_lost", "Times the broker had forgotten us", "landing")
        for each in ingest.everyone(self._settings):
            stored.add_metric([each.landing], each.mover.readings)
            for part, at in (("mover", each.mover.at), ("receiver", each.receiver.at)):
                silence.add_metric([each.landing, part], (now - datetime.fromisoformat(at)).total_seconds())
            connected.add_metric([each.landing], each.receiver.connected)
            lost.add_metric([each.landing], each.receiver.sessions_lost)
        progress = self._intake.progress
        if progress is not None:
            stored.add_metric([intake.LANDING], progress.readings)
        yield from (stored, silence, connected, lost)


def _counter(name: str, help_: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, help_, labels=labels)


def _gauge(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=labels)
