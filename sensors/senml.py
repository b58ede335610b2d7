"""SenML (RFC 8428): records resolved from their base fields, and what a resolved record measures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sensors.names import named

if TYPE_CHECKING:
    from collections.abc import Iterator

RELATIVE_BELOW = 2**28  # smaller times count from now

# units of the registries of RFC 8428 and RFC 8798 that are spelled otherwise than ours
UNITS = {
    "Cel": "°C",
    "%RH": "%",
    "/": "fraction",
    "%EL": "%",
    "lx": "lx",
    "dBW": "dBW",
    "count": None,
    "1": None,
}
# what a bare unit measures, where a record has no name: nothing else in a room comes in these
_BY_UNIT = {"%RH": "humidity", "Cel": "temperature", "K": "temperature", "lx": "light", "%EL": "battery"}
_IDENTIFIER = re.compile(r"(?=.*[0-9])[0-9a-fA-F-]{6,40}")
_LARGEST = 1e15  # of a value or a time
_ENDS = ":/_.- "  # between a device's name and a quantity's


class Record(NamedTuple):
    """A record on its own: who, what (a field and its value), when as the pack says it."""

    device: str
    field: str
    value: object
    time: float


def resolved(pack: list[Any]) -> Iterator[Record | str]:
    """Each record of a pack with its base fields applied; the reason instead where one is not of SenML."""
    base: dict[str, Any] = {}
    for index, record in enumerate(pack):
        if not isinstance(record, dict):
            yield f"[{index}] is no object"
            continue
        base |= {key: record[key] for key in ("bn", "bt", "bu", "bv", "bs") if key in record}
        found = _record(base, record, f"[{index}]")
        if found is not None:
            yield found


def _record(base: dict[str, Any], record: dict[str, Any], where: str) -> Record | str | None:
    begin, name = base.get("bn", ""), record.get("n", "")
    from_base, time = base.get("bt", 0), record.get("t", 0)
    if type(begin) is not str or type(name) is not str:
        return f"{where} has a name that is no text"
    if not _is_number(from_base) or not _is_number(time):
        return f"{where} has a time that is no number"
    value = record.get("v", record.get("vb", record.get("vs")))
    if "bv" in base and (value is None or "v" in record):
        value = record.get("v", 0)
        if not _is_number(value) or not _is_number(base["bv"]):
            return f"{where}.v is no number"
        value += base["bv"]
    if value is None:
        return None  # base fields alone, a sum, or data
    unit = record.get("u", base.get("bu"))
    device, quantity = _split(begin, name, unit)
    if isinstance(unit, str):
        value = {"value": value, "unit": UNITS.get(unit, unit)}
    return Record(device, quantity, value, from_base + time)


def _split(base: str, name: str, unit: object) -> tuple[str, str]:
    """Device and quantity: the record's own name is the quantity, or the last part of a name given whole."""
    if base and (not name or named(name) is not None):
        return base.rstrip(_ENDS), name or _BY_UNIT.get(str(unit), "")
    whole = base + name
    cut = max(whole.rfind(end) for end in ":/.") + 1
    if _IDENTIFIER.fullmatch(whole, cut):  # a name that ends with the device: the unit tells the quantity
        return whole, _BY_UNIT.get(str(unit), "")
    if named(whole[cut:]) is None:
        return whole.rstrip(_ENDS), name or _BY_UNIT.get(str(unit), "")
    return whole[:cut].rstrip(_ENDS), whole[cut:]


def _is_number(value: object) -> bool:
    return (type(value) is int or type(value) is float) and -_LARGEST < value < _LARGEST
