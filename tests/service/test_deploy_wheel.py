"""The wheel that the image installs: complete, and it writes nothing beside its data."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from service.cli import main; main()"
TREES = ("service", "sensors", "experiments", "dashboards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as in the Dockerfile, without asking any index."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: pip install --requirement tests/requirements.lock")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--wheel-dir", folder, ROOT],
        check=True, cwd=folder,
    )  # fmt: skip
    return next(folder.glob("temoin-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel in it and nothing else, ahead of the tree the tests run in."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def temoin(installed, tmp_path):
    """Start `temoin …` from the wheel, in an environment as bare as the image's."""
    started = []

    def start(*arguments, **given):
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1",
            "TEMOIN_DATA_DIR": str(tmp_path / "data"), "HOME": "/nonexistent", **given,
        }  # fmt: skip
        command = [sys.executable, "-P", "-c", COMMAND, *arguments]
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def test_everything_that_is_read_at_run_time_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    for tree in TREES:
        here = [path for path in (ROOT / tree).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert here
        assert [path for path in here if str(path.relative_to(ROOT)) not in held] == []
    top = {name.split("/")[0] for name in held if ".dist-info" not in name}
    assert top == set(TREES)


def test_it_migrates_and_serves_in_both_languages_and_writes_to_its_data_only(installed, temoin, tmp_path):
    before = files_of(installed)
    out, err = temoin("migrate").communicate(timeout=30)
    assert "schema" in out, err
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = temoin("serve", "--port", str(port))
    page = ""
    until = time.monotonic() + 20
    while not page and time.monotonic() < until:
        assert process.poll() is None
        try:
            page = read(port, "/sign-in", "fr")
        except OSError:
            time.sleep(0.1)
    assert '<html lang="fr">' in page
    assert '<html lang="en">' in read(port, "/sign-in", "en")
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "{" in read(port, style, "fr")
    assert files_of(installed) == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def read(port, path, language):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Language": language})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - http, on the loopback
        return answer.read().decode()


def test_the_wheel_is_what_ran(installed, temoin):
    out, _ = temoin("--version").communicate(timeout=30)
    assert out.startswith("temoin ")
    found = subprocess.run(
        [sys.executable, "-P", "-c", "import service, dashboards as d; print(service.__file__, d.__file__)"],
        env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True, cwd=installed,
    )  # fmt: skip
    assert all(path.startswith(str(installed)) for path in found.stdout.split())
