"""Actility ThingPark: `DevEUI_uplink`, on whatever topic its connector is given.

Measured at `Time`, when the network heard it. ThingPark X decodes into `points` (quantity, unit, nature),
which come first, and `payload`, the driver's own names. Multicast summaries, locations and notifications of
the network measure nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.lorawan import Uplink, take_uplink
from sensors.reading import PayloadRejected

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("mqtt/things/+/uplink",)
MARKS = ("DevEUI_uplink", "DevEUI_downlink_Sent", "DevEUI_location", "DevEUI_notification")

_VAGUE = frozenset(["status", "counter", "concentration", "level", "percentage", "state"])
_UNITS = {"Far": "°F", "state": "0/1", "count": None}


_LONGEST_NUMBER = 19


def read(draft: Draft) -> None:
    """Readings of an uplink; of every other message none."""
    if "DevEUI_uplink" not in draft.fields:
        return
    fields = draft.child(draft.fields, "DevEUI_uplink")
    payload, points = fields.get("payload"), fields.get("points")
    if not isinstance(payload, dict) and not isinstance(points, dict):
        if fields.get("payload_hex"):
            raise PayloadRejected(
                "not_decoded: there are no points; give the connection a ThingPark X driver"
            )
        return
    uplink = Uplink(
        gateway=(draft.levels or ["thingpark"])[0],
        device=fields.get("DevEUI", ""),
        fields=payload if isinstance(payload, dict) else {},
        time=fields.get("Time"),
        time_field="Time",
        seq=_number(fields.get("FCntUp")),
        heard=[{"rssi": _float(fields.get("LrrRSSI")), "snr": _float(fields.get("LrrSNR"))}],
    )
    if isinstance(points, dict):
        for name, point in points.items():
            if isinstance(point, dict):
                _point(uplink, name, point)
    take_uplink(draft, uplink)


def _point(uplink: Uplink, name: str, point: dict[str, Any]) -> None:
    """One quantity, measured with the uplink (`record`) or at times of its own (`records`)."""
    quantity, _, channel = name.partition(":")
    nature = point.get("nature")
    if quantity in _VAGUE:
        field = nature if isinstance(nature, str) else ""
    elif isinstance(nature, str) and nature:
        field = f"{quantity}.{nature}"  # a nature not understood is a quantity not understood
    else:
        field = f"{quantity}.{channel}" if channel else quantity
    unit = point.get("unitId")
    unit = _UNITS.get(unit, unit) if isinstance(unit, str) else None
    if "record" in point:
        uplink.certain[field] = {"value": point["record"], "unit": unit}
    records = point.get("records")
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict):
            value = {"value": record.get("value"), "unit": unit}
            uplink.records.append({"time": record.get("eventTime", uplink.time), field: value})


def _number(text: object) -> object:
    """A whole number, which older versions write as text."""
    is_number = isinstance(text, str) and len(text) < _LONGEST_NUMBER and text.isdecimal()
    return int(text) if is_number else text  # type: ignore[call-overload]


def _float(text: object) -> object:
    """A number, which older versions write as text."""
    try:
        return float(text) if isinstance(text, str) and len(text) < _LONGEST_NUMBER else text
    except ValueError:
        return None
