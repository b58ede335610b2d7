"""The landing keeps what it took, in order, once, whatever happens to its process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sensors import landing as landing_module
from sensors.landing import Landing
from sensors.reading import LandingError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.fixture
def landing(tmp_path: Path) -> Iterator[Landing]:
    opened = Landing(tmp_path / "mqtt.db")
    yield opened
    opened.close()


def messages(start: int, count: int, received_at: datetime = NOON) -> list[Message]:
    return [
        Message(
            f"temoin/nord/{n % 7}", b'{"seq": %d}' % n, received_at, n % 3, n % 2 == 1, mid=n * 29 % 65_536
        )
        for n in range(start, start + count)
    ]


def kept(landing: Landing) -> list[Message]:
    found, position = [], 0
    while batch := landing.after(position, 300):
        found += [message for _, message in batch]
        position = batch[-1][0]
    return found


def test_messages_come_back_as_they_were_in_order(landing: Landing):
    sent = [*messages(0, 20), Message("v3/é/x", bytes(range(256)), NOON, 1, retained=False)]
    landing.append(sent[:5])
    landing.append(sent[5:])
    assert kept(landing) == sent
    assert [number for number, _ in landing.after(0, 100)] == list(range(1, 22))


def test_after_gives_what_follows_and_no_more_than_asked(landing: Landing):
    landing.append(messages(0, 10))
    assert [number for number, _ in landing.after(4, 3)] == [5, 6, 7]
    assert landing.after(10, 3) == []


def test_after_stays_within_its_bytes_but_gives_at_least_one(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(landing_module, "BATCH_BYTES", 1000)
    landing.append([Message("temoin/a/b", b"x" * 600, NOON) for _ in range(5)])
    assert len(landing.after(0, 100)) == 2


def test_the_position_survives_and_only_advances(tmp_path: Path):
    first = Landing(tmp_path / "mqtt.db")
    first.append(messages(0, 10))
    first.moved_to(7)
    first.moved_to(3)
    first.close()
    again = Landing(tmp_path / "mqtt.db")
    assert (again.position, again.backlog) == (7, 3)
    again.close()


def test_moved_messages_are_packed_and_still_there(landing: Landing, tmp_path: Path):
    sent = messages(0, 2500)
    landing.append(sent)
    landing.moved_to(2200)
    landing.tidy(NOON - MONTH)
    with sqlite3.connect(tmp_path / "mqtt.db") as peek:
        assert peek.execute("SELECT count(*) FROM packs").fetchone() == (2,)
        assert peek.execute("SELECT count(*) FROM messages").fetchone() == (500,)
    assert kept(landing) == sent
    assert [number for number, _ in landing.after(1998, 4)] == [1999, 2000, 2001, 2002]


def test_others_append_while_messages_are_compressed(landing: Landing, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landing_module, "BUSY", 0.1)
    receiving = Landing(landing._path)  # noqa: SLF001 - as another process would
    compress = landing_module.zlib.compress

    def slowly(body: bytes, level: int) -> bytes:
        receiving.append(messages(2000, 1))
        return compress(body, level)

    landing.append(messages(0, 2000))
    landing.moved_to(2000)
    monkeypatch.setattr(landing_module.zlib, "compress", slowly)
    landing.tidy(NOON - MONTH)
    receiving.close()
    assert kept(landing) == messages(0, 2000) + 2 * messages(2000, 1)


def test_two_who_tidy_at_once_pack_a_message_once(landing: Landing, monkeypatch: pytest.MonkeyPatch):
    other = Landing(landing._path)  # noqa: SLF001 - as another process would
    compress = landing_module.zlib.compress

    def overtaken(body: bytes, level: int) -> bytes:
        monkeypatch.setattr(landing_module.zlib, "compress", compress)
        other.tidy(NOON - MONTH)
        return compress(body, level)

    landing.append(messages(0, 2500))
    landing.moved_to(2500)
    monkeypatch.setattr(landing_module.zlib, "compress", overtaken)
    landing.tidy(NOON - MONTH)
    other.close()
    assert kept(landing) == messages(0, 2500)


def test_what_was_not_moved_is_never_packed_nor_forgotten(landing: Landing):
    landing.append(messages(0, 1500, NOON - 2 * MONTH))
    landing.tidy(NOON)
    assert len(kept(landing)) == 1500


def test_moved_messages_are_forgotten_after_their_retention(landing: Landing):
    landing.append(messages(0, 1500, NOON - 2 * MONTH))
    landing.append(messages(1500, 10))
    landing.moved_to(1510)
    landing.tidy(NOON - MONTH)
    assert kept(landing) == messages(1500, 10)


def test_an_id_is_never_given_again(landing: Landing):
    landing.append(messages(0, 2000, NOON - 2 * MONTH))
    landing.moved_to(2000)
    landing.tidy(NOON - MONTH)
    landing.append(messages(2000, 1))
    assert landing.after(landing.position, 10) == [(2001, messages(2000, 1)[0])]


def test_what_the_sender_may_not_know_of_is_doubtful_packed_or_not(landing: Landing):
    last = landing.append(messages(0, 1200))
    landing.append(messages(1200, 800), acknowledged=last - 700)
    landing.moved_to(2000)
    landing.tidy(NOON - MONTH)
    assert landing.doubtful() == messages(500, 1500)
    landing.append((), acknowledged=2000)
    assert landing.doubtful() == []


def test_another_file_of_the_same_name_is_another_landing(tmp_path: Path):
    one, other = Landing(tmp_path / "a" / "mqtt.db"), Landing(tmp_path / "b" / "mqtt.db")
    assert one.name != other.name
    assert one.name.startswith("mqtt-")
    one.close()
    other.close()


def test_two_may_not_hold_it_until_the_first_lets_go(tmp_path: Path):
    first, second = Landing(tmp_path / "mqtt.db"), Landing(tmp_path / "mqtt.db")
    first.hold()
    with pytest.raises(LandingError, match="held by another receiver"):
        second.hold()
    first.close()
    second.hold()
    second.close()


def test_a_batch_that_cannot_be_kept_whole_is_not_kept_at_all(landing: Landing):
    landing.append(messages(0, 1))
    broken = [*messages(1, 5), Message("temoin/new/x", None, NOON)]  # type: ignore[arg-type]
    with pytest.raises(LandingError):
        landing.append(broken)
    assert kept(landing) == messages(0, 1)
    landing.append([Message("temoin/new/x", b"1", NOON)])
    assert kept(landing)[-1].topic == "temoin/new/x"


def test_a_full_disk_is_a_landing_error_and_passes(landing: Landing):
    landing.append(messages(0, 10))
    landing._connection.execute("PRAGMA max_page_count = 10")  # noqa: SLF001 - SQLite's own way to be full
    with pytest.raises(LandingError, match="full"):
        landing.append([Message("temoin/new/x", b"x" * 100_000, NOON)])
    landing._connection.execute("PRAGMA max_page_count = 100000")  # noqa: SLF001 - and to have room again
    landing.append([Message("temoin/new/x", b"x", NOON)])
    assert kept(landing) == [*messages(0, 10), Message("temoin/new/x", b"x", NOON)]


def test_a_folder_that_cannot_be_made_is_a_landing_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LandingError, match="cannot be opened"):
        Landing(tmp_path / "file" / "mqtt.db")


APPENDING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sensors.landing import Landing
from sensors.reading import Message
landing, n = Landing(Path(sys.argv[1])), int(sys.argv[2])
while True:
    batch = [Message("temoin/a/b", b"%d" % (n + i), datetime.now(UTC)) for i in range(50)]
    landing.append(batch)
    n += 50
    print(n, flush=True)
    landing.moved_to(landing.after(landing.position, 500)[-1][0])
    landing.tidy(datetime(2020, 1, 1, tzinfo=UTC))
"""


def test_what_was_appended_survives_kill_9_at_any_instant(tmp_path: Path):
    path, promised = tmp_path / "mqtt.db", 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDING, str(path), str(promised)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            promised = int(line)
            if promised % 1000 >= 700:
                process.send_signal(signal.SIGKILL)
                break
        promised = int(([*process.stdout] or [str(promised)])[-1])
        process.wait()
        process.stdout.close()
        landing = Landing(path)
        found = [int(message.payload) for message in kept(landing)]
        landing.close()
        # a batch may have been kept just before the kill, unpromised: what follows starts after it
        assert found == list(range(len(found)))
        assert promised <= len(found) <= promised + 50
        promised = len(found)


def crowded(tmp_path: Path, most: int) -> Landing:
    """A landing that is full of messages of incompressible bytes."""
    landing = Landing(tmp_path / "mqtt.db", most)
    while landing.size < most:
        landing.append(Message("temoin/nord/a", os.urandom(500), NOON) for _ in range(500))
    with pytest.raises(LandingError, match=r"as much as it may \(TEMOIN_LANDING_MAX_MB\)"):
        landing.append(messages(0, 1))
    return landing


def test_a_landing_that_holds_as_much_as_it_may_takes_nothing_more_until_some_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(landing_module, "LOOK_EVERY", 0.0)
    landing = crowded(tmp_path, 3_000_000)
    assert 3_000_000 <= landing.size < 3_500_000
    before = len(kept(landing))
    landing.moved_to(landing.after(0, 4000)[-1][0])
    landing.tidy(NOON - MONTH)  # none is old: the oldest of those moved make room
    assert landing.size < 3_000_000
    landing.append(messages(0, 1))
    assert before - 4000 <= len(kept(landing)) - 1 < before
    landing.close()


def test_nothing_that_was_not_moved_is_forgotten_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landing_module, "LOOK_EVERY", 0.0)
    landing = crowded(tmp_path, 1_000_000)
    before = kept(landing)
    landing.tidy(NOON + MONTH)
    assert kept(landing) == before
    landing.close()


def test_the_disk_is_left_the_room_others_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landing_module, "LOOK_EVERY", 0.0)
    landing = Landing(tmp_path / "mqtt.db", spare=10_000_000)
    free = 9_000_000
    monkeypatch.setattr(landing_module.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    with pytest.raises(LandingError, match=r"9 MB are left .* 10 MB \(TEMOIN_DISK_SPARE_MB\) must be"):
        landing.append(messages(0, 1))
    free = 11_000_000
    landing.append(messages(0, 1))
    assert len(kept(landing)) == 1
    landing.close()
