"""Mutated payloads against the decoder: it refuses or reads, never fails, never takes long.

python -m tests.sensors.fuzz --cases 1000000 --processes 2
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensors import Decoder, PayloadRejected, Reading
from sensors.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOADS = Path(__file__).parents[1] / "payloads"
RECEIVED = datetime(2026, 3, 2, 9, 15, 2, tzinfo=UTC)
WORTH_TELLING = 0.01  # seconds
REASON = re.compile(r"[a-z_]+: .+")

ODD: list[Any] = [
    *(None, True, False, 0, -0.0, 1, -1, 255, 65535, 3.6, 21.4, 295.2, 1e308, -1e308, 10**400, -(10**400)),
    *(2**31, 2**63, 2**64, math.nan, math.inf, -math.inf, 1_772_442_900, 1_772_442_900_000, -1e15),
    *(
        "",
        " ",
        "0",
        "21,4 °C",
        "68.14%",
        "-",
        "NaN",
        "on",
        "Preheating",
        "x" * 10_000,
        "\u202eerioL",
        "a\x00b",
    ),
    *("<script>alert(1)</script>", "../../etc/passwd", "=1+1", "\ud83d", "１２", "1e999", "9" * 5000),
    *("2026-03-02T09:15:00Z", "2026-02-30T09:15:00", "1970-01-01T00:00:00", "9999-12-31T23:59:59+14:00"),
    *(
        [],
        {},
        [[]],
        [{}],
        {"value": {}},
        {"value": [], "unit": 5},
        {"value": 1e400, "unit": "°F"},
        [None] * 40,
    ),
    *({"values": [1, 2]}, {"unit": "%"}, [{"label": "co2", "value": {}}], [{"n": 5}], {"": ""}, {"time": {}}),
]


def samples() -> list[tuple[str, bytes]]:
    """Topic and payload of every file of tests/payloads."""
    found = []
    for path in sorted(PAYLOADS.glob("*.json")):
        sample = json.loads(path.read_bytes())
        body = sample["text"] if "text" in sample else json.dumps(sample.get("payload"), ensure_ascii=False)
        found.append((sample["topic"], bytes.fromhex(sample["hex"]) if "hex" in sample else body.encode()))
    return found


def cases(number: int, seed: int) -> Iterator[tuple[str, bytes, bool]]:
    """So many mutations, each of a topic and a payload, some of them kept by the broker."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    known = samples()
    documents = [document for _, body in known if (document := _json(body)) is not None]
    for _ in range(number):
        topic, body = rng.choice(known)
        if rng.random() < 0.2:
            topic = _other_topic(rng, topic, known)
        document = _json(body)
        if document is not None and rng.random() < 0.75:
            for _ in range(rng.randint(1, 4)):
                document = _mutated(rng, document, documents)
            body = json.dumps(document).encode("utf-8", "replace")
        if rng.random() < 0.3:
            body = _scrambled(rng, body)
        yield topic, body, rng.random() < 0.1


def check(decoder: Decoder, topic: str, body: bytes, retained: bool) -> str:
    """Decode once; raises AssertionError, or whatever the decoder should not have raised. What came of it."""
    try:
        readings = decoder.decode(topic, body, RECEIVED, retained)
    except PayloadRejected as rejection:
        reason = rejection.reason
        assert REASON.fullmatch(reason), reason
        assert reason.isprintable(), reason
        assert len(reason) < 3000, reason
        for each in rejection.readings:
            _check(each, retained)
        return rejection.code
    for each in readings:
        _check(each, retained)
    return "read" if readings else "nothing"


def _check(each: Reading, retained: bool) -> None:
    metric = METRICS[each.metric]
    assert each.unit == metric.unit, each
    assert type(each.value) is float, each
    assert metric.low <= each.value <= metric.high, each
    assert each.value not in metric.sentinels, each
    assert each.device.startswith(f"{each.gateway}/"), each
    assert each.device.isprintable(), each
    assert len(each.device) <= 200, each
    assert each.time.tzinfo is UTC, each
    assert each.time.microsecond % 1000 == 0, each
    assert each.time_source in ("device", "network", "received"), each
    assert not (retained and each.time_source == "received" and each.time == RECEIVED), each
    assert each.seq is None or type(each.seq) is int, each


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _mutated(rng: random.Random, document: Any, documents: list[Any]) -> Any:
    """One change somewhere in a copy: a value, a name, a part of another payload, more or less of it."""
    document = copy.deepcopy(document)
    inner = document
    for _ in range(rng.randint(0, 5)):
        children = [each for each in _children(inner) if isinstance(each, dict | list) and each]
        if not children:
            break
        inner = rng.choice(children)
    if isinstance(inner, list):
        at = rng.randrange(len(inner) + 1)
        inner[at : at + rng.randint(0, 1)] = [_value(rng, documents)] * rng.choice([0, 1, 1, 2, 30])
    elif isinstance(inner, dict) and inner:
        key = rng.choice(list(inner))
        how = rng.random()
        if how < 0.5:
            inner[key] = _value(rng, documents)
        elif how < 0.65:
            del inner[key]
        elif how < 0.85:
            inner[_name(rng, documents)] = inner.pop(key)
        else:
            inner[_name(rng, documents)] = _value(rng, documents)
    else:
        return _value(rng, documents)
    return document


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _value(rng: random.Random, documents: list[Any]) -> Any:
    if rng.random() < 0.7:
        return rng.choice(ODD)
    part = rng.choice(documents)
    for _ in range(rng.randint(0, 4)):
        part = rng.choice(_children(part) or [part])
    return part


def _name(rng: random.Random, documents: list[Any]) -> str:
    if rng.random() < 0.3:
        return str(
            rng.choice(["", "temperature", "value", "unit", "time", "history", "a.b", "\x00", "x" * 500])
        )
    part = rng.choice(documents)
    while isinstance(part, list) and part:
        part = part[0]
    return rng.choice(list(part) or ["co2"]) if isinstance(part, dict) else "co2"


def _other_topic(rng: random.Random, topic: str, known: list[tuple[str, bytes]]) -> str:
    odd = ["", "/", "//", "a", "\x00", "x" * 10_000, "<b>", "\u202e", "+", "#", "temoin/a/b", "$SYS/x", "a/b"]
    levels = topic.split("/")
    levels[rng.randrange(len(levels))] = rng.choice([*odd, "state", "up", "SENSOR", "rpc"])
    other = [rng.choice(known)[0], rng.choice(odd), "/".join(levels), f"/{topic}", topic[:-1]]
    return rng.choice([*other, f"temoin/nord/{topic}"])


def _scrambled(rng: random.Random, body: bytes) -> bytes:
    """A byte changed, a piece cut, doubled, or moved."""
    start = rng.randrange(len(body) + 1)
    end = min(len(body), start + rng.randint(0, 40))
    piece = body[start:end]
    middle = rng.choice(
        [b"", piece * 2, bytes([rng.randrange(256)]), piece[::-1], b"\\u0000", b"1e5", b"[" * 50]
    )
    return body[:start] + middle + body[end:] if rng.random() < 0.9 else body[:start]


def run(number: int, seed: int) -> tuple[Counter[str], float, str]:
    """What came of so many cases, the longest any took (the best of three tries), and its topic."""
    decoder = Decoder()
    outcomes: Counter[str] = Counter()
    slowest, slowest_topic = 0.0, ""
    for topic, body, retained in cases(number, seed):
        started = time.process_time()
        outcomes[check(decoder, topic, body, retained)] += 1
        if time.process_time() - started > max(slowest, WORTH_TELLING):
            best = min(_seconds(decoder, topic, body, retained) for _ in range(3))
            if best > slowest:
                slowest, slowest_topic = best, topic[:60]
    return outcomes, slowest, slowest_topic


def _seconds(decoder: Decoder, topic: str, body: bytes, retained: bool) -> float:
    started = time.process_time()
    check(decoder, topic, body, retained)
    return time.process_time() - started


def main() -> None:
    """Run the cases on several processes and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    each = -(-options.cases // options.processes)
    seeds = range(options.seed, options.seed + options.processes)
    started = time.monotonic()
    with ProcessPoolExecutor(options.processes) as pool:
        parts = list(pool.map(run, [each] * options.processes, seeds))
    outcomes = sum((outcomes for outcomes, _, _ in parts), Counter[str]())
    slowest, topic = max((slowest, topic) for _, slowest, topic in parts)
    lines = [
        f"{outcomes.total():,} cases in {time.monotonic() - started:.0f} s, none failed",
        f"the slowest took {slowest * 1000:.1f} ms ({topic!r})" if topic else "each took less than 10 ms",
        *(f"{count:9,} {outcome}" for outcome, count in outcomes.most_common()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
