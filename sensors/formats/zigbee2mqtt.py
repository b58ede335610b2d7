"""Zigbee2MQTT: `zigbee2mqtt/{friendly name}`, flat objects of every value it knows of the device.

Each report repeats what other reports said before; `occupancy` therefore is a state that still
holds, never a new event. `last_seen` is when the device was heard, if the bridge is set to say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.metrics import METRICS

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("zigbee2mqtt/#",)
MARKS = ("linkquality",)

_NOT_REPORTS = frozenset(["set", "get", "availability"])


def read(draft: Draft) -> None:
    """Readings of a device's report; of the bridge's own messages, availability and commands none."""
    gateway, *levels = draft.topic.split("/")
    if not levels or levels[0] == "bridge" or levels[-1] in _NOT_REPORTS:
        return
    fields = draft.fields
    if not draft.origin(gateway, "/".join(levels), fields.get("last_seen"), "network", field="last_seen"):
        return
    told = draft.take(fields)
    voltage = fields.get("voltage")
    if "battery" in fields and type(voltage) is int:  # millivolts of the battery; of a plug it is the mains
        draft.put(METRICS["battery_voltage"], voltage / 1000, "voltage")
    if not told:
        draft.unknown(fields)
