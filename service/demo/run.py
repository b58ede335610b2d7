"""One command, a whole installation: the parts started, watched, started again, and ended together."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dashboards.pages.home import Progress
from service.demo import parts
from service.demo.parts import Order
from service.registry import Registry, RegistryError, users

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from uvicorn import Server

    from service.settings import Settings

LINK_LASTING = timedelta(hours=12)
HEARD = ("broker", "history")  # parts that tell how far they are
PAUSE = 1.0  # seconds before a part that died is started again
TOO_OFTEN = 6  # ends of one part
EMAIL, NAME = "camille@ville.example", "Camille Robert"


class DemoError(Exception):
    """Why there is no demonstration; one sentence."""


@dataclass(frozen=True)
class Chronicle:
    """What a folder remembers of its demonstration, in `demo.json`."""

    monday: str
    days: int
    seed: int
    whole: bool = False  # whether its history was made to the end once

    @classmethod
    def of(cls, folder: Path, days: int, today: date) -> Self:
        """The folder's, or a new one that begins this week. Raises DemoError."""
        from service.demo.world import SEED  # noqa: PLC0415 - numpy

        file = folder / "demo.json"
        if not file.exists():
            if (folder / "registry.db").exists():
                raise DemoError(f"{folder} holds a real installation: give the demonstration its own folder.")
            monday = today - timedelta(days=today.weekday())
            return cls(monday.isoformat(), days, SEED).kept(folder)
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DemoError(f"{file} is not readable: delete {folder} and start again.") from error

    def kept(self, folder: Path) -> Self:
        """Written down, so that the next start finds it."""
        draft = folder / "demo.json.draft"
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(folder / "demo.json")
        return self


class Folder:
    """The demonstration's folder, held by one demonstration at a time. Raises DemoError."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "demo.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DemoError(
                f"{self.path} cannot be written to ({error.strerror}): choose another --data-dir."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DemoError(
                f"Another demonstration runs in {self.path}: stop it, or choose another --data-dir."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._lock)


class Household:
    """The parts of one demonstration. `ready` once history is whole; `trouble` once it cannot go on."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self._turn = threading.Lock()
        self._ending = threading.Event()
        self._deaths: dict[str, int] = {}
        self._progress: Progress | None = Progress(0, max(order.days, 1), "history")
        self.trouble: str | None = None
        self.ready = threading.Event()

    def progress(self) -> Progress | None:
        """How far history is; None once the demonstration is ready."""
        return self._progress

    def keep(self) -> None:
        """Start everything in its order, then start again whatever dies, until `end` or a trouble."""
        threading.Thread(target=self._history, name="history").start()
        broker = self._start("broker")
        if broker is not None and broker.stdout is not None:
            broker.stdout.readline()  # it listens, or it ended
        for role in ("ingest", "simulate"):
            self._start(role)
        while not self._ending.wait(PAUSE / 2):
            for role, part in list(self._parts.items()):
                if part.poll() is not None and role != "history":
                    self._again(role)

    def end(self) -> None:
        """End every part, senders first; returns when all have ended."""
        self._ending.set()
        with self._turn:
            everyone = [self._parts[role] for role in reversed(self._parts)]
        for part in everyone:
            parts.end(part)
        for part in everyone:
            parts.finish(part)

    def _start(self, role: str) -> subprocess.Popen[bytes] | None:
        with self._turn:
            if self._ending.is_set():
                return None
            part = self._parts[role] = parts.start(role, self._order, heard=role in HEARD)
            return part

    def _again(self, role: str) -> None:
        self._deaths[role] = self._deaths.get(role, 0) + 1
        if self._deaths[role] >= TOO_OFTEN:
            self._give_up(
                f"The part « {role} » ends again and again: {self._order.data_dir}/{parts.LOG} says why."
            )
            return
        self._ending.wait(PAUSE)
        self._start(role)

    def _give_up(self, sentence: str) -> None:
        if not self._ending.is_set():
            self.trouble = sentence
            self._ending.set()
            signal.raise_signal(signal.SIGTERM)

    def _history(self) -> None:
        """Follow history until it is whole, then let the jobs begin."""
        part = self._start("history")
        if part is None or part.stdout is None:
            return
        done, total, step = 0, max(self._order.days, 1), "history"
        for line in part.stdout:
            heard = json.loads(line)
            done, total, step = (
                done + heard.get("done", 0),
                heard.get("total", total),
                heard.get("step", step),
            )
            self._progress = Progress(done, total, "experiments" if step == "experiments" else "history")
        if part.wait() != 0:
            self._give_up(f"Its history could not be made: {self._order.data_dir}/{parts.LOG} says why.")
            return
        self._start("jobs")
        self._progress = None
        self.ready.set()


def run(folder: Folder, listening: socket.socket, host: str, days: int, say: Callable[[str], None]) -> None:
    """Be the demonstration in the folder, its pages on `listening`, until Ctrl-C or SIGTERM.

    `say` is given what the person at the terminal should read. Raises DemoError.
    """
    began = time.monotonic()
    asked = threading.Event()
    serving: list[Server] = []

    def ask(*_signal: object) -> None:
        asked.set()
        for server in serving:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    order = _order(folder.path, host, listening.getsockname()[1], days)
    settings = order.settings()
    _greet(settings, say)
    household = Household(order)
    watching = threading.Thread(target=household.keep, name="household")
    watching.start()
    announcing = threading.Thread(target=_announce, args=(household, order, began, say), daemon=True)
    announcing.start()
    try:
        _serve(settings, listening, household, serving, asked)
    finally:
        household.end()
        watching.join()
    if household.trouble is not None:
        raise DemoError(household.trouble)


def _order(folder: Path, host: str, port: int, days: int) -> Order:
    """What the parts are told: new credentials and a free port for the broker, the world of the folder."""
    now = datetime.now(UTC)
    order = Order(
        data_dir=str(folder),
        host=host,
        port=port,
        broker_port=_free_port(),
        user="temoin-demo",
        password=secrets.token_urlsafe(24),
        timezone="",
        monday="",
        days=days,
        seed=0,
        until=now.isoformat(),
        whole=False,
    )
    zone = order.settings().zone
    chronicle = Chronicle.of(folder, days, now.astimezone(zone).date())
    return replace(order, timezone=zone.key, **asdict(chronicle))


def _greet(settings: Settings, say: Callable[[str], None]) -> None:
    """Have a registry and somebody in it, and print the way in. Raises DemoError."""
    try:
        registry = Registry(settings.registry_url)
        registry.migrate()
        now = datetime.now(UTC)
        with registry.session() as session:
            user = users.find(session, EMAIL) or users.add(session, EMAIL, NAME, "administrator", None, now)
            link = users.open_session(session, user, now, LINK_LASTING, kind="link")
        registry.close()
    except RegistryError as error:
        raise DemoError(str(error)) from error
    address = f"http://{settings.host}:{settings.port}/"
    say("Témoin, the demonstration. Its address, and a link that signs you in once:")
    say(address)
    say(f"{address}sign-in/{link}")


def _announce(household: Household, order: Order, began: float, say: Callable[[str], None]) -> None:
    say(
        "Catching up with what happened since…"
        if order.whole
        else "The pages open at once; twelve weeks of measurements are being made…"
    )
    household.ready.wait()
    Chronicle(order.monday, order.days, order.seed, whole=True).kept(Path(order.data_dir))
    say(f"Ready after {time.monotonic() - began:.0f} s. Ctrl-C ends it; started again it goes on.")


def _serve(
    settings: Settings,
    listening: socket.socket,
    household: Household,
    serving: list[Server],
    asked: threading.Event,
) -> None:
    import uvicorn  # noqa: PLC0415 - after the parts were started, which takes none of their time

    from service.app import create_app  # noqa: PLC0415 - likewise
    from service.logs import configure_logs  # noqa: PLC0415 - likewise

    configure_logs(settings.log_level)
    app = create_app(settings)
    app.state.progress = household.progress
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    serving.append(server)
    if not asked.is_set():
        server.run(sockets=[listening])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
