"""SenML in JSON (RFC 8428), on any topic: a list of records, each under the base fields said before it.

[{"bn": "urn:dev:ow:10e2073a01080063:", "bt": 1772442900, "n": "temperature", "u": "Cel", "v": 21.4}]
The device is the base name, or the beginning of a name given whole. Times below 2²⁸ count from reception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.senml import RELATIVE_BELOW, resolved

if TYPE_CHECKING:
    from typing import Any

    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = ("[].bn", "[].n", "[].bt", "[].bu")


def read(draft: Draft) -> None:
    """Readings of each record."""
    document = draft.document
    take_pack(draft, document if isinstance(document, list) else [document])


def take_pack(draft: Draft, pack: list[Any]) -> None:
    """Take the records of a pack; those of one device and time together, so that a name can be doubted."""
    root = (draft.levels or [""])[0]
    told = 0
    for record in resolved(pack):
        if isinstance(record, str):
            draft.refuse("bad_record", record)
            continue
        time: float | None = record.time
        if record.time < RELATIVE_BELOW:
            relative = draft.received_at.timestamp() + record.time
            time = None if record.time == 0 else relative
        device = record.device or draft.named_by_topic
        if not draft.origin(
            root, device, time, "received" if record.time < RELATIVE_BELOW else "device", field="t"
        ):
            continue
        taken = draft.take({record.field: record.value}) if record.field else 0
        told += taken
        if not taken:
            draft.refuse("nothing_known", f"no quantity is known by the name {record.field!r:.60}")
    draft.drop_contradictions()
    if not told and not draft.refusals:
        draft.refuse("empty", "no record of the pack has a value")
