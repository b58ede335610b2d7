"""The command `temoin`: one module a family of commands, each imported when it is called."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from service.cli import (
    analysis,
    backup,
    bookings,
    decode,
    demo,
    doctor,
    export,
    gateway,
    history,
    house,
    ingest,
    jobs,
    quarantine,
    verify,
)
from service.cli.end import Ended

app = typer.Typer(
    name="temoin",
    help="Compares reconfigured meeting rooms with baseline rooms, honestly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    cls=TyperGroup,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - 40 ms that only this needs

        typer.echo(f"temoin {version('temoin')}")
        raise typer.Exit


@app.callback()
def _root(
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version, then stop.")
    ] = False,
) -> None:
    """Témoin."""


for family in (
    demo,
    house,
    ingest,
    jobs,
    bookings,
    gateway,
    backup,
    export,
    doctor,
    decode,
    history,
    analysis,
    quarantine,
    verify,
):
    family.register(app)


def main() -> None:
    """Run the command; known mistakes end with one sentence on stderr and the exit code of the contract."""
    try:
        app()
    except Ended as end:
        sys.stderr.write(f"{end}\n")
        raise SystemExit(end.code) from end
    except KeyboardInterrupt as stop:
        raise SystemExit(130) from stop
    except BrokenPipeError as gone:  # `temoin … | head`
        sys.stderr.close()
        raise SystemExit(1) from gone
