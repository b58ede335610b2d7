"""Every payload of tests/payloads gives exactly what a person reads off it; a new device is a new file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sensors import Decoder, PayloadRejected, Reading
from sensors.formats import known_formats
from sensors.metrics import METRICS

RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
FILES = sorted((Path(__file__).parents[1] / "payloads").glob("*.json"))


def captured(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def body(sample: dict[str, Any]) -> bytes:
    """What came over the wire: `payload` is JSON, `text` is as it stands, `hex` is bytes."""
    if "hex" in sample:
        return bytes.fromhex(sample["hex"])
    return (sample["text"] if "text" in sample else json.dumps(sample["payload"])).encode()


def decoded(sample: dict[str, Any]) -> tuple[list[Reading], str | None]:
    try:
        return Decoder().decode(sample["topic"], body(sample), RECEIVED), None
    except PayloadRejected as rejection:
        return list(rejection.readings), rejection.code


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_payload_gives_exactly_its_quantities(path: Path):
    sample = captured(path)
    readings, refused = decoded(sample)
    expected = {
        (each["device"], metric, datetime.fromisoformat(each["time"])): (float(value), each["time_source"])
        for each in sample["expected"]
        for metric, value in each["values"].items()
    }
    assert {(r.device, r.metric, r.time): (r.value, r.time_source) for r in readings} == expected
    assert len(readings) == len(expected)
    assert refused == sample.get("refused")
    assert all(r.unit == METRICS[r.metric].unit for r in readings)
    assert all(r.device.startswith(f"{r.gateway}/") for r in readings)


def test_every_format_has_a_payload():
    names = {module.__name__.rpartition(".")[2] for module in known_formats()}  # type: ignore[attr-defined]
    assert names
    assert all(any(path.stem.startswith(name) for path in FILES) for name in names)


@pytest.mark.parametrize(
    ("file", "seq"),
    [("native_single", 4711), ("chirpstack_up", 1208), ("things_stack_up", 812), ("things_stack_zeros", 0)],
)
def test_the_senders_sequence_is_kept(file: str, seq: int):
    sample = captured(next(path for path in FILES if path.stem == file))
    readings = Decoder().decode(sample["topic"], json.dumps(sample["payload"]).encode(), RECEIVED)
    assert {reading.seq for reading in readings} == {seq}
