"""The two Caddyfiles, run by Caddy in front of a real `temoin serve`."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboards.render import assets
from service.registry import Registry
from service.registry.tables import Room, Site
from service.room_form import room_key
from service.settings import Settings

CADDY = shutil.which("caddy")
DEPLOY = Path(__file__).parents[2] / "service" / "deploy"
SERVE = "import sys; from service.cli import main; sys.argv = ['temoin', 'serve']; main()"
SECRET = "a secret of thirty-two characters, or more"
INSIDE = ["/", "/experiments", "/sign-in", "/api/v1/rooms", "/api/docs", "/metrics", "/readyz", "/healthz"]
# what a stranger tries to get past a rule about paths
TRICKS = ["/r/../experiments", "/r/%2e%2e/experiments", "/r/..%2fexperiments", "//experiments", "/R/../"]
ROOT = "caddy/pki/authorities/local/root.crt"

pytestmark = pytest.mark.skipif(CADDY is None, reason="Caddy is not installed: apt-get install caddy")


def free_ports(count):
    with_sockets = [socket.socket() for _ in range(count)]
    for each in with_sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in with_sockets]
    for each in with_sockets:
        each.close()
    return ports


def wait_for(port, process):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, f"it ended with {process.returncode}"
        time.sleep(0.05)
    pytest.fail(f"nothing listened on {port} within 20 s")


def certify(port, folder):
    """Caddy listens before its own authority has signed: wait for the first handshake."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            context = ssl.create_default_context(cafile=str(folder / ROOT))
            with socket.create_connection(("localhost", port)) as raw:
                context.wrap_socket(raw, server_hostname="localhost").close()
        except (OSError, ssl.SSLError):
            time.sleep(0.1)
        else:
            return context
    pytest.fail("Caddy had no certificate within 20 s")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A running `temoin serve` with one room, behind a proxy of the loopback."""
    (port,) = free_ports(1)
    data = tmp_path_factory.mktemp("house")
    settings = Settings(data_dir=data, secret_key=SECRET)
    registry = Registry(settings.registry_url)
    registry.migrate()
    with registry.session() as session:
        session.add(Room(slug="loire", name="Loire", site=Site(slug="hv", name="Hôtel de ville")))
    registry.close()
    environment = {
        **os.environ,
        "TEMOIN_DATA_DIR": str(data),
        "TEMOIN_SECRET_KEY": SECRET,
        "TEMOIN_PORT": str(port),
        "TEMOIN_TRUSTED_PROXIES": "127.0.0.1",
        "TEMOIN_PUBLIC_URL": "https://localhost",
    }
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, cwd=data)
    key = room_key(settings, "loire")
    try:
        wait_for(port, process)
        yield SimpleNamespace(upstream=f"127.0.0.1:{port}", form=f"/r/loire?k={key}")
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module", params=["Caddyfile", "Caddyfile.forms"])
def front(request, house, tmp_path_factory):
    """Caddy with one of the files as it is: only names and ports are given, by the environment."""
    folder = tmp_path_factory.mktemp("caddy")
    http_port, https_port, staff_port = free_ports(3)
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
        "FRONT_SITE": f"localhost:{https_port}",
        "FRONT_STAFF_SITE": "localhost",
        "FRONT_STAFF_PORT": str(staff_port),
        "FRONT_HTTP_PORT": str(http_port),
        "FRONT_UPSTREAM": house.upstream,
    }
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(DEPLOY / request.param)]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stderr=output)
    try:
        wait_for(https_port, process)
        context = certify(https_port, folder)
        forms = request.param == "Caddyfile.forms"
        ports = SimpleNamespace(http=http_port, public=https_port, staff=staff_port if forms else https_port)
        yield SimpleNamespace(ports=ports, forms=forms, context=context, log=log, form=house.form)
    finally:
        process.terminate()
        process.wait(timeout=20)


def ask(front, port, path, **headers):
    """Status, headers and body of a path, as it is, over verified TLS."""
    connection = http.client.HTTPSConnection("localhost", port, context=front.context, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def test_the_form_and_all_it_needs_is_open_to_everybody(front):
    status, headers, page = ask(front, front.ports.public, front.form)
    assert status == 200
    assert headers["Strict-Transport-Security"]
    for name in ("ink.css", "form.css", "mark.svg"):
        url = assets()[name].url
        assert url in page
        assert ask(front, front.ports.public, url)[0] == 200
    assert ask(front, front.ports.public, "/r/loire/thanks")[0] == 200
    status, _, page = ask(front, front.ports.public, "/accessibilite")
    assert status == 200
    assert assets()["look.css"].url in page
    assert ask(front, front.ports.public, assets()["look.css"].url)[0] == 200


def test_where_only_the_form_faces_the_internet_the_rest_is_not_there(front):
    for path in (*INSIDE, *TRICKS, assets()["progress.js"].url):
        status, _, page = ask(front, front.ports.public, path)
        absent = (status, page) == (404, "")
        assert absent or not front.forms, path


def test_staff_sign_in_where_the_whole_site_is(front):
    status, _, page = ask(front, front.ports.staff, "/sign-in")
    assert status == 200
    assert "<form" in page
    assert ask(front, front.ports.staff, "/experiments")[0] in (302, 303, 401)


def test_what_the_watch_reads_is_never_outside(front):
    for port in (front.ports.public, front.ports.staff):
        for path in ("/metrics", "/readyz"):
            assert ask(front, port, path)[0] == 404
            assert ask(front, port, path, **{"X-Forwarded-For": "127.0.0.1"})[0] == 404


def test_plain_http_is_sent_to_https(front):
    connection = http.client.HTTPConnection("localhost", front.ports.http, timeout=10)
    connection.request("GET", "/r/loire")
    answer = connection.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"].startswith("https://localhost")


def test_no_log_says_who_asked_for_what(front):
    ask(front, front.ports.public, "/r/loire?k=of-a-visitor")
    assert "of-a-visitor" not in front.log.read_text()


def test_the_files_are_as_caddy_writes_them():
    for name in ("Caddyfile", "Caddyfile.forms"):
        path = DEPLOY / name
        formatted = subprocess.run([CADDY, "fmt", path], capture_output=True, text=True, check=False).stdout
        assert formatted == path.read_text()


@pytest.mark.parametrize(
    ("given", "automated", "loaded"),
    [
        ("internal", "internal", []),
        ("dsi@ville.example", "acme", []),
        ("cert.pem key.pem", None, ["cert.pem"]),
    ],
)
def test_the_certificate_comes_from_where_it_is_said(given, automated, loaded):
    """Caddy's own authority, a public one, or two files."""
    environment = {**os.environ, "FRONT_SITE": "temoin.ville.example", "FRONT_TLS": given}
    command = [CADDY, "adapt", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"]
    adapted = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    tls = json.loads(adapted)["apps"]["tls"]
    assert [each["certificate"] for each in tls.get("certificates", {}).get("load_files", [])] == loaded
    policies = tls.get("automation", {}).get("policies", [])
    modules = {issuer["module"] for policy in policies for issuer in policy.get("issuers", [])}
    assert modules == set() if automated is None else automated in modules


def test_the_app_knows_that_people_came_over_https_and_by_which_name(front):
    status, headers, _ = ask(front, front.ports.staff, "/experiments/")
    assert status in (307, 303)
    assert headers["Location"].startswith(("/", f"https://localhost:{front.ports.staff}/"))
    _, headers, _ = ask(front, front.ports.staff, "/sign-in", **{"X-Forwarded-Proto": "http"})
    assert "; secure" in headers["Set-Cookie"].lower()
