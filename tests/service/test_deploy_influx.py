"""Témoin's own InfluxDB token, on a real influxd set up as docker-compose.yml does."""

from __future__ import annotations

import time

import httpx2
import pytest

from service.deploy import influx_token
from service.settings import Settings


@pytest.fixture(scope="module")
def others(influx):
    """A bucket of somebody else in the same organisation."""
    with httpx2.Client(base_url=influx.url, headers={"Authorization": f"Token {influx.token}"}) as client:
        org = client.get("/api/v2/orgs", params={"org": influx.org}).json()["orgs"][0]["id"]
        name = f"others-{time.time_ns()}"
        made = client.post("/api/v2/buckets", json={"orgID": org, "name": name})
    assert made.status_code == 201, made.text
    return name


@pytest.fixture
def asking(influx):
    """Ask InfluxDB with a token: (method, path, what else httpx takes) gives the answer."""

    def ask(token, method, path, **given):
        headers = {"Authorization": f"Token {token}"}
        return httpx2.request(method, f"{influx.url}/api/v2/{path}", headers=headers, timeout=10, **given)

    return ask


@pytest.fixture
def told(influx, tmp_path):
    return Settings(data_dir=tmp_path, influx_url=influx.url, influx_org=influx.org)


def test_the_token_reads_and_writes_its_bucket_and_nothing_else(asking, influx, told, others, tmp_path):
    path = tmp_path / "token"
    assert influx_token.make_token(told, influx.token, path)
    token = path.read_text().strip()
    assert path.stat().st_mode & 0o777 == 0o600
    line, org = "of_a_test,device=g/loire co2=612.0", influx.org

    def write(bucket):
        return asking(token, "POST", "write", params={"org": org, "bucket": bucket}, content=line).status_code

    assert write(told.influx_bucket) == 204
    assert write(others) in (403, 404)
    query = {"query": f'from(bucket: "{told.influx_bucket}") |> range(start: -1h)', "type": "flux"}
    assert "612" in asking(token, "POST", "query", params={"org": org}, json=query).text
    assert asking(token, "POST", "buckets", json={"name": "mine"}).status_code >= 400
    assert asking(token, "GET", "authorizations").json().get("authorizations", []) == []


def test_a_token_that_serves_is_left_and_one_that_does_not_is_withdrawn(asking, influx, told, tmp_path):
    path = tmp_path / "token"
    assert influx_token.make_token(told, influx.token, path)
    before = path.read_text()
    assert not influx_token.make_token(told, influx.token, path)
    assert path.read_text() == before
    path.unlink()
    assert influx_token.make_token(told, influx.token, path)
    assert path.read_text() != before
    assert asking(before.strip(), "GET", "buckets").status_code == 401


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"influx_bucket": "none"}, "no bucket none"),
        ({"influx_url": "http://127.0.0.1:9"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_setting(influx, told, tmp_path, given, says):
    with pytest.raises(influx_token.TokenError, match=f"{says}.*TEMOIN_INFLUX_"):
        influx_token.make_token(told.model_copy(update=given), influx.token, tmp_path / "token")
    assert not (tmp_path / "token").exists()


def test_an_administrators_token_that_is_not_is_refused(told, tmp_path):
    with pytest.raises(influx_token.TokenError, match="administrator's token"):
        influx_token.make_token(told, "wrong", tmp_path / "token")


def test_the_command_says_what_it_did(influx, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "admin").write_text(f"{influx.token}\n")
    monkeypatch.setenv("TEMOIN_INFLUX_URL", told.influx_url)
    monkeypatch.setenv("TEMOIN_INFLUX_ORG", told.influx_org)
    monkeypatch.setenv("TEMOIN_STORE", "influxdb")
    monkeypatch.setattr("sys.argv", ["influx_token", str(tmp_path / "admin"), str(tmp_path / "token")])
    assert influx_token.main() == 0
    assert "made" in capsys.readouterr().out
    assert influx_token.main() == 0
    assert "serves" in capsys.readouterr().out
