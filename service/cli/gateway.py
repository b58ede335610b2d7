"""`temoin gateway`: who may send readings, at the broker and over HTTP."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from service.cli.end import WRONG_USE, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from service.settings import Settings

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, 40 at most.")]
Days = Annotated[int, typer.Option("--days", min=1, max=3650, help="Days the HTTP token is good for.")]

PAYLOAD = '{"device": "DEVICE", "time": "2026-03-02T09:15:00Z", "readings": {"co2": 612}}'

gateway_app = typer.Typer(help="Gateways that may send readings.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.add_typer(gateway_app, name="gateway")


@gateway_app.command()
def add(name: Name, days: Days = 365) -> None:
    """Let a gateway in: a user at the broker below its own root, and a token for HTTP. Prints what to type.

    Its password and its token are shown once. Mosquitto's two files are written (TEMOIN_BROKER_PASSWORDS,
    TEMOIN_BROKER_ACL); then the broker has to read them.

    Example: temoin gateway add hall
    """
    from service import broker  # noqa: PLC0415 - SQLAlchemy is not for --help
    from service.registry import gateways  # noqa: PLC0415 - likewise

    settings, now, password = settings_or_end(), datetime.now(UTC), broker.new_password()
    with _gateways(settings) as session:
        gateway = gateways.add(session, name, broker.hashed(password), now, settings.mqtt_user)
        token = gateways.new_token(gateway, now, timedelta(days=days))
        _write(settings, session)
    typer.echo(f"{name} may send.")
    typer.echo(_over_mqtt(settings, name, password))
    typer.echo(_over_http(settings, token, now + timedelta(days=days)))
    typer.echo(_reload(settings))


@gateway_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, no secrets.")] = False,
) -> None:
    """Every gateway: since when, until when its token is good, and when it was last heard.

    Example: temoin gateway list
    """
    from service.registry import gateways  # noqa: PLC0415 - see add

    with _gateways(settings_or_end()) as session:
        last = {each.source: each.last_message for each in gateways.totals(session)}
        for each in gateways.everything(session):
            until = max((token.expires for token in each.tokens), default=None)
            facts = (each.name, each.added_at, until, last.get(each.name))
            typer.echo(_as_json(*facts) if as_json else _as_line(*facts))


@gateway_app.command()
def rotate(
    name: Name,
    token: Annotated[bool, typer.Option("--token", help="Only the token for HTTP.")] = False,
    password: Annotated[bool, typer.Option("--password", help="Only the password at the broker.")] = False,
    overlap: Annotated[int, typer.Option(min=0, max=90, help="Days the old token stays good.")] = 14,
    days: Days = 365,
) -> None:
    """New secrets for a gateway, shown once. The old token stays good for a while, the old password does not.

    A broker knows one password a user: once it has read its files again the gateway is refused until it has
    the new one. What it keeps meanwhile comes later; what was sent is not affected.

    Example: temoin gateway rotate hall --token
    """
    from service import broker  # noqa: PLC0415 - see add
    from service.registry import gateways  # noqa: PLC0415 - likewise

    settings, now = settings_or_end(), datetime.now(UTC)
    both, said = token == password, []
    with _gateways(settings) as session:
        gateway = gateways.known(session, name)
        if both or token:
            new = gateways.new_token(gateway, now, timedelta(days=days), timedelta(days=overlap))
            said.append(_over_http(settings, new, now + timedelta(days=days)))
            said.append(f"The old token is good for {overlap} more days.")
        if both or password:
            secret = broker.new_password()
            gateway.broker_hash = broker.hashed(secret)
            session.flush()
            _write(settings, session)
            said += [_over_mqtt(settings, name, secret), _reload(settings)]
    for each in said:
        typer.echo(each)


@gateway_app.command()
def remove(name: Name) -> None:
    """Let a gateway in no more, at once over HTTP, at the broker once it has read its files again.

    What it sent stays. To let it in again: `temoin gateway add`.

    Example: temoin gateway remove hall
    """
    from service.registry import gateways  # noqa: PLC0415 - see add

    settings = settings_or_end()
    with _gateways(settings) as session:
        session.delete(gateways.known(session, name))
        session.flush()
        _write(settings, session, gone=name)
    typer.echo(f"{name} may send no more.")
    typer.echo(_reload(settings))


@gateway_app.command()
def write() -> None:
    """Write the broker's two files again from the registry: after a restore, or when they were lost.

    Example: temoin gateway write
    """
    settings = settings_or_end()
    with _gateways(settings) as session:
        _write(settings, session)
    typer.echo(_reload(settings))


def _as_line(name: str, added: datetime, until: datetime | None, heard: datetime | None) -> str:
    token = f"token until {until:%Y-%m-%d}" if until else "token none"
    last = f"last heard {heard:%Y-%m-%d %H:%M} UTC" if heard else "never heard"
    return f"{name}\tadded {added:%Y-%m-%d}\t{token}\t{last}"


def _as_json(name: str, added: datetime, until: datetime | None, heard: datetime | None) -> str:
    times = {"added_at": added, "token_until": until, "last_message": heard}
    return json.dumps({"name": name, **{key: at and at.isoformat() for key, at in times.items()}})


@contextmanager
def _gateways(settings: Settings) -> Iterator[Session]:
    from service.registry.gateways import GatewayError  # noqa: PLC0415 - see add

    try:
        with registry_or_end(settings).session() as session:
            yield session
    except GatewayError as error:
        raise Ended(str(error), WRONG_USE) from error


def _write(settings: Settings, session: Session, gone: str | None = None) -> None:
    """The broker's files, before the registry commits: when they cannot be written, nothing has changed."""
    from service import broker  # noqa: PLC0415 - see add
    from service.registry import gateways  # noqa: PLC0415 - likewise

    hashes = {each.name: each.broker_hash for each in gateways.everything(session)}
    try:
        broker.write_access(settings, hashes, () if gone is None else (gone,))
    except (OSError, UnicodeDecodeError) as error:
        path = getattr(error, "filename", None) or broker.password_file(settings)
        why = getattr(error, "strerror", None) or "it is not text"
        raise Ended(
            f"{path}: {why}; nothing was changed. TEMOIN_BROKER_PASSWORDS and TEMOIN_BROKER_ACL name the "
            "broker's files; only their owner, or root, may change them."
        ) from error


def _over_mqtt(settings: Settings, name: str, password: str) -> str:
    address = urlsplit(settings.mqtt_url)
    tls = address.scheme == "mqtts"
    return "\n".join(
        [
            "Over MQTT, shown once:",
            f"  server    {address.hostname or 'localhost'}, as the gateway reaches it",
            f"  port      {address.port or (8883 if tls else 1883)}{', TLS' if tls else ''}",
            f"  user      {name}",
            f"  password  {password}",
            f"  topic     temoin/{name}/DEVICE",
            f"  payload   {PAYLOAD}",
            "  QoS       1",
        ]
    )


def _over_http(settings: Settings, token: str, until: datetime) -> str:
    pages = settings.public_url or f"http://{settings.host}:{settings.port}"
    return "\n".join(
        [
            f"Over HTTP, shown once, until {until:%Y-%m-%d}:",
            f"  POST           {pages}/api/v1/readings",
            f"  Authorization  Bearer {token}",
            "  Content-Type   application/json",
            f"  body           {PAYLOAD}",
        ]
    )


def _reload(settings: Settings) -> str:
    from service import broker  # noqa: PLC0415 - see add

    passwords, access = broker.password_file(settings), broker.access_file(settings)
    return (
        f"Written: {passwords} and {access}. mosquitto.conf names them: `password_file {passwords}`, "
        f"`acl_file {access}`. Now have the broker read them: kill -HUP its process, "
        "`systemctl reload mosquitto`, or `docker compose kill -s HUP broker`."
    )
