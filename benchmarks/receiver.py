"""CPU of a received message: a bare paho consumer that only acknowledges, and ours that lands it first.

python benchmarks/receiver.py [messages]     one broker, the same payloads, each protocol; needs Mosquitto

Every consumer is a process of its own; messages wait at the broker, so that only consuming is measured.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sensors.landing import Landing
from sensors.receive import Receiver, ReceiverConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
CLIENT = "consumer"
TOPICS = [f"temoin/nord/room-{number}" for number in range(64)]


def payload(number: int) -> bytes:
    """A native message of four values, unique."""
    time_ms = 1_772_442_900_000 + number
    return json.dumps(
        {
            "time": time_ms,
            "seq": number,
            "readings": {"co2": 400 + number % 800, "temperature": 21.5, "humidity": 41.2, "sound": 38.4},
        }
    ).encode()


class Broker:
    """Mosquitto with a window of 1000 and no limit to its queue."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = Path(tempfile.mkdtemp(prefix="temoin-bench-"))
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false"]
        lines += ["max_queued_messages 0", "max_inflight_messages 1000"]
        (self.folder / "conf").write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.folder / "conf")], stderr=subprocess.DEVNULL
        )
        time.sleep(0.5)

    def subscribe(self, protocol: MQTTProtocolVersion) -> None:
        """Make the consumer's session, so that the broker keeps what is published for it."""
        client = consumer(protocol)
        client.on_connect = lambda *_: client.subscribe("temoin/#", 1)
        client.on_subscribe = lambda *_: client.disconnect()
        connect(client, self.port, protocol)
        client.loop_forever()

    def fill(self, start: int, count: int) -> None:
        """Publish `count` messages at QoS 1 and wait until the broker confirmed them."""
        client = Client(CallbackAPIVersion.VERSION2)
        done = threading.Semaphore(0)
        client.on_publish = lambda *_: done.release()
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for number in range(start, start + count):
            client.publish(TOPICS[number % len(TOPICS)], payload(number), qos=1)
        for _ in range(count):
            done.acquire()
        client.disconnect()
        client.loop_stop()

    def stop(self) -> None:
        """End it and forget its folder."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def consumer(protocol: MQTTProtocolVersion, **options: bool) -> Client:
    """A paho client with the session that outlives its connection."""
    v5 = protocol is MQTTProtocolVersion.MQTTv5
    session = None if v5 else False
    return Client(CallbackAPIVersion.VERSION2, CLIENT, clean_session=session, protocol=protocol, **options)


def connect(client: Client, port: int, protocol: MQTTProtocolVersion) -> None:
    """Connect as the receiver does."""
    if protocol is not MQTTProtocolVersion.MQTTv5:
        client.connect("127.0.0.1", port)
        return
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = 1000
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)


def bare(port: int, protocol: MQTTProtocolVersion, count: int) -> None:
    """Consume `count` messages and only acknowledge them."""
    client = consumer(protocol)
    left = count

    def on_message(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            client.disconnect()

    client.on_message = on_message
    connect(client, port, protocol)
    client.loop_forever()


def ours(port: int, protocol: MQTTProtocolVersion, count: int, folder: Path) -> None:
    """Consume `count` messages as `temoin ingest` does: land, then acknowledge."""
    landing = Landing(folder / "mqtt.db")
    config = ReceiverConfig(
        landing=str(folder / "mqtt.db"),
        status=str(folder / "status.json"),
        url=f"mqtt://127.0.0.1:{port}",
        topics=("temoin/#",),
        client_id=CLIENT,
        protocol="5" if protocol is MQTTProtocolVersion.MQTTv5 else "3.1.1",
    )
    receiver = Receiver(config, landing, lambda: receiver.status.landed >= count)
    receiver.run()
    landing.close()


def worker(kind: str, port: str, protocol: str, count: str, folder: str) -> None:
    """One consumer in this process; prints its CPU time and the memory it came to."""
    version = MQTTProtocolVersion(int(protocol))
    before = time.process_time()
    if kind == "bare":
        bare(int(port), version, int(count))
    else:
        ours(int(port), version, int(count), Path(folder))
    print(json.dumps([time.process_time() - before, peak_memory()]))


def peak_memory() -> float:
    """The most memory this process ever had, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measured(kind: str, broker: Broker, protocol: MQTTProtocolVersion, count: int) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of one consumer in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
        command = [
            sys.executable,
            __file__,
            "worker",
            kind,
            str(broker.port),
            str(int(protocol)),
            str(count),
            folder,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu, memory = json.loads(done.stdout)
    return cpu, memory


def rounds(
    broker: Broker, protocol: MQTTProtocolVersion, count: int, times: int
) -> Iterator[tuple[str, float, float]]:
    """Bare and ours in turn, so that both see the same machine."""
    for turn in range(times):
        for kind in ("bare", "ours"):
            broker.fill(turn * count, count)
            yield kind, *measured(kind, broker, protocol, count)


def main(count: int) -> None:
    """Print the table."""
    columns = ("bare µs", "ours µs", "ratio", "bare MB", "ours MB")
    print(f"{'protocol':9}", *(f"{column:>8}" for column in columns), f"  ({count} messages, best of 3)")
    for protocol, name in ((MQTTProtocolVersion.MQTTv311, "3.1.1"), (MQTTProtocolVersion.MQTTv5, "5")):
        broker = Broker()
        broker.subscribe(protocol)
        cpu: dict[str, float] = {}
        memory: dict[str, float] = {}
        for kind, seconds, megabytes in rounds(broker, protocol, count, 3):
            cpu[kind] = min(cpu.get(kind, seconds), seconds)
            memory[kind] = max(memory.get(kind, 0), megabytes)
        broker.stop()
        bare_us, ours_us = cpu["bare"] / count * 1e6, cpu["ours"] / count * 1e6
        cells = [f"{bare_us:8.1f}", f"{ours_us:8.1f}", f"{ours_us / bare_us:8.2f}"]
        print(f"{name:9}", *cells, *(f"{memory[kind]:8.0f}" for kind in ("bare", "ours")))


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
    elif not Path(MOSQUITTO).exists():
        print("Mosquitto is not here (apt-get install mosquitto): not measured.")
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
