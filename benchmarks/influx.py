"""CPU of a message from broker to InfluxDB: bare paho, ours (receiver and mover), Telegraf, either buffer.

python benchmarks/influx.py [messages]     one broker, the same payloads, one InfluxDB; needs both on PATH

Every consumer is a process of its own; messages wait at the broker, so that only consuming is measured, and
what a process costs before its first message is left out. Telegraf is left out where it is not on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from paho.mqtt.enums import MQTTProtocolVersion
from receiver import CLIENT, MOSQUITTO, Broker, peak_memory
from river import worker

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the tests know how to run InfluxDB

from conftest import Influx, Influxd

from sensors.store_influx import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensors.store_influx import InfluxStore

TELEGRAF = shutil.which("telegraf")
ROUNDS = 2
PATIENCE = 120.0  # seconds for Telegraf to be through
CONFIG = """
[agent]
  interval = "10s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  omit_hostname = true
  skip_processors_after_aggregators = true
  {buffer}
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["temoin/#"]
  qos = 1
  client_id = "{client}"
  persistent_session = true
  max_undelivered_messages = 1000
  topic_tag = "device"
  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "readings"
    timestamp_path = "time"
    timestamp_format = "unix_ms"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "readings"
      disable_prepend_keys = true
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""


def stage(
    kind: str, broker: Broker, count: int, folder: str, given: Mapping[str, str]
) -> tuple[float, float]:
    """CPU in µs a message and peak memory in MB of one of our stages, or of bare paho."""
    command = [sys.executable, __file__, "worker", kind, str(broker.port), str(count), folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **given})
    seconds, memory = map(float, done.stdout.split())
    return seconds / count * 1e6, memory


def ours(broker: Broker, count: int, influx: Influx) -> dict[str, tuple[float, float]]:
    """Receiver, then mover, as `temoin ingest` runs them side by side."""
    given = {"TEMOIN_STORE": "influxdb", "TEMOIN_INFLUX_URL": influx.url, "TEMOIN_INFLUX_TOKEN": influx.token}
    given |= {"TEMOIN_INFLUX_ORG": influx.org, "TEMOIN_INFLUX_BUCKET": f"ours-{time.time_ns()}"}
    with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
        broker.fill(0, count)
        receiver = stage("receiver", broker, count, folder, given)
        mover = stage("mover", broker, count, folder, given)
    if not stored(influx.store(given["TEMOIN_INFLUX_BUCKET"]), count):
        sys.exit("not every message was stored: what follows would be wrong")
    whole = (receiver[0] + mover[0], receiver[1] + mover[1])
    return {"our receiver": receiver, "our mover": mover, "ours, durable": whole}


def telegraf(program: str, broker: Broker, count: int, influx: Influx, buffer: str) -> tuple[float, float]:
    """CPU in µs a message and peak memory in MB of Telegraf, from its start to the last message stored."""
    bucket = f"telegraf-{time.time_ns()}"
    store = influx.store(bucket)
    store.latest()  # makes the bucket
    with tempfile.TemporaryDirectory(prefix="temoin-bench-") as folder:
        line = f'buffer_strategy = "{buffer}"\n  buffer_directory = "{folder}/buffer"'
        where = {"port": broker.port, "client": CLIENT, "url": influx.url, "token": influx.token}
        config = Path(folder) / "telegraf.conf"
        config.write_text(CONFIG.format(buffer=line, org=influx.org, bucket=bucket, **where))
        command = [program, "--quiet", "--config", str(config)]
        start, _ = watched(command, lambda: True)
        broker.fill(0, count)
        whole, memory = watched(command, lambda: stored(store, count))
    return (whole - start) / count * 1e6, memory


def watched(command: list[str], through: Callable[[], bool]) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a program until it is through, three seconds at least."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    seen = psutil.Process(process.pid)
    began = time.monotonic()
    while time.monotonic() < began + 3 or not through():
        if time.monotonic() > began + PATIENCE:
            sys.exit("Telegraf is not through in time")
        time.sleep(0.5)
    times = seen.cpu_times()
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    memory = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    process.terminate()
    process.wait()
    return times.user + times.system, memory


def stored(store: InfluxStore, count: int) -> bool:
    """Whether so many messages are in the store."""
    return len(store.read(FIRST, LAST, metrics=["co2"])) >= count


def main(count: int) -> None:
    """Print the table: the best of some rounds in turn, so that all see the same machine."""
    program = shutil.which("influxd")
    if program is None or not Path(MOSQUITTO).exists():
        sys.exit("mosquitto and influxd must be here (apt-get install mosquitto; InfluxDB 2.x on PATH)")
    broker = Broker()
    broker.subscribe(MQTTProtocolVersion.MQTTv311)
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder, Influxd(program, Path(folder)) as server:
        server.start()
        influx = server.set_up()
        for _ in range(ROUNDS):
            broker.fill(0, count)
            found = {"bare paho": stage("bare", broker, count, folder, {})} | ours(broker, count, influx)
            if TELEGRAF:
                for buffer in ("memory", "disk"):
                    found[f"Telegraf, {buffer} buffer"] = telegraf(TELEGRAF, broker, count, influx, buffer)
            best = {name: min(cost, best.get(name, cost)) for name, cost in found.items()}
    broker.stop()
    print(f"{'':24}{'µs/message':>12}{'MB':>8}{'× ours':>8}   ({count} messages of 4 values, QoS 1, 3.1.1)")
    for name, (cost, memory) in best.items():
        print(f"{name:24}{cost:12.1f}{memory:8.0f}{cost / best['ours, durable'][0]:8.2f}")
    if not TELEGRAF:
        print("Telegraf is not on PATH: not measured.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
        print(peak_memory())
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
