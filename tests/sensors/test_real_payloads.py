"""Payloads that real gateways and codecs sent give what a person reads off them, checked by hand once.

They belong to others and lie beside the repository, in `shared/payloads`, or where TEMOIN_REAL_PAYLOADS says.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sensors import Decoder, PayloadRejected, Reading
from sensors.metrics import METRICS

FOLDER = Path(os.environ.get("TEMOIN_REAL_PAYLOADS") or Path(__file__).parents[3] / "shared" / "payloads")
RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
HEARD = "2026-03-02T09:15:00Z"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no payloads of real gateways in {FOLDER}")

V = "battery_voltage"
AIR = {"temperature": 24.35660461425781, "humidity": 41.63221740722656, "pressure": 968.0, V: 3.109}
ROOM = {"temperature": 22.6, "humidity": 41, "light": 39, "motion": 6}
# codec's example → what it measured; a second example of one codec follows the first
CODECS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "chirpstack_device_profiles.json": [
        ("merryiot-cd10", {V: 3.6, "temperature": 25, "humidity": 32, "co2": 524}),
        ("merryiot-dw10", {V: 3.6, "temperature": 21, "humidity": 28}),
        ("tabs-tbhh100", {V: 3.6, "temperature": 3, "humidity": 47}),  # CO2 0 is no CO2
        ("tabs-tbhh100", {V: 3.5, "temperature": -19, "humidity": 58}),
        ("tabs-tbms100", {V: 3.6, "temperature": 3, "presence": 0}),
        ("dl-atm41", {"temperature": 26.4, "pressure": 959.6, "humidity": 52.4, V: 3.061}),
        ("dl-atm41g2", {"temperature": 23.1, "pressure": 972.9, "humidity": 47, V: 2.78}),
        ("dl-cws", {"temperature": 27.09, "humidity": 60.1, V: 2.932}),
        ("dl-cws2", {"temperature": 3.19, "humidity": 99.44, V: 2.961}),
        ("dl-gmm", {"temperature": 23.36, "humidity": 27.6, "co2": 663, "pressure": 958.7, V: 3.004}),
        (
            "dl-iam",
            {"temperature": 27.67833981841764, "humidity": 36.438544289311054, "pressure": 964.12, V: 2.962}
            | {"light": 678.76512, "co2": 455, "voc_ppb": 273},
        ),
        (
            "dl-iam",
            {"temperature": 27.67833981841764, "humidity": 36.438544289311054, "pressure": 964.12, V: 2.962}
            | {"light": 678.76512, "voc_ppb": 273},
        ),
        ("dl-lp8p", {**AIR, "co2": 473}),
        ("dl-lp8p", AIR),
        ("dl-pm", {**AIR, "pm2_5": 3.9, "pm10": 3.9}),
        ("dl-pm", AIR),
        ("dl-rhc", {"humidity": 73.3, "temperature": 15.23, V: 3.168}),
        ("dl-wrm", {"temperature": 23.787670710307466, "humidity": 47.536430914778364, V: 3.168}),
        ("elsys", {"temperature": 23.4, "humidity": 55}),
        ("elsys", {"temperature": 19.8, "humidity": 42, V: 3.594}),
        ("elsys", {"temperature": -5, "humidity": 80}),
        ("ht-sensor", {"temperature": 22.8, "humidity": 44.92, V: 3.5}),
        ("vicki", {"temperature": 18.01, "humidity": 46.88, V: 3.5}),
        ("em300-sld-zld", {"battery": 92, "temperature": 30.8, "humidity": 50.5}),
        ("em300-sld-zld", {"temperature": 25.5, "humidity": 60}),  # stored at 1700000000
        ("em300-th", {"temperature": 4.4, "humidity": 11.5}),
        ("rak_standard", {"presence": 0}),
    ],
    "ttn_lorawan_devices.json": [
        ("am103", {"battery": 92, "temperature": 30.8, "humidity": 50.5, "co2": 1255}),
        ("am107", {"battery": 92, "temperature": 30.8, "humidity": 50.5}),
        ("am107", {"light": 28}),
        ("am107", {"co2": 1255, "pressure": 1004.7}),  # tVOC of which unit?
        ("am307", {"co2": 1255, "pressure": 1004.7}),
        (
            "am319",
            {"battery": 92, "temperature": 30.8, "humidity": 50.5, "co2": 936, "pressure": 1008.6}
            | {"pm2_5": 32, "pm10": 48},
        ),
        ("vs121", {"people": 3}),
        ("vs133", {"people_in": 72, "people_out": 200}),
        ("vs341", {"battery": 100, "presence": 1}),
        ("ws202", {"presence": 1}),
        ("ws202", {}),  # "dark"
        ("ers-co2", {**ROOM, "co2": 776}),
        ("ers-eye", {**ROOM, "presence": 1}),
        ("ers-sound", {**ROOM, "sound": 1}),  # the average, not the peak
        ("ers-voc", ROOM),
        ("ems-desk", {"temperature": 22.6, "humidity": 41, "presence": 1}),
        ("comfort-co2", {"temperature": 43.5, "humidity": 62, "co2": 420}),  # the newest of two
    ],
}


def content(file: str) -> Any:
    return json.loads((FOLDER / file).read_bytes())


def read(topic: str, payload: object) -> list[Reading]:
    try:
        return Decoder().decode(topic, json.dumps(payload).encode(), RECEIVED)
    except PayloadRejected as rejection:
        return list(rejection.readings)


def values(readings: list[Reading]) -> dict[str, float]:
    assert all(each.unit == METRICS[each.metric].unit for each in readings)
    return {each.metric: each.value for each in readings}


@pytest.mark.parametrize(
    ("file", "index"), [(file, index) for file, codecs in CODECS.items() for index in range(len(codecs))]
)
def test_a_codecs_example_is_read_behind_both_networks(file: str, index: int):
    sample = content(file)[index]
    codec, expected = CODECS[file][index]
    assert codec in sample["path"]
    stored = "history" in sample["data"]
    for topic, payload in (
        (
            "application/7/device/01/event/up",
            {"deviceInfo": {"devEui": "01"}, "rxInfo": [], "time": HEARD, "object": sample["data"]},
        ),
        (
            "v3/a@b/devices/d/up",
            {
                "end_device_ids": {"device_id": "d"},
                "uplink_message": {"received_at": HEARD, "decoded_payload": sample["data"]},
            },
        ),
    ):
        readings = read(topic, payload)
        assert values(readings) == expected
        time = datetime.fromtimestamp(1_700_000_000, UTC) if stored else datetime.fromisoformat(HEARD)
        assert {each.time for each in readings} <= {time}
        assert {each.time_source for each in readings} <= {"device" if stored else "network"}


def test_the_samples_are_those_that_were_checked():
    assert {file: len(content(file)) for file in CODECS} == {file: len(told) for file, told in CODECS.items()}


NOW = RECEIVED.isoformat()
Z2M: list[tuple[str, dict[str, float]]] = [
    (NOW, {"temperature": 27.34, "humidity": 44.72}),
    (NOW, {"presence": 1}),
    ("2024-01-30T16:52:20+00:00", {"presence": 1}),
    (NOW, {"battery": 100, "presence": 1, "temperature": 25, V: 3.123}),
    (NOW, {"battery": 100, "presence": 0, "light": 0, V: 3.175}),
    (NOW, {"presence": 0}),
]


def timed(readings: list[Reading]) -> list[tuple[str, str, dict[str, float]]]:
    """Device, time and values of each instant, in the order they came."""
    keys = dict.fromkeys((each.device, each.time) for each in readings)
    return [
        (
            device,
            time.isoformat(),
            values([each for each in readings if (each.device, each.time) == (device, time)]),
        )
        for device, time in keys
    ]


def test_zigbee2mqtt():
    sample = content("zigbee2mqtt.json")
    found = [timed(read(sample["topic"], payload)) for payload in sample["payloads"]]
    assert found == [[("zigbee2mqtt/FRIENDLY_NAME", *expected)] for expected in Z2M]


def test_the_things_stack():
    sample = content("tts_v3_uplink.json")
    assert timed(read(sample["topic"], sample["payload"])) == [
        (
            "app1@tenant1/dev1",
            "2020-02-12T15:15:45.789000+00:00",
            {"temperature": 1, "light": 0.64, "rssi": -35, "snr": 5},
        )
    ]


def test_of_chirpstacks_events_only_the_status_tells_something():
    events = content("chirpstack_v4_events.json")["events"]
    told = {
        name: timed(read(f"application/a/device/d/event/{name}", event)) for name, event in events.items()
    }
    assert {name: found for name, found in told.items() if found} == {
        "status": [("application/0101010101010101", "2022-07-18T09:35:06.927000+00:00", {"battery": 88.3})]
    }


def test_shelly():
    payload = content("shelly_gen2_ht.json")["payload"]
    assert timed(read(f"{payload['src']}/events/rpc", payload)) == [
        (
            f"shelly/{payload['src']}",
            "2023-04-08T14:07:59.620000+00:00",
            {"temperature": 19.8, "humidity": 42.2},
        )
    ]


def test_disruptive():
    found = [timed(read("dt/events", event)) for event in content("disruptive.json")["events"]]
    assert found == [
        [("dt/b6sfppl7rihg1dm4ud8g", "2022-01-27T15:50:34.471000+00:00", {"co2": 526})],
        [("dt/emucj4fj3epdjrin69t0v80", "2023-08-02T11:03:18.595000+00:00", {"presence": 1})],
        [("dt/device_id", "2019-05-16T06:13:46.369000+00:00", {"temperature": 22.45, "humidity": 17})],
    ]


def test_thingsboard_and_senml():
    others = content("others.json")
    found = [timed(read(*message)) for message in others["thingsboard"]["messages"]]
    assert found == [
        [("thingsboard/me", "2016-01-01T12:00:00.512000+00:00", {"temperature": 22.5, "humidity": 61})],
        [("thingsboard/Device A", "2017-01-01T00:00:00+00:00", {"temperature": 42, "humidity": 80})],
    ]
    assert timed(read("senml/up", others["senml"]["payload"])) == [
        ("senml/urn:dev:ow:10e2073a01080063", f"2011-10-31T13:{minute}:24+00:00", {"humidity": value})
        for minute, value in ((24, 20), (25, 20.3), (26, 20.7))
    ]


def test_what_is_no_rooms_measurement_gives_none():
    """A car's engine, a digital input, a heart's rate, and an uplink that no codec read."""
    others = content("others.json")
    milesight = content("milesight_gateway.json")["payload"]
    messages = [
        *others["homie5"]["messages"],
        (others["sparkplug_b_as_json"]["topic"], others["sparkplug_b_as_json"]["payload"]),
        (others["sensorthings"]["topic"], others["sensorthings"]["payload"]),
        (milesight["metadata"]["mqtt_topic"], milesight),
    ]
    assert [read(topic, payload) for topic, payload in messages] == [[]] * len(messages)
