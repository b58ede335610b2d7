"""Mosquitto's two files of who may sign in and what each may do, as `temoin gateway` writes them.

Lines of others stay as they are: a city's broker has more users than ours. Each file is replaced whole, so
that a broker which reads it at that instant finds the old one or the new one.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from service.settings import Settings

ITERATIONS = 1000  # Mosquitto hashes in its only thread; our passwords are 192 random bits
SALT = 12  # bytes
KEY = 64
READ_BY_ALL = 0o004
RECEIVER = "temoin"  # the user Témoin signs in as where the settings name none


def new_password() -> str:
    """A password nobody chose; no sign of it is special in a configuration file."""
    return secrets.token_urlsafe(24)


def hashed(password: str) -> str:
    """`$7$iterations$salt$hash`, PBKDF2 with SHA-512, as mosquitto_passwd writes it."""
    salt = secrets.token_bytes(SALT)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, KEY)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def password_file(settings: Settings) -> Path:
    """Where Mosquitto's password file is kept."""
    return settings.broker_passwords or settings.data_dir / "broker" / "passwd"


def access_file(settings: Settings) -> Path:
    """Where Mosquitto's access list is kept."""
    return settings.broker_acl or settings.data_dir / "broker" / "acl"


def write_access(settings: Settings, hashes: Mapping[str, str], gone: Collection[str] = ()) -> None:
    """Let these gateways (name → hash) in, each below its own root, and those `gone` no longer.

    Témoin's own user is let in too, to read and not to write, where the settings have its password and the
    file does not name it. Raises OSError when a file cannot be read or written: then both are as they were.
    """
    passwords, rights = _lines(password_file(settings)), _lines(access_file(settings))
    receiver, password = settings.mqtt_user or RECEIVER, settings.mqtt_password
    new = not rights
    if settings.mqtt_user and password and not any(_names(line, receiver) for line in passwords):
        passwords.append(f"{receiver}:{hashed(password.get_secret_value())}")
        new = True
    if new and not any(_section(line) == receiver for line in rights):
        rights += [f"user {receiver}", "topic read #"]
    names = {*hashes, *gone}
    passwords = [line for line in passwords if not any(_names(line, name) for name in names)]
    passwords += [f"{name}:{hashed_one}" for name, hashed_one in hashes.items()]
    rights = _without_sections(rights, names)
    for name in hashes:
        rights += [f"user {name}", f"topic write temoin/{name}/#"]
    with (
        _draft(password_file(settings), passwords, 0o640) as new_passwords,
        _draft(access_file(settings), rights, 0o644) as new_rights,
    ):
        new_passwords.replace(password_file(settings).resolve())
        new_rights.replace(access_file(settings).resolve())


def _names(line: str, user: str) -> bool:
    return line.startswith(f"{user}:")


def _section(line: str) -> str | None:
    """Whose rights begin with this line of an access list."""
    word, _, name = line.strip().partition(" ")
    return name.strip() if word == "user" else None


def _without_sections(lines: list[str], users: Collection[str]) -> list[str]:
    """An access list without the rights of these users: from `user NAME` to the next user.

    A pattern in between is everybody's and stays; Mosquitto gives what follows it to the same user.
    """
    kept, skipping = [], False
    for line in lines:
        owner = _section(line)
        if owner is not None:
            skipping = owner in users
        if not skipping or line.strip().startswith(("pattern", "#")):
            kept.append(line)
    return kept


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@contextmanager
def _draft(path: Path, lines: list[str], mode: int) -> Iterator[Path]:
    """The file anew, on disk beside the older one whose owner and rights it has; gone unless it was moved."""
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat() if path.exists() else None
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            if before is not None:
                _keep_owner(descriptor, before)
            os.fchmod(descriptor, mode if before is None else before.st_mode & 0o777)
            os.fsync(descriptor)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _keep_owner(descriptor: int, before: os.stat_result) -> None:
    """A broker that runs under its own user must go on reading; only root may give a file away."""
    try:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    except PermissionError:
        if not before.st_mode & READ_BY_ALL:
            raise
