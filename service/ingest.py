"""Broker to store on one machine: the receiver as a child process, the mover in this one, and how both do."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sensors.landing import MEGABYTE
from sensors.reading import LandingError
from sensors.receive import ReceiverConfig, ReceiverStatus, read_status
from service import river

if TYPE_CHECKING:
    from pathlib import Path

    from sensors.landing import Landing
    from sensors.move import Mover
    from sensors.store import ReadingStore
    from service.registry import Registry
    from service.settings import Settings

# of the garbage collector: a batch's readings all live until they are stored, looking for dead ones is idle
SPARING = (100_000, 20, 50)
PATIENCE = 5.0  # seconds for the receiver of a killed parent to notice and let go of the landing
LONGEST_PAUSE = 60.0  # seconds between two starts of a receiver that dies
STEADY = 60.0  # a receiver that lived so long died of something new: it is started again at once
STOPPING = 10.0  # seconds a receiver has to land and acknowledge what it holds
STATUS_EVERY = 5.0
RECEIVER = ".receiver.json"  # a status, after the name of the landing
SILENT = timedelta(seconds=30)  # a status older than this is no longer true

log = logging.getLogger("temoin.ingest")


@dataclass(frozen=True, slots=True)
class MoverStatus:
    """How the mover does, as it writes it for others every few seconds; times are ISO 8601, UTC."""

    at: str
    moved: int
    readings: int
    refused: int
    backlog: int
    trouble: str | None
    since: str | None


def ingest(settings: Settings, registry: Registry, store: ReadingStore, stop: threading.Event) -> None:
    """Receive and move until `stop` is set. Raises LandingError when another receiver holds the landing."""
    _wait_for_hold(settings)
    landing = river.open_landing(settings, settings.landing)
    mover = river.mover(settings, registry, store, landing, _waiting(settings))
    gc.set_threshold(*SPARING)
    watching = threading.Thread(target=_watch, args=(settings, landing, mover, stop), name="receiver")
    watching.start()
    try:
        mover.run(stop)
    finally:
        stop.set()
        watching.join()
        _tell(settings, landing, mover)
        landing.close()


def receiver_config(settings: Settings) -> ReceiverConfig:
    """What the receiver is told, secrets included: through its stdin only."""
    folder = settings.data_dir.absolute() / "landing"
    return ReceiverConfig(
        landing=str(folder / f"{settings.landing}.db"),
        status=str(_receiver_file(settings)),
        url=settings.mqtt_url,
        topics=settings.mqtt_topics,
        client_id=settings.client_id(),
        protocol=settings.mqtt_protocol,
        user=settings.mqtt_user,
        password=settings.mqtt_password.get_secret_value() if settings.mqtt_password else None,
        ca=_text(settings.mqtt_ca),
        cert=_text(settings.mqtt_cert),
        key=_text(settings.mqtt_key),
        most=settings.landing_max_mb * MEGABYTE,
        spare=settings.disk_spare_mb * MEGABYTE,
        parent=os.getpid(),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What one `temoin ingest` last said of itself, by the name of its landing."""

    landing: str
    receiver: ReceiverStatus
    mover: MoverStatus

    @property
    def heard(self) -> datetime:
        """When the one of the two that has been silent for longer last said something."""
        return min(datetime.fromisoformat(each.at) for each in (self.receiver, self.mover))


def everyone(settings: Settings) -> list[Said]:
    """What every ingest of this folder last said, by landing; empty when none ever ran on it."""
    files = sorted((settings.data_dir.absolute() / "landing").glob(f"*{RECEIVER}"))
    said = ((file.name.removesuffix(RECEIVER), read_status(file), _mover_status(file)) for file in files)
    return [Said(name, receiver, mover) for name, receiver, mover in said if receiver and mover]


def receiver_status(settings: Settings) -> ReceiverStatus | None:
    """What the receiver of these settings last said of itself; None when it never ran on this folder."""
    return read_status(_receiver_file(settings))


def mover_status(settings: Settings) -> MoverStatus | None:
    """What the mover of these settings last said of itself; None when it never ran on this folder."""
    return _mover_status(_receiver_file(settings))


def _mover_status(receiver: Path) -> MoverStatus | None:
    try:
        return MoverStatus(**json.loads(_beside(receiver).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _waiting(settings: Settings) -> tuple[str, datetime] | None:
    """What the mover before this one waited for when it ended, and since when: a restart mends no store."""
    before = mover_status(settings)
    if before is None or before.trouble is None or before.since is None:
        return None
    return before.trouble, datetime.fromisoformat(before.since)


def troubles(settings: Settings, now: datetime) -> list[str]:
    """Why readings do not flow from the broker to the store now, a sentence each; none when they do."""
    said = everyone(settings)
    if not said:
        return ["No `temoin ingest` has run on this folder yet."]
    return [
        f"{each.landing}: {trouble}" if len(said) > 1 else trouble
        for each in said
        for trouble in _troubles(each.receiver, each.mover, now)
    ]


def _troubles(receiver: ReceiverStatus, mover: MoverStatus, now: datetime) -> list[str]:
    found = []
    if now - datetime.fromisoformat(receiver.at) > SILENT:
        found.append(
            f"The receiver has said nothing since {receiver.at}: it is stopped, or its disk is full."
        )
    elif receiver.trouble or not receiver.connected:
        found.append(f"The receiver waits: {receiver.trouble or 'it is not connected to the broker'}.")
    if now - datetime.fromisoformat(mover.at) > SILENT:
        found.append(f"The mover has said nothing since {mover.at}: it is stopped.")
    elif mover.trouble:
        found.append(f"The mover waits since {mover.since}: {mover.trouble}.")
    return found


def _wait_for_hold(settings: Settings) -> None:
    """Make sure that no other receiver has the landing; one whose parent was killed gets time to end."""
    landing = river.open_landing(settings, settings.landing)
    until = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                landing.hold()
            except LandingError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return
    finally:
        landing.close()


def _watch(settings: Settings, landing: Landing, mover: Mover, stop: threading.Event) -> None:
    """Keep a receiver running and the mover's status written, until `stop` is set."""
    pause, told_at = 1.0, 0.0
    try:
        while not stop.is_set():
            began = time.monotonic()
            receiver = _start(receiver_config(settings))
            while receiver.poll() is None and not stop.wait(0.2):
                if time.monotonic() > told_at + STATUS_EVERY:
                    told_at = time.monotonic()
                    _tell(settings, landing, mover)
            if stop.is_set():
                _end(receiver)
                return
            if time.monotonic() - began > STEADY:
                pause = 1.0
            log.error("the receiver ended with code %s; again in %.0f s", receiver.returncode, pause)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    finally:
        stop.set()  # without somebody to watch the receiver, the whole had better be started again


def _start(config: ReceiverConfig) -> subprocess.Popen[bytes]:
    receiver = subprocess.Popen([sys.executable, "-m", "sensors.receive"], stdin=subprocess.PIPE)
    assert receiver.stdin is not None  # noqa: S101 - asked for above
    with suppress(BrokenPipeError):  # it died at once: the watch will see
        receiver.stdin.write(json.dumps(asdict(config)).encode())
        receiver.stdin.close()
    return receiver


def _end(receiver: subprocess.Popen[bytes]) -> None:
    receiver.terminate()
    try:
        receiver.wait(STOPPING)
    except subprocess.TimeoutExpired:
        receiver.kill()
        receiver.wait()


def _tell(settings: Settings, landing: Landing, mover: Mover) -> None:
    progress = mover.progress
    with suppress(OSError, LandingError):  # a full disk: the old status tells by its age
        status = MoverStatus(
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            moved=progress.moved,
            readings=progress.readings,
            refused=progress.refused,
            backlog=landing.backlog,
            trouble=progress.trouble,
            since=progress.since.isoformat(timespec="seconds") if progress.since else None,
        )
        file = _beside(_receiver_file(settings))
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(status)), encoding="utf-8")
        draft.replace(file)


def _receiver_file(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "landing" / f"{settings.landing}{RECEIVER}"


def _beside(receiver: Path) -> Path:
    return receiver.with_name(f"{receiver.name.removesuffix(RECEIVER)}.mover.json")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
