"""docs/gateways.md says what is read of each sample, and it is what is read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from sensors import Decoder, Reading
from sensors.formats import known_formats

RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
DOCUMENT = (Path(__file__).parents[2] / "docs" / "gateways.md").read_text(encoding="utf-8")
SAMPLES = re.findall(
    r"^`(\S+)`\n```(json|plain|hex)\n(.*?)```\n```text\n(.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE
)


def told(readings: list[Reading]) -> str:
    """A line a device and instant, its quantities by name."""
    lines = []
    for (device, time, source), each in groupby(
        readings, lambda reading: (reading.device, reading.time, reading.time_source)
    ):
        precision = "milliseconds" if time.microsecond else "seconds"
        instant = time.isoformat(timespec=precision).replace("+00:00", "Z")
        quantities = ", ".join(
            f"{r.metric} {r.value:g} {r.unit}" for r in sorted(each, key=lambda r: r.metric)
        )
        lines.append(f"{device} {instant} {source}: {quantities}\n")
    return "".join(lines)


@pytest.mark.parametrize(
    ("topic", "kind", "payload", "expected"), SAMPLES, ids=[f"{topic} {kind}" for topic, kind, *_ in SAMPLES]
)
def test_a_sample_is_read_as_written(topic: str, kind: str, payload: str, expected: str):
    body = bytes.fromhex(payload) if kind == "hex" else payload.encode()
    assert told(Decoder().decode(topic, body, RECEIVED)) == expected


def test_every_format_has_its_sample():
    assert len(SAMPLES) == len(known_formats())
    assert DOCUMENT.count("```text") == len(SAMPLES)
