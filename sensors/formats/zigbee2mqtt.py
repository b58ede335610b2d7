"""Zigbee2MQTT: `zigbee2mqtt/{friendly name}`, flat objects of every value it knows of the device.

Each report repeats what other reports said before; `occupancy` therefore is a state that still
holds, never a new event. `last_seen` is when the device was heard, if the bridge is set to say it.
Set to publish attributes apart (`zigbee2mqtt/{name}/temperature`), it sends bare values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("zigbee2mqtt/#",)
MARKS = ("linkquality",)

_NOT_REPORTS = frozenset(["set", "get", "availability", "last_seen"])


def read(draft: Draft) -> None:
    """Readings of a device's report; of the bridge's own messages, availability and commands none."""
    gateway, *levels = draft.topic.split("/")
    if not levels or levels[0] == "bridge" or not _NOT_REPORTS.isdisjoint(levels[1:]):
        return
    document = draft.document
    if type(document) is not dict and len(levels) > 1:
        *levels, attribute = levels
        if draft.origin(gateway, "/".join(levels)):
            draft.take({attribute: document})
        return
    fields = draft.fields
    if not draft.origin(gateway, "/".join(levels), fields.get("last_seen"), "network", field="last_seen"):
        return
    if not draft.take(fields):
        draft.unknown(fields)
