"""Prometheus with its configuration, its rules, and the metric names that Grafana draws."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from sensors.move import Refusal
from sensors.reading import Message
from sensors.receive import ReceiverStatus
from service import river
from service.app import create_app
from service.ingest import MoverStatus
from service.registry import Registry, gateways, quarantine
from service.registry.tables import Device, GatewayDay
from service.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "service" / "deploy"
BOARDS = {
    path.stem: json.loads(path.read_text()) for path in (ROOT / "dashboards" / "grafana").glob("*.json")
}
TOKEN = "metrics-token-of-a-test"

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="Prometheus is not installed: apt-get install --no-install-recommends prometheus",
)


def targets(kind):
    """(dashboard, query) of every panel that asks this kind of source."""
    return [
        (f"{name}: {panel['title']}", target)
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == kind
    ]


def expressions():
    """Every PromQL expression of alarms and dashboards."""
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    alarms = [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    return alarms + [(name, target["expr"]) for name, target in targets("prometheus")]


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """The metrics of an app to which something happened, as text."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), metrics_token=TOKEN)
    registry = Registry(settings.registry_url)
    registry.migrate()
    now = datetime.now(UTC)
    with registry.session() as session:
        session.add(Device(key="g/a", gateway="g", last_seen=now))
        session.add(
            GatewayDay(gateway="g", day=now.date(), messages=1, unpromised=0, refused=0, last_message=now)
        )
        gateways.new_token(gateways.add(session, "g", "hash", now), now, timedelta(days=30))
        quarantine.put(session, "mqtt", [Refusal(1, Message("t", b"", now), "shape: -")])
    river.open_landing(settings, "mqtt").close()
    status = ReceiverStatus(at=now.isoformat(), connected=True)
    (settings.data_dir / "landing" / "mqtt.receiver.json").write_text(json.dumps(asdict(status)))
    mover = MoverStatus(now.isoformat(), moved=0, readings=0, refused=0, backlog=0, trouble=None, since=None)
    (settings.data_dir / "landing" / "mqtt.mover.json").write_text(json.dumps(asdict(mover)))
    app = create_app(settings, registry)
    asker = TestClient(app)
    asker.get("/sign-in")
    yield asker
    app.state.store.close()
    registry.close()


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_metric_that_is_asked_for_is_exposed(city, where, expression):
    exposed = set(re.findall(r"^(temoin_\w+)", city.get("/metrics", headers=bearer()).text, re.MULTILINE))
    asked = set(re.findall(r"\btemoin_\w+", expression))
    assert asked <= exposed, where
    assert asked or "up{" in expression


def bearer():
    return {"Authorization": f"Bearer {TOKEN}"}


@needs_prometheus
def test_each_alarm_rings_when_it_should_and_not_before():
    done = subprocess.run(
        ["promtool", "test", "rules", Path(__file__).with_name("alerts_test.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alarm_has_a_test_and_says_what_to_do():
    tested = Path(__file__).with_name("alerts_test.yml").read_text()
    for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] in tested
            assert rule["labels"]["severity"] in {"page", "notice"}
            assert rule["annotations"].keys() == {"summary", "description"}


@pytest.fixture(scope="module")
def prometheus(city, tmp_path_factory):
    """Prometheus with the configuration as it is, except addresses, the token's path and a shorter wait."""
    folder = tmp_path_factory.mktemp("prometheus")

    class Behind(BaseHTTPRequestHandler):
        """The app, asked from elsewhere than its own machine."""

        def do_GET(self):
            answer = city.get(self.path, headers={"Authorization": self.headers.get("Authorization", "")})
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_args):
            """Nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "token").write_text(f"{TOKEN}\n")
    shutil.copy(DEPLOY / "alerts.yml", folder)
    text = (DEPLOY / "prometheus.yml").read_text()
    for theirs, ours in {
        "/run/secrets/metrics_token": str(folder / "token"),
        "web:8080": f"127.0.0.1:{web.server_port}",
        "influxdb:8086": "127.0.0.1:9",
        ": 30s": ": 1s",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / "prometheus.yml").write_text(text)
    subprocess.run(
        ["promtool", "check", "config", folder / "prometheus.yml"], check=True, capture_output=True
    )
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=20)
    web.shutdown()


def ask(prometheus, expression):
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=5) as answer:  # noqa: S310 - loopback
        return json.load(answer)["data"]["result"]


@needs_prometheus
def test_prometheus_reads_temoin_with_its_token_and_understands_every_question(prometheus):
    until = time.monotonic() + 30
    found = []
    while not found and time.monotonic() < until:
        try:
            found = ask(prometheus, 'up{job="temoin"} == 1')
        except OSError:
            time.sleep(0.2)
    assert found, "the target is not up: the token was not taken"
    assert ask(prometheus, "temoin_devices")[0]["value"][1] == "1"
    for _, expression in expressions():
        ask(prometheus, expression)
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules", timeout=5) as answer:  # noqa: S310 - loopback
        groups = json.load(answer)["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}


def test_dashboards_ask_the_two_sources_that_are_provisioned_and_no_other():
    provisioned = yaml.safe_load((DEPLOY / "grafana" / "datasources" / "temoin.yml").read_text())
    sources = {(source["type"], source["uid"]) for source in provisioned["datasources"]}
    assert len(sources) == 2
    for board in BOARDS.values():
        asked = [panel["datasource"] for panel in board["panels"]]
        asked += [target["datasource"] for panel in board["panels"] for target in panel["targets"]]
        asked += [variable["datasource"] for variable in board["templating"]["list"]]
        assert {(each["type"], each["uid"]) for each in asked} <= sources
    passwords = [
        source["secureJsonData"] for source in provisioned["datasources"] if "secureJsonData" in source
    ]
    assert passwords == [{"password": "$__file{/run/secrets/grafana_database_password}"}]


def test_dashboards_are_whole():
    assert BOARDS.keys() == {"ingestion", "salles"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    for board in BOARDS.values():
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        assert all(panel["title"] and panel["targets"] for panel in board["panels"])
        places = [cell for panel in board["panels"] for cell in cells(panel["gridPos"])]
        assert len(set(places)) == len(places)


def cells(place):
    return [
        (x, y)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]


@pytest.mark.skipif(shutil.which("grafana") is None, reason="Grafana is not installed: no grafana on PATH")
def test_grafana_starts_with_its_provisioning(tmp_path):
    """Both sources and both dashboards, by Grafana's own word."""
    home = Path("/usr/share/grafana")
    provisioning = tmp_path / "provisioning"
    shutil.copytree(DEPLOY / "grafana", provisioning)
    for path in provisioning.rglob("*.yml"):
        text = path.read_text().replace("/dashboards}", f"{ROOT / 'dashboards' / 'grafana'}}}")
        path.write_text(text.replace("$__file{/run/secrets/grafana_database_password}", "unused"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["grafana", "server", f"--homepath={home}", f"cfg:default.paths.data={tmp_path}",
         f"cfg:default.paths.provisioning={provisioning}", f"cfg:default.server.http_port={port}",
         "cfg:default.server.http_addr=127.0.0.1", "cfg:default.auth.anonymous.enabled=true",
         "cfg:default.auth.anonymous.org_role=Admin", "cfg:default.plugins.preinstall_disabled=true"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        boards = wait_for(f"http://127.0.0.1:{port}/api/search?type=dash-db", 60)
        sources = wait_for(f"http://127.0.0.1:{port}/api/datasources", 10)
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert {board["uid"] for board in boards} == {board["uid"] for board in BOARDS.values()}
    assert {source["uid"] for source in sources} == {"temoin-prometheus", "temoin-registry"}


def wait_for(url, within):
    until = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
                found = json.load(answer)
        except OSError:
            found = None
        if found or time.monotonic() > until:
            return found
        time.sleep(0.5)


def test_every_alarm_is_explained_to_whoever_is_woken_by_it():
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in text] == []
