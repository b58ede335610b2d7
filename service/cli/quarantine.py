"""`temoin quarantine`: messages that could not become readings, and what to do about them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.end import WRONG_USE, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from service.registry.tables import QuarantineEntry

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers of entries, as `list` shows them.")]
Code = Annotated[str | None, typer.Option(help="All that wait for this reason, for example unknown_format.")]

quarantine_app = typer.Typer(help="Messages that could not become readings.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.add_typer(quarantine_app, name="quarantine")


@quarantine_app.command("list")
def list_(
    code: Code = None,
    status: Annotated[str, typer.Option(help="waiting, replayed or dropped.")] = "waiting",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """How many messages wait for what reason, and the latest of them.

    Example: temoin quarantine list --code out_of_range
    """
    from service.registry import quarantine  # noqa: PLC0415 - SQLAlchemy is not for --help

    with registry_or_end(settings_or_end()).session() as session:
        counts = quarantine.waiting_by_code(session)
        entries = quarantine.recent(session, code, status, limit)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(_described(entry), ensure_ascii=False))
        return
    if not counts:
        typer.echo("Nothing waits in quarantine.")
    for reason, count in counts:
        typer.echo(f"{count:>8}  {reason}")
    for entry in entries:
        typer.echo(f"{entry.id:>8}  {entry.received_at:%Y-%m-%d %H:%M:%S}  {entry.topic}  {entry.reason}")


@quarantine_app.command()
def show(
    number: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the payload, byte for byte.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """One message as it came, with the reason it was refused for.

    Example: temoin quarantine show 12 --raw | temoin decode --topic v3/app@city/devices/a1/up
    """
    from service.registry.tables import QuarantineEntry  # noqa: PLC0415 - see list_

    with registry_or_end(settings_or_end()).session() as session:
        entry = session.get(QuarantineEntry, number)
    if entry is None:
        raise Ended(f"There is no entry {number} in quarantine.")
    if raw:
        sys.stdout.buffer.write(entry.payload)
    elif as_json:
        typer.echo(json.dumps({**_described(entry), "payload": _legible(entry.payload)}, ensure_ascii=False))
    else:
        for name, value in _described(entry).items():
            typer.echo(f"{name:12} {value}")
        typer.echo(_legible(entry.payload))


@quarantine_app.command()
def replay(
    ids: Ids = None,
    code: Code = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
) -> None:
    """Decode waiting messages again with the formats of today and store what now passes.

    Example: temoin quarantine replay --code unknown_format
    """
    _one_choice(ids, code, everything=everything)
    from sensors.reading import SensorError  # noqa: PLC0415 - see list_
    from service import replays, river  # noqa: PLC0415 - see list_

    settings = settings_or_end()
    registry = registry_or_end(settings)
    try:
        store = river.open_store(settings)
        done = replays.replay(settings, registry, store, ids or (), code)
        store.close()
    except SensorError as error:
        raise Ended(str(error)) from error
    typer.echo(
        f"{done.stored} messages replayed, {done.readings} readings stored, {done.waiting} still wait."
    )


@quarantine_app.command()
def drop(
    reason: Annotated[str, typer.Option(help="Why they are given up; it stays beside them.")],
    ids: Ids = None,
    code: Code = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
) -> None:
    """Give waiting messages up: they are kept, marked as dropped, and counted no more.

    Example: temoin quarantine drop 12 13 --reason "test device of the supplier"
    """
    _one_choice(ids, code, everything=everything)
    if not reason.strip():
        raise Ended("Say why: --reason may not be empty.", WRONG_USE)
    from service.registry import quarantine  # noqa: PLC0415 - see list_

    with registry_or_end(settings_or_end()).session() as session:
        dropped = quarantine.drop(session, reason.strip(), datetime.now(UTC), ids or (), code)
    typer.echo(f"{dropped} messages dropped.")


def _one_choice(ids: list[int] | None, code: str | None, *, everything: bool) -> None:
    if (bool(ids), code is not None, everything).count(True) != 1:
        raise Ended("Say which: numbers, or --code, or --all.", WRONG_USE)


def _described(entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "status": entry.status,
        "received_at": entry.received_at.isoformat(),
        "topic": entry.topic,
        "bytes": len(entry.payload),
        "code": entry.code,
        "reason": entry.reason,
        "message": f"{entry.landing}/{entry.landing_id}",
    }


def _legible(payload: bytes) -> str:
    """Text where it is text, hexadecimal where it is not."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return payload.hex(" ")
    return text if text.isprintable() or text.replace("\n", "").isprintable() else payload.hex(" ")
