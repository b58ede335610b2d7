"""The nightly backup's script, and what the containers' health asks of ingest, jobs and backups."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sensors.reading import Reading
from service.deploy import alive
from service.registry.tables import Lease

NIGHTLY = Path(__file__).parents[2] / "service" / "deploy" / "nightly.sh"
FAKE = '#!/bin/sh\n[ "$1" = backup ] && echo archive >"$2"\n'
REAL = f"#!/bin/sh\nexec {sys.executable} -c 'from service.cli import main; main()' \"$@\"\n"


@pytest.fixture
def now_script(tmp_path):
    """Run `nightly.sh now` with a `temoin` of this text; the names in the folder afterwards."""

    def run(temoin=FAKE):
        program = tmp_path / "bin" / "temoin"
        program.parent.mkdir(exist_ok=True)
        program.write_text(temoin)
        program.chmod(0o755)
        folder = tmp_path / "backup"
        folder.mkdir(exist_ok=True)
        environment = {
            **os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "BACKUP_DIR": str(folder),
            "BACKUP_KEEP": "2",
        }  # fmt: skip
        done = subprocess.run(
            ["sh", NIGHTLY, "now"], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, sorted(path.name for path in folder.iterdir())

    return run


def test_a_backup_is_made_under_its_time_and_the_oldest_go(now_script, tmp_path):
    (tmp_path / "backup").mkdir()
    for day in (1, 2, 3):
        (tmp_path / "backup" / f"temoin-2020-01-0{day}T020000Z.backup").touch()
    code, names = now_script()
    assert code == 0
    assert names[0] == "temoin-2020-01-03T020000Z.backup"
    assert len(names) == 2
    assert (tmp_path / "backup" / names[1]).read_text() == "archive\n"


def test_a_backup_that_fails_leaves_the_others(now_script):
    _, before = now_script()
    code, names = now_script("#!/bin/sh\nexit 1\n")
    assert code != 0
    assert names == before


def test_the_script_speaks_temoins_own_command(now_script, registry, settings, monkeypatch):
    """An archive of a real installation, readable by its owner only."""
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    registry.check()
    code, (name,) = now_script(REAL)
    assert code == 0
    assert name.endswith(".backup")


@pytest.fixture
def health(monkeypatch, tmp_path, capsys):
    """Ask about a part; (exit code, what it says)."""

    def ask(part):
        monkeypatch.setenv("TEMOIN_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setattr("sys.argv", ["alive", part])
        return alive.main(), capsys.readouterr().err

    return ask


def speak(tmp_path, part, ago):
    folder = tmp_path / "data" / "landing"
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC) - timedelta(seconds=ago)
    (folder / f"mqtt.{part}.json").write_text(json.dumps({"at": at.isoformat()}))


def test_ingest_is_well_while_receiver_and_mover_speak(health, tmp_path):
    assert health("ingest") == (1, "the receiver has said nothing yet\n")
    speak(tmp_path, "receiver", 5)
    speak(tmp_path, "mover", 5)
    assert health("ingest") == (0, "")
    speak(tmp_path, "mover", 300)
    code, says = health("ingest")
    assert code == 1
    assert "the mover has said nothing since" in says


def test_jobs_are_well_while_somebody_holds_their_lease(health, registry):
    assert health("jobs") == (1, "nobody holds the lease of the jobs\n")
    with registry.session() as session:
        session.add(Lease(name="jobs", holder="a", until=datetime.now(UTC) + timedelta(minutes=1)))
    assert health("jobs") == (0, "")


def test_backups_are_well_while_the_last_night_has_one(tmp_path):
    def check():
        environment = {**os.environ, "BACKUP_DIR": str(tmp_path)}
        done = subprocess.run(
            ["sh", NIGHTLY, "check"], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    assert check()[0] == 1
    archive = tmp_path / "temoin-2026-01-01T020000Z.backup"
    archive.touch()
    assert check() == (0, "")
    old = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(archive, (old, old))
    assert check() == (1, f"no backup of the last 26 hours in {tmp_path}\n")


def test_influxdbs_night_is_restored_into_another_server(influx, influxd, tmp_path):
    """By its own tool, as the compose file has it done and docs/operate.md has it put back."""
    if shutil.which("influx") is None:
        pytest.skip("InfluxDB's own tool is missing: put influx on PATH")
    bucket = f"night{tmp_path.stat().st_ino}"
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with closing(influx.store(bucket)) as store:
        store.write(
            [
                Reading("hall/loire", "co2", 600.0 + n, "ppm", start + timedelta(minutes=n), "device", "hall")
                for n in range(50)
            ]
        )
    folder, token = tmp_path / "influx", tmp_path / "token"
    folder.mkdir()
    token.write_text(f"{influx.token}\n")
    environment = {
        **os.environ, "BACKUP_OF": "influxdb", "BACKUP_DIR": str(folder), "BACKUP_KEEP": "1",
        "INFLUX_HOST": influx.url, "INFLUX_TOKEN_FILE": str(token), "HOME": str(tmp_path),
    }  # fmt: skip
    for _ in range(2):
        subprocess.run(["sh", NIGHTLY, "now"], env=environment, check=True, timeout=60)
        time.sleep(1)
    (night,) = folder.iterdir()
    influxd.start()
    other = influxd.set_up()
    restore = ["influx", "restore", "--full", "--host", other.url, "--token", other.token, night]
    subprocess.run(restore, env=environment, check=True, capture_output=True, timeout=60)
    with closing(replace(other, token=influx.token, org=influx.org).store(bucket)) as store:
        found = store.read(start, start + timedelta(hours=1), ["hall/loire"])
    assert list(found["value"]) == [600.0 + n for n in range(50)]
    token.write_text("wrong")
    failed = subprocess.run(
        ["sh", NIGHTLY, "now"], env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert failed.returncode == 1
    assert "no backup was made" in failed.stderr
    assert list(folder.glob("*.backup")) == [night]
