"""Quantities among the named fields of a decoded object, as codecs of every maker write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensors.metrics import METRICS, MISSING, Metric, converted, known_unit
from sensors.names import BY_UNIT, Name, is_wrapper, named, words
from sensors.wording import misfit, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    Refuse = Callable[[str, str], object]

MOST_FIELDS = 5000  # looked at in one payload, records included
DEEPEST = 4  # wrappers around a field

# what a device says instead of a number while it has none
WAITING = words(
    """
    preheating preheat warmup warming heating init initializing initialising starting calibrating polling
    unknown unavailable none null nan n/a na - -- undefined invalid error disconnected notset
    notavailable nodata
    """
)
# a grade, where others give a number
_GRADES = words("dark bright dim low medium high good fair poor bad normal ok excellent moderate quiet loud")

_YES = words(
    """
    1 true on yes occupied open opened trigger triggered detected motion presence present
    motiondetected active
    """
)
_NO = words(
    """
    0 false off no vacant unoccupied empty free closed close shut clear idle normal none absent inactive
    nomotion notdetected undetected untriggered nomotiondetected nopresence
    """
)

_NUMBER_AND_UNIT = re.compile(r"\s*([-+]?\d{1,12}(?:[.,]\d{1,12})?)\s*(\D{0,12})", re.ASCII)


class Quantity(NamedTuple):
    """A plausible value found under a name, in the metric's own unit."""

    metric: Metric
    value: float
    field: str
    doubt: int
    summed: bool


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
    metric but holds no number is told to `refuse(code, sentence)`, and so are two equally sure names
    that disagree, and more than `most` fields.
    """
    best: dict[str, Quantity] = {}
    contested: dict[str, Quantity] = {}
    told = 0
    walk = _Walk(fields, most)
    for name, value, path in walk:
        told += 1
        if name.metric in known:
            continue
        found = _as_it_stands(name, value, path) or _quantity(name, value, path, refuse)
        if found is None:
            continue
        key = found.metric.key
        rival = best.get(key)
        if rival is None or found.doubt < rival.doubt:
            best[key] = found
            contested.pop(key, None)
        elif found.doubt == rival.doubt:
            if found.summed:
                best[key] = rival._replace(value=rival.value + found.value)
            elif found.value != rival.value:
                contested[key] = found
    for key, other in contested.items():
        one = best.pop(key)
        refuse("ambiguous", f"{one.field} and {other.field} both say {key}, and differ: map one of them")
    if walk.looked_at > most:
        refuse("too_many", f"more than {MOST_FIELDS} fields in one payload")
    return Found(list(best.values()), told, walk.looked_at)


class _Walk:
    """The fields whose names tell a metric, also inside wrappers; stops when there are too many."""

    def __init__(self, fields: Mapping[str, object], most: int) -> None:
        self._waiting = [("", fields, DEEPEST)]
        self._most = most
        self.looked_at = 0

    def __iter__(self) -> Iterator[tuple[Name, object, str]]:
        while self._waiting:
            prefix, fields, depth = self._waiting.pop()
            self.looked_at += len(fields)
            if self.looked_at > self._most:
                return
            for key, value in fields.items():
                path = prefix + key
                if type(value) is dict or type(value) is list:
                    inner = _wrapped(value)
                    if inner is not None:
                        if depth and is_wrapper(path):
                            self._waiting += [(f"{path}.{begin}", each, depth - 1) for begin, each in inner]
                        continue
                name = named(path)
                if name is not None:
                    yield name, value, path


def _wrapped(value: dict[str, object] | list[object]) -> list[tuple[str, dict[str, object]]] | None:
    """Objects within a value, with what their fields' path begins by; None when the value is one value."""
    if isinstance(value, list):
        if not value or type(value[0]) is not dict:
            return None
        return [(f"{index}.", each) for index, each in enumerate(value[:64]) if isinstance(each, dict)]
    inner = _inner(value)
    return [("", value)] if inner is None or type(inner) is dict else None


def _inner(value: dict[str, object]) -> object:
    """What an object of value and unit holds."""
    return value.get("value", value.get("values", value.get("data")))


def _as_it_stands(name: Name, value: object, path: str) -> Quantity | None:
    """Most fields: a number in the metric's own unit."""
    metric = name.plain
    if metric is None or not (type(value) is float or type(value) is int):
        return None
    if not metric.low <= value <= metric.high or value in metric.sentinels:
        return None
    return Quantity(metric, float(value), path, name.doubt, name.summed)


def _quantity(name: Name, value: object, path: str, refuse: Refuse) -> Quantity | None:
    unit = name.unit
    if type(value) is dict:
        unit = _spelled_unit(value.get("unit")) or unit
        value = _inner(value)
    if type(value) is list:
        value = value[0] if value else None  # the newest comes first
    key = BY_UNIT.get((name.metric, unit or ""), name.metric)
    if key == "motion" and (isinstance(value, bool) or not isinstance(value, int | float)):
        key = "presence"  # a count when it is a number, a state when it is not
    metric = METRICS.get(key)
    if metric is None or value is None:
        return None  # tVOC without a unit is no quantity, null no value
    if metric.is_state:
        number = _state(metric, value, path, refuse)
    else:
        number = _number(metric, value, unit, path, refuse)
    return None if number is None else Quantity(metric, number, path, name.doubt, name.summed)


def _spelled_unit(unit: object) -> str | None:
    if not isinstance(unit, str) or not unit:
        return None
    return known_unit(unit) or unit


def _state(metric: Metric, value: object, path: str, refuse: Refuse) -> float | None:
    """Yes and no as 1 and 0; presence also from a level (Elsys says 2 for "occupied")."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        if value in (0, 1) or (metric.key == "presence" and 1 < value < 256):  # noqa: PLR2004 - one byte
            return float(value > 0)
        refuse("bad_value", f"{path} is {shown(value)}, neither 0 nor 1")
        return None
    if isinstance(value, str):
        word = _word(value)
        if word in _YES or word in _NO:
            return float(word in _YES)
        if word in WAITING or not word:
            return None
    refuse(*misfit(path, value, "yes or no"))
    return None


def _number(metric: Metric, value: object, unit: str | None, path: str, refuse: Refuse) -> float | None:
    if isinstance(value, str):
        word = _word(value)
        if word in WAITING or word in _GRADES or not word:
            return None
        match = _NUMBER_AND_UNIT.fullmatch(value) if len(value) < 40 else None  # noqa: PLR2004 - a number
        if match is None:
            refuse(*misfit(path, value, "a number"))
            return None
        value = float(match[1].replace(",", "."))
        unit = _spelled_unit(match[2].strip()) or unit
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(*misfit(path, value, "a number"))
        return None
    return _in_own_unit(metric, value, unit, path, refuse)


def _in_own_unit(metric: Metric, value: float, unit: str | None, path: str, refuse: Refuse) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        refuse("not_finite", f"{path} is {shown(value)}")
        return None
    if number not in MISSING:  # a missing probe stays one in any unit
        own = converted(number, unit, metric) if unit else _unit_by_size(metric, number)
        if own is None:
            if unit:
                refuse("unknown_unit", f"{path} is in {shown(unit)}, which is no unit of {metric.key}")
            return None
        number = own
    fault = metric.fault(number)
    if fault is None:
        return number
    refuse(fault[0], f"{path}: {fault[1]}")
    return None


def _unit_by_size(metric: Metric, number: float) -> float | None:
    """The value in the metric's unit when a codec names none, where only one unit is possible; else None."""
    whole = number.is_integer()
    unit = metric.unit
    if metric.key == "temperature" and 283 <= number <= 313 and not whole:  # noqa: PLR2004 - 10 to 40 °C
        unit = "K"
    elif metric.key == "humidity" and 0 < number < 1:
        unit = "fraction"
    elif metric.key == "pressure" and 30 <= number <= 120:  # noqa: PLR2004 - an atmosphere in kPa
        unit = "kPa"
    elif metric.key == "pressure" and 30_000 <= number <= 120_000:  # noqa: PLR2004 - the same in Pa
        unit = "Pa"
    elif metric.key == "battery_voltage" and number >= 500:  # noqa: PLR2004 - no room sensor runs on 500 V
        unit = "mV"
    elif metric.key == "battery" and not whole and number < 5:  # noqa: PLR2004 - percent or volts?
        return None
    return converted(number, unit, metric)


def _word(text: str) -> str:
    return text.strip().lower().replace("_", "").replace(" ", "") if len(text) < 40 else "?"  # noqa: PLR2004
