"""`temoin backup`, `temoin restore`: a copy of the whole installation, and an installation from a copy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from service.cli.end import Ended, registry_or_end, settings_or_end


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="The archive, or a folder to put it in under its time.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Only make a key in this file, and print its public half.")
    ] = None,
) -> None:
    """Copy registry, landings, embedded store and secret key into one archive, while everything runs.

    Whoever reads it reads everything: keep it as you keep the installation, or have it encrypted to a public
    key (TEMOIN_BACKUP_RECIPIENT) whose other half is kept elsewhere. Settings are in it for people to read,
    without secrets. InfluxDB is copied by its own tool.

    Example: temoin backup /backup/temoin-2026-03-02.backup
    """
    from service.backup import BackupError  # noqa: PLC0415 - not for --help
    from service.backup import backup as make  # noqa: PLC0415 - likewise
    from service.backup import new_key as make_key  # noqa: PLC0415 - likewise

    if new_key is not None:
        try:
            typer.echo(f"TEMOIN_BACKUP_RECIPIENT={make_key(new_key)}")
        except BackupError as error:
            raise Ended(str(error)) from error
        return
    if file is None:
        raise typer.BadParameter("say which file, or folder, the archive goes to")
    settings, now = settings_or_end(), datetime.now(UTC)
    registry = registry_or_end(settings)
    if file.is_dir():
        file /= f"temoin-{now:%Y-%m-%dT%H%M%SZ}.backup"
    try:
        held = make(settings, registry, file, now)
    except BackupError as error:
        raise Ended(str(error)) from error
    typer.echo(f"{file}: {', '.join(held)}.")


def restore(
    file: Path,
    identity: Annotated[
        Path | None, typer.Option(help="File of the key that an encrypted archive opens with.")
    ] = None,
) -> None:
    """Make the installation of these settings, whose folder and registry are empty, from an archive.

    Example: TEMOIN_DATA_DIR=/srv/temoin temoin restore /backup/temoin-2026-03-02.backup
    """
    from service.backup import BackupError  # noqa: PLC0415 - not for --help
    from service.backup import restore as make  # noqa: PLC0415 - likewise
    from service.registry import Registry, RegistryError  # noqa: PLC0415 - likewise

    settings = settings_or_end()
    try:
        held = make(settings, Registry(settings.registry_url), file, datetime.now(UTC), identity)
    except (BackupError, RegistryError) as error:
        raise Ended(str(error)) from error
    typer.echo(f"Restored {', '.join(held)}.")
