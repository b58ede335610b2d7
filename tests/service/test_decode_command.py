"""`temoin decode`: readings on stdout, reasons on stderr, exit 3 when something was refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMOIN = Path(sys.executable).with_name("temoin")
PAYLOADS = Path(__file__).parents[1] / "payloads"


def decode(payload: bytes, *options: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(
        [TEMOIN, "decode", *options],
        input=payload,
        capture_output=True,
        check=False,
        env=dict(env),
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_readings_are_printed_one_a_line():
    done = decode(
        b'{"time": "2026-03-02T10:15:00.1239+01:00", "seq": 7, "readings": {"co2": 612, "presence": true}}',
        *("--topic", "temoin/nord/loire-1"),
    )
    assert done.returncode == 0, done.stderr
    assert lines(done)[0] == {
        "device": "nord/loire-1",
        "metric": "co2",
        "value": 612.0,
        "unit": "ppm",
        "time": "2026-03-02T09:15:00.123Z",
        "time_source": "device",
        "gateway": "nord",
        "seq": 7,
    }
    assert lines(done)[1]["value"] == 1.0


def test_a_bad_value_is_told_and_the_good_ones_printed():
    done = decode(b'{"readings": {"co2": 612, "humidity": 140}}', "--topic", "temoin/nord/loire-1")
    assert done.returncode == 3
    assert [line["metric"] for line in lines(done)] == ["co2"]
    assert done.stderr.startswith(b"out_of_range: readings.humidity")


def test_a_clock_that_runs_ahead_is_told():
    done = decode(b'{"time": "2099-01-01T00:00:00Z", "readings": {"co2": 612}}')
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"clock_ahead: time 2099-01-01")


def test_without_a_topic_the_shape_tells_the_format():
    sample = json.loads((PAYLOADS / "chirpstack_up.json").read_bytes())
    done = decode(json.dumps(sample["payload"]).encode())
    assert done.returncode == 0, done.stderr
    assert {line["device"] for line in lines(done)} == {"stdin/24e124128c140101"}


def test_without_a_topic_or_a_shape_it_is_read_as_our_own():
    done = decode(b'{"readings": {"co2": 612}}')
    assert [line["device"] for line in lines(done)] == ["stdin/device"]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe\x00", b"[" * 10_000])
def test_what_is_no_payload_gives_one_sentence(payload: bytes):
    done = decode(payload, "--topic", "temoin/nord/loire-1")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_naive_times_are_those_of_the_setting():
    payload = b'{"time": "2026-03-02T10:15:00", "readings": {"co2": 612}}'
    done = decode(payload, TEMOIN_TIMEZONE="Asia/Tokyo")
    assert lines(done)[0]["time"] == "2026-03-02T01:15:00.000Z"
