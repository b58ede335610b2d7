"""For whoever watches the service: is it alive, could it answer, how is it doing."""

from __future__ import annotations

import hmac
import shutil
from datetime import UTC, datetime
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from sensors.landing import MEGABYTE
from service import ingest
from service.registry import RegistryError

router = APIRouter(include_in_schema=False)
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
WELL = ("ok", "flowing", "none here")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
def alive() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get("/readyz")
def ready(request: Request) -> JSONResponse:
    """200 when all that is done here is being done; else 503, and which part is not well.

    `ingest` is `flowing`, `none here` (no receiver has ever run on this folder: somewhere else it does),
    `stopped`, `troubled` or `full`. Why is on the command line (`temoin doctor`), not open to everybody.
    """
    try:
        request.app.state.registry.check()
        registry = "ok"
    except RegistryError as error:
        registry = str(error).partition(":")[0]
    parts = {"registry": registry, "disk": _disk(request), "ingest": _ingest(request)}
    well = all(how in WELL for how in parts.values())
    return JSONResponse({"status": "ready" if well else "not ready", **parts}, 200 if well else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Prometheus' text format, for this machine itself or with TEMOIN_METRICS_TOKEN as bearer token."""
    if not (_from_here(request) or _with_token(request)):
        raise HTTPException(
            403, "Metrics are for this machine, or with the bearer token TEMOIN_METRICS_TOKEN."
        )
    return Response(request.app.state.monitoring.text(), media_type=METRICS_TYPE)


def _disk(request: Request) -> str:
    """Below its spare part the landings take nothing: every request would soon find the same disk full."""
    settings = request.app.state.settings
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError:
        return "away"
    return "ok" if free >= settings.disk_spare_mb * MEGABYTE else "low"


def _ingest(request: Request) -> str:
    settings = request.app.state.settings
    posted = request.app.state.intake.progress
    if posted is not None and posted.trouble is not None:
        return "troubled"
    said, now = ingest.everyone(settings), datetime.now(UTC)
    if not said:
        return "none here"
    if any(each.receiver.full for each in said):
        return "full"
    if any(now - each.heard > ingest.SILENT for each in said):
        return "stopped"
    return "troubled" if ingest.troubles(settings, now) else "flowing"


def _from_here(request: Request) -> bool:
    """A proxy on this machine is also « here »: whoever it forwards is not."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _with_token(request: Request) -> bool:
    token = request.app.state.settings.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return (
        token is not None
        and scheme.lower() == "bearer"
        and hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    )
