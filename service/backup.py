"""A copy of a whole installation in one archive, taken while it runs, and an installation made from one.

The order makes the copy whole: landings first, registry second, store last. What moved meanwhile is in the
copy of the landing as not yet moved, and is moved again after a restore, which changes nothing twice; what
the registry says was replayed is in the store. The registry is kept table by table as JSON lines, so that one
made from SQLite restores into PostgreSQL, and one of an older version into this one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import SecretStr
from sqlalchemy import JSON, MetaData, Table, func, insert, select, text

from sensors.landing import Landing
from service.jobs import months_before
from service.registry import Registry, RegistryError, answers
from service.registry.tables import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Column, Connection

    from service.settings import Settings

CONTENTS = "temoin-backup.json"
SEALED = b"age-encryption.org/"
FORMAT = 1
SEALED = b"age-encryption.org/"  # how a file that age encrypted begins
SETTINGS = "settings.json"  # to be read by people: the others are in .env, and secrets are nowhere in it
LEFT_OUT = ("leases", "sessions")  # who works and who is signed in now is nothing to bring back
ROWS = 1000  # inserted at once


class BackupError(Exception):
    """Why there is no copy, or no installation from it; one sentence."""


def backup(settings: Settings, registry: Registry, to: Path, now: datetime) -> list[str]:
    """Write the archive `to`, readable by its owner only; what it holds, a line each. Raises BackupError.

    Nothing of another is overwritten: `to` must not be there. With TEMOIN_BACKUP_RECIPIENT it is encrypted,
    and only whoever holds the other half of that key reads it.
    """
    if to.exists():
        raise BackupError(f"{to} is there already: choose another name.")
    draft = to.with_name(f"{to.name}.draft")
    held: dict[str, str] = {}
    try:
        with (
            _private(draft) as file,
            tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive,
            # beside the archive, where there is room for it: /tmp may be memory
            tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as scratch,
        ):
            work = Path(scratch)
            for name, source in _databases(settings, work, "landing/*.db"):
                held[name] = _add_file(archive, name, source)
            for name, lines in _tables(registry):
                held[f"registry/{name}.jsonl"] = _add(archive, f"registry/{name}.jsonl", lines, work)
            for name, source in _store(settings, work):
                held[name] = _add_file(archive, name, source)
            held[SETTINGS] = _add(archive, SETTINGS, [_plain_settings(settings)], work)
            contents = {"format": FORMAT, "schema": registry.schema, "made": now.isoformat(), "files": held}
            _add(archive, CONTENTS, [json.dumps(contents)], work)
        _finished(draft, to, settings.backup_recipient)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        draft.unlink(missing_ok=True)
        raise BackupError(f"{to} cannot be made ({error}).") from error
    return _told(held, settings)


def restore(
    settings: Settings, registry: Registry, source: Path, now: datetime, identity: Path | None = None
) -> list[str]:
    """Make the installation of these settings from an archive; what was restored, a line each.

    `identity` is the file of the key that an encrypted archive opens with (`new_key`).

    What is past its retention is not brought back. Raises BackupError: nothing is done to an installation
    that is there, nor from half an archive.
    """
    folder = settings.data_dir
    there = [name for name in ("registry.db", "landing", "store", "secret_key") if (folder / name).exists()]
    if there:
        raise BackupError(
            f"{folder} holds an installation ({', '.join(there)}): restore into an empty folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".restore.", dir=folder) as scratch,
            tempfile.TemporaryDirectory(prefix=".opened.", dir=folder) as opened,
            tarfile.open(_opened(source, identity, Path(opened)), "r:gz") as archive,
        ):
            contents = _contents(archive)
            _checked(archive, contents["files"])
            for name in contents["files"]:
                if not name.startswith("registry/") and name != SETTINGS:
                    _write(archive, name, Path(scratch) / name)
            _filled(registry, archive, contents)
            for path in Path(scratch).iterdir():  # last: until here nothing but the registry is there
                path.rename(folder / path.name)
    except (OSError, tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise BackupError(f"{source} is no whole backup ({error or type(error).__name__}).") from error
    _forget(settings, registry, now)
    return _told(contents["files"], settings)


def new_key(to: Path) -> str:
    """Write a new age key to the file `to`, its owner's only; the half that archives are encrypted to."""
    from pyrage import x25519  # noqa: PLC0415 - most backups need none

    key = x25519.Identity.generate()
    try:
        with _private(to) as file:
            file.write(f"# public key: {key.to_public()}\n{key}\n".encode())
    except OSError as error:
        raise BackupError(f"{to} cannot be made ({error.strerror}).") from error
    return str(key.to_public())


# ------------------------------------------------------------------------------------------------- making


def _databases(settings: Settings, scratch: Path, which: str) -> Iterator[tuple[str, Path]]:
    """Name in the archive of each such SQLite file, and the path of a copy taken at once."""
    for database in sorted(settings.data_dir.glob(which)):
        copy = scratch / "copy.db"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(copy)) as still:
            live.backup(still)
        yield str(database.relative_to(settings.data_dir)), copy


def _store(settings: Settings, scratch: Path) -> Iterator[tuple[str, Path]]:
    """The embedded store, its open days first: a day put away meanwhile is in both, not in none; the key."""
    folder = settings.data_dir
    yield from _databases(settings, scratch, "store/open.db")
    for day in sorted((folder / "store" / "days").glob("*.parquet")):
        yield str(day.relative_to(folder)), day
    for name in sorted((folder / "landing").glob("*.client_id")):
        yield str(name.relative_to(folder)), name
    key = folder / "secret_key"
    if key.exists():
        yield "secret_key", key


def _plain_settings(settings: Settings) -> str:
    """The settings as JSON, without those that are secret and without the password in an address."""
    given = settings.model_dump(mode="json", exclude={"database_url"})
    hidden = {name for name in given if isinstance(getattr(settings, name), SecretStr)}
    return json.dumps({name: value for name, value in given.items() if name not in hidden}, indent=1)


def _tables(registry: Registry) -> Iterator[tuple[str, Iterator[str]]]:
    """Every table and its rows, a line of JSON each, as they are at one instant."""
    with registry.snapshot() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in LEFT_OUT:
                yield table.name, _rows(connection, table)


def _rows(connection: Connection, table: Table) -> Iterator[str]:
    for row in connection.execution_options(yield_per=ROWS).execute(select(table)):
        yield json.dumps(
            {column.name: _plain(value) for column, value in zip(table.columns, row, strict=True)}
        )


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _add_file(archive: tarfile.TarFile, name: str, source: Path) -> str:
    with source.open("rb") as file:
        entry = archive.gettarinfo(arcname=name, fileobj=file)
        entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = 0, 0, "", "", 0o600
        archive.addfile(entry, file)
        file.seek(0)
        return _sha256(file)


def _add(archive: tarfile.TarFile, name: str, lines: Iterable[str], scratch: Path) -> str:
    with tempfile.SpooledTemporaryFile(16_000_000, dir=str(scratch)) as file:
        digest = hashlib.sha256()
        for line in lines:
            encoded = line.encode() + b"\n"
            digest.update(encoded)
            file.write(encoded)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = file.tell(), 0o600, int(datetime.now(UTC).timestamp())
        file.seek(0)
        archive.addfile(entry, file)
        return digest.hexdigest()


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _private(path: Path) -> IO[bytes]:
    """A new file that its owner alone may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _finished(draft: Path, to: Path, recipient: str | None) -> None:
    """Give the archive its name; encrypted by age (https://age-encryption.org/v1) where somebody is named."""
    if recipient is None:
        draft.rename(to)
        return
    import pyrage  # noqa: PLC0415 - not for archives in clear

    cipher = draft.with_name(f"{draft.name}.age")
    try:
        with draft.open("rb") as clear, _private(cipher) as sealed:
            pyrage.encrypt_io(clear, sealed, [pyrage.x25519.Recipient.from_str(recipient)])
        cipher.rename(to)
    finally:
        cipher.unlink(missing_ok=True)
        draft.unlink()


# ---------------------------------------------------------------------------------------------- restoring


def _opened(source: Path, identity: Path | None, folder: Path) -> Path:
    """The archive in clear: itself, or what the key makes of it, in `folder`."""
    with source.open("rb") as file:
        if file.read(len(SEALED)) != SEALED:
            return source
    import pyrage  # noqa: PLC0415 - not for archives in clear

    if identity is None:
        raise BackupError(f"{source} is encrypted: say with --identity which file holds its key.")
    keys = [line for line in identity.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    clear = folder / "archive"
    try:
        with source.open("rb") as sealed, _private(clear) as file:
            pyrage.decrypt_io(sealed, file, [pyrage.x25519.Identity.from_str(key) for key in keys])
    except (pyrage.DecryptError, pyrage.IdentityError) as error:
        raise BackupError(f"{source} does not open with {identity} ({error}).") from error
    return clear


def _contents(archive: tarfile.TarFile) -> dict[str, Any]:
    file = archive.extractfile(CONTENTS)
    contents: dict[str, Any] = json.load(file) if file else {}
    if contents["format"] != FORMAT:
        raise BackupError("It was made by another version of Témoin: restore it with that one.")
    return contents


def _checked(archive: tarfile.TarFile, files: dict[str, str]) -> None:
    """Raise unless every file is there with its hash, and none leads out of the folder."""
    for name, sha256 in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BackupError(f"« {name} » leads out of the folder: this is no backup of Témoin's.")
        file = archive.extractfile(name)
        if file is None or _sha256(file) != sha256:
            raise BackupError(f"{name} in it is not as it was written: take another backup.")


def _filled(registry: Registry, archive: tarfile.TarFile, contents: dict[str, Any]) -> None:
    """The registry with the archive's rows, all or none, then brought to this version; it must be empty."""
    schema = contents["schema"]
    if not registry.knows(schema):
        raise BackupError(
            f"It was made at schema {schema} by a newer Témoin, this one is at {registry.schema}: take the "
            "newer one."
        )
    try:
        registry.migrate(schema)
        with registry.engine.begin() as connection:
            tables = _tables_of(connection, contents["files"])
            for table in tables:
                if connection.scalar(select(func.count()).select_from(table)):
                    raise BackupError(
                        f"The registry is not empty (table {table.name}): restore into an empty one."
                    )
            for table in tables:
                file = archive.extractfile(f"registry/{table.name}.jsonl")
                if file is not None:
                    _insert(connection, table, io.TextIOWrapper(file, "utf-8"))
        registry.migrate()
    except RegistryError as error:
        raise BackupError(str(error)) from error


def _tables_of(connection: Connection, files: Iterable[str]) -> list[Table]:
    """The archive's tables as the database has them at the archive's schema, those others need first."""
    names = [Path(name).stem for name in files if name.startswith("registry/")]
    found = MetaData()
    found.reflect(connection, only=[name for name in names if name not in LEFT_OUT])
    return [table for table in found.sorted_tables if table.name in names]


def _insert(connection: Connection, table: Table, lines: Iterable[str]) -> None:
    readers = {column.name: _reader(column) for column in table.columns}
    batch: list[dict[str, object]] = []
    for line in lines:
        row = json.loads(line)
        batch.append({name: None if row[name] is None else read(row[name]) for name, read in readers.items()})
        if len(batch) == ROWS:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)
    counted = table.autoincrement_column
    if counted is not None and connection.dialect.name == "postgresql":  # its sequence saw none of these rows
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{counted.name}'), "
                f"coalesce(max({counted.name}), 1), max({counted.name}) IS NOT NULL) FROM {table.name}"
            )
        )


def _reader(column: Column[Any]) -> Callable[[Any], object]:
    """What makes a value of this column from JSON."""
    if isinstance(column.type, JSON):
        return lambda value: value
    readers: dict[type, Callable[[Any], object]] = {
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        time: time.fromisoformat,
        bytes: base64.b64decode,
    }
    return readers.get(column.type.python_type, lambda value: value)


def _write(archive: tarfile.TarFile, name: str, to: Path) -> None:
    file = archive.extractfile(name)
    if file is None:
        raise BackupError(f"{name} is missing in it.")
    to.parent.mkdir(parents=True, exist_ok=True)
    with _private(to) as copy:
        while piece := file.read(1 << 20):
            copy.write(piece)


def _forget(settings: Settings, registry: Registry, now: datetime) -> None:
    """What was kept for a time only, and whose time was over when the archive was brought back."""
    today = now.astimezone(settings.zone).date()
    with registry.session() as session:
        answers.forget(
            session,
            months_before(today, settings.answer_months),
            months_before(today, settings.remark_months),
            now,
        )
    for path in sorted((settings.data_dir / "landing").glob("*.db")):
        landing = Landing(path)
        landing.tidy(now - timedelta(days=settings.raw_days))
        landing.close()


def _told(held: dict[str, str], settings: Settings) -> list[str]:
    """What is in an archive, a line each kind."""
    kinds = {
        "registry/*.jsonl": "tables of the registry",
        "landing/*.db": "landings",
        "store/days/*.parquet": "days of readings",
    }
    lines = [f"{sum(fnmatch(name, like) for name in held)} {what}" for like, what in kinds.items()]
    if settings.store == "influxdb":
        lines[-1] = "no readings: they are in InfluxDB, `influx backup` copies them"
    return lines
