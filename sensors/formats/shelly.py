"""Shelly Gen2 and later: `{id}/events/rpc` (NotifyStatus, NotifyFullStatus) and `{id}/status/{component}`.

A notification holds what changed, by component (`temperature:0`, `humidity:0`), measured at `params.ts`; a
status has no time. Temperatures within a switch or a cover are those of its electronics. Sensors over
Bluetooth come as events of the script that hears them, under their own address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensors.draft import Draft

# component → its field → what it measures there
_MEASURED = {
    "temperature": {"tC": "temperature_c"},
    "humidity": {"rh": "humidity_%"},
    "illuminance": {"lux": "illuminance_lx"},
    "presencezone": {"value": "presence", "state": "presence"},
    "occupancy": {"value": "presence", "occupied": "presence"},
}
TOPICS = (
    *("+/events/rpc", "+/+/events/rpc", "+/online", "shelly/+/online"),
    *(
        f"{prefix}/status/{component}:{number}"
        for prefix in ("+", "+/+")
        for component in (*_MEASURED, "devicepower", "switch", "input", "cover", "light")
        for number in (0, 1, 2, 3, 100, 200)
    ),
    *(
        f"{prefix}/status/{component}"
        for prefix in ("+", "+/+")
        for component in ("sys", "wifi", "ble", "cloud", "mqtt")
    ),
)
MARKS = ("params.ts", "params.events")


def read(draft: Draft) -> None:
    """Readings of a notification or of one component's status; of everything else none."""
    prefix, kind, last = draft.levels[:-2], *["", "", *draft.levels][-2:]
    if last == "online":
        return
    if kind == "status" and prefix:
        if _origin(draft, "/".join(prefix), None):
            _take(draft, {last: draft.fields})
        return
    fields = draft.fields
    params = draft.child(fields, "params") if "params" in fields else {}
    time = params.get("ts")
    for event in params.get("events") or () if isinstance(params.get("events"), list) else ():
        _bluetooth(draft, event, time)
    if fields.get("method") in ("NotifyStatus", "NotifyFullStatus") and _origin(
        draft, fields.get("src"), time
    ):
        _take(draft, params)


def _origin(draft: Draft, device: object, time: object) -> bool:
    """The device under the topic's root; a topic that begins with the device itself is Shelly's own."""
    root = (draft.levels or ["shelly"])[0]
    name = device.removeprefix(f"{root}/") if isinstance(device, str) else device
    gateway = "shelly" if name == root or root.startswith("shelly") else root
    return draft.origin(gateway, name, draft.clock(time), field="params.ts")


def _take(draft: Draft, components: dict[str, Any]) -> None:
    told: dict[str, object] = {}
    for component, status in components.items():
        kind, _, number = component.partition(":")
        if not isinstance(status, dict):
            continue
        for field, name in _MEASURED.get(kind, {}).items():
            if field in status:
                told[f"{kind}.{number}.{name}"] = status[field]
        if kind == "devicepower":
            told |= _power(status)
    draft.take(told)


def _power(status: dict[str, Any]) -> dict[str, object]:
    """The batteries' charge, unless the device is fed from outside and has none."""
    battery, external = status.get("battery"), status.get("external")
    if not isinstance(battery, dict) or (isinstance(external, dict) and external.get("present") is True):
        return {}
    return {"battery_percent": battery.get("percent"), "battery_voltage_v": battery.get("V")}


def _bluetooth(draft: Draft, event: object, time: object) -> None:
    data = event.get("data") if isinstance(event, dict) else None
    if (
        isinstance(data, dict)
        and isinstance(data.get("address"), str)
        and _origin(draft, data["address"], time)
    ):
        draft.take(data)
