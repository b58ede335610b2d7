"""docs/first-experiment.md, replayed: three real rooms in which nothing was changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from service import results
from service.registry import Registry, experiments

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "first-experiment.md"
SHARED = Path(os.environ.get("TEMOIN_TEST_SHARED", ROOT.parent / "shared"))
HISTORY = SHARED / "data" / "b4b_3rooms_raw.csv.gz"
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def test_the_files_in_the_document_are_those_of_the_tests():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in ("brains4buildings.toml", "brains4buildings-rooms.toml"):
        assert (ROOT / "tests" / "histories" / name).read_text(encoding="utf-8").strip() in text, name


def test_three_real_rooms_cannot_conclude_as_the_document_prints(tmp_path):
    """Every command of the document gives what the document says, to the last digit."""
    if not HISTORY.exists():
        pytest.skip(f"no real readings at {HISTORY}: set TEMOIN_TEST_SHARED to the folder that holds data/")
    histories = ROOT / "tests" / "histories"
    shutil.copy(HISTORY, tmp_path)
    shutil.copy(histories / "brains4buildings.toml", tmp_path / "map.toml")
    shutil.copy(histories / "brains4buildings-rooms.toml", tmp_path / "rooms.toml")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TEMOIN_TIMEZONE": "Europe/Amsterdam",
        "TEMOIN_LOCALE": "en",
        "COLUMNS": "100",
    }
    for block in CONSOLE.findall(DOCUMENT.read_text(encoding="utf-8")):
        *_, last = re.split(r"^\$ ", block, flags=re.MULTILINE)
        for step in re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE):
            if "analyse" in step and not (tmp_path / "panel.csv").exists():
                _publish(tmp_path)
            ran = subprocess.run(
                ["bash", "-c", step],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, (step, ran.stderr)
        assert ran.stdout.split() == last.partition("\n")[2].split(), step


def _publish(folder: Path) -> None:
    """What the page's links give."""
    registry = Registry(f"sqlite:///{folder / 'data' / 'registry.db'}")
    with registry.session() as session:
        found = experiments.find(session, "first-experiment")
        panel = results.published_panel(session, found, date(2026, 1, 1))
        (folder / "panel.csv").write_bytes(panel)
        (folder / "protocol.json").write_text(experiments.protocol(found).to_json(), encoding="utf-8")
    registry.close()
