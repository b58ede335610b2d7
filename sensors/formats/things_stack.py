"""The Things Stack v3: `v3/{application}@{tenant}/devices/{id}/up`.

Measured when the network server received it; `normalized_payload` has certain units and comes before
`decoded_payload`. Joins, downlinks and locations measure nothing, nor does a simulated uplink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.lorawan import Uplink, take_uplink
from sensors.reading import PayloadRejected

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("v3/+/devices/+/#",)
MARKS = ("end_device_ids",)

_MOST_VOLTS = 20


def read(draft: Draft) -> None:
    """Readings of an uplink; of every other message none."""
    levels = draft.topic.split("/")
    own_topic = levels[0] == "v3" and levels[2:3] == ["devices"]
    if own_topic and levels[4:] not in (["up"], ["up", "normalized"]):
        return
    fields = draft.fields
    kind = "uplink_normalized" if "uplink_normalized" in fields else "uplink_message"
    if not own_topic and kind not in fields:
        return
    message = draft.child(fields, kind)
    if fields.get("simulated") is True or message.get("simulated") is True:
        return
    decoded = message.get("decoded_payload")
    normalized = _normalized(message)
    if not isinstance(decoded, dict) and not normalized:
        if message.get("frm_payload"):
            raise PayloadRejected(
                "not_decoded: uplink_message has no decoded_payload; give the device a payload formatter"
            )
        return
    heard = message.get("received_at")
    uplink = Uplink(
        gateway=levels[1] if own_topic else levels[0],
        device=draft.child(fields, "end_device_ids").get("device_id", ""),
        fields=decoded if isinstance(decoded, dict) else {},
        time=heard if heard is not None else fields.get("received_at"),
        time_field=f"{kind}.received_at",
        seq=message.get("f_cnt", 0),  # zeros are left out
        heard=message.get("rx_metadata"),
    )
    for measurement in normalized:
        if "time" in measurement:
            uplink.records.append(measurement)
        else:
            uplink.certain = {**measurement, **uplink.certain}  # the first one is the newest
    take_uplink(draft, uplink)


def _normalized(message: dict[str, Any]) -> list[dict[str, Any]]:
    measurements = message.get("normalized_payload")
    if isinstance(measurements, dict):
        measurements = [measurements]  # one a message, when it is a message of its own
    if not isinstance(measurements, list):
        return []
    return [_in_volts(each) for each in measurements if isinstance(each, dict)]


def _in_volts(measurement: dict[str, Any]) -> dict[str, Any]:
    """The standard's `battery` is a voltage; what can be none is some codec's percentage, and left to it."""
    if "battery" not in measurement:
        return measurement
    rest = {name: value for name, value in measurement.items() if name != "battery"}
    volts = measurement["battery"]
    if isinstance(volts, int | float) and volts > _MOST_VOLTS:
        return rest
    return {**rest, "battery_voltage": volts}
