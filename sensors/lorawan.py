"""What a LoRaWAN network server passes on of a device: its codec's object, sometimes with stored records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sensors.wording import misfit

if TYPE_CHECKING:
    from sensors.draft import Draft


@dataclass(slots=True)
class Uplink:
    """One uplink: the codec's `fields`, the network's `time` under the name `time_field`.

    `certain` are fields whose names and units a standard fixes: they come before the codec's own.
    `records` are stored measurements, each with a `timestamp` or `time` of the device.
    """

    gateway: str
    device: object
    fields: dict[str, Any]
    time: object
    time_field: str
    seq: object
    certain: dict[str, Any] = field(default_factory=dict)
    records: list[object] = field(default_factory=list)


def take_uplink(draft: Draft, uplink: Uplink) -> None:
    """Take an uplink at the network's time and its records at their own, or refuse when nothing is known."""
    told = 0
    if draft.origin(
        uplink.gateway, uplink.device, uplink.time, "network", uplink.seq, field=uplink.time_field
    ):
        known: set[str] = set()
        if uplink.certain:
            told = draft.take(uplink.certain)
            known = {reading.metric for reading in draft.readings}
        told += draft.take(uplink.fields, known)
    history = uplink.fields.get("history")
    records = [*uplink.records, *history] if isinstance(history, list) else uplink.records
    for record in records:
        told += _record(draft, uplink, record)
    if not told and not draft.refusals:
        draft.unknown(uplink.fields)


def _record(draft: Draft, uplink: Uplink, record: object) -> int:
    if not isinstance(record, dict):
        draft.refuse(*misfit("history", record, "a list of objects"))
        return 0
    time = record.get("timestamp", record.get("time"))
    if time is None:
        draft.refuse("missing", "a record of history has no timestamp")
        return 0
    if not draft.origin(uplink.gateway, uplink.device, time, within="history.", field="timestamp"):
        return 0
    return draft.take(record)
