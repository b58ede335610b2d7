"""What a field's name says: which metric, in which unit. One word not understood, and it says nothing.

`air_temperature`, `TempC_SHT` and `sensors.temperature` are temperatures; `target_temperature`,
`co2_sensor_temperature`, `eCO2` and `temperature_offset` each hold a word too many, and are not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from sensors.metrics import METRICS, UNITS, Metric

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Name:
    """The metric a name tells, the unit it spells out, and how doubtful that is.

    Among several names of one metric in a payload the lowest `doubt` wins; equal ones must agree,
    unless they are lines or zones to be summed. `plain` is the metric when a number within its range
    can only be a value of it in its own unit.
    """

    metric: str
    unit: str | None
    doubt: int
    summed: bool = False
    plain: Metric | None = None


# tVOC is a quantity only together with its unit; a battery is a share or a voltage
BY_UNIT: dict[tuple[str, str], str] = {
    ("voc", "ppb"): "voc_ppb",
    ("voc", "ppm"): "voc_ppb",
    ("voc", "index"): "voc_index",
    ("battery", "V"): "battery_voltage",
    ("battery", "mV"): "battery_voltage",
}

_PHRASES: dict[tuple[str, ...], str] = {
    **{tuple(name.split()): metric.key for metric in METRICS.values() for name in metric.names},
    **dict.fromkeys([("voc",), ("tvoc",), ("total", "voc")], "voc"),
    **dict.fromkeys([("voltage",), ("volt",)], "voltage"),  # a cell's, or the mains'
}
_LONGEST_PHRASE = max(map(len, _PHRASES))
_TELLING = frozenset(word for phrase in _PHRASES for word in phrase)


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


# these change nothing: which air, what wraps the fields, which chip
_NEUTRAL = words(
    """
    air ambient indoor room env environment environmental current actual present concentration deg degrees
    measured measurement measurements reading readings value val data
    bytes payload object decoded telemetry sensors values fields params
    uplink message messages attributes action result output report reports var measure mesure mesures
    dashboard properties content body
    mass weight audio ambiante ambiant interieure interieur piece salle
    sht sht2x sht3x sht4x sht20 sht21 sht30 sht31 sht35 sht40 sht41 sht45 hdc1080 hdc2080 si7021
    bme280 bme680 bme688 bmp280 bmp388 scd30 scd4x scd40 scd41 aht10 aht20 am2301 dht11 dht22 bh1750
    tsl2561 veml7700 opt3001 mhz19 mhz19b senseair s8 k30 sen5x sen54 sen55 sen66 sps30 pms5003 sgp40 tmp117
    ld2410 ld2450
    """
)
# these make a name the second choice beside one without them
_WEAK = words("sensor local avg average mean filtered smoothed")
_LINES = frozenset(["line", "lines"])
_ZONES = frozenset(["region", "regions", "zone", "zones"])
_WRAPPING = _NEUTRAL | _WEAK | _LINES | _ZONES

_WORD = re.compile(r"[uμ]g[/_]?m3|hPa|kPa|mV|dBA|dB|%|[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


def named(path: str) -> Name | None:
    """What a dotted path of field names says, or None when any word of it is not understood."""
    return _named(path) if len(path) <= LONGEST_NAME else None  # what is longer is not remembered either


@lru_cache(maxsize=8192)
def _named(path: str) -> Name | None:
    parts = _split(path)
    if _TELLING.isdisjoint(parts) and _ZONES.isdisjoint(parts):
        return None
    return _counted(parts) or _measured(parts) or _measured_apart(parts)


def is_wrapper(path: str) -> bool:
    """Whether a dotted path only wraps fields (`data.`, `line_1.`): what is in it keeps its meaning."""
    return len(path) <= LONGEST_NAME and _is_wrapper(path)


@lru_cache(maxsize=2048)
def _is_wrapper(path: str) -> bool:
    parts = _split(path)
    if all(part in _WRAPPING or part.isdigit() for part in parts):
        return True
    return not _TELLING.isdisjoint(parts) and _measured(parts) is not None


@lru_cache(maxsize=64)  # both questions above are asked of one path after the other
def _split(path: str) -> tuple[str, ...]:
    if not path.isascii():
        # NFKD: CO₂ → CO2, ℃ → °C, é → e and an accent that no word holds
        path = "".join(
            char for char in unicodedata.normalize("NFKD", path) if not unicodedata.combining(char)
        )
    return tuple([part for word in _WORD.findall(path) for part in _split_number(word.lower())])


def _split_number(word: str) -> list[str]:
    """`temperature1` is `temperature 1`; `co2`, `pm25` and `sht31` are words of their own."""
    letters = word.rstrip("0123456789")
    if not letters or letters == word or word in _NUMBERED or word in UNITS:
        return [word]
    return [letters, word[len(letters) :]]


_NUMBERED = frozenset(
    word for word in {word for phrase in _PHRASES for word in phrase} | _NEUTRAL if word[-1].isdigit()
)


def _measured(parts: tuple[str, ...]) -> Name | None:
    metric = unit = None
    doubt = position = 0
    while position < len(parts):
        part = parts[position]
        found, length = _phrase_at(parts, position)
        if found is not None and not (metric and part in UNITS):
            if metric not in (None, found):
                return None  # a battery's temperature is neither
            metric = found
            position += length
            continue
        if part in UNITS and metric:
            unit = UNITS[part]
        elif part in _WEAK:
            doubt += 8
        elif part.isdigit() and len(part) <= 3:  # noqa: PLR2004 - a channel, not a serial number
            doubt += 4
        elif part not in _NEUTRAL:
            return None
        position += 1
    return None if metric is None else _resolved(metric, unit, doubt)


def _measured_apart(parts: tuple[str, ...]) -> Name | None:
    """A name with a channel in its middle: `OCCU0_STATE`."""
    words_only = tuple(part for part in parts if not part.isdigit())
    name = _measured(words_only) if 1 < len(words_only) < len(parts) else None
    return name and replace(name, doubt=name.doubt + 4)


def _resolved(metric: str, unit: str | None, doubt: int, *, summed: bool = False) -> Name:
    metric = BY_UNIT.get((metric, unit or ""), metric)
    row = METRICS.get(metric)
    own = row is not None and unit in (None, row.unit)
    plain = row if own and metric != "battery" else None  # a battery of 3.6 may be volts
    doubt += 1 if unit is None else 0 if own else 2
    return Name(metric, unit, doubt, summed, plain)


def _phrase_at(parts: tuple[str, ...], position: int) -> tuple[str | None, int]:
    for length in range(min(_LONGEST_PHRASE, len(parts) - position), 0, -1):
        metric = _PHRASES.get(parts[position : position + length])
        if metric is not None:
            return metric, length
    return None, 0


def _counted(parts: tuple[str, ...]) -> Name | None:
    """People of a line or a zone: `line_1.total_in`, `region_2_count`, `regions[].count`."""
    rest = tuple(part for part in parts if part not in _NEUTRAL)
    if len(rest) < 3 or not rest[1].isdigit():  # noqa: PLR2004 - line, its number, what of it
        return None
    if rest[0] in _LINES and _PHRASES.get(rest[2:]) in ("people_in", "people_out"):
        return _resolved(_PHRASES[rest[2:]], None, 4, summed=True)
    if rest[0] in _ZONES and (rest[2:] == ("count",) or _PHRASES.get(rest[2:]) == "people"):
        return _resolved("people", None, 4, summed=True)
    return None
