"""ThingsBoard: a gateway's `v1/gateway/telemetry`, a device's `v1/devices/me/telemetry`, a converter's.

{"Loire": [{"ts": 1772442900000, "values": {"co2": 612}}], "Cher": [{"temperature": 21.4}]}
Measured at `ts`, milliseconds of the device or of whoever relays it. A device that speaks for itself is not
named in its topic, ThingsBoard knows it by its account: here it needs a topic root of its own before `v1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.wording import misfit

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = (
    *(
        "v1/gateway/telemetry",
        "v1/devices/me/telemetry",
        "v2/t",
        "+/v1/gateway/telemetry",
        "+/v1/devices/me/telemetry",
    ),
    *("v1/gateway/+", "v1/gateway/attributes/+", "v1/devices/me/attributes", "v1/devices/me/attributes/#"),
    "v1/devices/me/rpc/#",
)
MARKS = ("telemetry", "[].telemetry")


def read(draft: Draft) -> None:
    """Readings of each device's records; of attributes, connections and procedure calls none."""
    levels = draft.levels
    document = draft.document
    gateway = levels[0] if levels and levels[0] not in ("v1", "v2") else "thingsboard"
    if levels[-2:] == ["gateway", "telemetry"]:
        for device, records in draft.fields.items():
            _records(draft, gateway, device, records)
    elif levels[-1:] == ["telemetry"] or levels == ["v2", "t"]:
        _records(draft, gateway, "me", document)
    elif "v1" not in levels:
        for each in document if isinstance(document, list) else [document]:
            if isinstance(each, dict):
                _records(draft, gateway, each.get("deviceName"), each.get("telemetry"))


def _records(draft: Draft, gateway: str, device: object, records: object) -> None:
    for record in records if isinstance(records, list) else [records]:
        if not isinstance(record, dict):
            draft.refuse(*misfit(f"telemetry of {device!r:.60}", record, "an object or a list of them"))
            continue
        values: Any = record.get("values", record)
        if not isinstance(values, dict):
            draft.refuse(*misfit("values", values, "an object"))
        elif draft.origin(gateway, device, record.get("ts"), field="ts"):
            told = draft.take(values)
            if not told and not draft.refusals:
                draft.unknown(values)
