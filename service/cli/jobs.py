"""`temoin jobs`: what is done by the clock."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from typing import Annotated

import typer

from service.cli.end import FAILED, Ended, registry_or_end, settings_or_end


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(jobs)


def jobs(
    once: Annotated[bool, typer.Option("--once", help="Do all that waits, then stop.")] = False,
) -> None:
    """Put days away, compute outcomes, take looks, delete what must go; one holder at a time.

    Example: temoin jobs --once
    """
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - heavy parts are not for --help

    from sensors.reading import SensorError  # noqa: PLC0415 - likewise
    from service.jobs import Jobs  # noqa: PLC0415 - likewise
    from service.logs import configure_logs  # noqa: PLC0415 - likewise
    from service.river import open_store  # noqa: PLC0415 - likewise

    settings = settings_or_end()
    configure_logs(settings.log_level)
    work = Jobs(settings, registry_or_end(settings), open_store(settings))
    if not once:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        work.run(stop)
        return
    settled = computed = looks = 0
    more = True
    while more:
        try:
            done = work.once(datetime.now(UTC))
        except SensorError as error:
            raise Ended(f"The store cannot be read: {error}") from error
        except SQLAlchemyError as error:
            raise Ended(f"The registry cannot be used: {error}") from error
        if not done.held:
            raise Ended("Another process does the jobs now: stop it, or let it do this.", FAILED)
        settled, computed, looks = settled + done.settled, computed + done.computed, looks + done.looks
        more = done.more
    work.release()
    typer.echo(f"{settled} days put away, {computed} days computed, {looks} looks taken.")
