"""The processes of the demonstration: each ends when told, or when whoever started it is no more.

`python -m service.demo.parts ROLE` reads its Order, a line of JSON, on stdin (secrets included, so that none
is in its arguments), and then keeps stdin: its end is the parent's, even by kill -9.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.store import ReadingStore
    from service.demo.history import History
    from service.demo.world import World
    from service.registry import Registry
    from service.settings import Settings

LOG = "demo.log"
PATIENCE = 10.0  # seconds a part has to end
OVERLAP = timedelta(hours=1)  # that a simulator started again sends once more


class Stopped(Exception):  # noqa: N818 - not an error: history is asked to end
    """The demonstration ends before its history is whole."""


@dataclass(frozen=True)
class Order:
    """What every part is told; instants and days are ISO 8601."""

    data_dir: str
    host: str
    port: int
    broker_port: int
    user: str
    password: str
    timezone: str
    monday: str
    days: int
    seed: int
    until: str  # where history ends and the present begins
    whole: bool  # whether history is there already, but for what was missed since
    mine: tuple[str, ...] = ()  # days of the helper

    def settings(self) -> Settings:
        """The settings of this demonstration, whatever the environment says of another installation."""
        from service.settings import load_settings  # noqa: PLC0415 - the broker needs none

        folder = Path(self.data_dir)
        zone = {"timezone": self.timezone} if self.timezone else {}  # else the environment's
        return load_settings(
            **zone,
            data_dir=folder,
            store="embedded",
            database_url=f"sqlite:///{folder / 'registry.db'}",
            mqtt_url=f"mqtt://127.0.0.1:{self.broker_port}",
            mqtt_protocol="3.1.1",
            mqtt_topics=("temoin/#", "application/#", "v3/#", "zigbee2mqtt/#"),
            mqtt_user=self.user,
            mqtt_password=self.password,
            mqtt_ca=None,
            mqtt_cert=None,
            mqtt_key=None,
            host=self.host,
            port=self.port,
            public_url=None,
            log_level="warning",
        )

    def world(self) -> World:
        """The world of this demonstration."""
        from service.demo.world import World  # noqa: PLC0415 - numpy

        return World(date.fromisoformat(self.monday), ZoneInfo(self.timezone), self.days, self.seed)

    @property
    def instant(self) -> datetime:
        """Where history ends and the present begins."""
        return datetime.fromisoformat(self.until)


def start(role: str, order: Order, *, heard: bool = False) -> subprocess.Popen[bytes]:
    """Start a part, out of reach of the terminal's Ctrl-C; `heard`: its stdout is ours to read.

    What it logs goes to `demo.log` in the folder.
    """
    with (Path(order.data_dir) / LOG).open("ab") as log:
        part = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "service.demo.parts", role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if heard else None,
            stderr=log,
            start_new_session=True,
        )
    assert part.stdin is not None  # noqa: S101 - asked for above
    part.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
    part.stdin.flush()
    return part


def end(part: subprocess.Popen[bytes]) -> None:
    """Ask a part to end; `finish` waits for it."""
    part.terminate()
    if part.stdin is not None:
        part.stdin.close()


def finish(part: subprocess.Popen[bytes], seconds: float = PATIENCE) -> None:
    """Wait for a part that was asked to end, and end it if it does not."""
    try:
        part.wait(seconds)
    except subprocess.TimeoutExpired:
        part.kill()
        part.wait()


# ----------------------------------------------------------------------------------------------- the roles


def _installation(order: Order) -> tuple[Settings, Registry, ReadingStore]:
    from service.registry import Registry  # noqa: PLC0415 - each part imports no more than it needs
    from service.river import open_store  # noqa: PLC0415 - likewise

    settings = order.settings()
    return settings, Registry(settings.registry_url), open_store(settings)


def _broker(order: Order, stop: threading.Event) -> None:
    from service.demo.broker import serve  # noqa: PLC0415 - see _installation

    serve(order.broker_port, order.user, order.password, stop, lambda: _tell(listening=True))


def _ingest(order: Order, stop: threading.Event) -> None:
    from service.ingest import ingest  # noqa: PLC0415 - see _installation

    ingest(*_installation(order), stop)


def _jobs(order: Order, stop: threading.Event) -> None:
    from service.jobs import Jobs  # noqa: PLC0415 - see _installation

    Jobs(*_installation(order)).run(stop)


def _simulate(order: Order, stop: threading.Event) -> None:
    from sensors.simulate.publish import BrokerLogin, publish  # noqa: PLC0415 - see _installation

    world = order.world()
    login = BrokerLogin(f"mqtt://127.0.0.1:{order.broker_port}", order.user, order.password)
    since = max(order.instant, datetime.now(UTC) - OVERLAP)
    publish(world.town, world.devices, login, stop, since)


def _past(order: Order) -> tuple[History, ReadingStore]:
    from service.demo.history import History  # noqa: PLC0415 - see _installation
    from service.ingest import SPARING  # noqa: PLC0415 - likewise

    gc.set_threshold(*SPARING)
    settings, registry, store = _installation(order)
    return History(settings, registry, store, order.world(), order.instant), store


def _history(order: Order, stop: threading.Event) -> None:
    """Make what is missing of the past, in two processes where that is worth it."""
    history, store = _past(order)
    days = history.missing() if order.whole else history.every_day()
    _tell(step="history", total=len(days))
    if not order.whole:
        history.declare()
        history.puzzle()
    half = len(days) // 2 if len(days) > WORTH_TWO else 0
    helper = start("helper", replace(order, mine=tuple(map(str, days[:half])))) if half else None
    history.make(days[half:], _counted(stop), alone=helper is None)
    if helper is not None:
        if helper.wait() != 0:
            sys.exit(1)
        history.compute(days[half])
    _tell(step="experiments")
    store.settle(order.instant.astimezone(UTC).date())
    history.conclude()


def _helper(order: Order, stop: threading.Event) -> None:
    """The older half of the past; days that the other process does not touch are put away."""
    history, store = _past(order)
    days = [date.fromisoformat(day) for day in order.mine]
    history.make(days, _counted(stop))
    store.settle(days[-1] - timedelta(days=1))


WORTH_TWO = 10  # days: fewer are made sooner than a second process starts
ROLES: dict[str, Callable[[Order, threading.Event], None]] = {
    "broker": _broker,
    "ingest": _ingest,
    "jobs": _jobs,
    "simulate": _simulate,
    "history": _history,
    "helper": _helper,
}


def _tell(**facts: object) -> None:
    """A line of JSON to whoever watches history being made; both processes write whole lines."""
    os.write(sys.stdout.fileno(), json.dumps(facts).encode() + b"\n")


def _counted(stop: threading.Event) -> Callable[[], None]:
    def told() -> None:
        _tell(done=1)
        if stop.is_set():
            raise Stopped

    return told


def _outlive_nobody(stop: threading.Event) -> None:
    """Stop when stdin ends, which is when the parent does; and surely, if stopping takes too long."""
    while os.read(0, 4096):
        pass
    stop.set()
    threading.Event().wait(PATIENCE)
    os._exit(1)


def main() -> None:
    """Be the part named on the command line."""
    role = sys.argv[1]
    with open(0, "rb", buffering=0, closefd=False) as given:  # unbuffered: what follows is the lifeline's
        line = b""
        while not line.endswith(b"\n"):
            more = given.read(1)
            if not more:
                return
            line += more
    document = json.loads(line)
    order = Order(**{**document, "mine": tuple(document["mine"])})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_outlive_nobody, args=(stop,), daemon=True).start()
    if role != "broker":
        from service.logs import configure_logs  # noqa: PLC0415 - see _installation

        configure_logs("warning")
    try:
        ROLES[role](order, stop)
    except Stopped:
        sys.exit(1)


if __name__ == "__main__":
    main()
