"""Disruptive Technologies: events of a data connector, alone, wrapped with labels, or in a list.

Measured at the `updateTime` of what the event tells; the event's own `timestamp` when there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.wording import misfit

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = ("targetName", "event.targetName", "[].targetName", "[].event")

# kind of event → its field → a name that says quantity and unit
_MEASURED = {
    "temperature": {"value": "temperature_c"},
    "humidity": {"temperature": "temperature_c", "relativeHumidity": "humidity_percent"},
    "co2": {"ppm": "co2_ppm"},
    "pressure": {"pascal": "pressure_pa"},
    "motion": {"state": "presence"},
    "deskOccupancy": {"state": "presence"},
    "batteryStatus": {"percentage": "battery_percent"},
}


def read(draft: Draft) -> None:
    """Readings of each event; of touches, counts, networks and labels none."""
    document = draft.document
    for entry in document if isinstance(document, list) else [document]:
        event = entry.get("event", entry) if isinstance(entry, dict) else entry
        if isinstance(event, dict):
            _event(draft, event)
        else:
            draft.refuse(*misfit("an event", event, "an object"))


def _event(draft: Draft, event: dict[str, Any]) -> None:
    kind, data = event.get("eventType"), event.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict):
        return
    status = data.get(kind)
    if kind not in _MEASURED or not isinstance(status, dict):
        return
    target = event.get("targetName")
    device = target.rstrip("/ ").rpartition("/")[2] if isinstance(target, str) else target
    own = status.get("updateTime")
    time, field = (event.get("timestamp"), "timestamp") if own is None else (own, "updateTime")
    if draft.origin((draft.levels or ["disruptive"])[0], device, time, field=field):
        draft.take({name: status.get(field) for field, name in _MEASURED[kind].items()})
