"""For whoever watches the service: is it alive, could it answer, how is it doing."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from service import ingest
from service.registry import RegistryError

router = APIRouter(include_in_schema=False)
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
def alive() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "alive"}


@router.get("/readyz")
def ready(request: Request) -> JSONResponse:
    """200 when the registry answers with this version's schema; `ingest` says whether readings flow here.

    503 too while the landing takes nothing, since every request would soon find the same disk full.
    """
    try:
        request.app.state.registry.check()
    except RegistryError as error:
        return JSONResponse({"status": "not ready", "registry": str(error).partition(":")[0]}, 503)
    state = _ingest(request)
    if state == "full":
        return JSONResponse({"status": "not ready", "registry": "ok", "ingest": state}, 503)
    return JSONResponse({"status": "ready", "registry": "ok", "ingest": state})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Prometheus' text format, for this machine itself or with TEMOIN_METRICS_TOKEN as bearer token."""
    if not (_from_here(request) or _with_token(request)):
        raise HTTPException(
            403, "Metrics are for this machine, or with the bearer token TEMOIN_METRICS_TOKEN."
        )
    return Response(request.app.state.monitoring.text(), media_type=METRICS_TYPE)


def _ingest(request: Request) -> str:
    """Why it is troubled is in its log and on the command line, not open to everybody."""
    settings = request.app.state.settings
    receiver = ingest.receiver_status(settings)
    if receiver is None:
        return "none here"
    if receiver.full:
        return "full"
    return "troubled" if ingest.troubles(settings, datetime.now(UTC)) else "flowing"


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
