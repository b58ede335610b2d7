"""InfluxDB line protocol, on any topic: what no JSON is, a line a measurement.

room,device=loire temperature=21.4,co2=612i,occupied=t 1772442900000000000
The device is a tag (below), else the topic's; a field named `value` is what the measurement is named after,
also as ChirpStack and Home Assistant write it. The time may be in s, ms, µs or ns: its size tells.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sensors.entity import entity, is_elsewhere
from sensors.formats import TEXT
from sensors.reading import PayloadRejected
from sensors.wording import shown

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = (TEXT,)

MOST_LINES = 10_000
LONGEST_LINE = 50_000
LONGEST_SERIES = 500  # characters of measurement and tags that are remembered
_DEVICES = (
    *("device", "device_id", "deviceId", "dev_eui", "devEui", "dev_id", "sensor", "sensor_id", "node", "id"),
    *("mac", "device_name", "name", "topic", "room", "location", "host"),
)
_WORD = r"(?:\\.|[^\\,= \n])+"
_FIELD = rf'{_WORD}=(?:"(?:\\.|[^"\\])*"|[^", \n]+)'
_LINE = re.compile(
    rf"((?:\\.|[^\\, \n])+)((?:,{_WORD}={_WORD})*) +({_FIELD}(?:,{_FIELD})*)(?: +(-?[0-9]+))? *"
)
_PAIR = re.compile(rf'({_WORD})=("(?:\\.|[^"\\])*"|(?:\\.|[^\\, \n])+)')
_ESCAPED = re.compile(r"\\([,= \\\"])")
_NUMBER = re.compile(r"([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)[iu]?")
_YES, _NO = frozenset(["t", "T", "true", "True", "TRUE"]), frozenset(["f", "F", "false", "False", "FALSE"])
_CHIRPSTACK = "device_frmpayload_data_"
_ALIVE = frozenset(
    ["online", "offline", "connected", "disconnected", "alive", "true", "false", "ready", "lost"]
)


def read(draft: Draft) -> None:
    """Readings of each line; of a word that says who is online none."""
    text = draft.text or ""
    if text.lower() in _ALIVE:
        return
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if len(lines) > MOST_LINES:
        raise PayloadRejected(f"too_many: more than {MOST_LINES} lines in one payload")
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.strip()) if len(line) < LONGEST_LINE else None
        if match is None:
            reason = f"line {number} of the payload, {shown(line)}, is neither JSON nor line protocol"
            if number == 1:
                raise PayloadRejected(f"unknown_format: {reason}")
            draft.refuse("bad_line", reason)
            continue
        measurement, tags, fields, time = match.groups()
        series = _remembered if len(measurement) + len(tags) <= LONGEST_SERIES else _series
        _line(draft, series(measurement, tags), fields, time)
    draft.drop_contradictions()


class _Series(NamedTuple):
    """What is the same in every line of one device: its tags, already read."""

    measurement: str
    device: str
    entity_id: str
    elsewhere: bool


def _series(measurement: str, tags: str) -> _Series:
    told = {name: _plain(tag) for name, tag in _pairs(tags)}
    name = _plain(measurement)
    device = next((told[tag] for tag in _DEVICES if tag in told), "")
    return _Series(name, device, told.get("entity_id", ""), is_elsewhere(name))


_remembered = lru_cache(maxsize=4096)(_series)


def _line(draft: Draft, series: _Series, text: str, time: str | None) -> None:
    root = (draft.levels or [""])[0]
    fields: dict[str, object] = {name: _value(value) for name, value in _pairs(text)}
    device = series.device or draft.named_by_topic
    told = {} if series.elsewhere else fields
    if series.entity_id:  # Home Assistant: the measurement is the unit
        place, quantity = entity(series.entity_id) or ("", "")
        device = place or series.entity_id
        told = {quantity: {"value": fields.get("value"), "unit": series.measurement}}
    elif "value" in fields:
        told = {series.measurement.removeprefix(_CHIRPSTACK): fields["value"]}
    if not draft.origin(root, device, None if time is None else int(time[:20]), field="the time"):
        return
    if not draft.take(told):
        names = shown(", ".join([series.measurement, *fields]))
        draft.refuse("nothing_known", f"no quantity is known by these names: {names}")


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(_plain(name), value) for name, value in _PAIR.findall(text)]


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _value(text: str) -> object:
    """A float, an integer, yes or no, or text."""
    match = _NUMBER.fullmatch(text[:40])
    if match:
        return float(match[1])
    if text in _YES or text in _NO:
        return text in _YES
    return _plain(text.strip('"'))
