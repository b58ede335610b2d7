"""`temoin export`: the data as CSV with a codebook."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations

import typer

from service.cli.end import WRONG_USE, Ended, registry_or_end, settings_or_end


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(export)


def export(folder: Path) -> None:
    """Write rooms, outcomes, experiments and panels as CSV into an empty folder, with a codebook.

    What runs stays under seal, as on the pages: its days before the switch are there, later values are empty.

    Example: temoin export temoin-2026-03-02
    """
    from service.export import export as write  # noqa: PLC0415 - SQLAlchemy is not for --help

    settings = settings_or_end()
    today = datetime.now(UTC).astimezone(settings.zone).date()
    try:
        with registry_or_end(settings).session() as session:
            written = write(session, folder, today, settings.locale, settings.min_group)
    except FileExistsError as error:
        raise Ended(
            f"{folder} is not an empty folder: name one that is, or is not there.", WRONG_USE
        ) from error
    except OSError as error:
        raise Ended(f"{error.filename or folder}: {error.strerror}") from error
    for name, rows in written.items():
        typer.echo(f"{folder / name}: {rows} rows")
