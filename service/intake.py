"""Readings over HTTP: each item of a request is a message of its own, landed before the answer.

An item lands byte for byte as it came, on the topic `temoin/{gateway}/{device}`, so that what is told at once
and what the mover finds later are the same. What names no device lands on `temoin/{gateway}/`: the payload
may name one itself in a format that is known; otherwise it waits in quarantine.
"""

from __future__ import annotations

import json
import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensors.draft import LONGEST_DEVICE
from sensors.reading import Message, SensorError
from service import river

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sensors.landing import Landing
    from sensors.move import Mover, Progress
    from service.registry import Registry
    from service.settings import Settings

LANDING = "http"
EVENT = "application/-/device/-/event/{event}"  # as its topics have it: the body names the device
MOST_ITEMS = 10_000  # a request
AGAIN = 5.0  # seconds between attempts to become the mover
BLANK = " \t\r\n"
log = logging.getLogger("temoin.intake")


class ForeignDevice(Exception):  # noqa: N818 - a refusal of the caller, answered with 403
    """A device that is not the gateway's own."""


class TooManyItems(Exception):  # noqa: N818 - a refusal of the caller, answered with 413
    """A request with more items than one may have."""


@dataclass(frozen=True)
class Refused:
    """An item that was not, or not wholly, understood: its place in the request, and why."""

    item: int
    device: str | None
    code: str
    reason: str


@dataclass(frozen=True)
class Taken:
    """What a request came to: items that landed, readings in them, items refused wholly or in part."""

    items: int
    readings: int
    refused: tuple[Refused, ...]


class Intake:
    """The landing of what is posted, opened when it is first needed, and its mover."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry
        self._turn = threading.Lock()
        self._sieve = river.sieve(settings, registry)
        self._landing: Landing | None = None
        self._mover: Mover | None = None

    @property
    def progress(self) -> Progress | None:
        """How the mover does; None while this process moves nothing."""
        return None if self._mover is None else self._mover.progress

    def landing(self) -> Landing:
        """The landing; raises LandingError when it cannot be used."""
        with self._turn:
            if self._landing is None:
                self._landing = river.open_landing(self._settings, LANDING)
            return self._landing

    def take(self, gateway: str, body: bytes, now: datetime, event: str | None = None) -> Taken:
        """Land what a gateway posted, and say what can be read of it.

        `event` is what ChirpStack says beside the body: which of its events it is (`up`, `join`, …).
        Raises LandingError, ForeignDevice or TooManyItems: then nothing was kept.
        """
        items = [(None, body)] if event else list(_items(gateway, body))
        beside = EVENT.format(event=event) if event else ""
        messages = [Message(f"temoin/{gateway}/{beside or device or ''}", raw, now) for device, raw in items]
        readings, refused = 0, []
        with self._turn:  # the gate remembers the clocks of devices
            for number, message in enumerate(messages):
                sifted = self._sieve.sift([(number, message)])
                readings += len(sifted.readings)
                refused += [
                    Refused(number, items[number][0], *_code_and_reason(each.reason))
                    for each in sifted.refusals
                ]
        self.landing().append(messages)
        return Taken(len(messages), readings, tuple(refused))

    def move(self, stop: threading.Event) -> None:
        """Move what lands into the store until `stop` is set; one process of several on a folder does.

        The store is the mover's own: whoever waits to write holds up nobody who reads for a page.
        """
        while not stop.is_set():
            try:
                with closing(river.open_store(self._settings)) as store:
                    landing = self.landing()
                    mover = river.mover(self._settings, self._registry, store, landing)
                    landing.hold()
                    self._mover = mover
                    mover.run(stop)
            except SensorError as error:
                log.info("another process moves what is posted, or it cannot be moved: %s", error)
                stop.wait(AGAIN)

    def close(self) -> None:
        """Let go of the landing; twice is fine."""
        with self._turn:
            if self._landing is not None:
                self._landing.close()
                self._landing = None


def _items(gateway: str, body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """Device and bytes of each item of a batch; a body in another format, or broken, is one item."""
    try:
        found = _batch(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, nested too deep: the decoder says which
        found = None
    if found is None:
        yield None, body
        return
    if len(found) > MOST_ITEMS:
        raise TooManyItems(f"A request has at most {MOST_ITEMS} items; this one has {len(found)}.")
    for document, raw in found:
        yield _device(gateway, document), raw.encode()


def _batch(text: str) -> list[tuple[object, str]] | None:
    """Each item and its text as it came; None for what is not ours, or not a batch of ours."""
    decoder = json.JSONDecoder(parse_int=float)  # digits without end are one item's fault, not the batch's
    position = _after_blank(text, 0)
    if text[position : position + 1] != "[":
        document, _ = decoder.raw_decode(text, position)
        return [(document, text)] if _is_ours(document) else None
    found: list[tuple[object, str]] = []
    position = _after_blank(text, position + 1)
    while text[position : position + 1] != "]":
        document, end = decoder.raw_decode(text, position)
        found.append((document, text[position:end]))
        position = _after_blank(text, end)
        if text[position : position + 1] == ",":
            position = _after_blank(text, position + 1)
        elif text[position : position + 1] != "]":
            return None
    ours = any(_is_ours(document) for document, _ in found)
    return found if ours and not text[position + 1 :].strip(BLANK) else None


def _after_blank(text: str, position: int) -> int:
    while position < len(text) and text[position] in BLANK:
        position += 1
    return position


def _is_ours(document: object) -> bool:
    return isinstance(document, dict) and "readings" in document


def _device(gateway: str, document: object) -> str | None:
    """The item's device, without the gateway's name before it; None when it names none that could be.

    Raises ForeignDevice for another gateway's.
    """
    named = document.get("device") if isinstance(document, dict) else None
    if not isinstance(named, str) or not named.strip():
        return None
    device = named.removeprefix(f"{gateway}/")
    if "/" in device:
        raise ForeignDevice(
            f"The gateway {gateway} writes its own devices only, and their names hold no « / »: "
            f"« {named[:200]} » is none."
        )
    return device if device.isprintable() and len(device) <= LONGEST_DEVICE else None


def _code_and_reason(reason: str) -> tuple[str, str]:
    code, _, sentence = reason.partition(": ")
    return code, sentence or reason
