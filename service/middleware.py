"""What surrounds every request, as small ASGI layers: headers, a size limit, a note in log and metrics."""

from __future__ import annotations

import hashlib
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.LOCKED)
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


class Unchanged:
    """A JSON answer of the API whose `ETag` the client has already is a 304 without a body.

    The tag is weak: the same answer leaves here compressed or not. What a person's program asked for by its
    token may be kept by it, to be asked about again; what a browser asked for is not.
    """

    def __init__(self, app: ASGIApp, *, below: str) -> None:
        self.app, self.below = app, below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, holding a JSON body back until its tag is known."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self.below):
            await self.app(scope, receive, send)
            return
        asked, start, body = Headers(scope=scope), None, bytearray()

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                start = message
                return
            if start is None:  # a download or a refusal leaves as it comes
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(scope=start)
            tag = headers.setdefault("ETag", f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')
            if "authorization" in asked:
                headers["Cache-Control"] = "private, no-cache"
            if _is_had(tag, asked.get("if-none-match", "")):
                start["status"] = HTTPStatus.NOT_MODIFIED
                del headers["content-length"], headers["content-type"]
                body.clear()
            await send(start)
            await send({"type": "http.response.body", "body": bytes(body)})

        await self.app(scope, receive, held)


def _is_json(start: Message) -> bool:
    """Whether a good answer in JSON begins so."""
    kind = MutableHeaders(scope=start).get("content-type", "")
    return start["status"] == HTTPStatus.OK and kind.endswith("json")


def _is_had(tag: str, said: str) -> bool:
    """Whether `If-None-Match` names this tag, by the weak comparison of RFC 9110."""
    had = {each.strip().removeprefix("W/") for each in said.split(",")}
    return "*" in had or tag.removeprefix("W/") in had


class BodyLimit:
    """A request larger than `limit` bytes is a 413, whether it says its size or not.

    A `larger` one, by path, is taken from whom `admit` does not refuse by an exception: what strangers send
    would fill the disk of temporary files before any route asks who they are.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int, larger: Mapping[str, int], admit: Callable[[Scope], None]
    ) -> None:
        self.app, self.limit, self.larger, self.admit = app, limit, larger, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, reading no more than the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit
        most = max(limit, self.larger.get(scope["path"], limit))
        said = Headers(scope=scope).get("content-length", "0")
        received = int(said) if said.isascii() and said.isdigit() else 0
        if received <= most:
            received = 0

        async def limited() -> Message:
            nonlocal received, limit
            message = {"type": "http.request"} if received > most else await receive()
            received += len(message.get("body", b""))
            if limit < received <= most:
                await run_in_threadpool(self.admit, scope)
                limit = most
            if received > limit:
                raise HTTPException(413, f"A request has at most {most} bytes.")
            return message

        await self.app(scope, limited, send)


class Noted:
    """Each request in log and metrics by its route, never by its address: that may hold a secret.

    Who asked is named, by number, where they were refused, and nowhere else.
    """

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
            number = scope.get("state", {}).get("number") if status in REFUSALS else None
            who = {} if number is None else {"user": number}
            ms = round(1000 * seconds)
            log.info("request", method=scope["method"], route=route, status=status, ms=ms, **who)
