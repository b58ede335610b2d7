"""What decoding takes: one message of each format beside json.loads of it, and the largest ones.

python benchmarks/decode.py
"""

from __future__ import annotations

import json
import time
import timeit
from datetime import UTC, datetime
from pathlib import Path

from sensors import Decoder, PayloadRejected
from sensors.quality import Gate

PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
MESSAGES = {
    "native": "native_single",
    "chirpstack": "chirpstack_up",
    "things_stack": "things_stack_up",
    "milesight": "milesight_object",
    "actility": "actility_points",
    "zigbee2mqtt": "zigbee2mqtt_motion",
    "shelly": "shelly_full",
    "tasmota": "tasmota_chips",
    "esphome": "esphome_co2",
    "homeassistant": "homeassistant_co2",
    "thingsboard": "thingsboard_gateway",
    "senml": "senml_names",
    "influx": "influx_lines",
    "disruptive": "disruptive_co2",
    "generic": "generic_nested",
}
LARGE = {
    "10,000 native readings": ("temoin/a/b", "[", '{"time":1772442900,"readings":{"co2":612}}', "]", 10_000),
    "10,000 SenML records": ("a/b", "[", '{"bn":"x:","bt":1772442900,"n":"temperature","v":21}', "]", 10_000),
    "10,000 lines": ("a/b", "", "room,device=loire co2=612 1772442900", "", 10_000),
    "10,000 flat objects": ("a/b", "[", '{"device":"x","temperature":21}', "]", 10_000),
    "1 MB of names": ("zigbee2mqtt/a", "{", '"k%d":1', "}", 80_000),
    "1 MB of devices": ("v1/gateway/telemetry", "{", '"d%d":[{"t":1}]', "}", 45_000),
    "1 MB of numbers": ("temoin/a/b", "[", "9" * 4300, "]", 230),
    "1 MB of brackets": ("a/b", "[" * 500_000, "1", "]" * 500_000, 1),
}


def microseconds(statement: object, number: int = 200, rounds: int = 60) -> float:
    """Processor time in the best of some rounds, which is the one least disturbed by other programs."""
    times = timeit.repeat(statement, timer=time.process_time, number=number, repeat=rounds)  # type: ignore[arg-type]
    return min(times) / number * 1e6


def body(name: str) -> tuple[str, bytes]:
    """Topic and payload of a file of tests/payloads."""
    sample = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return sample["topic"], (sample.get("text") or json.dumps(sample["payload"])).encode()


def table_of_formats() -> None:
    """One line a format."""
    decoder, gate = Decoder(), Gate(max_age=None)
    print(f"{'µs':14} {'bytes':>6} {'readings':>8} {'json.loads':>10} {'decode':>7} {'gate':>5} {'ratio':>6}")
    for format_name, file in MESSAGES.items():
        topic, payload = body(file)
        readings = decoder.decode(topic, payload, RECEIVED)

        def decode(topic: str = topic, payload: bytes = payload) -> object:
            return decoder.decode(topic, payload, RECEIVED)

        def check(readings: list = readings) -> object:  # type: ignore[type-arg]
            return [gate.check(reading, RECEIVED) for reading in readings]

        ours, gated = microseconds(decode), microseconds(check)
        try:
            plain = microseconds(lambda payload=payload: json.loads(payload))
        except json.JSONDecodeError:
            plain = float("nan")
        sizes = f"{format_name:14} {len(payload):6} {len(readings):8}"
        print(f"{sizes} {plain:10.1f} {ours:7.1f} {gated:5.1f} {ours / plain:6.1f}")


def table_of_large_ones() -> None:
    """One line a payload that is as large as they come: at most 100 ms is promised for a megabyte."""
    decoder = Decoder()
    print(f"\n{'ms':24} {'bytes':>9} {'json.loads':>10} {'decode':>7}  what came of it")
    for name, (topic, begin, each, end, number) in LARGE.items():
        between = "" if number == 1 else "," if begin else "\n"
        items = (each % index if "%d" in each else each for index in range(number))
        payload = (begin + between.join(items) + end).encode()
        outcome = ""

        def decode(topic: str = topic, payload: bytes = payload) -> str:
            try:
                return f"{len(decoder.decode(topic, payload, RECEIVED))} readings"
            except PayloadRejected as rejection:
                return rejection.code

        outcome = decode()
        try:
            plain = microseconds(lambda payload=payload: json.loads(payload), 1, 7) / 1000
        except (ValueError, RecursionError):
            plain = float("nan")
        ours = microseconds(decode, 1, 9) / 1000
        print(f"{name:24} {len(payload):9} {plain:10.1f} {ours:7.1f}  {outcome}")


if __name__ == "__main__":
    table_of_formats()
    table_of_large_ones()
