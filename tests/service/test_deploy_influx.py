"""Témoin's own InfluxDB token, on a real influxd set up as docker-compose.yml does."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time

import pytest

from service.deploy import influx_token
from service.settings import Settings

INFLUXD = shutil.which("influxd")
ADMIN = "administrators-token"


def ask(port, token, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    text = body if isinstance(body, str | None) else json.dumps(body)
    connection.request(method, f"/api/v2/{path}", text, {"Authorization": f"Token {token}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def influxd(tmp_path_factory):
    """The port of an influxd with an organisation, the bucket `temoin` and another one."""
    if INFLUXD is None:
        pytest.skip("InfluxDB 2 is not installed: no influxd on PATH")
    folder = tmp_path_factory.mktemp("influxd")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [INFLUXD, "--http-bind-address", f"127.0.0.1:{port}", "--bolt-path", folder / "bolt",
         "--sqlite-path", folder / "sqlite", "--engine-path", folder / "engine", "--reporting-disabled"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        until = time.monotonic() + 30
        while True:
            try:
                if ask(port, "", "GET", "setup")[0] == 200:
                    break
            except OSError:
                assert time.monotonic() < until, "influxd did not answer within 30 s"
            time.sleep(0.1)
        setup = {"username": "administrator", "password": "longenough", "token": ADMIN,
                 "org": "temoin", "bucket": "temoin"}  # fmt: skip
        status, text = ask(port, "", "POST", "setup", setup)
        assert status == 201, text
        org = json.loads(text)["org"]["id"]
        assert ask(port, ADMIN, "POST", "buckets", {"orgID": org, "name": "others"})[0] == 201
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def told(influxd, tmp_path):
    return Settings(data_dir=tmp_path, influx_url=f"http://127.0.0.1:{influxd}")


def test_the_token_reads_and_writes_its_bucket_and_nothing_else(influxd, told, tmp_path):
    path = tmp_path / "token"
    assert influx_token.make_token(told, ADMIN, path)
    token = path.read_text().strip()
    assert path.stat().st_mode & 0o777 == 0o600
    line = "readings,device=g/loire co2=612.0"
    assert ask(influxd, token, "POST", "write?org=temoin&bucket=temoin", line)[0] == 204
    assert ask(influxd, token, "POST", "write?org=temoin&bucket=others", line)[0] in (403, 404)
    assert ask(influxd, token, "POST", "buckets", {"name": "mine"})[0] >= 400
    assert json.loads(ask(influxd, token, "GET", "authorizations")[1]).get("authorizations", []) == []
    query = {"query": 'from(bucket: "temoin") |> range(start: -1h)', "type": "flux"}
    connection = http.client.HTTPConnection("127.0.0.1", influxd, timeout=10)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v2/query?org=temoin", json.dumps(query), headers)
    assert "612" in connection.getresponse().read().decode()


def test_a_token_that_serves_is_left_and_one_that_does_not_is_withdrawn(influxd, told, tmp_path):
    path = tmp_path / "token"
    assert influx_token.make_token(told, ADMIN, path)
    before = path.read_text()
    assert not influx_token.make_token(told, ADMIN, path)
    assert path.read_text() == before
    path.unlink()
    assert influx_token.make_token(told, ADMIN, path)
    assert path.read_text() != before
    assert ask(influxd, before.strip(), "GET", "buckets")[0] == 401


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"influx_bucket": "none"}, "no bucket none"),
        ({"influx_url": "http://127.0.0.1:9"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_setting(told, tmp_path, given, says):
    with pytest.raises(influx_token.TokenError, match=f"{says}.*TEMOIN_INFLUX_"):
        influx_token.make_token(told.model_copy(update=given), ADMIN, tmp_path / "token")
    assert not (tmp_path / "token").exists()


def test_an_administrators_token_that_is_not_is_refused(told, tmp_path):
    with pytest.raises(influx_token.TokenError, match="administrator's token"):
        influx_token.make_token(told, "wrong", tmp_path / "token")


def test_the_command_says_what_it_did(told, tmp_path, monkeypatch, capsys):
    (tmp_path / "admin").write_text(f"{ADMIN}\n")
    monkeypatch.setenv("TEMOIN_INFLUX_URL", told.influx_url)
    monkeypatch.setenv("TEMOIN_STORE", "influxdb")
    monkeypatch.setattr("sys.argv", ["influx_token", str(tmp_path / "admin"), str(tmp_path / "token")])
    assert influx_token.main() == 0
    assert "made" in capsys.readouterr().out
    assert influx_token.main() == 0
    assert "serves" in capsys.readouterr().out
