"""decode raises PayloadRejected and nothing else, names the field, and keeps the good readings."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sensors
from sensors import Decoder, PayloadRejected, Reading
from tests.sensors import fuzz

RECEIVED = datetime(2026, 3, 2, 9, 15, 2, 345678, tzinfo=UTC)
TOPIC = "temoin/nord/loire-1"
TIME = "2026-03-02T09:15:00Z"
DECODER = Decoder()


def refused(payload: bytes | object, topic: str = TOPIC, *, retained: bool = False) -> PayloadRejected:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(PayloadRejected) as caught:
        DECODER.decode(topic, body, RECEIVED, retained=retained)
    return caught.value


def native(**readings: object) -> dict[str, object]:
    return {"time": TIME, "readings": readings}


def test_a_reading_says_whose_when_and_by_which_clock():
    payload = json.dumps({"time": TIME, "seq": 7, "readings": {"co2": 612}}).encode()
    assert sensors.decode(TOPIC, payload, RECEIVED) == [
        Reading(
            device="nord/loire-1",
            metric="co2",
            value=612.0,
            unit="ppm",
            time=datetime(2026, 3, 2, 9, 15, tzinfo=UTC),
            time_source="device",
            gateway="nord",
            seq=7,
        )
    ]


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"", "empty", "no bytes"),
        (b"{", "broken_json", "character 1"),
        (b"\x00\xff\xfe\x01", "binary", "byte 1"),
        (b"[" * 10_000 + b"]" * 10_000, "too_deep", "nested"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep", "nested"),
        (b'{"readings": {"co2": 1' + b" " * 10_000_000 + b"}}", "too_large", "10000024 bytes"),
        (b"null", "bad_type", "the payload"),
        (b"[]", "empty", "list"),
        (b'"text"', "bad_type", "the payload"),
        (b'{"co2": 612}', "missing", "readings"),
        (b'{"readings": {}}', "empty", "readings"),
        (b'{"readings": [612]}', "bad_type", "readings"),
        (b'{"readings": {"co2": 1}, "readings": {"co2": 612}}', "duplicate_key", "readings"),
        (b'{"readings": {"co2": 612, "co2": 613}}', "duplicate_key", "readings.co2"),
        (b'{"readings": {"co2": NaN}}', "not_finite", "readings.co2"),
        (b'{"readings": {"co2": -Infinity}}', "not_finite", "readings.co2"),
        (b'{"readings": {"co2": 1e999}}', "not_finite", "readings.co2"),
        (b'{"readings": {"co2": ' + b"9" * 400 + b"}}", "out_of_range", "readings.co2"),
        (b'{"readings": {"co2": ' + b"9" * 5000 + b"}}", "not_finite", "readings.co2"),
        (b'{"readings": {"co2": "612"}}', "bad_type", "readings.co2"),
        (b'{"readings": {"co2": true}}', "bad_type", "readings.co2"),
        (b'{"readings": {"co2": {"value": 612}}}', "bad_type", "readings.co2"),
        (b'{"readings": {"presence": 0.5}}', "bad_type", "readings.presence"),
        (b'{"readings": {"presence": "yes"}}', "bad_type", "readings.presence"),
        (b'{"readings": {"co2_ppm": 612}}', "unknown_metric", "readings.'co2_ppm'"),
        (b'{"readings": {"temperature": 327.67}}', "sentinel", "readings.temperature"),
        (b'{"readings": {"humidity": 140}}', "out_of_range", "readings.humidity"),
        (b'{"time": "1970-01-01T00:00:00Z", "readings": {"co2": 612}}', "clock_behind", "time"),
        (b'{"time": -6.2e16, "readings": {"co2": 612}}', "clock_behind", "time"),
        (b'{"time": 0, "readings": {"co2": 612}}', "clock_behind", "time"),
        (b'{"time": 86400, "readings": {"co2": 612}}', "clock_behind", "time"),
        (b'{"time": "2100-01-01T00:00:00Z", "readings": {"co2": 612}}', "clock_ahead", "time"),
        (b'{"time": 4102444800000, "readings": {"co2": 612}}', "clock_ahead", "time"),
        (b'{"time": "yesterday", "readings": {"co2": 612}}', "bad_time", "time"),
        (b'{"time": "2026-02-30T09:15:00Z", "readings": {"co2": 612}}', "bad_time", "time"),
        (b'{"time": true, "readings": {"co2": 612}}', "bad_time", "time"),
        (b'{"time": NaN, "readings": {"co2": 612}}', "bad_time", "time"),
        (b'{"time": 1e300, "readings": {"co2": 612}}', "bad_time", "time"),
        (b'{"time": {}, "readings": {"co2": 612}}', "bad_time", "time"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else None,
)
def test_what_cannot_be_read_is_refused_by_name(payload: bytes, code: str, words: str):
    rejection = refused(payload)
    assert rejection.code == code
    assert words in rejection.reason
    assert rejection.readings == ()


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("temoin/nord", "unknown_format"),
        ("temoin//loire/1", "empty_device"),
        ("", "empty_device"),
        ("temoin/nord/", "empty_device"),
        ("temoin//loire", "empty_device"),
        ("temoin/nord/ \t", "empty_device"),
        ("temoin/nord/loire\x00", "bad_device"),
        ("temoin/nord/\u202eerioL", "bad_device"),
        ("temoin/nord/" + "x" * 10_000, "bad_device"),
    ],
)
def test_a_topic_that_names_no_device_is_refused(topic: str, code: str):
    rejection = refused(native(co2=612), topic)
    assert rejection.code == code
    assert len(rejection.reason) < 250


def test_one_bad_value_does_not_cost_the_good_ones():
    rejection = refused(native(co2=612, humidity=140, temperature=21.4, people="three"))
    assert rejection.code == "out_of_range"
    assert "readings.humidity" in rejection.reason
    assert "readings.people" in rejection.reason
    assert {reading.metric: reading.value for reading in rejection.readings} == {
        "co2": 612,
        "temperature": 21.4,
    }


def test_one_bad_entry_does_not_cost_the_others_of_its_batch():
    rejection = refused([native(co2=612), {"time": "never", "readings": {"co2": 613}}, 5, native(co2=614)])
    assert "[1].time" in rejection.reason
    assert "[2]" in rejection.reason
    assert [reading.value for reading in rejection.readings] == [612, 614]


def test_a_bad_sequence_does_not_cost_the_reading():
    rejection = refused({**native(co2=612), "seq": "seven"})
    assert rejection.code == "bad_type"
    assert [(reading.value, reading.seq) for reading in rejection.readings] == [(612, None)]


def test_more_than_ten_thousand_readings_are_refused_whole():
    batch = [{"time": 1_772_442_900 + index, "readings": {"co2": 612}} for index in range(10_001)]
    rejection = refused(batch)
    assert rejection.code == "too_many"
    assert rejection.readings == ()
    assert len(DECODER.decode(TOPIC, json.dumps(batch[:-1]).encode(), RECEIVED)) == 10_000


def test_a_retained_message_needs_a_time_of_its_own():
    assert refused({"readings": {"co2": 612}}, retained=True).code == "retained"
    [reading] = DECODER.decode(TOPIC, json.dumps(native(co2=612)).encode(), RECEIVED, retained=True)
    assert reading.time_source == "device"


def test_null_is_not_measured_this_time():
    assert DECODER.decode(TOPIC, json.dumps(native(co2=None)).encode(), RECEIVED) == []


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-02T09:15:00.123999Z", "2026-03-02T09:15:00.123000+00:00"),
        ("2026-03-02T10:15:00+01:00", "2026-03-02T09:15:00+00:00"),
        ("2026-03-02T10:15", "2026-03-02T09:15:00+00:00"),
        ("2026-07-02T10:15:00", "2026-07-02T08:15:00+00:00"),
        (1772442900, "2026-03-02T09:15:00+00:00"),
        ("1772442900", "2026-03-02T09:15:00+00:00"),
        ("2026-03-02 09:15:00 UTC", "2026-03-02T09:15:00+00:00"),
        (1772442900620123456, "2026-03-02T09:15:00.620000+00:00"),
        (1772442900.62, "2026-03-02T09:15:00.620000+00:00"),
        (1772442900620, "2026-03-02T09:15:00.620000+00:00"),
        (1772442900620.9, "2026-03-02T09:15:00.620000+00:00"),
    ],
)
def test_time_is_cut_to_milliseconds_of_utc(written: object, utc: str):
    payload = json.dumps({"time": written, "readings": {"co2": 612}}).encode()
    [reading] = Decoder(timezone="Europe/Paris").decode(TOPIC, payload, RECEIVED)
    assert reading.time == datetime.fromisoformat(utc)
    assert reading.time.utcoffset() == timedelta()


@pytest.mark.parametrize(("received", "utc"), [(0, "00:30"), (1, "01:30")])
def test_in_the_hour_that_comes_twice_a_local_time_is_the_one_just_past(received: int, utc: str):
    payload = json.dumps({"time": "2026-10-25T02:30:00", "readings": {"co2": 612}}).encode()
    [reading] = DECODER.decode(TOPIC, payload, datetime(2026, 10, 25, received, 30, 4, tzinfo=UTC))
    assert reading.time == datetime.fromisoformat(f"2026-10-25T{utc}:00Z")


def test_without_a_time_the_reception_stands_in():
    [reading] = DECODER.decode(TOPIC, b'{"readings": {"co2": 612}}', RECEIVED)
    assert (reading.time, reading.time_source) == (RECEIVED.replace(microsecond=345_000), "received")


def test_a_codec_that_is_missing_is_asked_for():
    undecoded = {"deviceInfo": {"devEui": "01"}, "rxInfo": [], "data": "qg==", "time": TIME}
    assert refused(undecoded, "application/7/device/01/event/up").code == "not_decoded"
    uplink = {"end_device_ids": {"device_id": "a"}, "uplink_message": {"frm_payload": "qg=="}}
    assert refused(uplink, "v3/rooms@city/devices/a/up").code == "not_decoded"


def test_an_object_of_unknown_names_waits_for_a_mapping():
    rejection = refused({"state": "ON", "brightness": 254}, "zigbee2mqtt/lamp")
    assert rejection.code == "nothing_known"
    assert "'brightness'" in rejection.reason


@pytest.mark.parametrize(
    ("topic", "payload", "device"),
    [
        ("temoin/nord/loire/1", {"readings": {"co2": 612}}, "nord/loire/1"),
        ("temoin/nord/zigbee2mqtt/loire", {"co2": 612, "linkquality": 40}, "nord/loire"),
        ("temoin/nord/tele/loire/SENSOR", {"SCD40": {"CarbonDioxide": 612}}, "nord/loire"),
        (
            "temoin/nord/application/7/device/01/event/up",
            {"deviceInfo": {"devEui": "01"}, "object": {"co2": 612}},
            "nord/01",
        ),
        ("temoin/nord/up", {"devEUI": "01", "object": {"co2": 612}}, "nord/01"),
        ("temoin/nord/up", [{"bn": "loire:", "n": "co2", "v": 612}], "nord/loire"),
    ],
)
def test_every_format_is_known_below_a_gateways_own_topic(topic: str, payload: object, device: str):
    """The broker lets a gateway write below temoin/{its name}/ only, and its devices are its own."""
    [reading] = DECODER.decode(topic, json.dumps(payload).encode(), RECEIVED)
    assert (reading.device, reading.gateway, reading.value) == (device, "nord", 612)


def test_two_devices_of_one_name_on_two_gateways_stay_two():
    payload = b'{"co2": 612, "linkquality": 40}'
    topics = ("temoin/nord/zigbee2mqtt/loire", "temoin/sud/zigbee2mqtt/loire", "zigbee2mqtt/loire")
    readings = [DECODER.decode(topic, payload, RECEIVED)[0] for topic in topics]
    assert [each.device for each in readings] == ["nord/loire", "sud/loire", "zigbee2mqtt/loire"]


def uplink(codec_object: bytes) -> bytes:
    return (
        b'{"deviceInfo": {"devEui": "01"}, "rxInfo": [], "time": "2026-03-02T09:15:00Z", "object": %s}'
        % codec_object
    )


def fields(start: int, count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % number for number in range(start, start + count)) + b"}"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPIC, b'{"readings": ' + fields(0, 80_000) + b"}"),
        (TOPIC, b"[" + b",".join([b'{"readings":{"co2":1}}'] * 40_000) + b"]"),
        (TOPIC, b"[" + b"{}," * 330_000 + b"{}]"),
        (TOPIC, b'{"readings": {"co2": ' + b"9" * 1_000_000 + b"}}"),
        (TOPIC, b"[" + b",".join([b"9" * 4300] * 230) + b"]"),
        ("zigbee2mqtt/lamp", fields(100_000, 80_000)),
        ("zigbee2mqtt/lamp", b'{"data":' * 900 + b"1" + b"}" * 900),
        ("application/7/device/01/event/up", uplink(b'{"regions": [' + b"{}," * 25_000 + b"{}]}")),
        (
            "application/7/device/01/event/up",
            uplink(
                b'{"history": ['
                + b",".join(
                    b'{"timestamp": 1700000000, "data": %s}' % fields(number * 100, 100)
                    for number in range(800)
                )
                + b"]}"
            ),
        ),
    ],
    ids=["names", "batch", "empties", "number", "numbers", "fields", "wrappers", "regions", "records"],
)
def test_a_megabyte_of_malice_keeps_nobody_waiting(topic: str, payload: bytes):
    """What it takes, 0.1 s at most, is told by benchmarks/decode.py; a second is another order of growth."""
    assert min(_seconds(topic, payload) for _ in range(3)) < 1.0


def _seconds(topic: str, payload: bytes) -> float:
    started = time.process_time()
    refused(payload, topic)
    return time.process_time() - started


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.text(max_size=30))
def test_no_bytes_and_no_topic_raise_anything_else(payload: bytes, topic: str):
    for each in (topic, TOPIC, "v3/a@b/devices/c/up", "application/1/device/2/event/up", "zigbee2mqtt/a"):
        _decode_or_refuse(each, payload)


KEYS = st.one_of(
    st.sampled_from(
        ["time", "seq", "readings", "co2", "temperature", "value", "unit", "occupancy", "battery"]
    ),
    st.sampled_from(
        ["object", "deviceInfo", "devEui", "rxInfo", "history", "timestamp", "fCnt", "line_1", "air"]
    ),
    st.sampled_from(
        ["end_device_ids", "device_id", "uplink_message", "decoded_payload", "normalized_payload"]
    ),
    st.sampled_from(["received_at", "f_cnt", "last_seen", "voltage"]),
)
shaped = st.recursive(
    json_values | st.just(TIME),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(KEYS, shaped, max_size=8), st.booleans())
def test_no_shape_raises_anything_else(document: object, retained: bool):
    payload = json.dumps(document).encode()
    for topic in (TOPIC, "v3/a@b/devices/c/up", "application/1/device/2/event/up", "zigbee2mqtt/a", "x"):
        _decode_or_refuse(topic, payload, retained=retained)


def _decode_or_refuse(topic: str, payload: bytes, *, retained: bool = False) -> None:
    try:
        readings = DECODER.decode(topic, payload, RECEIVED, retained=retained)
    except PayloadRejected as rejection:
        assert ": " in rejection.reason  # noqa: PT017 - both outcomes are right
        readings = list(rejection.readings)
    assert all(isinstance(reading, Reading) for reading in readings)


@pytest.mark.parametrize("seed", range(4))
def test_twenty_thousand_mutations_of_payloads_are_read_or_refused(seed: int):
    """A million and more: `python -m tests.sensors.fuzz --cases 1000000 --processes 2`."""
    outcomes, slowest, topic = fuzz.run(5000, seed)
    assert outcomes.total() == 5000
    assert outcomes["read"] > 500
    assert slowest < 0.5, topic
