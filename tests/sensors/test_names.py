"""What a field's name says, and what it does not."""

from __future__ import annotations

import pytest

from sensors.fields import quantities
from sensors.metrics import METRICS, converted
from sensors.names import named


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        *[
            (name, "co2")
            for name in ("co2", "CO2", "co2_ppm", "Total_CO2(ppm)", "CarbonDioxide", "air_co2", "CO₂")
        ],
        *[(name, "co2") for name in ("co2_concentration", "scd30.co2", "data.co2")],
        *[(name, "temperature") for name in ("temperature", "temp", "tC", "TempC_SHT", "sensorTemperature")],
        *[
            (name, "temperature")
            for name in ("air_temperature", "Temperature(℃)", "temperature_1", "Température")
        ],
        *[(name, "humidity") for name in ("humidity", "humi", "RHUM", "rh", "relativeHumidity", "Hum_SHT")],
        *[
            (name, "light")
            for name in ("illuminance", "light", "lux", "luminosity", "ILL_lux", "lightIntensity")
        ],
        *[(name, "sound") for name in ("laeq", "LAeq", "soundAvg", "noise", "dB", "noise_db")],
        *[
            (name, "people")
            for name in ("people_count_all", "people_counter_all", "region_1_count", "PeopleCount")
        ],
        *[(name, "presence") for name in ("pir", "occupancy", "presence", "presence_48", "occupied")],
        *[(name, "people_in") for name in ("line_1_total_in", "line_2.total_in", "total_in", "people_in")],
        *[(name, "temperature") for name in ("température_ambiante", "temp_salle", "atmp", "ambientTemp")],
        *[
            (name, "humidity")
            for name in ("humidité relative", "taux_humidite", "rhum", "Relative_Humidity_(%RH)")
        ],
        *[(name, "sound") for name in ("niveau_sonore_dB", "bruit", "Average_Noise(dB)", "averageNoise")],
        *[
            (name, "presence")
            for name in ("PIR_Status", "roomPresence", "OCCU0_STATE", "Occupy", "mouvement")
        ],
        *[(name, "motion") for name in ("pirTriggerCount", "OCCU0_CNT", "motion_event_count")],
        *[(name, "people") for name in ("nombre_personnes", "personnes", "People Count")],
        *[(name, "battery_voltage") for name in ("BatV", "Bat_mV", "vdd", "batteryVoltage", "battery_volt")],
        *[(name, "pm2_5") for name in ("pm2_5", "pm2.5", "PM25", "pm2_5_mass_concentration")],
    ],
)
def test_a_name_tells_its_metric(name: str, metric: str):
    found = named(name)
    assert found is not None
    assert found.metric == metric


@pytest.mark.parametrize(
    "name",
    [
        *("eCO2", "CO2eq", "eco2", "co2threshold", "co2_threshold", "co2_calibration", "co2_sensor_status"),
        *("device_temperature", "internal_temperature", "target_temperature", "external_temperature"),
        *("targetTemperature", "temperature_offset", "temperature_alarm", "DewPoint", "battery_temperature"),
        *(
            "co2_sensor_temperature",
            "barometer_temperature",
            "TempC_DS",
            "soil_temperature",
            "temperature_unit",
        ),
        *("device.temperature", "thresholds.temperature", "config.co2", "status.batteryLow", "battery_low"),
        *("light_level", "region_count", "line_1.period_in", "soundPeak", "motion_sensitivity", "lightState"),
        *("vapor_pressure", "pm1_0", "pm10_number_concentration", "water_temperature", "outdoor_temperature"),
        *(
            "consigne_temperature",
            "temperature_exterieure",
            "AbsolutePressure",
            "atmpCompensated",
            "tempHysteresis",
        ),
        *(
            "deltaTemperature",
            "occupancyRate",
            "Presence_counter",
            "waterTemp",
            "absolute_humidity",
            "co2_unit",
        ),
        *("humidity_max", "co_2_alarm", "people_max", "linkquality", "adc_voltage", "", "   ", "é", "1234"),
    ],
)
def test_a_word_too_many_and_it_tells_nothing(name: str):
    assert named(name) is None


def read(fields: dict[str, object]) -> tuple[dict[str, float], list[str]]:
    """Values by metric, and the codes of what was refused."""
    refused: list[str] = []
    found = quantities(fields, lambda code, _: refused.append(code))
    return {each.metric.key: each.value for each in found.quantities}, refused


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 295.2}, {"temperature": 22.05}),
        ({"temp_f": 72.5}, {"temperature": 22.5}),
        ({"tC": 19.8, "temperature_f": 67.6}, {"temperature": 19.8}),
        ({"temperature": "16.48°C"}, {"temperature": 16.48}),
        ({"temperature": "21,4 °C"}, {"temperature": 21.4}),
        ({"humidity": 0.494}, {"humidity": 49.4}),
        ({"humidity": "68.14%"}, {"humidity": 68.14}),
        ({"pressure": 100412}, {"pressure": 1004.12}),
        ({"pressure": 95.96}, {"pressure": 959.6}),
        ({"pressure": {"value": 95.96, "unit": "kPa"}}, {"pressure": 959.6}),
        ({"battery": {"value": 3.6, "unit": "V"}}, {"battery_voltage": 3.6}),
        ({"battery": 3.6}, {"battery_voltage": 3.6}),
        ({"battery": 3.5}, {"battery": 3.5}),
        ({"battery": 0.87}, {"battery": 87}),
        ({"battery": 0.5}, {}),
        ({"temperature": 70.7, "temperature_unit": "°F"}, {"temperature": 21.5}),
        ({"temperature": 294.65, "unitTemperature": "K"}, {"temperature": 21.5}),
        ({"temperature": "21,4\u202f°C", "humidity": "45 %"}, {"temperature": 21.4, "humidity": 45}),
        ({"co2": "warming up", "noise": "--", "temperature": "N/A"}, {}),
        ({"presence": 1, "motion_state": "small"}, {"presence": 1}),
        ({"people": {"count": 5}}, {"people": 5}),
        ({"temperature": {"min": 20.1, "max": 22.4, "avg": 21.3}}, {"temperature": 21.3}),
        (
            {"temperatureSensor": {"1": 21.5}, "presenceSensor": {"5": 1}},
            {"temperature": 21.5, "presence": 1},
        ),
        ({"presence_occupée": "non", "humidité": 45}, {"presence": 0, "humidity": 45}),
        ({"battery": 2930}, {"battery_voltage": 2.93}),
        ({"voltage": 3312}, {"battery_voltage": 3.312}),
        ({"voltage": 230.1}, {}),
        ({"Battery": "3.1V(low battery)"}, {"battery_voltage": 3.1}),
        ({"tvoc": 7}, {}),
        ({"tvoc_ppb": 7}, {"voc_ppb": 7}),
        ({"voc_index": 104}, {"voc_index": 104}),
        ({"light": "dark"}, {}),
        ({"noise": "Preheating", "people_count": "not set", "co2": None}, {}),
        ({"motion": 6}, {"motion": 6}),
        ({"motion": True}, {"presence": 1}),
        ({"occupancy": "vacant"}, {"presence": 0}),
        ({"occupancy": 2}, {"presence": 1}),
        ({"motion_event_state": 255}, {"presence": 1}),
        ({"pir": "trigger"}, {"presence": 1}),
        ({"regions": [{"count": 1, "index": 0}, {"count": 2, "index": 1}]}, {"people": 3}),
        ({"people_count_all": 4, "region_1_count": 1, "region_2_count": 2}, {"people": 4}),
        ({"co2": {"ppm": 526}}, {"co2": 526}),
        ({"humidity": {"temperature": 22.45, "relativeHumidity": 17}}, {"humidity": 17}),
    ],
)
def test_values_come_in_the_metrics_own_unit(fields: dict[str, object], expected: dict[str, float]):
    assert read(fields) == (expected, [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"temperature": 327.67}, "sentinel"),
        ({"temperature": 85.0}, "sentinel"),
        ({"temperature": {"value": -327.68, "unit": "°C"}}, "sentinel"),
        ({"light": 65535}, "sentinel"),
        ({"co2": 0}, "out_of_range"),
        ({"temperature": 295}, "out_of_range"),
        ({"temperature": float("nan")}, "not_finite"),
        ({"co2": 10**400}, "not_finite"),
        ({"co2": True}, "bad_type"),
        ({"co2": "lots"}, "bad_type"),
        ({"occupancy": "perhaps"}, "bad_type"),
        ({"occupancy": 45}, "bad_value"),
        ({"presence": {"unit": "%", "values": [30, 0]}}, "unknown_unit"),
        ({"co2": {"unit": "ppm", "value": [1000, 1050]}}, "no_times"),
        ({"temperature": 300.0, "temperature_unit": "bananas"}, "unknown_unit"),
        ({"pressure": 300}, "sentinel"),
        ({"door": 0.5}, "bad_value"),
        ({"temperature": {"value": 3, "unit": "mm"}}, "unknown_unit"),
        ({"temperature_1": 20.5, "temperature_2": 24.0}, "ambiguous"),
    ],
)
def test_what_is_no_measurement_is_refused_by_name(fields: dict[str, object], code: str):
    assert read({**fields, "humidity": 40}) == ({"humidity": 40}, [code])


def test_every_metric_contains_its_own_key():
    for metric in METRICS.values():
        found = named(metric.key)
        assert metric.names == () or (found is not None and found.metric == metric.key), metric.key


def test_units_that_do_not_convert_give_nothing():
    assert converted(21.0, "°C", METRICS["co2"]) is None
    assert converted(68.0, "°F", METRICS["temperature"]) == 20.0
