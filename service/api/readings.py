"""What gateways post."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from sensors.reading import LandingError
from service.api.documentation import ErrorEnvelope
from service.auth import gateway_of
from service.intake import MOST_ITEMS, ForeignDevice, Intake, Refused, TooManyItems
from service.throttle import Throttle

router = APIRouter(prefix="/api/v1/readings", tags=["readings"])

REQUESTS, WINDOW = 600, 60.0  # of one gateway in so many seconds: who has more to say sends batches
KINDS = (
    "application/json",
    "application/senml+json",
    "application/senml+cbor",
    "application/cbor",
    "text/plain",
)
MOST_UNPACKED = 20_000_000  # bytes
TOLD = 20  # refused items named when nothing was accepted
EXAMPLE = {"device": "loire-1", "time": "2026-03-02T09:15:00Z", "seq": 7, "readings": {"co2": 612}}
ITEM: dict[str, Any] = {
    "type": "object",
    "required": ["device", "readings"],
    "properties": {
        "device": {"type": "string", "description": "Its name; no « / » in it", "maxLength": 200},
        "time": {
            "type": ["string", "number"],
            "description": "ISO 8601, or seconds or milliseconds since 1970",
        },
        "seq": {"type": "integer", "minimum": 0},
        "readings": {
            "type": "object",
            "description": "Value by metric, in the metric's unit",
            "additionalProperties": {"type": ["number", "boolean", "null"]},
        },
    },
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": (
            "One item or a list of at most 10,000, each as on the MQTT topic `temoin/{gateway}/{device}` and "
            "with its `device`. Without `time` the time of reception stands in: with it, sending again "
            "changes nothing."
        ),
        "content": {
            "application/json": {
                "schema": {"oneOf": [ITEM, {"type": "array", "items": ITEM, "maxItems": MOST_ITEMS}]},
                "examples": {"one": {"value": EXAMPLE}, "batch": {"value": [EXAMPLE]}},
            },
            **{kind: {"schema": {"type": "string"}} for kind in KINDS if kind != "application/json"},
        },
    },
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorEnvelope, "description": "Cut short, or no gzip; nothing was kept"},
    401: {"model": ErrorEnvelope, "description": "No valid token of a gateway"},
    403: {"model": ErrorEnvelope, "description": "A device of another gateway; nothing was kept"},
    413: {"model": ErrorEnvelope, "description": "Too many bytes or items; nothing was kept"},
    415: {"model": ErrorEnvelope, "description": "Neither JSON nor SenML nor lines; nothing was kept"},
    422: {"model": ErrorEnvelope, "description": "Nothing in it could be read; it waits in quarantine"},
    429: {"model": ErrorEnvelope, "description": "More than 600 requests a minute; nothing was kept"},
    503: {"model": ErrorEnvelope, "description": "Nothing can be kept now; send it again later"},
}


@dataclass(frozen=True)
class ApiTaken:
    """Items that are kept, readings in them, and the items that were refused, wholly or in part."""

    items: int
    readings: int
    refused: tuple[Refused, ...]


def limits() -> Throttle:
    """The counter of requests of one app, by gateway."""
    return Throttle(REQUESTS, WINDOW)


@router.post("", status_code=202, responses=REFUSALS, openapi_extra=BODY)
async def post_readings(
    request: Request,
    gateway: Annotated[str, Depends(gateway_of)],
    event: Annotated[
        str | None, Query(pattern="^[a-z]{1,20}$", description="Which of its events ChirpStack sends")
    ] = None,
) -> ApiTaken:
    """Keep readings of a gateway, with its token; each item is on disk before the answer.

    Body: `{"device": "loire-1", "time": "2026-03-02T09:15:00Z", "readings": {"co2": 612}}`, or a list of such
    items. What is refused is named item by item and waits in quarantine with its bytes. Devices are the
    gateway's own: `loire-1` of `hall` is `hall/loire-1`.

    Webhooks of The Things Stack and ChirpStack (which adds `?event=up`) may come as they are, and so may
    SenML (JSON or CBOR), InfluxDB lines and whatever else is read from the broker; gzip is welcome.
    """
    _readable(request)
    wait = request.app.state.throttles["readings"].attempt(gateway)
    if wait:
        raise HTTPException(
            429, f"At most {REQUESTS} requests a minute: send batches.", headers={"Retry-After": str(wait)}
        )
    try:
        body = await request.body()
    except ClientDisconnect as error:  # a poor network, nothing of ours: no stack trace
        raise HTTPException(400, "The connection ended before the request did; nothing was kept.") from error
    if request.headers.get("content-encoding", "identity").lower() == "gzip":
        body = await run_in_threadpool(_unpacked, body)
    return await run_in_threadpool(_taken, request.app.state.intake, gateway, body, event)


def _taken(intake: Intake, gateway: str, body: bytes, event: str | None) -> ApiTaken:
    try:
        taken = intake.take(gateway, body, datetime.now(UTC), event)
    except ForeignDevice as error:
        raise HTTPException(403, str(error)) from error
    except TooManyItems as error:
        raise HTTPException(413, str(error)) from error
    except LandingError as error:
        raise HTTPException(
            503, "Readings cannot be kept now: send them again later.", headers={"Retry-After": "30"}
        ) from error
    if taken.refused and not taken.readings:
        raise HTTPException(422, _told(taken.refused))
    return ApiTaken(taken.items, taken.readings, taken.refused)


def _told(refused: tuple[Refused, ...]) -> str:
    lines = [f"item {each.item}: {each.code}: {each.reason}" for each in refused[:TOLD]]
    more = len(refused) - TOLD
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _readable(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise HTTPException(415, f"Send one of {', '.join(KINDS)}.")
    if request.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise HTTPException(415, "Send it uncompressed, or gzip.")


def _unpacked(body: bytes) -> bytes:
    """What gzip holds, up to MOST_UNPACKED: a few kilobytes of it may hold gigabytes of nothing."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        found = inflate.decompress(body, MOST_UNPACKED + 1)
    except zlib.error as error:
        raise HTTPException(400, f"It says gzip and is none ({error}); nothing was kept.") from error
    if len(found) > MOST_UNPACKED:
        raise HTTPException(413, f"Unpacked it has more than {MOST_UNPACKED // 10**6} MB; nothing was kept.")
    if not inflate.eof:
        raise HTTPException(400, "The gzip ends too early; nothing was kept.")
    return found
