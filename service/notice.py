"""What the sensors of a room measure, who sees it and until when: for its page and its wall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.pages.rooms import Notice
from sensors.metrics import METRICS
from sensors.reading import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sensors.store import ReadingStore
    from service.registry.tables import Room
    from service.settings import Settings

OF_THE_DEVICE = frozenset(["battery", "battery_voltage", "rssi", "snr"])  # tell nothing of the room


def of_room(room: Room, placed: Collection[str], store: ReadingStore, settings: Settings) -> Notice:
    """The notice of a room in which these devices are; of what they said only the names are read.

    While the store does not answer, `metrics` is None: nothing is said rather than too little.
    """
    try:
        heard = set(store.latest(sorted(placed))["metric"]) if placed else set()
    except StoreError:
        heard = None
    return Notice(
        metrics=None if heard is None else tuple(key for key in METRICS if key in heard - OF_THE_DEVICE),
        devices=len(placed),
        raw_days=settings.raw_days,
        readings_days=settings.influx_retention_days if settings.store == "influxdb" else 0,
        answer_months=settings.answer_months,
        remark_months=settings.remark_months,
        k=settings.min_group,
        alone=room.capacity == 1,
    )
