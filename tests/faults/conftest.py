"""A real Mosquitto, a folder with a registry, and `temoin ingest` as operators run it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from service.registry import Registry
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
INGEST = "import sys; from service.cli import main; sys.argv = ['temoin', 'ingest']; main()"


def wait_until(true: Callable[[], object], within: float = 20.0, what: str = "") -> None:
    """Poll until `true()` is, or fail saying what was waited for."""
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, f"waited {within:.0f} s in vain: {what or true}"
        time.sleep(0.05)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Mosquitto on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.certificate: Path | None = None

    def start(self) -> None:
        """With Debian's defaults, except that nothing is dropped from its queue."""
        assert MOSQUITTO is not None
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
        lines += ["persistence true", f"persistence_location {self._folder}/", "autosave_interval 1"]
        if self.certificate:
            lines.insert(1, f"certfile {self.certificate}")
            lines.insert(2, f"keyfile {self.certificate.with_suffix('.key')}")
        if os.geteuid() == 0:
            lines.append("user root")
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        command = [MOSQUITTO, "-c", str(self._folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens, what="the broker to listen")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Ingest:
    """`temoin ingest` on a folder: the mover, and its child the receiver."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self.settings = settings
        self._environment = {**os.environ, **environment}
        self._mover: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; a running one is left to itself."""
        self._mover = subprocess.Popen([sys.executable, "-c", INGEST], env=self._environment)

    def once_more(self) -> subprocess.CompletedProcess[str]:
        """Try to start a second one, and wait for its end."""
        command = [sys.executable, "-c", INGEST]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=30, check=False
        )

    def receiver(self) -> psutil.Process | None:
        """The process of the receiver, when there is one."""
        assert self._mover is not None
        try:
            children = psutil.Process(self._mover.pid).children()
        except psutil.NoSuchProcess:
            return None
        return next((child for child in children if child.status() != psutil.STATUS_ZOMBIE), None)

    def kill_receiver(self) -> None:
        """SIGKILL to the receiver."""
        wait_until(lambda: self.receiver() is not None, what="a receiver to kill")
        receiver = self.receiver()
        assert receiver is not None
        receiver.kill()

    def kill_mover(self) -> None:
        """SIGKILL to the mover."""
        assert self._mover is not None
        self._mover.kill()
        self._mover.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self._mover is None:
            return 0
        if self._mover.poll() is None:
            self._mover.send_signal(signal.SIGTERM)
        return self._mover.wait(20)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not here: apt-get install mosquitto")
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def ingest(tmp_path: Path, broker: Broker) -> Iterator[Ingest]:
    data = tmp_path / "data"
    settings = Settings(data_dir=data, mqtt_url=broker.url)
    registry = Registry(settings.registry_url)
    registry.migrate()
    registry.close()
    running = Ingest(settings, {"TEMOIN_DATA_DIR": str(data), "TEMOIN_MQTT_URL": broker.url})
    yield running
    running.stop()


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_until
