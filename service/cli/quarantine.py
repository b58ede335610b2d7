"""`temoin quarantine`: messages that could not become readings, and what to do about them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.end import WRONG_USE, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from service.registry.tables import QuarantineEntry

MOST, MOST_MAPPINGS = 2**63 - 1, 2**31 - 1  # numbers that every database can hold
Ids = Annotated[
    list[int] | None, typer.Argument(min=1, max=MOST, help="Numbers of entries, as `list` shows them.")
]
Code = Annotated[str | None, typer.Option(help="All that wait for this reason, for example unknown_format.")]

quarantine_app = typer.Typer(help="Messages that could not become readings.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.add_typer(quarantine_app, name="quarantine")


@quarantine_app.command("list")
def list_(
    code: Code = None,
    status: Annotated[str, typer.Option(help="waiting, replayed or dropped.")] = "waiting",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many, the latest.")] = 50,
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
    number: Annotated[int, typer.Argument(min=1, max=MOST, help="Its number, as `list` shows it.")],
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
def guess(
    number: Annotated[int, typer.Argument(min=1, max=MOST, help="Of a message, as `list` shows it.")],
) -> None:
    """A mapping as JSON, guessed from one message that waits: to be completed, then given to `map`.

    Example: temoin quarantine guess 12 > boiler.json
    """
    from sensors.reading import Message, PayloadRejected  # noqa: PLC0415 - see list_
    from service import mapping_form  # noqa: PLC0415 - see list_
    from service.registry.tables import QuarantineEntry  # noqa: PLC0415 - see list_

    settings = settings_or_end()
    with registry_or_end(settings).session() as session:
        entry = session.get(QuarantineEntry, number)
    if entry is None:
        raise Ended(f"There is no entry {number} in quarantine.")
    message = Message(entry.topic, entry.payload, entry.received_at, retained=entry.retained)
    try:
        form = mapping_form.guessed([message], settings.zone)
    except PayloadRejected as rejection:
        raise Ended(f"Nothing in it can be named: {rejection.reason}") from rejection
    typer.echo(json.dumps(mapping_form.as_json(form), ensure_ascii=False, indent=2))


@quarantine_app.command("map")
def map_(
    file: Annotated[Path, typer.Argument(help="A mapping as JSON, as `guess` writes it.", dir_okay=False)],
    number: Annotated[
        int | None, typer.Option(min=1, max=MOST_MAPPINGS, help="Of the mapping that it corrects.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would give.")] = False,
) -> None:
    """Keep what foreign messages mean, and have those that came already read again.

    Example: temoin quarantine map boiler.json --dry-run
    """
    from sensors.mapping import Mapping, MappingRefused  # noqa: PLC0415 - see list_
    from service import mapping_form  # noqa: PLC0415 - see list_
    from service.registry import mappings, quarantine  # noqa: PLC0415 - see list_

    settings = settings_or_end()
    try:
        mapping = Mapping.from_json(json.loads(file.read_text(encoding="utf-8")))
        with registry_or_end(settings).session() as session:
            if number is not None and not mappings.versions(session, number):
                raise Ended(f"There is no mapping {number}.")
            if dry_run:
                mappings.check(session, mapping, number)
                entries = quarantine.latest_on(session, mapping.topic, mapping_form.TRIED)
                for message, readings, reason in mapping_form.tried(
                    mapping, mapping_form.messages(entries), settings.zone
                ):
                    for each in readings:
                        what = f"{each.metric} {each.value:g} {each.unit}"
                        typer.echo(f"{each.time.isoformat()}  {each.device}  {what}")
                    if reason:
                        typer.echo(f"{message.topic}  {reason}")
                return
            row = mappings.keep(session, mapping, "temoin quarantine", datetime.now(UTC), number)
            mappings.ask(session, "temoin quarantine", datetime.now(UTC), mapping=row.number)
            typer.echo(
                f"Mapping {row.number}, version {row.version}: `temoin jobs` reads its messages again soon."
            )
    except OSError as error:
        raise Ended(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Ended(f"{file} is no JSON: {error}") from error
    except MappingRefused as refused:
        raise Ended(f"{file}: {refused}") from refused


@quarantine_app.command("mappings")
def mappings_() -> None:
    """What was said of foreign messages, and holds.

    Example: temoin quarantine mappings
    """
    from service.registry import mappings  # noqa: PLC0415 - see list_

    with registry_or_end(settings_or_end()).session() as session:
        rows = mappings.latest(session)
        for row in rows:
            typer.echo(f"{row.number:>4}  version {row.version}  {row.topic}  {row.made_by}")
    if not rows:
        typer.echo("No mapping holds.")


@quarantine_app.command()
def withdraw(
    number: Annotated[
        int, typer.Argument(min=1, max=MOST_MAPPINGS, help="Of the mapping, as `mappings` shows it.")
    ],
) -> None:
    """Let a mapping hold no longer: its messages wait again, its readings are withdrawn.

    Example: temoin quarantine withdraw 3
    """
    from service.registry import mappings  # noqa: PLC0415 - see list_

    with registry_or_end(settings_or_end()).session() as session:
        rows = mappings.versions(session, number)
        if not rows or rows[0].document is None:
            raise Ended(f"No mapping {number} holds.")
        mappings.withdraw(session, number, "temoin quarantine", datetime.now(UTC))
        mappings.ask(session, "temoin quarantine", datetime.now(UTC), mapping=number)
    typer.echo(f"Mapping {number} is withdrawn: `temoin jobs` reads its messages again soon.")


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
