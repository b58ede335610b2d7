"""What tests of several parts share: a clock, one browser (a thread drives but one), one InfluxDB."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Self

import httpx2
import pytest
import time_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from sensors.store_influx import InfluxStore


# No test meets a midnight, a weekend or a change of hour unasked; begun before the tests are read.
time_machine.travel(os.environ.get("TEMOIN_TEST_NOW", "2026-03-12T11:00:00Z"), tick=True).start()


@pytest.fixture(autouse=True)
def _machine_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("machine_clock") is None:
        yield
        return
    with time_machine.travel(time_machine.escape_hatch.datetime.datetime.now(UTC), tick=True):
        yield


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


BUCKETS = itertools.count(1)


@dataclass(frozen=True)
class Influx:
    """A real InfluxDB 2.x and a token that may do everything in its organisation."""

    url: str
    token: str
    org: str = "temoin"

    def store(
        self, bucket: str | None = None, token: str | None = None, retention_days: int = 0
    ) -> InfluxStore:
        """A store in a bucket that nobody else uses, made when it is first needed."""
        from sensors.store_influx import InfluxStore  # noqa: PLC0415 - heavy, for these tests only

        bucket = bucket or f"test-{os.getpid()}-{next(BUCKETS)}-{time.time_ns()}"
        return InfluxStore(self.url, token or self.token, self.org, bucket, retention_days)


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """The `influxd` on PATH, or TEMOIN_TEST_INFLUX_URL (with _TOKEN and _ORG); skipped without either."""
    url = os.environ.get("TEMOIN_TEST_INFLUX_URL")
    if url:
        token = os.environ.get("TEMOIN_TEST_INFLUX_TOKEN", "")
        yield Influx(url, token, os.environ.get("TEMOIN_TEST_INFLUX_ORG", "temoin"))
        return
    with _influxd(tmp_path_factory.mktemp("influxd")) as server:
        server.start()
        yield server.set_up()


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """A server of the test's own, to be ended and started; skipped where there is no `influxd` on PATH."""
    with _influxd(tmp_path) as server:
        yield server


def _influxd(folder: Path) -> Influxd:
    program = shutil.which("influxd")
    if program is None:
        pytest.skip("InfluxDB 2.x is missing: put influxd on PATH, or set TEMOIN_TEST_INFLUX_URL and _TOKEN")
    return Influxd(program, folder)


class Influxd:
    """An `influxd` of our own on loopback, its data in a folder; it may be ended and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [program, "--bolt-path", f"{folder}/bolt", "--sqlite-path", f"{folder}/sqlite"]
        self._command += [
            "--engine-path",
            f"{folder}/engine",
            "--http-bind-address",
            f"127.0.0.1:{self.port}",
        ]
        self._command += ["--reporting-disabled", "--log-level", "error"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                httpx2.get(f"{self.url}/health", timeout=1).raise_for_status()
            except httpx2.HTTPError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("influxd does not answer within 30 s")

    def end(self) -> None:
        """End it; its data stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: what it had confirmed is in its log."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def set_up(self) -> Influx:
        """Its first user, organisation and token."""
        first = {"username": "temoin", "password": "for-tests-only", "org": "temoin", "bucket": "temoin"}
        body = {**first, "token": "for-tests-only"}
        httpx2.post(f"{self.url}/api/v2/setup", json=body, timeout=10).raise_for_status()
        return Influx(self.url, "for-tests-only")
