"""`temoin doctor`: is everything there, and how to mend what is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from service.cli.end import settings_or_end

COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Look at each part, from settings to jobs; a line a part, and how to mend what is not well.

    Exit code 1 when something fails, 0 when there are warnings only.

    Example: temoin doctor
    """
    from service.doctor import examine  # noqa: PLC0415 - not for --help

    failed = False
    for finding in examine(settings_or_end(), datetime.now(UTC)):
        failed = failed or finding.verdict == "fail"
        if as_json:
            typer.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            mark = typer.style(f"{finding.verdict:<5}", fg=COLOURS[finding.verdict])
            typer.echo(f"{mark}{finding.part:<10}{finding.sentence}")
    raise typer.Exit(code=1 if failed else 0)
