"""The demonstration as somebody at a terminal has it: one command, its pages, Ctrl-C, again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMOIN = [str(Path(sys.executable).with_name("temoin"))]
PATIENCE = 90.0  # seconds; ready takes 12 on two quiet cores


class Demo:
    """One `temoin demo` at a time in a folder, what it printed, and a client signed in by its link."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._out = folder.parent / "printed"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30)

    def start(self) -> float:
        """Start it; the seconds until its pages answer."""
        began, self.started = time.monotonic(), datetime.now(UTC)
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [*TEMOIN, "demo", "--port", str(self.port), "--data-dir", str(self.folder)],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder.parent,
                env={name: value for name, value in os.environ.items() if not name.startswith("TEMOIN_")},
            )
        self.until(lambda: len(self.printed()) >= 3)
        self.until(self._answers)
        return time.monotonic() - began

    def _answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def printed(self) -> list[str]:
        """What is on the terminal, line by line."""
        return self._out.read_text(encoding="utf-8").splitlines()

    def until(self, happened) -> None:
        """Wait for something to happen; fails with what was printed and logged."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "\n".join(self.printed()) + self.log()
            assert self.process is not None
            assert self.process.poll() is None, "\n".join(self.printed()) + self.log()
            time.sleep(0.1)

    def log(self) -> str:
        """What the parts logged."""
        log = self.folder / "demo.log"
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def ready(self) -> None:
        """Wait until history is whole."""
        self.until(lambda: any(line.startswith("Ready after") for line in self.printed()))

    def sign_in(self) -> httpx.Response:
        """Open the printed link."""
        return self.client.get(self.printed()[2])

    def end(self, number: int = signal.SIGINT) -> int:
        """End it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def parts(self) -> list[int]:
        """The processes of this folder's demonstration, itself aside."""
        assert self.process is not None
        found = subprocess.run(
            ["pgrep", "-f", "service.demo.parts"], capture_output=True, text=True, check=False
        )
        return [pid for pid in map(int, found.stdout.split()) if self._ours(pid)]

    def _ours(self, pid: int) -> bool:
        try:
            log = Path(f"/proc/{pid}/fd/2").readlink()
        except OSError:
            return False
        return log == self.folder / "demo.log"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ended(demo: Demo) -> Iterator[Demo]:
    try:
        yield demo
    finally:
        demo.client.close()
        if demo.process is not None and demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Started and ready; the tests below go on with it in their order."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the demonstration's processes are counted through /proc, which this system lacks")
    with ended(Demo(tmp_path_factory.mktemp("demo") / "data", free_port())) as demo:
        demo.start()
        demo.sign_in()
        demo.opened_at_once = "history" if "progress" in demo.client.get("/").text else "whole"
        demo.ready()
        yield demo


def results(demo: Demo) -> dict[str, dict]:
    slugs = [each["slug"] for each in demo.client.get("/api/v1/experiments").json()]
    return {slug: demo.client.get(f"/api/v1/experiments/{slug}/result").json() for slug in slugs}


def test_it_prints_its_address_and_a_link_each_on_a_line(demo):
    said = demo.printed()
    assert said[1] == f"http://127.0.0.1:{demo.port}/"
    assert said[2].startswith(f"http://127.0.0.1:{demo.port}/sign-in/")


def test_the_pages_open_before_history_is_whole(demo):
    assert demo.opened_at_once == "history"


def test_five_experiments_tell_five_stories(demo):
    told = {slug: (each["status"], each["verdict"]) for slug, each in results(demo).items()}
    assert told == {
        "tables-modulaires": ("ended", "generalise"),
        "panneaux-acoustiques": ("decided", "stop"),
        "mange-debout": ("ended", "cannot_conclude"),
        "afficheurs-co2": ("running", None),
        "tables-rondes": ("planned", None),
    }


def test_the_one_that_cannot_conclude_says_what_would_change_that(demo):
    page = demo.client.get("/experiments/mange-debout", headers={"Accept-Language": "fr"}).text
    assert "Ce qui permettrait d’aller plus loin" in page
    assert "Ajouter" in page


def test_the_one_that_stops_does_so_on_a_guardrail(demo):
    (guard,) = results(demo)["panneaux-acoustiques"]["guardrails"]
    assert (guard["measure"]["outcome"], guard["state"]) == ("co2_occupied", "crossed")


def test_the_running_one_is_sealed(demo):
    assert results(demo)["afficheurs-co2"]["reasons"][0]["code"] == "locked"
    assert demo.client.get("/api/v1/experiments/afficheurs-co2/panel.csv").status_code == 423


def test_sixteen_rooms_on_two_sites_and_twelve_weeks(demo):
    rooms = demo.client.get("/api/v1/rooms").json()
    assert len(rooms) == 16
    assert len({room["site"] for room in rooms}) == 2
    panel = demo.client.get("/api/v1/experiments/tables-modulaires/panel.csv").text.splitlines()
    assert len({line.split(",")[1] for line in panel[1:]}) >= 50


def test_readings_arrive_over_the_broker(demo):
    def heard() -> bool:
        seen = [each["last_seen"] for each in demo.client.get("/api/v1/devices").json()]
        return datetime.fromisoformat(max(filter(None, seen))) > demo.started + timedelta(seconds=5)

    demo.until(heard)  # history ends where the demonstration was started


def test_a_second_one_on_the_same_folder_or_port_is_refused_in_a_sentence(demo, tmp_path):
    again = [*TEMOIN, "demo", "--port", str(free_port()), "--data-dir", str(demo.folder)]
    refused = subprocess.run(again, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert "Another demonstration runs in" in refused.stderr
    taken = [*TEMOIN, "demo", "--port", str(demo.port), "--data-dir", str(tmp_path / "other")]
    refused = subprocess.run(taken, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert str(demo.port) in refused.stderr


def test_a_part_that_dies_is_started_again(demo):
    before = set(demo.parts())
    assert len(before) >= 4
    os.kill(max(before), signal.SIGKILL)
    demo.until(lambda: len(demo.parts()) == len(before) and set(demo.parts()) != before)


def test_ctrl_c_ends_every_part(demo):
    assert demo.end(signal.SIGINT) == 0
    assert demo.parts() == []


def test_started_again_it_is_the_same_world(demo):
    assert demo.start() < PATIENCE
    assert demo.sign_in().status_code == 200
    demo.ready()
    assert "Catching up" in "\n".join(demo.printed())
    assert results(demo)["tables-modulaires"]["verdict"] == "generalise"


def test_kill_9_leaves_no_orphan(demo):
    assert demo.parts()
    demo.process.kill()
    demo.process.wait()
    end = time.monotonic() + 30
    while demo.parts() and time.monotonic() < end:
        time.sleep(0.1)
    assert demo.parts() == []


def test_a_folder_of_a_real_installation_is_left_alone(tmp_path):
    (tmp_path / "registry.db").touch()
    command = [*TEMOIN, "demo", "--port", str(free_port()), "--data-dir", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "give the demonstration its own folder" in refused.stderr
