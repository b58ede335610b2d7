"""Records that name their quantity in a field: {"variable": "temperature", "value": 21.4, "unit": "°C"}."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.names import named

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABELS = (
    *("variable", "label", "quantity", "measurement", "metric", "parameter", "property", "field", "key"),
    *("type", "name", "sensor", "channel_name", "typeName", "n"),
)
_VALUES = frozenset(["value", "v", "val", "valeur", "measurementValue"])
_UNITS = ("unit", "units", "u", "uom", "unite", "typeUnits")
TIMES = (
    "date",
    "time",
    "timestamp",
    "ts",
    "eventTime",
    "datetime",
    "dateTime",
    "log_timestamp",
    "data_absolute_timestamp",
)


def as_field(record: Mapping[str, object]) -> dict[str, object] | None:
    """The record as one named field with its unit; None when it names no quantity."""
    if _VALUES.isdisjoint(record):
        return None
    value = next(record[key] for key in record if key in _VALUES)
    if value is None or isinstance(value, dict | list):
        return None
    for key in _LABELS:
        label = record.get(key)
        if isinstance(label, str) and named(label) is not None:
            unit = next((record[key] for key in _UNITS if isinstance(record.get(key), str)), None)
            return {label: {"value": value, "unit": unit}}
    return None


def time_of(record: Mapping[str, object]) -> object:
    """When the record says it was measured, None when it does not."""
    return next((record[key] for key in TIMES if record.get(key) is not None), None)
