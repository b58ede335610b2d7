"""`temoin decode`: what a payload would become, without keeping anything."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.end import REJECTED_INPUT, Ended

if TYPE_CHECKING:
    from sensors import Decoder, Reading

# where a payload comes from when nobody says: known by its shape, else as our own format would publish it
BY_SHAPE = "stdin"
NATIVE = "temoin/stdin/device"


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(decode)


def decode(
    topic: Annotated[
        str | None,
        typer.Option(
            help="MQTT topic of the payload. Without it the payload's shape tells the format, "
            f"and failing that it is read as Témoin's own, from {NATIVE}."
        ),
    ] = None,
    retained: Annotated[bool, typer.Option("--retained", help="As if the broker had kept it.")] = False,
) -> None:
    """Dry run: the readings of one payload on stdin, one JSON object a line; nothing is stored.

    A payload or a value that is refused gives its reason on stderr and exit code 3; the good readings
    are printed all the same.

    Example: echo '{"readings": {"co2": 612}}' | temoin decode --topic temoin/nord/loire-1
    """
    from sensors import Decoder, PayloadRejected  # noqa: PLC0415 - not for --help
    from sensors.quality import Gate  # noqa: PLC0415 - likewise
    from service.settings import SettingsError, load_settings  # noqa: PLC0415 - pydantic is not for --help

    payload = sys.stdin.buffer.read()
    now = datetime.now(UTC)
    try:
        decoder = Decoder(timezone=load_settings().timezone)
    except SettingsError as error:
        raise Ended(str(error)) from error
    reasons: list[str] = []
    try:
        readings = decoder.decode(topic or _likely_topic(decoder, payload), payload, now, retained)
    except PayloadRejected as rejection:
        readings = list(rejection.readings)
        reasons.append(rejection.reason)
    gate = Gate(max_age=None)  # a payload tried out may be an old one
    for reading in readings:
        fault = gate.check(reading, now)
        if fault is None:
            typer.echo(_line(reading))
        else:
            reasons.append(fault)
    if reasons:
        raise Ended("\n".join(dict.fromkeys(reasons)), REJECTED_INPUT)


def _likely_topic(decoder: Decoder, payload: bytes) -> str:
    plain = payload.lstrip()[:1] == b"{" and b'"readings"' not in payload
    return BY_SHAPE if plain or decoder.knows_shape(payload) else NATIVE


def _line(reading: Reading) -> str:
    return json.dumps(
        {
            "device": reading.device,
            "metric": reading.metric,
            "value": reading.value,
            "unit": reading.unit,
            "time": reading.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "time_source": reading.time_source,
            "gateway": reading.gateway,
            "seq": reading.seq,
        },
        ensure_ascii=False,
    )
