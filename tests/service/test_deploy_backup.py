"""The nightly backup's script, and what the containers' health asks of ingest, jobs and backup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
        monkeypatch.setenv("BACKUP_DIR", str(tmp_path))
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


def test_backups_are_well_while_the_last_night_has_one(health, tmp_path):
    assert health("backup")[0] == 1
    archive = tmp_path / "temoin-2026-01-01T020000Z.backup"
    archive.touch()
    assert health("backup") == (0, "")
    old = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(archive, (old, old))
    code, says = health("backup")
    assert code == 1
    assert "the last archive is of" in says
