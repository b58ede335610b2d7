"""What no other format knows: an object of known names, or a list of them; the last resort.

{"device": "loire", "time": 1772442900, "temperature": 21.4, "data": {"co2": 612}}
{"device": "loire", "variable": "temperature", "value": 21.4, "unit": "°C"}
The device is named by one of the fields below, else by the topic; the time is the device's, else that of
reception. Objects within are read where they only wrap fields (`data`, `readings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.formats import ANY
from sensors.labelled import as_field
from sensors.names import is_wrapper, named, words
from sensors.reading import PayloadRejected
from sensors.wording import shown

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = (ANY,)


def _ranked(text: str) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(text.split())}


_DEVICES = _ranked(
    """
    device device_id deviceId deviceID dev_id devEui dev_eui DevEUI deveui EUI deviceName device_name
    sensor_id sensorId node node_id nodeId serial serialno serialNumber serial_number sn mac MAC chipId
    id _id sensor name
    """
)
_TIMES = _ranked(
    """
    time timestamp ts Time datetime dateTime date_time DateTime Timestamp measured_at measuredAt recorded_at
    recordedAt observed_at time_utc timestamp_ms epoch date horodatage last_seen lastSeen created_at createdAt
    """
)
# a topic with one of these levels carries orders, settings or other people's weather, not measurements
_NOT_MEASURED = words(
    """
    set get cmd cmnd command commands config configuration settings request rpc setpoint target threshold
    thresholds weather meteo forecast outdoor outside exterieur discovery
    """
)


def read(draft: Draft) -> None:
    """Readings of an object, or of each in a list."""
    document = draft.document
    levels = draft.levels
    if levels[:1] == ["temoin"] or not _NOT_MEASURED.isdisjoint(level.lower() for level in levels):
        raise PayloadRejected(_unknown(draft))
    root, name = (levels or [""])[0], draft.named_by_topic
    entries = document if type(document) is list else [document]
    for index, entry in enumerate(entries):
        if type(entry) is not dict:
            raise PayloadRejected(_unknown(draft))
        _entry(draft, entry, root, name, f"[{index}]." if type(document) is list else "")
    if len(entries) > 1:
        draft.drop_contradictions()


def _entry(draft: Draft, entry: dict[str, Any], root: str, name: str, within: str) -> None:
    fields = as_field(entry) or entry
    names = [key for key in entry if key in _DEVICES and _is_name(entry[key], fields)]
    if names:
        name = str(entry[min(names, key=_DEVICES.__getitem__)])
    if fields is entry:
        fields = {key: value for key, value in entry.items() if key not in _DEVICES}
    time, field = _time(entry)
    if draft.origin(root, name, draft.clock(time), within=within, field=field):
        before = len(draft.refusals)
        if not draft.take(fields) and len(draft.refusals) == before:
            draft.refuse("unknown_format", _unknown(draft).partition(": ")[2])


def _is_name(value: object, fields: dict[str, object]) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) and value not in fields and named(value) is None
    return type(value) is int


def _time(entry: dict[str, Any]) -> tuple[object, str]:
    """The device's time and the field that says it, also within a wrapper; None when there is none."""
    field = _said(entry)
    if field is not None:
        return entry[field], field
    for key, value in entry.items():
        if type(value) is dict and is_wrapper(key) and (field := _said(value)) is not None:
            return value[field], field
    return None, ""


def _said(fields: dict[str, Any]) -> str | None:
    """The field that says the time, the first of our list when there are several."""
    said = [key for key in fields if key in _TIMES and isinstance(fields[key], str | int | float)]
    return min(said, key=_TIMES.__getitem__) if said else None


def _unknown(draft: Draft) -> str:
    return f"unknown_format: neither topic {shown(draft.topic)} nor the payload's shape is known"
