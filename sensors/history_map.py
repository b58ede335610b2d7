"""The map of a history file: whose reading a value is, when it was measured, and of what.

A map is TOML; `device`, `time` and `[columns]` must be there:

    gateway = "bms"              # first part of every device's key; default "import"
    device = "{id}-{source}"     # a column, a list of columns, a template, or {name = "…"} for one device
    time = "timestamp"           # or {column = "Date", zone = "Europe/Paris", format = "%d/%m/%Y %H:%M"},
                                 # or {columns = ["Date", "Heure"], …}
    separator = ";"              # found by itself, as are encoding and decimal commas
    encoding = "cp1252"

    [columns]                    # wide: a column each
    co2__ppm = "co2"
    rel_humidity__0 = {metric = "humidity", scale = 100}   # 0.494 is 49.4 %
    temp = {metric = "temperature", unit = "°F"}

    [long]                       # long: names and values in two columns; [columns] then maps the names
    metric = "quantity"
    value = "value"
"""

from __future__ import annotations

import codecs
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from string import Formatter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sensors.metrics import METRICS, Metric, conversion, known_unit
from sensors.names import named
from sensors.reading import HistoryRejected

if TYPE_CHECKING:
    from pathlib import Path

_TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts", "horodatage", "date et heure")
_DEVICE_NAMES = ("device", "device_id", "sensor", "sensor_id", "capteur", "id", "name")


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: value × scale + offset is in the metric's unit."""

    metric: Metric
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class HistoryMap:
    """How a file says whose reading a value is, when it was measured and of what."""

    device: tuple[tuple[str, str | None], ...]  # text and the column that follows it
    time: tuple[str, ...]
    columns: Mapping[str, Column]
    gateway: str = "import"
    time_format: str | None = None
    zone: tzinfo | None = None  # None: the installation's
    metric: str | None = None  # long files: the columns of names and of values
    value: str | None = None
    separator: str | None = None
    encoding: str | None = None


class MapError(Exception):
    """What is wrong with a map; the sentence names the key."""


def load_map(path: Path) -> HistoryMap:
    """The map in a TOML file; raises HistoryRejected naming the key that is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryRejected(f"{path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise HistoryRejected(f"{path}: {error}") from error
    try:
        return _map(content)
    except MapError as error:
        raise HistoryRejected(f"{path}: {error}") from error


def map_of(content: dict[str, Any]) -> HistoryMap:
    """The map in a document like the TOML above; raises HistoryRejected naming the key that is wrong."""
    try:
        return _map(content)
    except MapError as error:
        raise HistoryRejected(str(error)) from error


def guess(header: list[str]) -> dict[str, Any]:
    """What a header's names tell, as such a document; incomplete where they do not."""
    folded = {name.strip().lower(): name for name in header}
    time = next((folded[name] for name in _TIME_NAMES if name in folded), "")
    device = next((folded[name] for name in _DEVICE_NAMES if name in folded), "")
    columns: dict[str, Any] = {}
    for name in header:
        told = named(name)
        metric = METRICS.get(told.metric) if told else None
        if told is not None and metric is not None and name not in (time, device):
            columns[name] = {"metric": metric.key, "unit": told.unit or metric.unit}
    return {"device": device, "time": {"column": time}, "columns": columns}


def _map(content: dict[str, Any]) -> HistoryMap:
    known = {"gateway", "device", "time", "separator", "encoding", "columns", "long"}
    for key in content:
        if key not in known:
            raise MapError(f"{key} means nothing here; known are {', '.join(sorted(known))}")
    time, time_format, zone = _time_map(content.get("time"))
    names = content.get("long") or {}
    columns = {name: _column(name, told) for name, told in _table_of(content, "columns").items()}
    if not columns and not names:
        raise MapError("[columns] is missing: which column holds which metric")
    gateway = content.get("gateway", "import")
    if not isinstance(gateway, str) or not gateway.strip() or "/" in gateway:
        raise MapError("gateway should be a name without a slash")
    return HistoryMap(
        device=_device_map(content.get("device")),
        time=time,
        columns=columns,
        gateway=gateway,
        time_format=time_format,
        zone=zone,
        metric=_text(names, "metric", "long.") if names else None,
        value=_text(names, "value", "long.") if names else None,
        separator=_text(content, "separator") if "separator" in content else None,
        encoding=_encoding(_text(content, "encoding")) if "encoding" in content else None,
    )


def _table_of(content: dict[str, Any], key: str) -> dict[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise MapError(f"{key} should be a table: [{key}]")
    return table


def _text(content: dict[str, Any], key: str, within: str = "") -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise MapError(f"{within}{key} should be a text")
    return value


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise MapError(f"encoding {name!r} is unknown; utf-8, cp1252 and utf-16 are usual") from error


def _device_map(told: object) -> tuple[tuple[str, str | None], ...]:
    if isinstance(told, dict):
        return ((_text(told, "name", "device."), None),)
    if isinstance(told, list) and told and all(isinstance(name, str) for name in told):
        return tuple(("-" if index else "", name) for index, name in enumerate(told))
    if not isinstance(told, str) or not told:
        raise MapError("device should be a column, a list of columns or a template such as {id}-{source}")
    if "{" not in told:
        return (("", told),)
    return tuple((text, name or None) for text, name, _, _ in Formatter().parse(told))


def _time_map(told: object) -> tuple[tuple[str, ...], str | None, tzinfo | None]:
    if isinstance(told, str) and told:
        return (told,), None, None
    if not isinstance(told, dict):
        raise MapError(
            'time should be a column, or {column = "…", zone = "Europe/Paris", format = "%d/%m/%Y"}'
        )
    columns = told.get("columns", [told.get("column")])
    if not isinstance(columns, list) or not all(isinstance(name, str) and name for name in columns):
        raise MapError("time.column should be a text, or time.columns a list of them")
    zone = _text(told, "zone", "time.") if "zone" in told else None
    try:
        return (
            tuple(columns),
            _text(told, "format", "time.") if "format" in told else None,
            ZoneInfo(zone) if zone else None,
        )
    except ZoneInfoNotFoundError as error:
        raise MapError(f"time.zone {zone!r} is unknown; Europe/Paris is one") from error


def _column(name: str, told: object) -> Column:
    if isinstance(told, str):
        told = {"metric": told}
    if not isinstance(told, dict):
        raise MapError(f"columns.{name} should be a metric or a table with `metric`")
    metric = METRICS.get(told.get("metric", ""))
    if metric is None:
        raise MapError(f"columns.{name}: {told.get('metric')!r} is no metric; known are {', '.join(METRICS)}")
    spelling = told.get("unit", metric.unit)
    unit = known_unit(spelling) if spelling != metric.unit else metric.unit
    factors = conversion(unit, metric) if unit else None
    if factors is None:
        raise MapError(f"columns.{name}: {spelling!r} does not convert to {metric.unit}")
    scale = told.get("scale", 1)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale):
        raise MapError(f"columns.{name}: scale should be a number")
    return Column(metric, scale * factors[0], factors[1])


def guessed_map(header: list[str]) -> HistoryMap:
    """The map of a file whose header speaks for itself; raises HistoryRejected when it does not."""
    folded = {name.strip().lower(): name for name in header}
    time = next((folded[name] for name in _TIME_NAMES if name in folded), None)
    device = next((folded[name] for name in _DEVICE_NAMES if name in folded), None)
    if time is None or device is None:
        what = "time" if time is None else "device"
        raise HistoryRejected(f"line 1: no column is called {what}; say in a map which one it is")
    if "metric" in folded and "value" in folded:
        own = {key: Column(metric) for key, metric in METRICS.items()}
        return HistoryMap((("", device),), (time,), own, metric=folded["metric"], value=folded["value"])
    columns = {name: column for name in header if (column := column_by_name(name)) is not None}
    if not columns:
        raise HistoryRejected(
            f"line 1: no column's name tells a metric ({', '.join(header[:12])}); give a map"
        )
    return HistoryMap((("", device),), (time,), columns)


def column_by_name(name: str) -> Column | None:
    """What a column's name says it holds, with its unit; None when it says nothing."""
    told = named(name)
    metric = METRICS.get(told.metric) if told else None
    if told is None or metric is None:
        return None
    factors = conversion(told.unit or metric.unit, metric)
    return None if factors is None else Column(metric, *factors)
