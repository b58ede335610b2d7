"""A mapping says what formats do not know, takes nothing they do, and cannot be what it may not be."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors import Decoder, PayloadRejected
from sensors.mapping import (
    MappedField,
    Mapping,
    MappingRefused,
    found_at,
    leaves,
    overlap,
)

RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
HEAT = MappedField("/v/t1", "temperature", "°C")


def read(mapping: Mapping, topic: str, payload: object) -> list[tuple[str, str, float, str]]:
    """Device, metric, value, clock of each reading."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = Decoder([mapping]).decode(topic, body, RECEIVED)
    return [(each.device, each.metric, each.value, each.time_source) for each in found]


def test_the_levels_that_vary_name_the_device():
    mapping = Mapping("usine/+/+/env", (HEAT, MappedField("/v/c", "co2", "ppm")))
    assert read(mapping, "usine/e2/c17/env", {"v": {"t1": 21.4, "c": 612}}) == [
        ("usine/e2/c17", "temperature", 21.4, "received"),
        ("usine/e2/c17", "co2", 612.0, "received"),
    ]


def test_a_field_names_the_device_and_another_the_time():
    mapping = Mapping("usine/#", (HEAT,), "field", "/who", "field", "/when")
    payload = {"who": 17, "when": 1772442900, "v": {"t1": "70,7 °F"}}
    [reading] = Decoder([mapping]).decode("usine/x", json.dumps(payload).encode(), RECEIVED)
    assert (reading.device, reading.value, reading.time_source) == ("usine/17", 21.5, "device")
    assert reading.time == datetime.fromtimestamp(1772442900, UTC)


def test_units_and_scales_are_applied_once():
    mapping = Mapping(
        "usine/a",
        (
            MappedField("/t", "temperature", "°C", 0.1),
            MappedField("/p", "pressure", "Pa"),
            MappedField("/h", "humidity", "fraction"),
        ),
        "name",
        "chaufferie",
    )
    found = read(mapping, "usine/a", {"t": 214, "p": 101_325, "h": 0.55})
    assert [value for _, _, value, _ in found] == [21.4, 1013.25, 55.0]
    assert {device for device, *_ in found} == {"usine/chaufferie"}


def test_the_records_of_a_list_are_read_one_by_one():
    mapping = Mapping("usine/a", (MappedField("/x", "co2", ""),), "field", "/id", "field", "/at", "/rows")
    payload = {"at": "2026-03-02T09:00:00Z", "rows": [{"id": "a", "x": 500}, {"id": "b", "x": 700}, {"y": 1}]}
    assert read(mapping, "usine/a", payload) == [
        ("usine/a", "co2", 500.0, "device"),
        ("usine/b", "co2", 700.0, "device"),
    ]


@pytest.mark.parametrize("payload", [b"21.4", b'"21.4"', b"21,4 \xc2\xb0C"])
def test_a_bare_value_is_a_field_too(payload):
    mapping = Mapping("usine/+", (MappedField("", "temperature", ""),))
    assert read(mapping, "usine/salle", payload) == [("usine/salle", "temperature", 21.4, "received")]


def uplink(values: dict[str, object]) -> dict[str, object]:
    return {
        "deviceInfo": {"devEui": "0004a30b"},
        "time": "2026-03-02T09:15:00Z",
        "rxInfo": [],
        "object": values,
    }


def test_what_a_known_format_could_not_name_stays_its_device_and_its_time():
    topic = "application/5/device/0004a30b/event/up"
    mapping = Mapping(
        "application/5/device/+/event/up",
        (MappedField("/object/T1", "temperature", "°C"),),
        "format",
        time_from="format",
    )
    with pytest.raises(PayloadRejected, match="nothing_known"):
        Decoder().decode(topic, json.dumps(uplink({"T1": 21.4})).encode(), RECEIVED)
    known = Decoder().decode(topic, json.dumps(uplink({"temperature": 21.4})).encode(), RECEIVED)
    mapped = Decoder([mapping]).decode(topic, json.dumps(uplink({"T1": 21.4})).encode(), RECEIVED)
    assert mapped == known


def test_what_formats_know_never_meets_a_mapping():
    mapping = Mapping("temoin/nord/+", (MappedField("/readings/co2", "temperature", ""),))
    [reading] = Decoder([mapping]).decode(
        "temoin/nord/a", b'{"time": "2026-03-02T09:15:00Z", "readings": {"co2": 612}}', RECEIVED
    )
    assert reading.metric == "co2"


def test_a_value_that_cannot_be_is_refused_by_its_field_and_the_rest_kept():
    mapping = Mapping("usine/+", (MappedField("/a", "co2", "ppm"), MappedField("/b", "temperature", "°C")))
    with pytest.raises(PayloadRejected, match="out_of_range: /a") as caught:
        Decoder([mapping]).decode("usine/x", b'{"a": 9e9, "b": 21.4}', RECEIVED)
    assert [reading.metric for reading in caught.value.readings] == ["temperature"]


def test_a_message_of_another_shape_keeps_its_own_reason():
    mapping = Mapping("usine/+", (HEAT,))
    for payload in (b'{"other": 3}', b"[1, 2]", b'{"v": {"t2": 3}}'):
        with pytest.raises(PayloadRejected) as plain:
            Decoder().decode("usine/x", payload, RECEIVED)
        with pytest.raises(PayloadRejected) as mapped:
            Decoder([mapping]).decode("usine/x", payload, RECEIVED)
        assert mapped.value.reason == plain.value.reason


def test_mappings_may_change_while_the_decoder_lives():
    current: list[Mapping] = []
    decoder = Decoder(lambda: current)
    with pytest.raises(PayloadRejected):
        decoder.decode("usine/x", b'{"v": {"t1": 20}}', RECEIVED)
    current.append(Mapping("usine/+", (HEAT,)))
    assert decoder.decode("usine/x", b'{"v": {"t1": 20}}', RECEIVED)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("topic", {"topic": ""}),
        ("topic", {"topic": "usine/a+"}),
        ("topic", {"topic": "usine/#/b"}),
        ("topic", {"topic": "u/" + "x" * 500}),
        ("swallow", {"topic": "+/a"}),
        ("swallow", {"topic": "#"}),
        ("swallow", {"topic": "temoin/+/a"}),
        ("swallow", {"device_from": "name", "device": "chaufferie"}),
        ("device", {"topic": "usine/a"}),
        ("device", {"topic": "usine/a", "device_from": "name", "device": " "}),
        ("device", {"device_from": "field", "device": "who"}),
        ("device", {"device_from": "eval"}),
        ("time", {"time_from": "field", "time": "when"}),
        ("time", {"time_from": "strptime"}),
        ("fields", {"fields": ()}),
        ("fields", {"fields": (HEAT,) * 51}),
        ("fields", {"each": "rows"}),
        ("twice", {"fields": (HEAT, HEAT)}),
        ("field", {"fields": (MappedField("t1", "temperature", "°C"),)}),
        ("metric", {"fields": (MappedField("/t", "fun", ""),)}),
        ("unit", {"fields": (MappedField("/t", "temperature", "ppm"),)}),
        ("unit", {"fields": (MappedField("/t", "temperature", "furlong"),)}),
        ("scale", {"fields": (MappedField("/t", "temperature", "", 0),)}),
        ("scale", {"fields": (MappedField("/t", "temperature", "", float("nan")),)}),
    ],
)
def test_what_a_mapping_cannot_be(code, change):
    with pytest.raises(MappingRefused) as caught:
        Mapping(**{"topic": "usine/+", "fields": (HEAT,), **change})
    assert caught.value.code == code


def test_a_mapping_survives_json_and_refuses_what_is_none():
    mapping = Mapping("usine/+", (HEAT,), time_from="field", time="/t", each="/rows")
    assert Mapping.from_json(json.loads(json.dumps(mapping.to_json()))) == mapping
    for document in (
        None,
        3,
        {},
        {"fields": 3},
        {"fields": [{"pointer": "/a"}]},
        {**mapping.to_json(), "re": ".*"},
    ):
        with pytest.raises(MappingRefused):
            Mapping.from_json(document)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("a/+", "a/b", True),
        ("a/+", "+/b", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+/c", "a/b", False),
        ("a/b", "a/c", False),
        ("a", "a/b", False),
    ],
)
def test_whether_some_topic_fits_two_filters(one, other, meet):
    assert overlap(one, other) == overlap(other, one) == meet


def test_a_sample_shows_its_fields_with_what_their_names_tell():
    payload = {
        "sn": "A17",
        "at": 1772442900,
        "v": {"t1": 21.4, "air_temperature": 294.5, "rh": 44},
        "l~/": [1, 2],
    }
    found = {leaf.pointer: leaf for leaf in leaves(payload, ZoneInfo("Europe/Paris"), RECEIVED)}
    assert list(found) == ["/sn", "/at", "/v/t1", "/v/air_temperature", "/v/rh", "/l~0~1/0", "/l~0~1/1"]
    assert (found["/v/rh"].metric, found["/v/rh"].unit) == ("humidity", "%")
    assert found["/v/air_temperature"].metric == "temperature"
    assert found["/v/t1"].metric == ""
    assert found["/at"].may_time
    assert not found["/v/rh"].may_time
    assert found["/sn"].may_name
    assert all(found_at(payload, pointer) == leaf.value for pointer, leaf in found.items())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(document=JSON, pointer=st.text("/abc01~", max_size=6), each=st.none() | st.just("") | st.just("/a"))
def test_whatever_comes_a_mapping_raises_nothing_but_a_refusal(document, pointer, each):
    field = MappedField("/" + pointer, "temperature", "°C")
    mapping = Mapping("usine/+", (field,), "field", "/a", "field", "/b", each)
    body = json.dumps(document).encode()
    with suppress(PayloadRejected):
        for reading in Decoder([mapping]).decode("usine/x", body, RECEIVED):
            assert reading.gateway == "usine"
    for leaf in leaves(document, ZoneInfo("Europe/Paris"), RECEIVED):
        assert len(leaf.pointer) < 1000
