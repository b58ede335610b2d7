"""Milesight gateways, and ChirpStack v3 from which their JSON comes: `devEUI` at the top level, on any topic.

Measured when the gateway's network server heard it, in `time` or, before that existed, `rxInfo[].time`;
measured what the payload codec left in `object`, in `data`, or among the top-level fields.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from sensors.draft import parsed
from sensors.lorawan import Uplink, take_uplink
from sensors.reading import PayloadRejected

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = ("devEUI",)

_EUI_IN_BASE64 = 12  # characters, where hexadecimal takes sixteen
_EVENTS = frozenset(["join", "ack", "txack", "error", "status", "location", "integration", "log"])


def read(draft: Draft) -> None:
    """Readings of an uplink; of joins, statuses and acknowledgements none."""
    fields = draft.fields
    if draft.topic.rpartition("/")[2] in _EVENTS:
        return
    told = _told(fields)
    if told is None:
        if fields.get("data"):
            raise PayloadRejected("not_decoded: there is no object; choose a payload codec for the device")
        return
    time, time_field = fields.get("time"), "time"
    if time is None:
        time, time_field = heard(fields.get("rxInfo")), "rxInfo[].time"
    uplink = Uplink(
        gateway=(draft.levels or ["milesight"])[0],
        device=_eui(fields["devEUI"]),
        fields=told,
        time=time,
        time_field=time_field,
        seq=fields.get("fCnt", 0),  # zeros are left out
        heard=fields.get("rxInfo"),
    )
    take_uplink(draft, uplink)


def _told(fields: dict[str, Any]) -> dict[str, Any] | None:
    """What the codec decoded; None when nothing but the envelope is there."""
    for key in ("object", "data", "decoded"):
        if isinstance(fields.get(key), dict) and fields[key]:
            return dict(fields[key])
    if isinstance(fields.get("objectJSON"), str) and fields["objectJSON"]:
        inner = parsed(fields["objectJSON"].encode())
        return inner if isinstance(inner, dict) else None
    rest = {key: value for key, value in fields.items() if key not in _ENVELOPE}
    return rest or None


def heard(gateways: object) -> object:
    """When the first gateway with a clock heard it, or ChirpStack's server heard that gateway."""
    for each in gateways if isinstance(gateways, list) else ():
        for field in ("time", "gwTime", "nsTime"):
            if isinstance(each, dict) and each.get(field):
                return each[field]
    return None


def _eui(text: object) -> object:
    """A device's number in hexadecimal, also when it came in base64."""
    if isinstance(text, str) and len(text) == _EUI_IN_BASE64 and text.endswith("="):
        try:
            return binascii.a2b_base64(text, strict_mode=True).hex()
        except binascii.Error:
            return text
    return text


_ENVELOPE = frozenset(
    [
        *(
            "applicationID",
            "applicationName",
            "deviceName",
            "devEUI",
            "rxInfo",
            "txInfo",
            "adr",
            "dr",
            "fCnt",
        ),
        *("fPort", "data", "object", "objectJSON", "decoded", "time", "metadata", "tags", "confirmedUplink"),
        *(
            "devAddr",
            "deviceProfileID",
            "deviceProfileName",
            "publishedAt",
            "gatewayTime",
            "type",
            "cellularIP",
        ),
        *("cellularIMEI", "cellularICCID", "gatewayName", "gatewayMAC", "gatewaySN"),
    ]
)
