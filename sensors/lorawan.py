"""What a LoRaWAN network server passes on of a device: its codec's object, sometimes with stored records."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from sensors.fields import Quantity
from sensors.labelled import as_field, time_of
from sensors.metrics import METRICS
from sensors.wording import misfit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.draft import Draft
    from sensors.reading import TimeSource


_RSSI, _SNR = METRICS["rssi"], METRICS["snr"]
_STORES = frozenset(["history", "measurements", "readings", "data", "records", "datalog", "samples", "logs"])
_MOST_RECORDS = 2000  # of an uplink, lists of them included


@dataclass(slots=True)
class Uplink:
    """One uplink: the codec's `fields`, the network's `time` under the name `time_field`.

    `certain` are fields whose names and units a standard fixes: they come before the codec's own.
    `heard` lists the gateways that heard it, each with `rssi` and `snr`, or `loRaSNR`.
    `records` are stored measurements, each with a `timestamp` or `time` of the device.
    """

    gateway: str
    device: object
    fields: dict[str, Any]
    time: object
    time_field: str
    seq: object
    heard: object = None
    certain: dict[str, Any] = field(default_factory=dict)
    records: list[object] = field(default_factory=list)


def take_uplink(draft: Draft, uplink: Uplink) -> None:
    """Take an uplink at the network's time and its records at their own, or refuse when nothing is known."""
    told = 0
    fields, stored = _stored(uplink.fields)
    if draft.origin(
        uplink.gateway, uplink.device, uplink.time, "network", uplink.seq, field=uplink.time_field
    ):
        known: set[str] = set()
        if uplink.certain:
            told = draft.take(uplink.certain)
            known = {reading.metric for reading in draft.readings}
        told += draft.take(fields, known)
        if told:
            _signal(draft, uplink.heard)
        else:
            told = _labelled(draft, uplink)
    for record in [*uplink.records, *stored]:
        told += _record(draft, uplink, record)
    if not told and not draft.refusals:
        draft.unknown(uplink.fields)


def _signal(draft: Draft, heard: object) -> None:
    """The signal at the gateway that heard it best: health of the device, so nothing is refused for it."""
    best = snr = None
    for each in heard if type(heard) is list else ():
        rssi = each.get("rssi") if type(each) is dict else None
        if (type(rssi) is int or type(rssi) is float) and (best is None or rssi > best):
            best, snr = rssi, each.get("snr", each.get("loRaSNR"))
    if best is not None and _RSSI.low <= best <= _RSSI.high:
        found = [Quantity(_RSSI, float(best), "rssi", 0)]
        if (type(snr) is int or type(snr) is float) and _SNR.low <= snr <= _SNR.high:
            found.append(Quantity(_SNR, float(snr), "snr", 0))
        draft.add(found)


def _labelled(draft: Draft, uplink: Uplink) -> int:
    """Take records that name their quantity, `{"label": "Temperature", "value": 25, "date": …}`.

    Those of one time are taken together, so that two probes of one name contradict each other.
    """
    by_time: dict[str, tuple[object, dict[str, object]]] = {}
    for number, record in enumerate(_records(uplink.fields)):
        fields = as_field(record)
        if fields is not None:
            time = time_of(record)
            _, together = by_time.setdefault(repr(time), (time, {}))
            together |= {f"{number}.{name}": value for name, value in fields.items()}
    told = 0
    for time, together in by_time.values():
        source: TimeSource = "network" if time is None else "device"
        if draft.origin(
            uplink.gateway, uplink.device, uplink.time if time is None else time, source, uplink.seq
        ):
            told += draft.take(together)
    return told


def _records(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The codec's object itself and the objects of its lists, also of lists within."""
    waiting: deque[object] = deque([fields, *islice(fields.values(), _MOST_RECORDS)])
    for _ in range(_MOST_RECORDS):
        if not waiting:
            return
        each = waiting.popleft()
        if isinstance(each, list):
            waiting.extendleft(reversed(each[:_MOST_RECORDS]))
        elif isinstance(each, dict):
            yield each


def _stored(fields: dict[str, Any]) -> tuple[dict[str, Any], list[object]]:
    """The fields of now, and the records among them that have a time of their own."""
    if _STORES.isdisjoint(fields):
        return fields, []
    stored = {key: fields[key] for key in _STORES if key in fields and _is_stored(key, fields[key])}
    rest = {key: value for key, value in fields.items() if key not in stored}
    return rest, [record for records in stored.values() for record in records]


def _is_stored(key: str, records: object) -> bool:
    if not isinstance(records, list):
        return False
    return key == "history" or all(
        isinstance(each, dict) and time_of(each) is not None and as_field(each) is None for each in records
    )


def _record(draft: Draft, uplink: Uplink, record: object) -> int:
    if not isinstance(record, dict):
        draft.refuse(*misfit("history", record, "a list of objects"))
        return 0
    time = time_of(record)
    if time is None:
        draft.refuse("missing", "a record of history has no timestamp")
        return 0
    if not draft.origin(uplink.gateway, uplink.device, time, within="history.", field="timestamp"):
        return 0
    return draft.take(record)
