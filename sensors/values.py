"""One value as codecs write it, read in the metric's own unit: numbers, words, units, and none at all."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from sensors.metrics import METRICS, MISSING, Metric, converted, known_unit
from sensors.names import BY_UNIT, Name, words
from sensors.wording import misfit, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Refuse = Callable[[str, str], object]

# what a device says instead of a number while it has none
WAITING = words(
    """
    preheating preheat warmup warmingup warming heating init initializing initialising starting calibrating
    polling unknown unavailable none null nan n/a na undefined invalid error disconnected notset
    notavailable nodata noreading deconnectedsensor disconnectedsensor desactivatedsensor desactivated
    deactivated disabled sensornotpopulated notpopulated notpresent notinstalled externalpowersupply
    hardwarefaultdetected fault failure readerror readfailed collectionfailure outofmeasuringrange outofrange
    sensorerror sensorok ok err erreur inconnu indisponible
    """
)
# a grade, where others give a number
_GRADES = words("dark bright dim low medium high good fair poor bad normal ok excellent moderate quiet loud")

_YES = words(
    """
    1 true on yes occupied open opened trigger triggered detected motion presence present
    motiondetected active occupe oui ouvert ouverte detecte
    """
)
_NO = words(
    """
    0 false off no vacant unoccupied empty free closed close shut clear idle normal none absent inactive
    nomotion notdetected undetected untriggered nomotiondetected nopresence notoccupied notpresent
    nottriggered libre inoccupe non ferme fermee
    """
)

# 21.4 and its unit, a decimal comma, a remark in parentheses after them
_NUMBER_AND_UNIT = re.compile(
    r"\s*([-+]?[0-9]{1,12}(?:[.,][0-9]{1,12})?)\s*([^0-9()]{0,12})(?:\([^()]*\))?\s*"
)
_LONGEST = 40  # characters; longer texts are neither numbers nor words for yes and no

_LEVELS_OF_PRESENCE = (2, 255)  # Elsys says 2 for "occupied", Tektelic all ones
HOTTEST = 50  # °C of a room; above that a temperature without a unit may be one in °F
_HALF = 0.5
_VOLTAGE = METRICS["battery_voltage"]
_MILLIVOLTS_FROM, _MILLIVOLTS_TO = 500, 60_000
_CELL_LOW, _CELL_HIGH = 1.5, 4.3  # volts of the cell in a room sensor


def read_value(
    name: Name, value: object, unit_said: object, path: str, refuse: Refuse
) -> tuple[Metric, float] | None:
    """Metric and plausible value of a field whose `name` tells one; `unit_said` is its neighbour's word.

    None when there is no value (null, a sensor warming up, tVOC without a unit), and None after telling
    `refuse(code, sentence)` when there is one that cannot be right.
    """
    unit = _spelled_unit(unit_said) or name.unit
    if type(value) is int and name.metric == "battery_voltage" and _are_millivolts(value, unit):
        return _VOLTAGE, round(value * 0.001, 6)
    newest_first = False
    if type(value) is dict:
        unit = _spelled_unit(value.get("unit")) or unit
        newest_first = "values" in value and "value" not in value  # as Adeunis says it does
        value = inner_value(value)
    if type(value) is list:
        if len(value) > 1 and not newest_first:
            refuse("no_times", f"{path} holds {len(value)} values and does not say of when")
            return None
        value = value[0] if value else None
    if type(value) is str and (match := _NUMBER_AND_UNIT.fullmatch(value[:_LONGEST])):
        value = float(match[1].replace(",", "."))
        unit = _spelled_unit(match[2].strip()) or unit
    key, unit = _metric_and_unit(name, value, unit)
    metric = METRICS.get(key)
    if metric is None or value is None:
        return None
    read = _state if metric.is_state else _number
    number = read(metric, value, unit, path, refuse)
    return None if number is None else (metric, number)


def _are_millivolts(value: int, unit: str | None) -> bool:
    """No room sensor runs on 500 V."""
    return unit in (None, "mV") and _MILLIVOLTS_FROM <= value <= _MILLIVOLTS_TO


def inner_value(value: dict[str, object]) -> object:
    """What an object of value and unit holds."""
    return value.get("value", value.get("values", value.get("data")))


def _metric_and_unit(name: Name, value: object, unit: str | None) -> tuple[str, str | None]:
    """What a name means beside this value: tVOC by its unit, motion counted or seen, a battery's volts."""
    key = BY_UNIT.get((name.metric, unit or ""), name.metric)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "motion" and not number:
        return "presence", unit
    if key in ("battery", "voltage") and number:
        return _cell(name, value, unit)  # type: ignore[arg-type]
    return key, unit


def _cell(name: Name, value: float, unit: str | None) -> tuple[str, str | None]:
    """Of a battery, 3.6 and 3312 are volts and millivolts of a cell, 3.5 is a share: those come in halves.

    A bare `voltage` is a cell's where it can be one; `voltage_2` is an input.
    """
    share = name.metric == "battery"
    if unit not in (None, "V", "mV") or (not share and name.doubt > 1):
        return name.metric, unit
    if unit != "mV" and _CELL_LOW <= value <= _CELL_HIGH and not (share and float(2 * value).is_integer()):
        return "battery_voltage", "V"
    if unit != "V" and _CELL_LOW * 1000 <= value <= _CELL_HIGH * 1000:
        return "battery_voltage", "mV"
    return name.metric, unit


def _spelled_unit(unit: object) -> str | None:
    if not isinstance(unit, str) or not unit:
        return None
    return known_unit(unit) or unit


def _state(metric: Metric, value: object, unit: str | None, path: str, refuse: Refuse) -> float | None:
    """Yes and no as 1 and 0; presence also from its levels."""
    if unit not in (None, "0/1"):
        refuse("unknown_unit", f"{path} is in {shown(unit)}: a share of the time is no {metric.key}")
    elif isinstance(value, bool):
        return float(value)
    elif isinstance(value, int | float):
        if value in (0, 1) or (metric.key == "presence" and value in _LEVELS_OF_PRESENCE):
            return float(value > 0)
        refuse("bad_value", f"{path} is {shown(value)}, neither 0 nor 1: a count, or a share?")
    elif isinstance(value, str):
        word = _word(value)
        if word in _YES or word in _NO:
            return float(word in _YES)
        if word not in WAITING and word:
            refuse(*misfit(path, value, "yes or no"))
    else:
        refuse(*misfit(path, value, "yes or no"))
    return None


def _number(metric: Metric, value: object, unit: str | None, path: str, refuse: Refuse) -> float | None:
    if isinstance(value, str):
        word = _word(value)
        if word and word not in WAITING and word not in _GRADES:
            refuse(*misfit(path, value, "a number"))
        return None
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
        if unit is None and metric.key == "temperature" and HOTTEST < number < metric.high:
            refuse("ambiguous_unit", f"{path} is {number:g}: in °F, or of no room; say its unit")
            return None
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
    elif metric.key in ("humidity", "battery") and 0 < number < 1:
        if metric.key == "battery" and number == _HALF:
            return None  # half a percent of a dying battery, or half of a good one
        unit = "fraction"
    elif metric.key == "pressure" and 30 <= number <= 120:  # noqa: PLR2004 - an atmosphere in kPa
        unit = "kPa"
    elif metric.key == "pressure" and 30_000 <= number <= 120_000:  # noqa: PLR2004 - the same in Pa
        unit = "Pa"
    elif metric.key == "battery_voltage" and number >= 500:  # noqa: PLR2004 - no room sensor runs on 500 V
        unit = "mV"
    return converted(number, unit, metric)


def _word(text: str) -> str:
    """A word as the sets above hold it: lower case, unaccented, without spaces; "?" for a long text."""
    if len(text) > _LONGEST:
        return "?"
    folded = unicodedata.normalize("NFKD", text).lower()
    return "".join(char for char in folded if not (char in "_ '-." or unicodedata.combining(char)))
