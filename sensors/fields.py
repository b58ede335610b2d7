"""Quantities among the named fields of a decoded object, as codecs of every maker write them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from sensors.names import LONGEST_NAME, Name, is_wrapper, named
from sensors.values import HOTTEST, inner_value, read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sensors.metrics import Metric

    Refuse = Callable[[str, str], object]
    _Level = tuple[str, Mapping[str, object], int]  # an object, what its path begins by, how deep one may go

MOST_FIELDS = 10_000  # looked at in one payload, records included
DEEPEST = 4  # wrappers around a field
_WIDEST, _LONGEST_KEYS = 64, 2000  # keys of an object whose plan is remembered, and their characters


class Quantity(NamedTuple):
    """A plausible value found under a name, in the metric's own unit."""

    metric: Metric
    value: float
    field: str
    doubt: int


class Found(NamedTuple):
    """What fields tell: a quantity a metric, how many names told one, how many fields were looked at."""

    quantities: list[Quantity]
    told: int
    looked_at: int


def quantities(
    fields: Mapping[str, object], refuse: Refuse, known: Collection[str] = (), most: int = MOST_FIELDS
) -> Found:
    """One quantity a metric: the surest of its names; lines and zones are summed.

    Metrics already `known` from elsewhere are passed over, and so is what names nothing. What names a
    metric but holds no number is told to `refuse(code, sentence)` unless a name as sure holds one, and so
    are two equally sure names that disagree. Stops when it has looked at more than `most` fields.
    """
    best = _Best(refuse)
    told = looked_at = 0
    waiting: list[_Level] = [("", fields, DEEPEST)]
    while waiting:
        level = waiting.pop()
        looked_at += len(level[1])
        if looked_at > most:
            break
        told += _read_level(level, best, known, waiting)
    return Found(best.settled(), told, looked_at)


def _read_level(level: _Level, best: _Best, known: Collection[str], waiting: list[_Level]) -> int:
    """Add what the fields of one object tell, and the objects in it to those `waiting`; how many told."""
    prefix, fields, depth = level
    told = 0
    for key, path, name, metric, most, state, unit_key in _plan(prefix, fields):
        value = fields[key]
        kind = type(value)
        if kind is dict or kind is list:
            wrapped = _wrapped(value)
            if wrapped is not None:
                if depth and is_wrapper(path):
                    waiting += [(f"{path}.{begin}", each, depth - 1) for begin, each in wrapped]
                continue
        if name is None:
            continue
        told += 1
        if name.metric in known:
            continue
        if (
            metric is not None
            and (kind is float or kind is int or (state and kind is bool))
            and metric.low <= value <= most  # type: ignore[operator]
            and value not in metric.sentinels
            and (not state or value in (0, 1))
        ):  # most fields: a number in the metric's own unit
            best.add(name, metric, float(value), path)  # type: ignore[arg-type]
        else:
            best.read(name, value, path, unit_key and fields[unit_key])
    return told


class _Entry(NamedTuple):
    """What is known of a field before its value: path, what its name tells, which field says its unit.

    `metric` is the one a plausible number, at `most` so large, can only be a value of, in its own unit.
    """

    key: str
    path: str
    name: Name | None
    metric: Metric | None
    most: float
    state: bool
    unit_key: str | None


def _plan(prefix: str, fields: Mapping[str, object]) -> tuple[_Entry, ...]:
    """The fields that may tell something; looked up at once for objects whose keys were seen before."""
    keys = tuple(fields)
    usual = len(keys) <= _WIDEST and len("".join(keys)) <= _LONGEST_KEYS
    return _remembered(prefix, keys) if usual else _planned(prefix, keys)


def _planned(prefix: str, keys: tuple[str, ...]) -> tuple[_Entry, ...]:
    units = {_bare(key): key for key in keys if len(key) < LONGEST_NAME and "unit" in key.lower()}
    entries = (_entry(key, prefix + _alias(key, keys), units.get(key.lower())) for key in keys)
    return tuple(each for each in entries if each.name is not None or is_wrapper(each.path))


def _entry(key: str, path: str, unit_key: str | None) -> _Entry:
    name = named(path)
    metric = name.plain if name and unit_key is None else None
    most = 0.0 if metric is None else metric.high
    if metric is not None and metric.key == "temperature" and name is not None and name.unit is None:
        most = HOTTEST
    return _Entry(key, path, name, metric, most, metric is not None and metric.is_state, unit_key)


def _alias(key: str, keys: tuple[str, ...]) -> str:
    """`ppm` alone could be any gas; beside `sensorTemperature` it is CO2, in MClimate's displays."""
    return "co2_ppm" if key == "ppm" and "sensorTemperature" in keys else key


_remembered = lru_cache(maxsize=1024)(_planned)


def _bare(key: str) -> str:
    """`temperature` of `temperature_unit`, `temperatureUnit` and `unitTemperature`."""
    return key.lower().replace("units", "").replace("unit", "").strip("_ ")


def _wrapped(value: object) -> list[tuple[str, dict[str, object]]] | None:
    """Objects within a value, with what their fields' path begins by; None when the value is one value."""
    if isinstance(value, list):
        if not value or type(value[0]) is not dict:
            return None
        return [(f"{index}.", each) for index, each in enumerate(value[:64]) if isinstance(each, dict)]
    fields = cast("dict[str, object]", value)
    inner = inner_value(fields)
    return [("", fields)] if inner is None or type(inner) is dict else None


class _Best:
    """The surest quantity of each metric so far, its rival, and what could not be read."""

    __slots__ = ("_best", "_complaints", "_contested", "_refuse")

    def __init__(self, refuse: Refuse) -> None:
        self._best: dict[str, Quantity] = {}
        self._contested: dict[str, str] = {}
        self._complaints: list[tuple[Name, str, str]] = []
        self._refuse = refuse

    def add(self, name: Name, metric: Metric, value: float, path: str) -> None:
        """Keep it when it is surer than what is known of its metric."""
        key = metric.key
        rival = self._best.get(key)
        if rival is None or name.doubt < rival.doubt:
            self._best[key] = tuple.__new__(Quantity, (metric, value, path, name.doubt))
            if rival is not None:
                self._contested.pop(key, None)
        elif name.doubt == rival.doubt:
            if name.summed:
                self._best[key] = rival._replace(value=rival.value + value)
            elif value != rival.value:
                self._contested[key] = path

    def read(self, name: Name, value: object, path: str, unit: object) -> None:
        """Add the quantity of a field that is not simply a number in the metric's own unit."""

        def complain(code: str, sentence: str) -> None:
            self._complaints.append((name, code, sentence))

        found = read_value(name, value, unit, path, complain)
        if found is not None:
            self.add(name, *found, path)

    def settled(self) -> list[Quantity]:
        """What is sure; the rest is refused."""
        for key, other in self._contested.items():
            one = self._best.pop(key)
            self._refuse("ambiguous", f"{one.field} and {other} both say {key}, and differ: map one of them")
        for name, code, sentence in self._complaints:
            surest = self._best.get(name.metric)
            if surest is None or surest.doubt > name.doubt:
                self._refuse(code, sentence)
        return list(self._best.values())
