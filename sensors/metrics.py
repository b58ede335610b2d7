"""The one table of what is measured: key, unit, plausible range, the names it goes by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity in one unit; a value outside [`low`, `high`], or among `sentinels`, is no measurement.

    `names` are the spellings foreign payloads use, as lower-case words; what else may stand in a name
    is in `sensors.names`. `decimals` is how many are worth showing.
    """

    key: str
    unit: str
    low: float
    high: float
    names: tuple[str, ...]
    decimals: int = 0
    sentinels: frozenset[float] = frozenset()

    @property
    def is_state(self) -> bool:
        """Whether the metric is a yes or no, told as 1 or 0."""
        return self.high == 1

    def fault(self, value: float) -> tuple[str, str] | None:
        """Why `value` (in the metric's unit) is no measurement, as code and sentence; None when it is one."""
        if value in self.sentinels or (value in MISSING and not self.low <= value <= self.high):
            return "sentinel", f"{value:g} is what a missing or starting probe says, not a measurement"
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN alone differs from itself
            return "not_finite", f"{value} is not a number"
        if not self.low <= value <= self.high:
            plausible = f"between {self.low:g} and {self.high:g} {self.unit}"
            return "out_of_range", f"{_shown(value)} is not {plausible}"
        return None


# what codecs send for "no value": all ones, largest and smallest integers, at the scales in use
MISSING = frozenset(
    float(number)
    for number in (
        *(-9999, -999.9, -999, -127, -273.15, 127.5, 255),
        *(327.67, -327.68, 655.35, 3276.7, -3276.8, 6553.5, 32767, -32768, 65533, 65534, 65535),
        *(2147483647, -2147483648, 4294967295),
    )
)


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


def _shown(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "an integer beyond 1e308"


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        # the air
        Metric(
            "co2",
            "ppm",
            200,
            40_000,
            _names(
                "co2, total co2, co2 level, carbon dioxide, carbondioxide, c o2, rco2, taux co2, taux de co2"
            ),
        ),
        Metric(
            "temperature",
            "°C",
            -40,
            85,
            _names("temperature, temp, t c, tempc, tmp, temperatur, atmp"),
            decimals=1,
            sentinels=frozenset([85.0]),  # a DS18B20 that was just powered on
        ),
        Metric(
            "humidity",
            "%",
            1,
            100,
            _names(
                """humidity, relative humidity, rel humidity, relativehumidity, relhumidity, hum, humi, rh,
                rhum, relative hum, rel hum, humidity level, humidite, humidite relative, taux humidite,
                taux d humidite, hygrometrie"""
            ),
            decimals=1,
        ),
        Metric(
            "pressure",
            "hPa",
            300,
            1200,
            _names(
                """pressure, air pressure, barometric pressure, atmospheric pressure, barometricpressure,
                barometer, baro, atm pressure, pression, pression atmospherique"""
            ),
            decimals=1,
            sentinels=frozenset([300.0]),  # where most barometers' range begins: none is fitted
        ),
        Metric("voc_ppb", "ppb", 0, 60_000, _names("voc ppb, tvoc ppb")),
        Metric("voc_index", "index", 0, 500, _names("voc index, vocindex, tvoc index")),
        Metric(
            "pm2_5",
            "µg/m³",
            0,
            5000,
            _names("pm2 5, pm 2 5, pm25, pm02, pm2 5 mass concentration, pm25 mass"),
            decimals=1,
        ),
        Metric("pm10", "µg/m³", 0, 5000, _names("pm10, pm 10, pm10 0, pm10 mass concentration"), decimals=1),
        # light and sound
        Metric(
            "light",
            "lx",
            0,
            200_000,
            _names(
                """light, illuminance, lux, luminosity, illumination, light intensity, ill, luminance,
                ambient light, visible light, lumiere, luminosite, eclairement"""
            ),
            sentinels=frozenset([65_533.0, 65_534.0, 65_535.0]),
        ),
        Metric(
            "sound",
            "dB(A)",
            0,
            140,
            _names(
                """sound, noise, laeq, l aeq, leq, db, dba, sound avg, sound average, sound level,
                noise level, noise avg, sound pressure level, spl, bruit, niveau sonore, niveau bruit"""
            ),
            decimals=1,
        ),
        # people
        Metric(
            "people",
            "people",
            0,
            2000,
            _names(
                """people, people count, people counter, people count all, people counter all, people number,
                person count, persons, headcount, number of people, nb people, num people, people counting,
                occupants, occupant count, occupancy count, peoplecount, people present, personnes,
                nombre de personnes, nombre personnes, nb personnes"""
            ),
        ),
        Metric(
            "presence",
            "0/1",
            0,
            1,
            _names(
                """presence, occupancy, occupied, is occupied, pir, pir status, pir trigger, occupancy status,
                occupancy state, occupancy detected, presence state, presence status, presence detected,
                human presence, motion detected, motion status, motion state, motion event state, occupy,
                occu state, occu, pir sensor status, pir sensor value, pir state, has target,
                presence detected when sending, mot motionst, desk occupancy, desk occupied, mouvement,
                presence detectee, occupe, occupee"""
            ),
        ),
        Metric(
            "motion",
            "triggers",
            0,
            65_534,
            _names(
                """motion, motion count, motion counter, motion event count, pir count, pir trigger count,
                pir counter, occu cnt"""
            ),
        ),
        # since the counter was last reset; counts of a period are not these
        Metric(
            "people_in",
            "people",
            0,
            1e9,
            _names(
                """people in, persons in, total in, in total, total counter in, total people in,
                people total in, people count in, total count in, count in, counter in"""
            ),
        ),
        Metric(
            "people_out",
            "people",
            0,
            1e9,
            _names(
                """people out, persons out, total out, out total, total counter out, total people out,
                people total out, people count out, total count out, count out, counter out"""
            ),
        ),
        # openings
        Metric(
            "door_open", "0/1", 0, 1, _names("door, door open, door state, door status, door open status")
        ),
        Metric("window_open", "0/1", 0, 1, _names("window, window open, window state, window status")),
        # the device's own health
        Metric(
            "battery",
            "%",
            0,
            100,
            _names(
                """battery, battery level, battery percentage, battery percent, battery remaining, bat, batt,
                bat level, batterylevel, battery level in, batterie, niveau batterie, rem batt capacity,
                rem battery capacity, remaining battery, battery charge"""
            ),
        ),
        Metric(
            "battery_voltage",
            "V",
            0,
            60,
            _names(
                """battery voltage, battery volt, batteryvoltage, bat voltage, batt voltage, bat volt,
                batt volt, batvoltage, battvolt, batv, vbat, vbatt, vdd, battery vol, tension batterie"""
            ),
            decimals=2,
        ),
        Metric("rssi", "dBm", -200, 20, ()),
        Metric("snr", "dB", -40, 40, (), decimals=1),
    )
}

# unit as written, lower case without spaces → unit of this table or one that converts to it
UNITS: dict[str, str] = {
    spelling: unit
    for unit, spellings in {
        "°C": "°c c cel degc celsius degreescelsius deg",
        "°F": "°f f degf fahrenheit",
        "K": "k kelvin",
        "%": "% %rh rh pct percent perc percentage %r.h. %el",
        "fraction": "fraction ratio",
        "ppm": "ppm",
        "ppb": "ppb",
        "index": "index",
        "hPa": "hpa mbar millibar",
        "kPa": "kpa",
        "Pa": "pa pascal",
        "bar": "bar",
        "lx": "lx lux",
        "klx": "klx klux",
        "dB(A)": "db dba db(a) dbspl",
        "µg/m³": "µg/m³ µg/m3 μg/m³ μg/m3 ug/m3 ug/m³ ugm3 µg⋅m⁻³ μg⋅m⁻³ μg⋅m−3 ug_m3",
        "mg/m³": "mg/m³ mg/m3",
        "V": "v volt volts",
        "mV": "mv millivolt millivolts",
        "dBm": "dbm",
        "dB": "",
        "people": "people persons person personnes p",
        "triggers": "triggers",
        "0/1": "bool boolean 0/1",
    }.items()
    for spelling in spellings.split()
}

# (from, to) → value × scale + offset
_CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("°F", "°C"): (5 / 9, -160 / 9),
    ("K", "°C"): (1, -273.15),
    ("fraction", "%"): (100, 0),
    ("kPa", "hPa"): (10, 0),
    ("Pa", "hPa"): (0.01, 0),
    ("bar", "hPa"): (1000, 0),
    ("ppm", "ppb"): (1000, 0),
    ("klx", "lx"): (1000, 0),
    ("mg/m³", "µg/m³"): (1000, 0),
    ("mV", "V"): (0.001, 0),
    ("dB(A)", "dB"): (1, 0),
}


def known_unit(spelling: str) -> str | None:
    """The unit a spelling stands for (`degC`, `%RH`, `hPa`…), or None."""
    return UNITS.get(spelling.lower().replace(" ", "").strip("[]()"))


def conversion(unit: str, metric: Metric) -> tuple[float, float] | None:
    """Scale and offset from `unit` to the metric's own; None when one is not the other's."""
    if unit == metric.unit:
        return 1.0, 0.0
    return _CONVERSIONS.get((unit, metric.unit))


def units_of(metric: Metric) -> list[str]:
    """The units a value of this metric may be in, its own first."""
    return [metric.unit, *(unit for unit, own in _CONVERSIONS if own == metric.unit != "dB")]


def converted(value: float, unit: str, metric: Metric) -> float | None:
    """`value` in the metric's own unit, free of binary dust; None when the units do not convert."""
    factors = conversion(unit, metric)
    if factors is None:
        return None
    scale, offset = factors
    # 95.96 kPa is 959.6 hPa, not 959.5999999999999
    return round(value * scale + offset, 6) if factors != (1.0, 0.0) else value
