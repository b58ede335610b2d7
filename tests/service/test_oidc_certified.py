"""Signing in at oidc-provider, a certified OpenID provider, run by node where npm can install it."""

import re
import select
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest

from service.registry import users
from service.settings import Settings

HERE = "http://testserver"
VERSION = "9.13.3"
SERVER = Path(__file__).with_name("openid.mjs")

pytestmark = pytest.mark.machine_clock


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("node and npm are not installed: the certified OpenID provider was not tried")
    folder = tmp_path_factory.mktemp("openid")
    (folder / "package.json").write_text('{"private": true}')
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    try:
        subprocess.run(
            ["npm", "install", *quiet, f"oidc-provider@{VERSION}"],
            cwd=folder, check=True, timeout=60, capture_output=True,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("npm could not install oidc-provider: the certified OpenID provider was not tried")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    arguments = ["node", SERVER, str(port), f"{HERE}/sign-in/oidc/back"]
    server = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert select.select([server.stdout], [], [], 20)[0], "the provider did not start within 20 s"
        assert server.stdout.readline().strip() == b"ready"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)
        server.stdout.close()


@pytest.fixture
def settings(tmp_path, issuer):
    return Settings(
        oidc_issuer=issuer,
        oidc_client_id="temoin",
        oidc_client_secret="a secret: of the client",
        public_url=HERE,
        data_dir=tmp_path / "data",
    )


def at_the_provider(address, login):
    """What somebody does on the provider's pages: their name, then consent; where that sends them."""
    with httpx2.Client(trust_env=False) as browser:
        answer = browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                address = urljoin(address, answer.headers["location"])
                if address.startswith(HERE):
                    return address
                answer = browser.get(address)
                continue
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)[1]
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
            answer = browser.post(action, data={"prompt": prompt, "login": login, "password": "any"})
            address = action
    raise AssertionError(f"the provider never sent us back: {address}")


def test_somebody_of_the_directory_signs_in_and_again(stranger, registry):
    for _ in range(2):
        away = stranger.get("/sign-in/oidc?next=/rooms").headers["location"]
        back = urlsplit(at_the_provider(away, "camille"))
        answer = stranger.get(f"{back.path}?{back.query}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/rooms")
        assert parse_qs(back.query)["iss"]  # it says who answers, and we look
        assert stranger.get("/rooms").status_code == 200
        stranger.cookies.clear()
    with registry.session() as session:
        [user] = users.everyone(session)
    assert (user.email, user.name, user.role) == (
        "camille@ville.example", "camille of the directory", "reader",
    )  # fmt: skip


def test_a_code_serves_once(stranger):
    away = stranger.get("/sign-in/oidc").headers["location"]
    back = urlsplit(at_the_provider(away, "camille"))
    kept = stranger.cookies["temoin-oidc"]
    assert stranger.get(f"{back.path}?{back.query}").status_code == 303
    stranger.cookies.clear()
    stranger.cookies.set("temoin-oidc", kept)
    answer = stranger.get(f"{back.path}?{back.query}")
    assert answer.status_code == 400
    assert "n’a pas pu être vérifiée" in answer.text
