"""An MQTT broker for one machine: loopback, one name and password, nothing kept over its end."""

from __future__ import annotations

import asyncio
import hmac
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from amqtt.session import Session


class Credentials(BaseAuthPlugin):  # type: ignore[misc]  # amqtt ships no types
    """Lets in whoever knows the name and the password."""

    @dataclass
    class Config:
        """What amqtt hands over."""

        user: str = ""
        password: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Whether both are right; anonymous clients know neither."""
        given = f"{session.username}\0{session.password}".encode()
        return hmac.compare_digest(given, f"{self.config.user}\0{self.config.password}".encode())


def serve(port: int, user: str, password: str, stop: threading.Event, listening: Callable[[], None]) -> None:
    """Be the broker on 127.0.0.1:`port` until `stop`; `listening` is called once clients may come."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.ERROR)
    asyncio.run(_serve(port, user, password, stop, listening))


async def _serve(
    port: int, user: str, password: str, stop: threading.Event, listening: Callable[[], None]
) -> None:
    credentials = f"{Credentials.__module__}.{Credentials.__qualname__}"
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {credentials: {"user": user, "password": password}},
        }
    )
    await broker.start()
    listening()
    while not stop.is_set():  # noqa: ASYNC110 - the event is a thread's, set by a signal
        await asyncio.sleep(0.1)
    await broker.shutdown()
