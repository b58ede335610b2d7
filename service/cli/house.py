"""`temoin serve`, `migrate`, `user`, `declare`: the web pages and what they rest on."""

from __future__ import annotations

import secrets
import socket
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.analysis import Locale, Words
from service.cli.end import REJECTED_INPUT, WRONG_USE, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from sqlalchemy.orm import Session

    from experiments import Plan
    from service.registry.tables import Experiment, User

user_app = typer.Typer(help="People who sign in.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(serve)
    app.command()(migrate)
    app.command()(declare)
    app.add_typer(user_app, name="user")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (TEMOIN_HOST).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (TEMOIN_PORT).", min=1, max=65535)
    ] = None,
) -> None:
    """Serve the pages, the form and the API.

    Example: temoin serve --port 8080
    """
    import uvicorn  # noqa: PLC0415 - heavy, and only here

    from sensors.reading import StoreError  # noqa: PLC0415 - likewise
    from service.app import create_app  # noqa: PLC0415 - likewise
    from service.logs import configure_logs  # noqa: PLC0415 - likewise
    from service.settings import SettingsError  # noqa: PLC0415 - likewise

    settings = settings_or_end(host=host, port=port)
    registry = registry_or_end(settings)
    listening = listen_or_end(settings.host, settings.port)
    try:
        settings.signing_key()  # made now, or a folder that cannot be written is said now
        app = create_app(settings, registry)
    except (SettingsError, StoreError) as error:
        raise Ended(str(error)) from error
    configure_logs(settings.log_level)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the app trusts TEMOIN_TRUSTED_PROXIES and nobody else
        timeout_graceful_shutdown=10,
    )
    typer.echo(f"http://{settings.host}:{settings.port}/")
    uvicorn.Server(config).run(sockets=[listening])


def listen_or_end(host: str, port: int) -> socket.socket:
    """A listening socket, so that a taken port is one sentence and not a stack trace."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # named, since asyncio sends small answers at once (TCP_NODELAY) only where it reads TCP: 40 ms a page
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise Ended(
            f"Cannot listen on {host}:{port} ({error.strerror}): choose another port with --port, "
            "or stop what uses it."
        ) from error
    listening.listen(128)
    return listening


def migrate() -> None:
    """Create the registry, or bring its schema to this version.

    Example: temoin migrate
    """
    from service.registry import Registry, RegistryError  # noqa: PLC0415 - SQLAlchemy is not for --help

    settings = settings_or_end()
    try:
        revision = Registry(settings.registry_url).migrate()
    except RegistryError as error:
        raise Ended(str(error)) from error
    typer.echo(f"The registry is at schema {revision}.")


def declare(
    file: Annotated[Path, typer.Argument(help="A TOML file: sites, rooms, hours, devices, experiments.")],
    by: Annotated[str | None, typer.Option(help="Who declares; by default who runs this.")] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Keep nothing: what it would do, and what each experiment could tell."),
    ] = False,
    locale: Words = Locale.en,
) -> None:
    """Declare sites, rooms, hours, devices and experiments; again with a changed file says what it changed.

    All or nothing. A locked protocol is not changed. The format is in docs/declare.md.

    Example: temoin declare city.toml --by "Camille Robert"
    """
    from service.declare import DeclarationRejected, declare  # noqa: PLC0415 - see serve

    settings = settings_or_end()
    registry = registry_or_end(settings)
    now = datetime.now(UTC)
    try:
        text = file.read_text(encoding="utf-8")
        with registry.session() as session:
            done = declare(session, text, by or getuser(), now, settings.zone)
            plans = _plans(session, done.locked, now.astimezone(settings.zone).date()) if check else {}
            if check:
                session.rollback()
    except DeclarationRejected as error:
        raise Ended(f"{file}: nothing was declared.\n{error}", REJECTED_INPUT) from error
    except OSError as error:
        raise Ended(f"{file}: {error.strerror}", WRONG_USE) from error
    except UnicodeDecodeError as error:
        raise Ended(f"{file}: this is not UTF-8 text, byte {error.start}", REJECTED_INPUT) from error
    for line in done.changes:
        typer.echo(line)
    typer.echo(f"{len(done.changes)} changes; {done.left} left as they were.")
    if done.stale:
        typer.echo(f"{len(done.stale)} days will be computed again ({min(done.stale)} to {max(done.stale)}).")
    if check:
        _show_plans(plans, locale)
        typer.echo("\nThis was a check: nothing was kept. Without --check it is.")


def _plans(session: Session, experiments: Iterable[Experiment], today: date) -> dict[str, Plan]:
    """What each experiment whose change is still to come could tell, by its slug."""
    from service.registry.experiments import status  # noqa: PLC0415 - SQLAlchemy is not for --help
    from service.results import plan_of  # noqa: PLC0415 - numbers are not for --help

    plans = {
        each.slug: plan_of(session, each, today) for each in experiments if status(each, today) == "planned"
    }
    return {slug: plan for slug, plan in plans.items() if plan is not None}


def _show_plans(plans: dict[str, Plan], locale: Locale) -> None:
    from service.cli.terminal import show_plan  # noqa: PLC0415 - words are not for --help

    for slug, plan in plans.items():
        typer.echo(f"\n{slug}, as it would be locked:")
        show_plan(plan, locale.value)


@user_app.command("add")
def user_add(
    email: str,
    name: Annotated[str, typer.Option(help="How the person is shown.")] = "",
    role: Annotated[str, typer.Option(help="reader, facilities, analyst or administrator.")] = "reader",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Add somebody; without --password-stdin a password is made and printed once.

    Example: temoin user add camille@ville.example --name Camille --role facilities
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)
    with _people() as session:
        users.add(session, email, name, role, password, datetime.now(UTC))
    typer.echo(f"{email} may sign in as {role}.")
    if not password_stdin:
        typer.echo(f"Password, shown once: {password}")


@user_app.command("list")
def user_list() -> None:
    """Everybody who may sign in.

    Example: temoin user list
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    with _people() as session:
        for user in users.everyone(session):
            typer.echo(f"{user.email}\t{user.role}\t{'active' if user.active else 'disabled'}\t{user.name}")


@user_app.command("password")
def user_password(
    email: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Give somebody a new password and sign them out everywhere.

    Example: temoin user password camille@ville.example
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)
    with _people() as session:
        user = users.known(session, email)
        user.password_hash = users.hash_password(password, (user.email, user.name))
        users.close_all(session, user)
    typer.echo(f"{email} has a new password." if password_stdin else f"Password, shown once: {password}")


@user_app.command("link")
def user_link(email: str) -> None:
    """Print a link that lets somebody choose a password: good for an hour, once.

    Example: temoin user link camille@ville.example
    """
    from service.registry import password_links, users  # noqa: PLC0415 - see serve

    settings = settings_or_end()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    with _people() as session:
        token = password_links.make(session, users.known(session, email), datetime.now(UTC))
    typer.echo(f"{base}/new-password/{token}")


@user_app.command("token")
def user_token(
    email: str,
    name: Annotated[str, typer.Option(help="What it is for.")] = "temoin user token",
    scope: Annotated[str, typer.Option(help="read or write.")] = "read",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")] = 90,
) -> None:
    """Print a token with which programs ask the API as this person: shown once.

    Example: temoin user token camille@ville.example --name "weekly report" --days 365
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    if scope not in ("read", "write"):
        raise Ended("--scope is read or write.", WRONG_USE)
    name = " ".join(name.split())
    if not 1 <= len(name) <= users.MAX_TOKEN_NAME or not name.isprintable():
        raise Ended(f"--name says what it is for, in 1 to {users.MAX_TOKEN_NAME} characters.", WRONG_USE)
    with _people() as session:
        user = users.known(session, email)
        token = users.make_token(session, user, name, scope, datetime.now(UTC), timedelta(days=days))
    typer.echo(f"Authorization: Bearer {token}")


@user_app.command("no-second-factor")
def user_no_second_factor(email: str) -> None:
    """Take away the second factor of somebody who lost it; sign them out everywhere.

    Example: temoin user no-second-factor camille@ville.example
    """
    from service.registry import second_factor, users  # noqa: PLC0415 - see serve

    with _people() as session:
        user = users.known(session, email)
        if not second_factor.take_away(session, user):
            raise users.UserError(f"{email} has no second factor.")
        users.close_all(session, user)
    typer.echo(f"{email} signs in by the password alone; a new second factor is enrolled under /account.")


@user_app.command("disable")
def user_disable(email: str) -> None:
    """Sign somebody out everywhere and let them in no more; what they decided stays.

    Example: temoin user disable camille@ville.example
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    with _people() as session:
        _change(session, users.known(session, email), active=False)
    typer.echo(f"{email} may no longer sign in.")


@user_app.command("enable")
def user_enable(email: str) -> None:
    """Let somebody in again who was disabled.

    Example: temoin user enable camille@ville.example
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    with _people() as session:
        _change(session, users.known(session, email), active=True)
    typer.echo(f"{email} may sign in again.")


@user_app.command("role")
def user_role(
    email: str, role: Annotated[str, typer.Argument(help="reader, facilities, analyst or administrator.")]
) -> None:
    """Say what somebody may do.

    Example: temoin user role camille@ville.example analyst
    """
    from service.registry import users  # noqa: PLC0415 - see serve

    with _people() as session:
        _change(session, users.known(session, email), role=users.known_role(role))
    typer.echo(f"{email} is {role}.")


@user_app.command("delete")
def user_delete(email: str) -> None:
    """Delete somebody; decisions and the audit keep their name.

    Example: temoin user delete camille@ville.example
    """
    from service.registry import people, users  # noqa: PLC0415 - see serve

    with _people() as session:
        people.remove(session, users.known(session, email).id)
    typer.echo(f"{email} is deleted.")


def _change(session: Session, user: User, **wanted: Any) -> None:  # noqa: ANN401 - a role, or whether active
    from service.registry import people  # noqa: PLC0415 - see serve

    now = people.Facts.of(user)
    people.change(session, user.id, now, replace(now, **wanted))


@contextmanager
def _people() -> Iterator[Session]:
    from service.registry.users import UserError  # noqa: PLC0415 - see serve

    try:
        with registry_or_end(settings_or_end()).session() as session:
            yield session
    except UserError as error:
        raise Ended(str(error)) from error
