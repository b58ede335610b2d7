"""ChirpStack v4: `application/{id}/device/{eui}/event/{event}`.

Measured when the network says in `time`; measured what its codec left in `object`. Besides `up`, a `status`
tells the battery as LoRaWAN knows it; joins, acknowledgements, logs and locations measure nothing.
Version 3 has the same topics and another envelope, the one Milesight's gateways took from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.formats import milesight
from sensors.lorawan import Uplink, take_uplink
from sensors.reading import PayloadRejected

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("application/+/device/+/event/+",)
MARKS = ("deviceInfo",)


def read(draft: Draft) -> None:
    """Readings of an `up` or a `status` event; of the others none."""
    levels = draft.topic.split("/")
    fields = draft.fields
    if "deviceInfo" not in fields and "devEUI" in fields:
        milesight.read(draft)
        return
    event = levels[-1] if levels[-2:-1] == ["event"] else None
    if event == "status" or (event is None and "batteryLevel" in fields):
        _status(draft, fields, levels[0])
        return
    if event not in ("up", None) or (event is None and "rxInfo" not in fields):
        return
    device = draft.child(fields, "deviceInfo").get("devEui", "")
    if fields.get("object") is None:
        if fields.get("data"):
            raise PayloadRejected("not_decoded: there is no object; give the device profile a codec")
        return
    uplink = Uplink(
        gateway=levels[0],
        device=device,
        fields=draft.child(fields, "object"),
        time=fields.get("time") or milesight.heard(fields.get("rxInfo")),
        time_field="time",
        seq=fields.get("fCnt", 0),  # zeros are left out
        heard=fields.get("rxInfo"),
    )
    take_uplink(draft, uplink)


def _status(draft: Draft, fields: dict[str, object], gateway: str) -> None:
    """The battery's charge, unless the device has none or cannot tell."""
    if fields.get("externalPowerSource") is True or fields.get("batteryLevelUnavailable") is True:
        return
    device = draft.child(fields, "deviceInfo").get("devEui", "")
    if "batteryLevel" in fields and draft.origin(gateway, device, fields.get("time"), "network"):
        draft.take({"battery_percent": fields["batteryLevel"]})
