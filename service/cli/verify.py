"""`temoin verify`: whether the audit, the locked protocols and the frozen looks are as they were written."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.end import FAILED, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(verify)


def verify(
    head: Annotated[
        str | None,
        typer.Option(help="A head told earlier: it must still be in the chain, so nothing was cut."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Walk the chain of every change, and hash every locked protocol and frozen look again.

    Keep the head it prints elsewhere (in a report, by e-mail): given back by --head, it shows that no change
    up to it was altered, taken out or cut off since. Exit code 1 names the first thing that does not hold.

    Example: temoin verify --json
    """
    from service.registry import audit  # noqa: PLC0415 - SQLAlchemy is not for --help

    with registry_or_end(settings_or_end()).session() as session:
        chain = audit.verify(session)
        faults = [] if chain.why is None else [chain.why]
        if head is not None and not audit.holds(session, head):
            faults.append(f"no change has the hash {head}: the chain was cut, or is another one")
        protocols, looks, changed = _frozen(session)
    faults += changed
    if as_json:
        frozen = {"protocols": protocols, "looks": looks}
        typer.echo(json.dumps({**asdict(chain), **frozen, "faults": faults}, indent=2))
    else:
        typer.echo(f"{chain.count} changes hold. Head: {chain.head}")
        typer.echo(f"{protocols} locked protocols and {looks} frozen looks hashed again.")
    if faults:
        raise Ended("\n".join(f"{fault}." for fault in faults), FAILED)


def _frozen(session: Session) -> tuple[int, int, list[str]]:
    """How many protocols and looks there are, and which are no longer what their hash says."""
    from sqlalchemy import select  # noqa: PLC0415 - see verify

    from service.registry.tables import Look, Protocol  # noqa: PLC0415 - likewise

    faults = []
    protocols = looks = 0
    for each in session.scalars(select(Protocol).order_by(Protocol.experiment_id)):
        protocols += 1
        if _sha256(each.document.encode()) != each.sha256:
            faults.append(f"the locked protocol of {each.experiment.slug} is not as it was locked")
    for look in session.scalars(select(Look).order_by(Look.id).execution_options(yield_per=20)):
        looks += 1
        if _sha256(_unpacked(look.panel)) != look.sha256:
            faults.append(f"the {look.kind} look of {look.experiment.slug} is not as it was frozen")
    return protocols, looks, faults


def _unpacked(panel: bytes) -> bytes:
    try:
        return zlib.decompress(panel)
    except zlib.error:
        return b""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
