"""`temoin bookings`: a room's calendar beside what its sensors saw."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from service.cli.end import REJECTED_INPUT, WRONG_USE, Ended, registry_or_end, settings_or_end


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(bookings)


def bookings(
    file: Annotated[
        Path, typer.Argument(help="The room's calendar: ICS, or CSV with columns start and end.")
    ],
    room: Annotated[str, typer.Option(help="The room, by its slug.")],
) -> None:
    """Keep when a room was booked, and nothing else: no title, no name.

    Between its first and last booking the file is the whole calendar, cancelled bookings apart: what was kept
    of those days is replaced. Outcomes follow: no-shows, meetings nobody booked, early ends, overruns.

    Example: temoin bookings loire.ics --room loire
    """
    from service.bookings import CalendarRejected, keep  # noqa: PLC0415 - not for --help
    from service.registry import rooms  # noqa: PLC0415 - likewise

    settings = settings_or_end()
    registry = registry_or_end(settings)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Ended(f"{file}: {error.strerror}.", WRONG_USE) from error
    try:
        with registry.session() as session:
            found = rooms.room(session, room)
            if found is None:
                raise Ended(f"There is no room « {room} ».", WRONG_USE)
            kept = keep(session, settings, found, file.name, content, datetime.now(UTC))
    except CalendarRejected as rejection:
        raise Ended(f"{file.name}: nothing was kept: {rejection}", REJECTED_INPUT) from rejection
    left = {
        "cancelled": kept.cancelled,
        "longer than a day": kept.too_long,
        "too long ago or ahead": kept.outside,
    }
    told = [f"{number} {why}" for why, number in left.items() if number]
    typer.echo(
        f"{kept.bookings} bookings of {room}, {kept.first} to {kept.last}, in the place of {kept.replaced}"
        f"{'; left out: ' + ', '.join(told) if told else ''}."
    )
