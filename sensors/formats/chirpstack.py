"""ChirpStack v4: `application/{id}/device/{eui}/event/{event}`.

Measured when the network says in `time`; measured what its codec left in `object`. Only `up` measures.
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
    """Readings of an `up` event; of joins, statuses, acknowledgements, logs and locations none."""
    levels = draft.topic.split("/")
    fields = draft.fields
    if "deviceInfo" not in fields and "devEUI" in fields:
        milesight.read(draft)
        return
    event = levels[-1] if levels[-2:-1] == ["event"] else None
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
        time=fields.get("time"),
        time_field="time",
        seq=fields.get("fCnt", 0),  # zeros are left out
    )
    take_uplink(draft, uplink)
