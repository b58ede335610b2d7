"""What surrounds every request, as small ASGI layers: headers, a size limit, a note in log and metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.monitoring import Monitoring

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"  # of this host alone: what its subdomains are is not ours to say
log = structlog.get_logger("temoin.web")


def secure(headers: MutableHeaders, *, https: bool) -> None:
    """Give an answer the headers above, unless it says less of itself; nothing is cached that may not be."""
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if https:
        headers["Strict-Transport-Security"] = HSTS


class SecurityHeaders:
    """Those headers on every answer."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app, self.https = app, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), https=self.https)
            await send(message)

        await self.app(scope, receive, secured)


class BodyLimit:
    """A request larger than `limit` bytes is a 413, whether it says its size or not; `larger` is by path."""

    def __init__(self, app: ASGIApp, *, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self.app, self.limit, self.larger = app, limit, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, reading no more than the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.limit)
        said = Headers(scope=scope).get("content-length", "0")
        received = int(said) if said.isascii() and said.isdigit() else 0
        if received <= limit:
            received = 0

        async def limited() -> Message:
            nonlocal received
            message = {"type": "http.request"} if received > limit else await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"A request has at most {limit} bytes.")
            return message

        await self.app(scope, limited, send)


class Noted:
    """Each request in log and metrics by its route, never by its address: that may hold a secret."""

    def __init__(self, app: ASGIApp, *, monitoring: Monitoring) -> None:
        self.app, self.monitoring = app, monitoring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and take note."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "none")
            self.monitoring.note(scope["method"], route, status, seconds)
            log.info("request", method=scope["method"], route=route, status=status, ms=round(1000 * seconds))
