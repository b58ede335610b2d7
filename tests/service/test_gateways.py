"""`temoin gateway`: what it writes is what a real Mosquitto obeys, and what the registry keeps."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from service import broker as access
from service import cli, sources
from service.registry import gateways
from service.registry.tables import Arm, Device, Experiment, Measure, Placement, Room, Site
from service.settings import Settings

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
GROUP = "3f9c1d2b7a5e4c60"  # of the receivers' shared subscription: nobody can guess it


@pytest.fixture
def temoin(monkeypatch, capsys, settings, registry):  # noqa: ARG001 - migrated
    """Run the command in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("TEMOIN_MQTT_USER", "temoin")
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD", "of the receiver")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["temoin", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def told(out, what):
    return re.search(rf"^  {what} +(.*)$", out, re.MULTILINE)[1]


# ------------------------------------------------------------------------------------- what is kept and said


def test_a_gateway_is_told_what_to_type_and_only_hashes_are_kept(temoin, settings, registry):
    code, out, _ = temoin("gateway", "add", "hall")
    assert code == 0
    assert told(out, "user") == "hall"
    assert told(out, "topic") == "temoin/hall/DEVICE"
    assert told(out, "payload") == told(out, "body")
    assert f"password_file {settings.data_dir / 'broker' / 'passwd'}" in out
    password, token = told(out, "password"), told(out, "Authorization").removeprefix("Bearer ")
    with registry.session() as session:
        assert gateways.of_token(session, token, datetime.now(UTC)) == "hall"
    kept = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
    assert password.encode() not in kept
    assert token.encode() not in kept


@pytest.mark.parametrize("name", ["Hall", "a/b", "a+", "#", "a" * 41, "", "salle à", "temoin"])
def test_a_name_that_cannot_be_one_is_refused(temoin, name):
    code, _, err = temoin("gateway", "add", name)
    assert (code, err.count("\n")) == (2, 1)


def test_a_name_that_is_taken_is_refused_and_keeps_its_secrets(temoin, settings):
    temoin("gateway", "add", "hall")
    before = (settings.data_dir / "broker" / "passwd").read_text()
    assert temoin("gateway", "add", "hall")[0] == 2
    assert (settings.data_dir / "broker" / "passwd").read_text() == before


def test_a_rotated_token_overlaps_with_the_old_one(temoin, registry):
    old = told(temoin("gateway", "add", "hall")[1], "Authorization").removeprefix("Bearer ")
    out = temoin("gateway", "rotate", "hall", "--token", "--overlap", "7")[1]
    new = told(out, "Authorization").removeprefix("Bearer ")
    assert "password" not in out
    now = datetime.now(UTC)
    with registry.session() as session:
        for days, names in ((0, ("hall", "hall")), (8, (None, "hall")), (366, (None, None))):
            later = now + timedelta(days=days)
            assert tuple(gateways.of_token(session, token, later) for token in (old, new)) == names


def test_a_removed_gateways_token_opens_nothing(temoin, registry):
    token = told(temoin("gateway", "add", "hall")[1], "Authorization").removeprefix("Bearer ")
    assert temoin("gateway", "remove", "hall")[0] == 0
    with registry.session() as session:
        assert gateways.of_token(session, token, datetime.now(UTC)) is None
    assert temoin("gateway", "remove", "hall")[0] == 2


def test_gateways_are_listed_with_their_tokens_end(temoin):
    temoin("gateway", "add", "hall", "--days", "10")
    until = f"{datetime.now(UTC) + timedelta(days=10):%Y-%m-%d}"
    name, _, token, heard = temoin("gateway", "list")[1].strip().split("\t")
    assert (name, token, heard) == ("hall", f"token until {until}", "never heard")
    described = json.loads(temoin("gateway", "list", "--json")[1])
    assert described.keys() == {"name", "added_at", "token_until", "last_message"}
    assert described["token_until"].startswith(until)


def test_every_command_has_a_help_with_an_example(temoin):
    for command in ("add", "list", "rotate", "remove", "write"):
        said = " ".join(temoin("gateway", command, "--help")[1].split())
        assert f"Example: temoin gateway {command}" in said


# ------------------------------------------------------------------------------------- the broker's files


def test_what_others_wrote_into_the_brokers_files_stays(tmp_path):
    passwords, rights = tmp_path / "passwd", tmp_path / "acl"
    passwords.write_text("bms:$7$101$c2FsdA==$aGFzaA==\nhall:old\n")
    rights.write_text("# the city's own\nuser bms\ntopic bms/#\n\nuser hall\ntopic #\n\npattern read a/%u\n")
    passwords.chmod(0o600)
    settings = Settings(data_dir=tmp_path, broker_passwords=passwords, broker_acl=rights)
    access.write_access(settings, {"hall": "new"})
    assert passwords.read_text() == "bms:$7$101$c2FsdA==$aGFzaA==\nhall:new\n"
    assert rights.read_text() == (
        "# the city's own\nuser bms\ntopic bms/#\n\npattern read a/%u\nuser hall\ntopic write temoin/hall/#\n"
    )
    assert passwords.stat().st_mode & 0o777 == 0o600
    access.write_access(settings, {}, gone=["hall"])
    assert "hall" not in passwords.read_text() + rights.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acl", "passwd"]


def test_files_that_cannot_be_written_change_nothing(temoin, registry, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEMOIN_BROKER_PASSWORDS", str(tmp_path / "file" / "passwd"))
    code, _, err = temoin("gateway", "add", "hall")
    assert (code, "TEMOIN_BROKER_PASSWORDS" in err, err.count("\n")) == (1, True, 1)
    with registry.session() as session:
        assert gateways.everything(session) == []


def test_a_rotation_whose_access_list_cannot_be_written_leaves_the_password_as_it_was(
    temoin, settings, monkeypatch, tmp_path
):
    temoin("gateway", "add", "hall")
    folder = settings.data_dir / "broker"
    before = (folder / "passwd").read_text()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEMOIN_BROKER_ACL", str(tmp_path / "file" / "acl"))
    assert temoin("gateway", "rotate", "hall", "--password")[0] == 1
    assert (folder / "passwd").read_text() == before
    assert sorted(path.name for path in folder.iterdir()) == ["acl", "passwd"]


def test_the_rights_of_who_is_removed_go_to_nobody_else(tmp_path):
    """Mosquitto gives the lines after a pattern to the same user as those before it."""
    rights = tmp_path / "acl"
    rights.write_text(
        "user bms\ntopic bms/#\n\nuser hall\ntopic read a\npattern read b/%u\ntopic c\n\n"
        "# the lift's\nuser lift\ntopic lift/#\n"
    )
    settings = Settings(data_dir=tmp_path, broker_passwords=tmp_path / "passwd", broker_acl=rights)
    access.write_access(settings, {}, gone=["hall"])
    assert rights.read_text() == (
        "user bms\ntopic bms/#\n\npattern read b/%u\n# the lift's\nuser lift\ntopic lift/#\n"
    )


def test_files_that_are_links_stay_links(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("bms:its\n")
    (tmp_path / "passwd").symlink_to("etc/passwd")
    settings = Settings(data_dir=tmp_path, broker_passwords=tmp_path / "passwd", broker_acl=tmp_path / "acl")
    access.write_access(settings, {"hall": "its"})
    assert (tmp_path / "passwd").is_symlink()
    assert (tmp_path / "etc" / "passwd").read_text() == "bms:its\nhall:its\n"


def test_a_receiver_of_another_name_reads_and_no_gateway_takes_its_name(temoin, settings, monkeypatch):
    monkeypatch.setenv("TEMOIN_MQTT_USER", "ingest")
    temoin("gateway", "add", "hall")
    files = [settings.data_dir / "broker" / name for name in ("passwd", "acl")]
    before = [file.read_text() for file in files]
    assert before[0].startswith("ingest:")
    assert before[1] == "user ingest\ntopic read #\nuser hall\ntopic write temoin/hall/#\n"
    assert temoin("gateway", "add", "ingest")[0] == 2
    assert [file.read_text() for file in files] == before


def test_lost_files_are_written_again(temoin, settings):
    temoin("gateway", "add", "hall")
    folder = settings.data_dir / "broker"
    before = {path.name: path.read_text().splitlines()[-1] for path in folder.iterdir()}
    shutil.rmtree(folder)
    assert temoin("gateway", "write")[0] == 0
    assert {path.name: path.read_text().splitlines()[-1] for path in folder.iterdir()} == before


# ---------------------------------------------------------------------------------------------- a real broker


class Broker:
    """Mosquitto on the files that `temoin gateway` writes."""

    def __init__(self, folder, files):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        lines = [
            f"listener {self.port} 127.0.0.1", "allow_anonymous false", "log_dest none",
            f"password_file {files / 'passwd'}", f"acl_file {files / 'acl'}",
        ]  # fmt: skip
        if os.geteuid() == 0:
            lines.append("user root")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen([MOSQUITTO, "-c", folder / "mosquitto.conf"])
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail("Mosquitto did not listen within 10 s")

    def reload(self):
        """Have it read its files again, as the command says."""
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)

    def stop(self):
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(timeout=10)


class Client:
    """One connection, and what arrived on it; one that is refused raises PermissionError."""

    def __init__(self, broker, user=None, password=None):
        self.got, self.up, self.code, self.subscribed = [], threading.Event(), None, threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self.subscribed.set()
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
        """At QoS 1, as the gateways' page asks."""
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def subscribe(self, topic):
        """Ask, and wait for the answer."""
        self.subscribed.clear()
        self.client.subscribe(topic, qos=1)
        assert self.subscribed.wait(10)

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


@pytest.fixture
def city(temoin, settings, tmp_path):
    """A broker with two gateways; connect(user) signs in with the password the command printed."""
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not here: apt-get install mosquitto")
    passwords = {"temoin": "of the receiver"}
    for name in ("hall", "annexe"):
        passwords[name] = told(temoin("gateway", "add", name)[1], "password")
    broker = Broker(tmp_path, settings.data_dir / "broker")
    opened = []

    def connect(user=None, password=None):
        opened.append(Client(broker, user, password or passwords.get(user)))
        return opened[-1]

    connect.reload = broker.reload
    yield connect
    for client in opened:
        client.close()
    broker.stop()


def test_a_gateway_writes_below_its_own_root_and_nowhere_else(city):
    receiver, hall = city("temoin"), city("hall")
    receiver.subscribe("#")
    for topic in ("temoin/annexe/loire", "temoin", "hall/loire", "zigbee2mqtt/loire", "temoin/halle/a"):
        hall.publish(topic, "forged")
    hall.publish("temoin/hall/loire", "own")
    hall.publish("temoin/hall/zigbee2mqtt/loire", "own too")
    assert receiver.arrived(2) == ["own", "own too"]
    assert receiver.arrived(3, within=0.3) == ["own", "own too"]


def test_a_gateway_reads_nothing_and_takes_nothing_from_the_shared_subscription(city):
    """It may guess a group's name, never the receivers' own, which says more than 64 bits."""
    receiver, hall, annexe = city("temoin"), city("hall"), city("annexe")
    receiver.subscribe(f"$share/{GROUP}/temoin/#")
    for topic in ("#", "temoin/annexe/#", "$share/temoin/temoin/#", "$share/ingest/#"):
        annexe.subscribe(topic)
    for n in range(20):
        hall.publish("temoin/hall/loire", str(n))
    assert receiver.arrived(20) == [str(n) for n in range(20)]
    assert annexe.arrived(1, within=0.3) == []


def test_the_receiver_writes_nothing(city):
    witness, receiver = city("temoin"), city("temoin")
    witness.subscribe("#")
    for topic in ("temoin/hall/loire", "temoin/temoin/loire", "a"):
        receiver.publish(topic, "invented")
    assert witness.arrived(1, within=0.3) == []


def test_a_gateway_that_is_removed_while_it_is_connected_is_cut_off(city, temoin):
    receiver, hall = city("temoin"), city("hall")
    receiver.subscribe("#")
    hall.publish("temoin/hall/loire", "before")
    temoin("gateway", "remove", "hall")
    city.reload()
    until = time.monotonic() + 5
    while hall.client.is_connected() and time.monotonic() < until:
        time.sleep(0.02)
    assert not hall.client.is_connected()
    assert receiver.arrived(2, within=0.3) == ["before"]


def test_nobody_comes_in_without_a_name_and_its_password(city):
    for user, password in ((None, None), ("hall", "wrong"), ("nobody", "wrong")):
        with pytest.raises(PermissionError):
            city(user, password)


def test_a_running_broker_learns_of_additions_rotations_and_removals_by_a_signal(city, temoin):
    added = told(temoin("gateway", "add", "cave")[1], "password")
    city.reload()
    city("cave", added)
    rotated = told(temoin("gateway", "rotate", "cave", "--password")[1], "password")
    city.reload()
    city("cave", rotated)
    with pytest.raises(PermissionError):
        city("cave", added)
    temoin("gateway", "remove", "cave")
    city.reload()
    with pytest.raises(PermissionError):
        city("cave", rotated)


@pytest.mark.skipif(
    shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd: apt-get install mosquitto"
)
def test_our_hash_is_written_as_mosquittos_own_tool_writes_it(tmp_path):
    file = tmp_path / "passwd"
    subprocess.run(["mosquitto_passwd", "-c", "-b", file, "hall", "secret"], check=True, capture_output=True)
    theirs, ours = file.read_text().strip().partition(":")[2], access.hashed("secret")
    assert theirs[:3] == ours[:3] == "$7$"
    assert [len(part) for part in theirs.split("$")[3:]] == [len(part) for part in ours.split("$")[3:]]


def test_registry_of_gateways_on_either_database(either_registry, now):
    with either_registry.session() as session:
        gateway = gateways.add(session, "hall", "hash", now)
        token = gateways.new_token(gateway, now, timedelta(days=1))
        gateways.count(session, [("temoin/hall/a", 0, now), ("temoin/hall/b", 1, now)], [])
    with either_registry.session() as session:
        later = now + timedelta(minutes=1)
        gateways.count(session, [("temoin/hall/a", 1, later)], [("temoin/hall/a", later)])
        gateways.count(session, [("zigbee2mqtt/lampe", 1, now)], [])
    with either_registry.session() as session:
        hall, zigbee = gateways.totals(session)
        assert (hall.source, hall.messages, hall.unpromised, hall.refused) == ("hall", 3, 1, 1)
        assert (hall.last_message, zigbee.source) == (later, "zigbee2mqtt")
        assert gateways.of_token(session, token, now) == "hall"
        session.delete(gateways.known(session, "hall"))
    with either_registry.session() as session:
        assert gateways.of_token(session, token, now) is None


# ------------------------------------------------------------------------------- the page and the API of them


@pytest.fixture
def week(registry):
    """A gateway that is well, one at QoS 0 with refusals whose token ends soon, one only heard."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    with registry.session() as session:
        for name, days in (("annexe", 300), ("hall", 12), ("cave", 300)):
            gateway = gateways.add(session, name, "-", at)
            gateways.new_token(gateway, at, timedelta(days=days))
        old = at - timedelta(days=3)
        gateways.count(session, [("temoin/annexe/a", 1, at)] * 4, [])
        gateways.count(session, [("temoin/hall/a", 0, old)] * 8, [("temoin/hall/a", old)] * 2)
        gateways.count(session, [("application/7/device/1/event/up", 1, at)] * 5, [])


@pytest.mark.usefixtures("week")
def test_who_sends_how_much_and_how_well(reader):
    answer = reader.get("/api/v1/gateways")
    sources = {each["name"]: each for each in answer.json()}
    assert list(sources) == ["annexe", "cave", "hall", "application"]
    seen = {
        name: (each["added"], each["silent"], sum(n for _, n in each["messages"]), each["unpromised"],
               each["refused"], each["token"])
        for name, each in sources.items()
    }  # fmt: skip
    assert seen == {
        "annexe": (True, False, 4, 0.0, 0.0, "good"),
        "cave": (True, True, 0, None, None, "good"),
        "hall": (True, True, 8, 1.0, 0.25, "soon"),
        "application": (False, False, 5, 0.0, 0.0, None),
    }
    assert [n for _, n in sources["hall"]["messages"]] == [0, 0, 0, 8, 0, 0, 0]
    assert "temoin-gw" not in answer.text
    assert "hash" not in answer.text


@pytest.mark.usefixtures("week")
def test_the_page_says_what_wants_attention(reader):
    page = reader.get("/gateways?lang=en").text
    rows = dict(re.findall(r'<span class="mono">([a-z-]+)</span>(.*?)</tr>', page, re.DOTALL))
    assert "silent" not in rows["annexe"]
    assert all(word in rows["hall"] for word in ("silent", "100%", "25%", "ends soon"))
    assert "not declared" in rows["application"]
    assert "nothing yet" in rows["cave"]
    assert "silent" not in rows["cave"]  # « jamais muette » read as its contrary


def test_a_source_whose_sensors_are_of_another_name_is_under_seal_with_them(registry):
    """The Things Stack's topics begin with v3, its devices with their tenant."""
    now = datetime.now(UTC)
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="m", name="M"))
        device = Device(key="city@tenant/a", gateway="city@tenant", first_seen=now, last_seen=now)
        session.add(Placement(device=device, room=room, start=now - timedelta(days=9)))
        session.add(Experiment(
            slug="e", title="E", declared_at=now, sheet={}, washout=0, min_days=5, assignment="lot",
            starts=now.date() - timedelta(days=20), ends=now.date() + timedelta(days=20),
            arms=[Arm(room=room, switch=now.date() - timedelta(days=9))],
            measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        ))  # fmt: skip
        gateways.count(session, [("v3/city@tenant/devices/a/up", 1, now)] * 7, [])
    with registry.session() as session:
        [source] = sources.everything(session, now, UTC)
    assert (source.name, {n for _, n in source.messages}) == ("v3", {None})


def test_without_a_gateway_the_page_says_how_to_add_one(reader):
    assert "temoin gateway add" in reader.get("/gateways").text
