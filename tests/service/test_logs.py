"""What is logged can be read by machines, and holds no secret."""

import io
import json
import logging
import socket
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from sensors.receive import ReceiverConfig
from service.app import create_app
from service.logs import configure_logs
from service.registry import gateways, users
from service.registry.tables import Gateway
from service.settings import Settings

SECRETS = {
    "mqtt_password": "of-the-broker-93",
    "influx_token": "of-influxdb-93==",
    "metrics_token": "of-metrics-93",
    "secret_key": "of-the-signature-which-is-long-enough-93",
}


@pytest.fixture
def listen(monkeypatch):
    """Begin to log into a text; what is given back reads it. Handlers come back at the end."""
    handlers = logging.getLogger().handlers[:]

    def begin():
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)  # now: pytest sets its own between fixture and test
        configure_logs("debug")
        return stream.getvalue

    yield begin
    logging.getLogger().handlers[:] = handlers


def test_a_line_is_one_json_object_with_time_and_level(listen):
    logged = listen()
    structlog.get_logger("temoin").info("moved", messages=3)
    logging.getLogger("temoin.move").warning("%s; nothing is lost", "the store is away")
    ours, theirs = map(json.loads, logged().splitlines())
    assert (ours["event"], ours["messages"], ours["level"]) == ("moved", 3, "info")
    assert (theirs["event"], theirs["level"]) == ("the store is away; nothing is lost", "warning")
    assert datetime.fromisoformat(ours["timestamp"]).tzinfo


@pytest.mark.parametrize(
    "said",
    [
        "no answer from postgresql+psycopg://temoin:s3cr3t-value@db/temoin",
        "mqtts://hall:s3cr3t-value@broker:8883 is away",
        "401 Client Error, headers {'Authorization': 'Token s3cr3t-value'}",
        "Bearer s3cr3t-value",
        "temoin-gw-s3cr3t-value was refused",
        "temoin-api-s3cr3t-value was refused",
        "GET /new-password/s3cr3t-value failed",
        "connection with password='s3cr3t-value' failed",
        'got {"token": "s3cr3t-value"}',
        "refused: $share/s3cr3t-value/temoin/#",
    ],
)
def test_a_secret_inside_a_sentence_is_left_out_and_the_rest_stays(listen, said):
    logged = listen()
    logging.getLogger("temoin").error(said)
    structlog.get_logger("temoin").error("failed", error=said)
    logging.getLogger("temoin").error("failed", exc_info=ValueError(said))
    text = logged()
    assert "s3cr3t-value" not in text
    assert text.count("…") + text.count("\\u2026") == 3
    assert text.replace('\\"', '"').count(said[:6]) == 3


def test_what_is_no_secret_stays(listen):
    logged = listen()
    said = "the token of hall has ended: 12 messages of temoin/hall/loire at 16:12:08 wait; see temoin doctor"
    logging.getLogger("temoin").error(said)
    assert said in logged()


def test_no_secret_of_a_working_day_is_in_the_log(listen, registry, tmp_path):
    """Sign-in, readings, metrics, refusals and faults, with every secret set: none is written."""
    logged = listen()
    now, password = datetime.now(UTC), "a-password-of-somebody-93"
    with registry.session() as session:
        users.add(session, "camille@ville.example", "Camille", "reader", password, now)
        gateway = gateways.add(session, "hall", "$7$1000$salt$hash-of-hall", now)
        token = gateways.new_token(gateway, now, timedelta(days=1))
    settings = Settings(data_dir=tmp_path / "data", mqtt_user="temoin", **SECRETS)
    app = create_app(settings, registry)

    def broken() -> None:
        with registry.session() as session:
            session.execute(sql("SELECT :hash, :nothing"), {"hash": "hash-of-hall", "nothing": {}})

    def there_already() -> None:
        with registry.session() as session:
            session.add(Gateway(name="hall", added_at=now, broker_hash="$7$1000$salt$hash-of-hall"))

    app.add_api_route("/api/v1/broken", broken)
    app.add_api_route("/api/v1/there-already", there_already)
    client = TestClient(app, raise_server_exceptions=False)
    bearer = {"Authorization": f"Bearer {token}"}
    form = client.get("/sign-in").text.partition('name="csrf" value="')[2].partition('"')[0]
    for given in (password, "wrong-password-93"):
        client.post("/sign-in", data={"email": "camille@ville.example", "password": given, "csrf": form})
    client.get(f"/sign-in/{token}?token={token}")
    client.post("/api/v1/readings", json={"device": "a", "readings": {"co2": 600}}, headers=bearer)
    client.post("/api/v1/readings", content=b"{", headers={**bearer, "Content-Type": "application/json"})
    client.get("/metrics", headers={"Authorization": "Bearer of-metrics-93"})
    assert client.get("/api/v1/broken").status_code == 500
    assert client.get("/api/v1/there-already").status_code == 409
    session_token = client.cookies.get("temoin")
    text = logged()
    assert text.count('"route"') >= 7
    for secret in (
        *SECRETS.values(),
        password,
        "wrong-password-93",
        token,
        session_token,
        form,
        "hash-of-hall",
    ):
        assert secret
        assert secret not in text


def test_an_error_of_the_registry_tells_no_values(registry, now):
    with pytest.raises(IntegrityError) as error, registry.session() as session:
        session.add_all([Gateway(name="a", added_at=now, broker_hash="of-hall") for _ in range(2)])
    assert "of-hall" not in str(error.value)


def test_the_receiver_logs_as_the_rest_and_no_secret_either(tmp_path):
    """Its broker is not there: it says so, without the password or the name of the shared group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"mqtt://127.0.0.1:{probe.getsockname()[1]}"
        config = ReceiverConfig(
            landing=str(tmp_path / "mqtt.db"), status=str(tmp_path / "status.json"), url=address,
            topics=("$share/s3cr3t-value/temoin/#",), user="temoin", password="s3cr3t-value",
        )  # fmt: skip
        receiver = subprocess.Popen(
            [sys.executable, "-m", "sensors.receive"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        receiver.stdin.write(json.dumps(asdict(config)))
        receiver.stdin.close()
        first = receiver.stderr.readline()
        receiver.terminate()
        rest = receiver.stderr.read()
        receiver.wait(10)
    line = json.loads(first)
    assert line["level"] == "warning"
    assert "cannot be reached" in line["event"]
    assert datetime.fromisoformat(line["timestamp"]).tzinfo
    assert "s3cr3t" not in first + rest + (tmp_path / "status.json").read_text()
