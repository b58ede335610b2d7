"""What an operator's Prometheus reads: requests as they pass, and the river's levels when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from service.registry.tables import Device, QuarantineEntry, StaleDay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from service.registry import Registry

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)  # seconds


class Monitoring:
    """The metrics of one app."""

    def __init__(self, registry: Registry) -> None:
        self._metrics = CollectorRegistry()
        self._metrics.register(Levels(registry))
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
