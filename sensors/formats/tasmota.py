"""Tasmota: `tele/{topic}/SENSOR` and `stat/{topic}/STATUS10` (or `{topic}/tele/SENSOR`), one object a chip.

`Time` is local and mostly without a zone; `TempUnit` and `PressureUnit` hold for the whole message. Chips
numbered by Tasmota (`DS18B20-2`), known by an address over Bluetooth (`LYWSD03-52680f`) or heard over Zigbee
(`ZbReceived`) are devices of their own, the others belong to the device that sends. Among those a thermometer
comes before the one that a CO2 sensor corrects itself by. `ESP32` measures itself; the `People` of an LD2410
is a state.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sensors.metrics import known_unit
from sensors.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.draft import Draft

TOPICS = ("tele/#", "stat/#", "+/tele/+", "+/stat/+", "+/+/tele/+", "+/+/stat/+")
MARKS = ("StatusSNS", "TempUnit")

_REPORTS = frozenset(["SENSOR", "STATUS8", "STATUS10"])
_PREFIXES = frozenset(["tele", "stat"])
_APART = re.compile(r".+-(?:[1-9]|[0-9a-fA-F]{6,12})")
# the chip's own heat, a boiler, the weather, an estimate made from something else
_NOT_THE_ROOM = frozenset(
    ["ESP32", "ESP", "OPENTHERM", "MPU6050", "MLX90614", "IAQ", "ENERGY", "Wifi", "ESP32S3"]
)
_BY_THE_WAY = re.compile(r"(SCD|MHZ|MH-Z|SENSEAIR|CM11|S8|T67|SEN5|BMP|BME680|PMS|ENS|CCS)", re.IGNORECASE)
_RADAR = re.compile(r"LD2410", re.IGNORECASE)


def read(draft: Draft) -> None:
    """Readings of a sensors' report; of states, wills and results none."""
    levels = draft.levels
    if not _PREFIXES.isdisjoint(levels) and not _REPORTS & set(levels[-1:]):
        return
    fields = draft.fields
    if isinstance(fields.get("StatusSNS"), dict):
        fields = fields["StatusSNS"]
    names = [level for level in levels if level not in _PREFIXES | _REPORTS]
    gateway = levels[0] if levels and levels[0] not in _PREFIXES else "tasmota"
    name = "/".join(names[1:] if names[:1] == [gateway] and len(names) > 1 else names) or "tasmota"
    units = _units(fields)
    chips = {
        chip: each for chip, each in fields.items() if isinstance(each, dict) and chip not in _NOT_THE_ROOM
    }
    time = draft.clock(fields.get("Time"))
    if not draft.origin(gateway, name, time, field="Time"):
        return
    _shared(draft, {chip: each for chip, each in chips.items() if not _APART.fullmatch(chip)}, units)
    for chip, each in chips.items():
        if _APART.fullmatch(chip) and draft.origin(gateway, f"{name}/{chip}", time, field="Time"):
            draft.take(_in_units(chip, each, units))
    for device, each in _zigbee(fields):
        if draft.origin(gateway, f"{name}/{device}", time, field="Time"):
            draft.take(each)


def _zigbee(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, object]]]:
    """What a Zigbee bridge heard, by the name it gave or the address; its illuminance is a logarithm."""
    heard = fields.get("ZbReceived")
    for address, each in heard.items() if isinstance(heard, dict) else ():
        if isinstance(each, dict):
            name = each.get("Name")
            told = {field: value for field, value in each.items() if field != "Illuminance"}
            yield name if isinstance(name, str) else address, told


def _shared(draft: Draft, chips: dict[str, dict[str, Any]], units: dict[str, str]) -> None:
    """Take the chips soldered to the device; what two of them tell is told by the better placed."""
    known: set[str] = set()
    for by_the_way in (False, True):
        before = len(draft.readings)
        told = {
            f"data.{field}" if len(chips) == 1 else f"{index}.{field}": value
            for index, (chip, each) in enumerate(chips.items())
            if bool(_BY_THE_WAY.match(chip)) is by_the_way
            for field, value in _in_units(chip, each, units).items()
        }
        draft.take(told, known)
        known |= {reading.metric for reading in draft.readings[before:]}


def _in_units(chip: str, fields: dict[str, Any], units: dict[str, str]) -> dict[str, object]:
    told: dict[str, object] = {}
    for field, value in fields.items():
        if field == "People" and _RADAR.match(chip):
            told["Presence"] = value in (2, 3)  # 0 and 1: nobody
        elif field in units:
            told[field] = {"value": value, "unit": units[field]}
        else:
            told[field] = value
    return told


def _units(fields: dict[str, Any]) -> dict[str, str]:
    """Unit of the fields whose unit the message says; of pressure also mmHg, which nobody converts."""
    said = (("Temperature", fields.get("TempUnit")), ("Pressure", fields.get("PressureUnit")))
    return {field: known_unit(unit) or shown(unit) for field, unit in said if isinstance(unit, str)}
