"""Time of decode and gate for one message, beside json.loads of the same bytes; one table.

python benchmarks/decode.py
"""

from __future__ import annotations

import json
import timeit
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sensors import Decoder
from sensors.quality import Gate

PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
MESSAGES = {
    "native": ("temoin/nord/loire-1", "native_single.json"),
    "chirpstack": ("application/7/device/24e124128c140101/event/up", "chirpstack_up.json"),
    "things_stack": ("v3/rooms@city/devices/loire-co2/up", "things_stack_up.json"),
    "zigbee2mqtt": ("zigbee2mqtt/loire/motion", "zigbee2mqtt_motion.json"),
}


def microseconds(statement: object, number: int = 4000, rounds: int = 7) -> float:
    """The best of a few rounds, which is the one least disturbed by other programs."""
    return min(timeit.repeat(statement, number=number, repeat=rounds)) / number * 1e6  # type: ignore[arg-type]


def main() -> None:
    """Print one line a format."""
    decoder = Decoder()
    gate = Gate(max_age=timedelta(days=36_500))
    heads = ("bytes", "readings", "json.loads", "decode+gate", "ratio")
    print(f"{'µs':14} {heads[0]:>6} {heads[1]:>8} {heads[2]:>10} {heads[3]:>11} {heads[4]:>6}")
    for name, (topic, file) in MESSAGES.items():
        payload = json.dumps(json.loads((PAYLOADS / file).read_bytes())["payload"]).encode()

        def whole(topic: str = topic, payload: bytes = payload) -> int:
            readings = decoder.decode(topic, payload, RECEIVED)
            return sum(gate.check(reading, RECEIVED) is None for reading in readings)

        plain = microseconds(lambda payload=payload: json.loads(payload))
        ours = microseconds(whole)
        print(f"{name:14} {len(payload):6} {whole():8} {plain:10.1f} {ours:11.1f} {ours / plain:6.1f}")


if __name__ == "__main__":
    main()
