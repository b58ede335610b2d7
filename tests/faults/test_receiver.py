"""The receiver against a real Mosquitto: full disks, refusals, forgotten sessions, both protocols."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.publish import multiple
from parts import self_signed

from sensors.landing import Landing
from sensors.reading import Message
from sensors.receive import Receiver, ReceiverConfig, read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from parts import Broker

pytestmark = pytest.mark.machine_clock


class Receiving:
    """A receiver in a thread, and the landing it fills."""

    def __init__(self, folder: Path, url: str, **config: object) -> None:
        self.landing = Landing(folder / "mqtt.db")
        self.status_file = folder / "status.json"
        self._ended = threading.Event()
        given = {"topics": ("temoin/#",), "protocol": "auto", **config}
        self.receiver = Receiver(
            ReceiverConfig(landing="", status=str(self.status_file), url=url, **given),  # type: ignore[arg-type]
            self.landing,
            self._ended.is_set,
        )
        self._thread = threading.Thread(target=self.receiver.run)

    @contextmanager
    def running(self) -> Iterator[Receiving]:
        """Receive until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join()

    @property
    def connected(self) -> bool:
        """Whether the broker accepted it and its subscription."""
        return self.receiver.status.connected

    def payloads(self) -> list[bytes]:
        """Everything landed, in order."""
        return [message.payload for _, message in self.landing.after(0, 100_000)]


def publish(broker: Broker, payloads: list[bytes], topic: str = "temoin/nord/loire", qos: int = 1) -> None:
    """Publish and wait for the broker's confirmation."""
    messages = [(topic, payload, qos, False) for payload in payloads]
    multiple(messages, hostname="127.0.0.1", port=broker.port)


def numbered(start: int, count: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_everything_lands_in_order_and_while_away_too(
    broker: Broker, tmp_path: Path, protocol: str, eventually: Callable[..., None]
):
    first = Receiving(tmp_path, broker.url, protocol=protocol)
    with first.running():
        eventually(lambda: first.connected)
        publish(broker, numbered(0, 100))
        eventually(lambda: len(first.payloads()) == 100)
    first.landing.close()
    publish(broker, numbered(100, 50))
    second = Receiving(tmp_path, broker.url, protocol=protocol)
    with second.running():
        eventually(lambda: len(second.payloads()) == 150)
        assert second.payloads() == numbered(0, 150)
        assert second.receiver.status.sessions_lost == 0
    second.landing.close()


def test_a_full_disk_stops_the_acknowledgements_until_there_is_room_again(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: receiving.connected)
        receiving.landing._connection.execute("PRAGMA max_page_count = 8")  # noqa: SLF001 - the disk is full
        big = [b"%d " % number + b"x" * 30_000 for number in range(12)]
        publish(broker, big)
        eventually(lambda: "full" in (receiving.receiver.status.trouble or ""))
        assert "nothing is acknowledged" in (receiving.receiver.status.trouble or "")
        assert receiving.payloads() == []
        assert receiving.receiver.status.full
        receiving.landing._connection.execute("PRAGMA max_page_count = 100000")  # noqa: SLF001 - room again
        eventually(lambda: receiving.payloads() == big)
        eventually(lambda: receiving.receiver.status.trouble is None)
        assert not receiving.receiver.status.full
    receiving.landing.close()


class Reluctant:
    """A broker of a few bytes: refuses MQTT versions but one, and every subscription."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.versions_asked: list[int] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        version = client.recv(1000)[8]  # after fixed header and "MQTT"
        self.versions_asked.append(version)
        if version != self._version:
            client.sendall(bytes([0x20, 2, 0, 1]))  # CONNACK: unacceptable protocol version
            client.close()
            return
        v5 = version == 5
        client.sendall(bytes([0x20, 3, 0, 0, 0] if v5 else [0x20, 2, 0, 0]))
        number = client.recv(1000)[2:4]  # of the SUBSCRIBE
        client.sendall(bytes([0x90, 4, *number, 0, 0x87] if v5 else [0x90, 3, *number, 0x80]))

    def stop(self) -> None:
        """Close every socket."""
        for each in (*self._open, self._listening):
            each.close()


@pytest.mark.parametrize("version", [4, 5])
def test_a_refused_subscription_is_said_in_a_sentence(
    tmp_path: Path, eventually: Callable[..., None], version: int
):
    broker = Reluctant(version)
    receiving = Receiving(tmp_path, broker.url, protocol="5" if version == 5 else "3.1.1")
    with receiving.running():
        eventually(lambda: receiving.receiver.status.trouble)
        trouble = receiving.receiver.status.trouble
    broker.stop()
    receiving.landing.close()
    assert trouble == "the broker refuses the subscription to temoin/#: check its access list"


def test_a_broker_that_speaks_mqtt_5_only_is_met_in_mqtt_5(tmp_path: Path, eventually: Callable[..., None]):
    broker = Reluctant(5)
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: receiving.connected)
    broker.stop()
    receiving.landing.close()
    assert broker.versions_asked == [4, 5]


class Repeating(Reluctant):
    """Kept the session, and sends again, under their numbers, two messages that are alike."""

    def _answer(self, client: socket.socket) -> None:
        client.recv(1000)
        client.sendall(bytes([0x20, 2, 1, 0]))
        number = client.recv(1000)[2:4]
        client.sendall(bytes([0x90, 3, *number, 1]))
        for mid in (7, 8):
            client.sendall(bytes([0x3A, 14, 0, 8]) + b"temoin/a" + bytes([0, mid]) + b"on")
        with suppress(OSError):
            self.acknowledged = client.recv(8, socket.MSG_WAITALL)

    acknowledged = b""


def test_of_messages_alike_only_the_one_that_has_landed_is_taken_for_sent_again(
    tmp_path: Path, eventually: Callable[..., None]
):
    broker = Repeating(4)
    receiving = Receiving(tmp_path, broker.url)
    # 6 had its acknowledgement just before the connection broke, 7 had not, 8 never came
    receiving.landing.append([Message("temoin/a", b"on", datetime.now(UTC), mid=mid) for mid in (6, 7)])
    with receiving.running():
        eventually(lambda: broker.acknowledged)
        assert broker.acknowledged == bytes([0x40, 2, 0, 7, 0x40, 2, 0, 8])
        assert [message.mid for _, message in receiving.landing.after(0, 9)] == [6, 7, 8]
    broker.stop()
    receiving.landing.close()


def test_topics_that_are_no_filters_are_named(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    receiving = Receiving(tmp_path, broker.url, topics=("bad/#/filter",))
    with receiving.running():
        eventually(lambda: "bad/#/filter" in (receiving.receiver.status.trouble or ""))
    receiving.landing.close()


def test_a_broker_that_forgot_the_session_raises_an_alarm(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
):
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: receiving.connected)
        broker.stop()
        eventually(lambda: not receiving.connected)
        (tmp_path / "broker" / "mosquitto.db").unlink()
        broker.start()
        eventually(lambda: receiving.connected)
        publish(broker, [b"after"])
        eventually(lambda: receiving.payloads() == [b"after"])
    assert receiving.receiver.status.sessions_lost == 1
    assert "forgotten our session" in caplog.text
    receiving.landing.close()


def test_what_came_at_qos_0_is_counted_as_unpromised(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: receiving.connected)
        publish(broker, numbered(0, 3), qos=0)
        publish(broker, numbered(3, 2), qos=1)
        eventually(lambda: len(receiving.payloads()) == 5)
    status = read_status(receiving.status_file)
    assert status is not None
    assert (status.landed, status.unpromised, status.connected) == (5, 3, False)
    receiving.landing.close()


def test_over_tls_everything_lands_and_an_unknown_certificate_is_refused_in_a_sentence(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    broker.stop()
    broker.certificate = self_signed(tmp_path / "broker.pem", 2)
    broker.start()
    suspicious = Receiving(tmp_path / "suspicious", broker.tls_url)
    with suspicious.running():
        eventually(lambda: "certificate" in (suspicious.receiver.status.trouble or ""))
    suspicious.landing.close()
    trusting = Receiving(tmp_path / "trusting", broker.tls_url, ca=str(broker.certificate))
    with trusting.running():
        eventually(lambda: trusting.connected)
        publish(broker, [body * 100 for body in numbered(0, 300)])
        eventually(lambda: len(trusting.payloads()) == 300)
    trusting.landing.close()


def test_an_expired_certificate_is_named_and_a_renewed_one_needs_no_restart(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    broker.stop()
    broker.certificate = self_signed(tmp_path / "broker.pem", 0)
    broker.start()
    receiving = Receiving(tmp_path / "landing", broker.tls_url, ca=str(broker.certificate))
    with receiving.running():
        eventually(lambda: "certificate has expired" in (receiving.receiver.status.trouble or ""))
        broker.stop()
        self_signed(broker.certificate, 2)
        broker.start()
        eventually(lambda: receiving.connected)
        publish(broker, [b"1"])
        eventually(lambda: receiving.payloads() == [b"1"])
        eventually(lambda: receiving.receiver.status.trouble is None)
    receiving.landing.close()


def test_certificate_user_and_password_open_a_broker_that_asks_for_all_three(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not here: apt-get install mosquitto")
    passwords, ours = tmp_path / "passwords", self_signed(tmp_path / "client.pem", 2)
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "temoin", "open"], check=True)
    broker.stop()
    broker.certificate = self_signed(tmp_path / "broker.pem", 2)
    broker.demands = ["allow_anonymous false", f"password_file {passwords}"]
    broker.demands += [f"cafile {ours}", "require_certificate true"]
    broker.start()
    known = {"ca": str(broker.certificate), "user": "temoin", "password": "open"}
    shown = {"cert": str(ours), "key": str(ours.with_suffix(".key"))}
    for name, given, said in (
        ("nameless", known, "ended"),
        ("wrong", {**known, **shown, "password": "shut"}, "check user, password and certificates"),
    ):
        refused = Receiving(tmp_path / name, broker.tls_url, **given)
        with refused.running():
            eventually(lambda: said in (refused.receiver.status.trouble or ""))  # noqa: B023 - waited for here
            for _ in range(30):  # the cause stays readable while the broker keeps hanging up
                time.sleep(0.05)
                assert said in (refused.receiver.status.trouble or "")
            assert not refused.connected
        refused.landing.close()
    welcome = Receiving(tmp_path / "welcome", broker.tls_url, **known, **shown)
    with welcome.running():
        eventually(lambda: welcome.connected)
        publish(broker, [b"1"])
        eventually(lambda: welcome.payloads() == [b"1"])
    welcome.landing.close()


def test_it_waits_for_a_broker_that_is_not_there_yet(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    broker.stop()
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: "cannot be reached" in (receiving.receiver.status.trouble or ""))
        broker.start()
        eventually(lambda: receiving.connected)
        publish(broker, [b"1"])
        eventually(lambda: receiving.payloads() == [b"1"])
        eventually(lambda: receiving.receiver.status.trouble is None)
    receiving.landing.close()


def test_identical_messages_are_all_kept(broker: Broker, tmp_path: Path, eventually: Callable[..., None]):
    receiving = Receiving(tmp_path, broker.url)
    with receiving.running():
        eventually(lambda: receiving.connected)
        publish(broker, [b"same"] * 30)
        eventually(lambda: len(receiving.payloads()) == 30)
    receiving.landing.close()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_two_of_one_name_at_the_broker_are_told_to_take_two(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None], protocol: str
):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = Receiving(tmp_path / "one", broker.url, protocol=protocol)
    other = Receiving(tmp_path / "other", broker.url, protocol=protocol)
    sentence = "give each `temoin ingest` its own TEMOIN_MQTT_CLIENT_ID"
    with one.running(), other.running():
        eventually(
            lambda: any(sentence in (each.receiver.status.trouble or "") for each in (one, other)), within=40
        )
    one.landing.close()
    other.landing.close()


def test_receivers_of_one_group_share_the_messages_and_none_is_lost_when_one_leaves(
    broker: Broker, tmp_path: Path, eventually: Callable[..., None]
):
    topics = ("$share/temoin/temoin/#",)
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (
        Receiving(folder, broker.url, topics=topics, client_id=f"temoin-{folder.name}") for folder in folders
    )
    with other.running():
        with one.running():
            eventually(lambda: one.connected and other.connected)
            publish(broker, numbered(0, 400))
            eventually(lambda: len(one.payloads()) + len(other.payloads()) == 400)
            assert one.payloads()
            assert other.payloads()
        publish(broker, numbered(400, 100))
        again = Receiving(folders[0], broker.url, topics=topics, client_id="temoin-one")
        with again.running():  # what the broker kept for it, if it did
            eventually(lambda: {*again.payloads(), *other.payloads()} == set(numbered(0, 500)))
    for each in (one, other, again):
        each.landing.close()
