"""The broker's configuration, run by Mosquitto: only paths, the port and the user differ from the image's."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from service.broker import hashed, write_access
from service.settings import Settings

DEPLOY = Path(__file__).parents[2] / "service" / "deploy"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
PEOPLE = {"hall": "of-hall", "annexe": "of-annexe"}
PLUGIN = Path("/usr/lib/mosquitto_persist_sqlite.so")

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not here: apt-get install mosquitto")


def version():
    said = subprocess.run([MOSQUITTO, "-h"], capture_output=True, text=True, check=False).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", said).groups()))


class Broker:
    """Mosquitto with the files of the deployment, in a folder."""

    def __init__(self, folder, durable):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("data", "conf.d"):
            (folder / name).mkdir()
        prepare = ["sh", DEPLOY / "prepare.sh", "127.0.0.1"]
        subprocess.run(prepare, cwd=folder, check=True, capture_output=True)
        self.secrets = folder / "secrets"
        settings = Settings(
            mqtt_user="temoin",
            mqtt_password=(self.secrets / "mqtt_password").read_text().strip(),
            broker_passwords=folder / "access" / "passwd",
            broker_acl=folder / "access" / "acl",
        )
        write_access(settings, {name: hashed(password) for name, password in PEOPLE.items()})
        self._here("mosquitto.conf", folder / "mosquitto.conf")
        self._here(durable, folder / "conf.d" / "durable.conf")

    def _here(self, name, path):
        text = (DEPLOY / name).read_text()
        for theirs, ours in {
            "/mosquitto/config/": f"{self.folder}/",
            "/mosquitto/access/": f"{self.folder}/access/",
            "/mosquitto/data/": f"{self.folder}/data/",
            "/run/secrets/": f"{self.secrets}/",
            "listener 8883": f"listener {self.port} 127.0.0.1",
        }.items():
            text = text.replace(theirs, ours)
        if os.geteuid() == 0 and name == "mosquitto.conf":
            text += "user root\n"  # the folder of a test is its own
        path.write_text(text)

    def start(self):
        """Run it until `stop`."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [MOSQUITTO, "-c", self.folder / "mosquitto.conf"], stderr=log, stdout=log
            )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        pytest.fail("Mosquitto did not listen within 10 s")

    def stop(self):
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(timeout=10)

    def connect(self, user, **given):
        """A client of this user that trusts the authority that prepare.sh made; refused ones raise."""
        if user == "temoin":
            given["password"] = (self.secrets / "mqtt_password").read_text().strip()
        return Client(self, user, given.pop("password", PEOPLE.get(user, "")), **given)


class Client:
    """One connection, and what arrived on it."""

    def __init__(self, broker, user, password, name="", ca="ca_crt"):
        self.got, self.up, self.code = [], threading.Event(), None
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=not name)
        self.client.username_pw_set(user, password)
        self.client.tls_set(broker.secrets / ca if ca else None)
        self.client.on_connect = self._connected
        self.client.on_message = lambda _c, _u, message: self.got.append(message.payload.decode())
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        if not self.up.wait(10) or self.code.is_failure:
            self.close()
            raise PermissionError(str(self.code))

    def _connected(self, _client, _userdata, _flags, code, _properties):
        self.code = code
        self.up.set()

    def publish(self, topic, payload):
        """Send, and wait until the broker has it."""
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def forge(self, topic, payload):
        """Send what is not allowed and go; some versions of the broker end the connection by themselves."""
        self.client.publish(topic, payload, qos=0)
        self.close()

    def subscribe(self, topic):
        """Ask for a topic, and wait for the answer."""
        done = threading.Event()
        self.client.on_subscribe = lambda *_: done.set()
        self.client.subscribe(topic, qos=1)
        assert done.wait(10)

    def arrived(self, count, within=10.0):
        """What arrived once `count` did, or all there is after a moment."""
        until = time.monotonic() + within
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.got

    def close(self):
        """Say goodbye."""
        self.client.disconnect()
        self.client.loop_stop()


WITH_21 = MOSQUITTO is not None and PLUGIN.exists() and version() >= (2, 1)
DURABLE = ["mosquitto-2.0.conf", *(["mosquitto-2.1.conf"] if WITH_21 else [])]


@pytest.fixture(scope="module", params=DURABLE)
def broker(request, tmp_path_factory):
    started = Broker(tmp_path_factory.mktemp("broker"), request.param)
    started.start()
    yield started
    started.stop()


@pytest.mark.skipif(not WITH_21, reason=f"Mosquitto 2.1 with {PLUGIN} is not here, which the image has")
def test_both_ways_to_survive_a_power_cut_are_tried():
    assert len(DURABLE) == 2


def test_a_gateway_writes_under_its_own_root_and_temoin_reads_it(broker):
    temoin, hall = broker.connect("temoin"), broker.connect("hall")
    temoin.subscribe("#")
    broker.connect("hall").forge("temoin/annexe/loire", "forged")
    hall.publish("temoin/hall/loire", "own")
    assert temoin.arrived(1) == ["own"]
    temoin.close(), hall.close()


def test_a_gateway_reads_nothing_of_another_and_nothing_of_its_own(broker):
    annexe, hall = broker.connect("annexe"), broker.connect("hall")
    annexe.subscribe("#")
    annexe.subscribe("$SYS/#")
    hall.publish("temoin/hall/loire", "of hall")
    annexe.publish("temoin/annexe/loire", "of annexe")
    assert annexe.arrived(1, within=0.5) == []
    annexe.close(), hall.close()


def test_the_topics_to_share_are_those_that_are_followed(broker):
    """A group whose name cannot be guessed, since the access list does not keep gateways from joining one."""
    topics = (broker.secrets / "mqtt_topics").read_text().strip().split(",")
    groups = {topic.split("/")[1] for topic in topics}
    followed = tuple(topic.removeprefix(f"$share/{next(iter(groups))}/") for topic in topics)
    assert followed == Settings.model_fields["mqtt_topics"].default
    assert [len(group) for group in groups] == [32]


def test_nobody_can_guess_the_names_by_which_the_ingests_are_known(broker):
    """Mosquitto hands a name's session to whoever signs in with it, and drops what he may not read."""
    environment = yaml.safe_load((DEPLOY.parents[1] / "docker-compose.yml").read_text())["x-temoin"][
        "environment"
    ]
    assert "TEMOIN_MQTT_CLIENT_ID" not in environment
    names = [path.read_text().strip() for path in broker.secrets.glob("mqtt_client_id*")]
    assert len(set(names)) == len(names) == 3
    assert {len(name) for name in names} == {23}  # the most MQTT 3.1.1 asks every broker to take


def test_prepared_twice_nothing_changes(broker):
    files = [path for path in broker.secrets.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    prepare = ["sh", DEPLOY / "prepare.sh", "127.0.0.1"]
    subprocess.run(prepare, cwd=broker.folder, check=True, capture_output=True)
    assert before == {path: path.read_bytes() for path in broker.secrets.rglob("*") if path.is_file()}
    assert broker.secrets.stat().st_mode & 0o777 == 0o700


def test_temoin_writes_nothing(broker):
    """Whoever steals the receiver's password cannot invent readings."""
    temoin = broker.connect("temoin")
    temoin.subscribe("#")
    broker.connect("temoin").forge("temoin/hall/loire", "invented")
    assert temoin.arrived(1, within=0.5) == []
    temoin.close()


@pytest.mark.parametrize(("user", "password"), [("", ""), ("hall", "wrong"), ("nobody", "of-hall")])
def test_nobody_comes_in_without_a_name_and_its_password(broker, user, password):
    with pytest.raises(PermissionError):
        broker.connect(user, password=password)


def test_without_the_authority_nobody_is_trusted(broker):
    with pytest.raises(ssl.SSLCertVerificationError):
        broker.connect("hall", ca=None)


def test_plain_mqtt_is_not_spoken(broker):
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as plain:
        plain.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab")
        try:
            answer = plain.recv(4)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"\x20")  # a CONNACK


def test_a_queue_longer_than_stock_mosquittos_survives_a_restart(broker):
    """3,000 messages while the receiver is away, a restart in between: all of them, in order."""
    away = broker.connect("temoin", name="temoin-ingest")
    away.subscribe("temoin/#")
    away.close()
    hall = broker.connect("hall")
    sent = [str(n) for n in range(3000)]
    infos = [hall.client.publish("temoin/hall/loire", n, qos=1) for n in sent]
    infos[-1].wait_for_publish(20)
    hall.close()
    broker.stop()
    broker.start()
    back = broker.connect("temoin", name="temoin-ingest")
    assert back.arrived(3000, within=20) == sent
    back.close()


# ---------------------------------------------------------- the processes, with docker-compose.yml's settings


COMPOSE = yaml.safe_load((DEPLOY.parents[1] / "docker-compose.yml").read_text())
CITY = dict(
    line.split("=", 1) for line in (DEPLOY / "city.env").read_text().splitlines() if re.match(r"[A-Z]", line)
)


PROGRAMS = {
    "temoin": [sys.executable, "-c", "import sys; from service.cli import main; main()"],
    "python": [sys.executable],
}


class Containers:
    """What the compose file starts in a city, as processes: other addresses and folders, nothing else."""

    def __init__(self, folder, broker, influx, database):
        self.folder, self.broker, self.influx, self.running = folder, broker, influx, []
        (folder / "keys").mkdir()
        (broker.secrets / "database_url").write_text(database)
        (broker.secrets / "influx_admin_token").write_text(f"{influx.token}\n")

    def _here(self, text):
        text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: CITY.get(found[1], found[2]), str(text))
        for theirs, ours in {
            "broker:8883": f"127.0.0.1:{self.broker.port}",
            "http://influxdb:8086": self.influx.url,
            "/run/secrets/": f"{self.broker.secrets}/",
            "/keys/": f"{self.folder}/keys/",
            "/access/": f"{self.folder}/access/",
        }.items():
            text = text.replace(theirs, ours)
        return text

    def run(self, name, *instead):
        """Start a service's command, or another one in its place; on the folder its volume stands for."""
        service = COMPOSE["services"][name]
        mounts = dict(volume.split(":")[:2][::-1] for volume in service.get("volumes", []))
        data = self.folder / mounts.get("/data", name)
        data.mkdir(exist_ok=True)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TEMOIN_")},
            "PYTHONPATH": str(DEPLOY.parents[1]),
            **{key: self._here(value) for key, value in service["environment"].items()},
            "TEMOIN_DATA_DIR": str(data),
        }
        asked = instead or [*service.get("entrypoint", ["temoin"]), *service["command"]]
        command = [word for each in asked for word in PROGRAMS.get(each, [self._here(each)])]
        process = subprocess.Popen(
            command, env=environment, cwd=self.folder, text=True, stderr=subprocess.PIPE
        )
        self.running.append(process)
        return process

    def done(self, name, *instead):
        """Its exit code, and what it complained of."""
        process = self.run(name, *instead)
        _, complaint = process.communicate(timeout=60)
        return process.returncode, complaint

    def healthy(self, name):
        """Whether the health check that the compose file gives says so within a minute."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.done(name, *COMPOSE["services"][name]["healthcheck"]["test"][1:])[0] == 0:
                return True
            time.sleep(0.5)
        return False

    def stop(self):
        """SIGTERM to those that still run; their exit codes."""
        alive = [process for process in self.running if process.poll() is None]
        for process in alive:
            process.terminate()
        return [process.communicate(timeout=30) and process.returncode for process in alive]


@pytest.fixture
def containers(broker, influx, postgresql, tmp_path):
    psycopg = pytest.importorskip("psycopg")
    name = f"stack_{time.monotonic_ns()}"
    with psycopg.connect(postgresql, autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name}")
    started = Containers(tmp_path, broker, influx, f"{postgresql.rpartition('/')[0]}/{name}")
    yield started
    started.stop()


def in_order(name):
    """What has to have ended before this service ends, and itself last, as `depends_on` says."""
    for other, how in COMPOSE["services"][name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            yield from in_order(other)
    yield name


@pytest.mark.machine_clock
def test_the_citys_two_ingest_share_what_gateways_send_and_influxdb_has_it_once(containers, broker, influx):
    for name in in_order("gateway"):
        assert containers.done(name) == (0, "")
    for name in ("ingest", "ingest-2", "jobs"):
        containers.run(name)
    assert all(containers.healthy(name) for name in ("ingest", "ingest-2", "jobs"))
    hall = broker.connect("hall")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    for n in range(60):
        payload = {"time": (start + timedelta(seconds=n)).isoformat(), "readings": {"co2": 600 + n}}
        hall.publish("temoin/hall/loire", json.dumps(payload))
    hall.close()
    store, found, until = influx.store("temoin"), [], time.monotonic() + 60
    while len(found) < 60 and time.monotonic() < until:
        time.sleep(0.2)
        found = store.read(start, start + timedelta(minutes=5), ["hall/loire"])
    store.close()
    assert sorted(found["value"]) == [600.0 + n for n in range(60)]
    assert containers.stop() == [0, 0, 0]
    landed = [
        json.loads((containers.folder / "data" / "landing" / f"{name}.receiver.json").read_text())["landed"]
        for name in ("mqtt", "mqtt-2")
    ]
    assert sum(landed) >= 60  # a message may come twice, a reading counts once
    assert min(landed) > 0
