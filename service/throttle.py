"""How often somebody may try, and how much heavy work is done at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

R = TypeVar("R")


class Turns:
    """Work that is heavy: `at_once` of it, beside the event loop, and `waiting` more; then it is `full`.

    Nothing is awaited between the count and what it counts: of those who come together none slips in.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._limiter, self._most, self._asked = CapacityLimiter(at_once), at_once + waiting, 0

    @property
    def full(self) -> bool:
        """Whether the next one had better come back."""
        return self._asked >= self._most

    async def run(self, call: Callable[..., R], *args: object) -> R:
        """What `call` returns, in a thread, when it is its turn."""
        self._asked += 1
        try:
            return await to_thread.run_sync(call, *args, limiter=self._limiter)
        finally:
            self._asked -= 1


class Throttle:
    """At most `limit` failures a `window` seconds for one key; in memory, the oldest keys forgotten first."""

    def __init__(self, limit: int, window: float, remembered: int = 10_000) -> None:
        self.limit, self.window, self.remembered = limit, window, remembered
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._turn = threading.Lock()

    def attempt(self, key: str, now: float | None = None) -> int:
        """Seconds to wait; 0 lets one try, counted as a failure beforehand so that many at once count."""
        now = time.monotonic() if now is None else now
        with self._turn:
            wait = self._wait(key, now)
            if wait == 0:
                self._count(key, now)
            return wait

    def forget(self, key: str) -> None:
        """A success clears the key."""
        with self._turn:
            self._failures.pop(key, None)

    def forgive(self, key: str) -> None:
        """The last attempt was no failure."""
        with self._turn:
            if self._failures.get(key):
                self._failures[key].pop()

    def _wait(self, key: str, now: float) -> int:
        recent = [at for at in self._failures.get(key, ()) if now - at < self.window]
        if len(recent) < self.limit:
            return 0
        return int(self.window - (now - recent[-self.limit])) + 1

    def _count(self, key: str, now: float) -> None:
        recent = [at for at in self._failures.pop(key, ()) if now - at < self.window]
        self._failures[key] = [*recent[-self.limit :], now]
        while len(self._failures) > self.remembered:
            self._failures.popitem(last=False)


def address_of(request: Request) -> str:
    """The network address that asks, as trusted proxies tell it; of IPv6 the /64 that one line is given."""
    host = request.client.host if request.client is not None else ""
    return ":".join(IPv6Address(host).exploded.split(":")[:4]) if ":" in host else host
