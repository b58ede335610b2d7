"""A real Mosquitto, `temoin ingest` as operators run it, and a publisher that counts what was confirmed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import psutil
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from time_machine import escape_hatch

from sensors.landing import Landing
from service.ingest import receiver_status
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Influx

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
INGEST = "import sys; from service.cli import main; sys.argv = ['temoin', 'ingest']; main()"
DEVICES = 8
BAD_EVERY = 50  # one message in so many is no JSON: it must end in quarantine, with its number
RATE = 400.0  # messages a second
# by the machine's clock, as the programs under test; no time zone is so far
START = escape_hatch.datetime.datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2, minutes=17)


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


def self_signed(certificate: Path, days: int) -> Path:
    """A certificate of 127.0.0.1 that signs itself, good for so many days from now, its key beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here: apt-get install openssl")
    key, request, names = (certificate.with_suffix(suffix) for suffix in (".key", ".csr", ".ext"))
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    asked = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*asked, "-keyout", key, "-out", request], check=True, capture_output=True)
    signed = ["openssl", "x509", "-req", "-days", str(days), "-in", request, "-signkey", key]
    subprocess.run([*signed, "-extfile", names, "-out", certificate], check=True, capture_output=True)
    return certificate


class Broker:
    """Mosquitto on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.tls_url = f"mqtts://127.0.0.1:{self.tls_port}"
        self.certificate: Path | None = None  # with one, it speaks TLS on the other port
        self.demands = ["allow_anonymous true"]  # there
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """With Debian's defaults, except that nothing is dropped from its queue."""
        assert MOSQUITTO is not None
        lines = ["per_listener_settings true", "max_queued_messages 0", "autosave_interval 1"]
        lines += ["persistence true", f"persistence_location {self._folder}/"]
        lines += [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        if self.certificate:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"certfile {self.certificate}"]
            lines += [f"keyfile {self.certificate.with_suffix('.key')}", *self.demands]
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

    def kill(self) -> None:
        """SIGKILL: it keeps what it had written."""
        assert self._process is not None
        self._process.kill()
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

    @classmethod
    def given(cls, environment: dict[str, str]) -> Ingest:
        """With settings as they are set outside."""
        given: dict[str, Any] = {
            name.removeprefix("TEMOIN_").lower(): value for name, value in environment.items()
        }
        return cls(Settings(**given), environment)

    def beside(self, folder: Path) -> Ingest:
        """Another one with the same settings on a folder of its own."""
        ours = {name: value for name, value in self._environment.items() if name not in os.environ}
        return Ingest.given({**ours, "TEMOIN_DATA_DIR": str(folder)})

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


class Key:
    """A token that reads and writes the bucket `temoin`, made, withdrawn and given back by its owner."""

    def __init__(self, influx: Influx) -> None:
        self._client = httpx2.Client(
            base_url=f"{influx.url}/api/v2", headers={"Authorization": f"Token {influx.token}"}
        )
        self._org = influx.org
        bucket = self._client.get("/buckets", params={"name": "temoin"}).json()["buckets"][0]
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        rights = [{"action": action, "resource": resource} for action in ("read", "write")]
        asked = {"orgID": bucket["orgID"], "permissions": rights}
        made = self._client.post("/authorizations", json=asked).raise_for_status().json()
        self.token, self._id = str(made["token"]), made["id"]

    def set_active(self, *, yes: bool) -> None:
        """Withdraw it, or give it back."""
        status = {"status": "active" if yes else "inactive"}
        self._client.patch(f"/authorizations/{self._id}", json=status).raise_for_status()

    def write(self, line: str) -> None:
        """What another program writes into the bucket."""
        where = {"org": self._org, "bucket": "temoin", "precision": "ms"}
        self._client.post("/write", params=where, content=line).raise_for_status()


@dataclass
class Publisher:
    """Numbered messages at QoS 1, for as long as it is asked; `confirmed` counts the broker's PUBACKs."""

    port: int
    published: int = 0
    confirmed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def _on_publish(self, *_: object) -> None:
        self.confirmed += 1

    def _publish(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            if self.published < (time.monotonic() - began) * RATE:
                topic = f"temoin/gateway/{self.published % DEVICES}"
                self._client.publish(topic, payload(self.published), qos=1)
                self.published += 1
            else:
                time.sleep(0.002)

    def end(self, eventually: Callable[..., None]) -> int:
        """Publish no more; how many messages the broker confirmed, which is all of them."""
        self._stop.set()
        self._thread.join()
        eventually(lambda: self.confirmed == self.published, what="every PUBACK")
        self._client.disconnect()
        self._client.loop_stop()
        return self.confirmed


def payload(number: int) -> bytes:
    """A native message whose time and value tell its number; some are broken on purpose."""
    if number % BAD_EVERY == BAD_EVERY - 1:
        return b"broken %d" % number
    at = START + timedelta(milliseconds=number)
    return json.dumps(
        {"time": at.isoformat(), "seq": number, "readings": {"co2": 400 + number % 5000}}
    ).encode()


def moved_all(ingest: Ingest, published: int) -> bool:
    """Whether so many messages have landed, and been moved."""
    landing = Landing(ingest.settings.data_dir / "landing" / "mqtt.db")
    try:
        return landing.position >= published and landing.backlog == 0
    finally:
        landing.close()


def connected(ingest: Ingest) -> bool:
    status = receiver_status(ingest.settings)
    return status is not None and status.connected
