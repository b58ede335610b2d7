"""The durable log of raw messages: what is in here may be acknowledged. Standard library only.

One SQLite file (WAL, synchronous FULL). Messages get ascending ids that are never used again; `position` is
the last one moved. Moved messages are packed by the thousand with zlib and forgotten after their retention.
Any process may read and move; one at a time may `hold` the landing to append to it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import threading
import time
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TYPE_CHECKING

from sensors.reading import LandingError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BATCH_BYTES = 8_000_000  # of payloads that `after` gives at once, a single larger one excepted
PACK_MESSAGES = 1000
REST = 0.01  # seconds between two packs, so that whoever appends gets its turn
MOST_TOPICS = 20_000  # remembered; more are looked up
LOOK_EVERY = 1.0  # seconds between two looks at the room that is left
MEGABYTE = 1_000_000
EARLY = 0.8  # share of the largest size from which moved messages are forgotten early
BUSY = 30.0  # seconds one process waits for another's transaction

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NO_LIMIT = -1  # SQLite's way to say it
RETAINED = 4  # in `flags`, above the two bits of the QoS
MID = 8  # and above that, the 16 bits of the broker's number
PACKED = Struct("<QIQII")  # id, topic, received, flags, length of the payload that follows

SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, received INTEGER NOT NULL, flags INTEGER NOT NULL,
  payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS packs (last INTEGER PRIMARY KEY, received INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (
  one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL, position INTEGER NOT NULL,
  acknowledged INTEGER NOT NULL);
"""
SELECT = "SELECT id, topic, received, flags, payload FROM messages"

Row = tuple[int, int, int, int, bytes]  # id, topic, received, flags, payload


class Landing:
    """The landing at `path`, made when it is not there. Raises LandingError when it cannot be used.

    It takes nothing more while it holds `most` bytes, or while its disk has fewer than `spare` left: the disk
    is other people's too, and a registry that cannot write is worse than a broker that waits.
    """

    def __init__(self, path: Path, most: int | None = None, spare: int = 0) -> None:
        self._path = path
        self._most, self._spare = most, spare
        self._looked_at = -LOOK_EVERY
        self._turn = threading.RLock()
        self._ids: dict[str, int] = {}
        self._topics: dict[int, str] = {}
        self._lock: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise LandingError(f"{path}: the landing cannot be opened ({error})") from error
        with self._asked() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.executescript(SCHEMA)
            connection.execute("INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0)", (secrets.token_hex(3),))
            (self._identity,) = connection.execute("SELECT identity FROM state").fetchone()

    @property
    def name(self) -> str:
        """What identifies this landing, and with an id a message: a new file of the same name is another."""
        return f"{self._path.stem}-{self._identity}"

    @property
    def position(self) -> int:
        """The id of the last message moved; 0 before the first."""
        with self._asked() as connection:
            return int(connection.execute("SELECT position FROM state").fetchone()[0])

    @property
    def backlog(self) -> int:
        """How many messages wait to be moved."""
        with self._asked() as connection:
            query = "SELECT count(*) FROM messages WHERE id > (SELECT position FROM state)"
            return int(connection.execute(query).fetchone()[0])

    def hold(self) -> None:
        """Be the only one who appends, until `close`; raises LandingError when somebody else is."""
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise LandingError(
                f"{self._path} is held by another receiver: stop it, or give this one its own folder"
            ) from error
        self._lock = lock

    def append(self, messages: Iterable[Message], acknowledged: int = 0) -> int:
        """Keep these messages durably, all or none; the id of the last in here.

        `acknowledged` is the last id of which the sender surely knows; it is remembered beside them.
        Raises LandingError; then nothing may be acknowledged.
        """
        self._have_room()
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO messages (topic, received, flags, payload) VALUES (?, ?, ?, ?)",
                [
                    (
                        self._ids.get(message.topic) or self._enter(connection, message.topic),
                        (message.received_at - EPOCH) // MICROSECOND,
                        message.qos + RETAINED * message.retained + MID * message.mid,
                        message.payload,
                    )
                    for message in messages
                ],
            )
            connection.execute("UPDATE state SET acknowledged = max(acknowledged, ?)", (acknowledged,))
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0])

    def _have_room(self) -> None:
        """Raise LandingError when nothing more may be kept; looked at every second, at once if it was so."""
        if time.monotonic() < self._looked_at + LOOK_EVERY:
            return
        if self._spare:
            free = shutil.disk_usage(self._path.parent).free
            if free < self._spare:
                raise LandingError(
                    f"{self._path.parent}: {free // MEGABYTE} MB are left on the disk and "
                    f"{self._spare // MEGABYTE} MB (TEMOIN_DISK_SPARE_MB) must be: make room"
                )
        if self._most is not None and self.size >= self._most:
            raise LandingError(
                f"{self._path} holds {self.size // MEGABYTE} MB, as much as it may "
                "(TEMOIN_LANDING_MAX_MB): the store must take some first"
            )
        self._looked_at = time.monotonic()

    @property
    def size(self) -> int:
        """Bytes that messages take up here, room that can be used again left out."""
        with self._asked() as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * size)

    @property
    def crowded(self) -> bool:
        """Whether it is nearly as large as it may be."""
        return self._most is not None and self.size > EARLY * self._most

    def doubtful(self) -> list[Message]:
        """Messages landed of which the sender may not know: it would send exactly these again."""
        with self._asked() as connection:
            (acknowledged,) = connection.execute("SELECT acknowledged FROM state").fetchone()
            rows = list(self._rows(connection, acknowledged, NO_LIMIT))
            return [self._message(connection, row) for row in rows]

    def after(self, position: int, limit: int) -> list[tuple[int, Message]]:
        """Ids and messages that follow `position`, at most `limit` and about 8 MB; packed ones included."""
        with self._asked() as connection:
            chosen: list[tuple[int, Message]] = []
            size = 0
            for row in self._rows(connection, position, limit):
                chosen.append((row[0], self._message(connection, row)))
                size += len(row[4])
                if len(chosen) >= limit or size >= BATCH_BYTES:
                    break
            return chosen

    def moved_to(self, position: int) -> None:
        """Remember that everything up to this id was moved; an earlier one changes nothing."""
        with self._transaction() as connection:
            connection.execute("UPDATE state SET position = max(position, ?)", (position,))

    def tidy(self, forget_before: datetime) -> None:
        """Pack what was moved, forget what was moved and received before `forget_before`.

        What was moved goes before its time when the landing is nearly as large as it may be. The newest
        message always stays a row of its own, so that SQLite never gives its id again.
        """
        while self._pack():
            time.sleep(REST)
        oldest = (forget_before - EPOCH) // MICROSECOND
        with self._transaction() as connection:
            connection.execute("DELETE FROM packs WHERE received < ?", (oldest,))
            connection.execute(
                "DELETE FROM messages WHERE id <= (SELECT position FROM state)"
                " AND id < (SELECT max(id) FROM messages) AND received < ?",
                (oldest,),
            )
        while self.crowded and self._forget_oldest():
            pass

    def _forget_oldest(self) -> bool:
        """Forget the oldest thousand moved, for the sake of what comes; whether there were."""
        with self._transaction() as connection:
            gone = connection.execute(
                "DELETE FROM packs WHERE last = (SELECT min(last) FROM packs)"
                " AND last <= (SELECT position FROM state)"
            )
            return gone.rowcount > 0

    def close(self) -> None:
        """Let go of the file and of the hold; twice is fine."""
        with self._turn:
            self._connection.close()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise LandingError(f"{self._path}: the landing does not answer ({error})") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._asked() as connection:
            kept = False
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                kept = True
            finally:
                if not kept:
                    self._ids.clear()  # it may hold topics that were not kept
                    if connection.in_transaction:  # a full disk has rolled back already
                        connection.rollback()

    def _enter(self, connection: sqlite3.Connection, topic: str) -> int:
        """The id of a topic this object has not met."""
        if len(self._ids) >= MOST_TOPICS:
            self._ids.clear()
        connection.execute("INSERT INTO topics (topic) VALUES (?) ON CONFLICT DO NOTHING", (topic,))
        row = connection.execute("SELECT id FROM topics WHERE topic = ?", (topic,)).fetchone()
        self._ids[topic] = int(row[0])
        return int(row[0])

    def _topic(self, connection: sqlite3.Connection, topic_id: int) -> str:
        topic = self._topics.get(topic_id)
        if topic is None:
            if len(self._topics) >= MOST_TOPICS:
                self._topics.clear()
            row = connection.execute("SELECT topic FROM topics WHERE id = ?", (topic_id,)).fetchone()
            topic = self._topics[topic_id] = str(row[0])
        return topic

    def _message(self, connection: sqlite3.Connection, row: Row) -> Message:
        _, topic_id, received, flags, payload = row
        return Message(
            topic=self._topic(connection, topic_id),
            payload=payload,
            received_at=EPOCH + timedelta(microseconds=received),
            qos=flags % RETAINED,
            retained=bool(flags & RETAINED),
            mid=flags // MID,
        )

    def _rows(self, connection: sqlite3.Connection, position: int, limit: int) -> Iterator[Row]:
        packs = connection.execute("SELECT body FROM packs WHERE last > ? ORDER BY last", (position,))
        for (body,) in packs:
            yield from (row for row in _unpacked(body) if row[0] > position)
        yield from connection.execute(f"{SELECT} WHERE id > ? ORDER BY id LIMIT ?", (position, limit))

    def _pack(self) -> bool:
        """Turn the thousand oldest moved messages into one pack; whether there were as many."""
        with self._asked() as connection:
            rows: list[Row] = connection.execute(
                f"{SELECT} WHERE id <= (SELECT position FROM state) AND id < (SELECT max(id) FROM messages)"
                " ORDER BY id LIMIT ?",
                (PACK_MESSAGES,),
            ).fetchall()
        if len(rows) < PACK_MESSAGES:
            return False
        body, last = _packed(rows), rows[-1][0]  # before the transaction: others may append meanwhile
        with self._transaction() as connection:
            query = "SELECT count(*) FROM messages WHERE id <= ?"
            if connection.execute(query, (last,)).fetchone() == (len(rows),):  # nobody else packed them
                newest = max(row[2] for row in rows)
                connection.execute("INSERT INTO packs VALUES (?, ?, ?)", (last, newest, body))
                connection.execute("DELETE FROM messages WHERE id <= ?", (last,))
        return True


def _packed(rows: list[Row]) -> bytes:
    body = bytearray()
    for number, topic, received, flags, payload in rows:
        body += PACKED.pack(number, topic, received, flags, len(payload))
        body += payload
    return zlib.compress(body, 1)


def _unpacked(pack: bytes) -> Iterator[Row]:
    body = zlib.decompress(pack)
    start = 0
    while start < len(body):
        number, topic, received, flags, length = PACKED.unpack_from(body, start)
        start += PACKED.size
        yield number, topic, received, flags, body[start : start + length]
        start += length
