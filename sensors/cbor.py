"""The part of CBOR (RFC 8949) that SenML uses: definite lengths, no tags, nothing large."""

from __future__ import annotations

import struct

DEEPEST = 4
LARGEST = 150_000  # bytes, each of which may be an item
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_SIMPLE: dict[int, object] = {20: False, 21: True, 22: None, 23: None}


class BrokenCborError(ValueError):
    """Bytes that are no CBOR, or CBOR beyond what is read here."""


def decoded(payload: bytes) -> object:
    """The one item a payload holds; raises BrokenCborError."""
    if len(payload) > LARGEST:
        raise BrokenCborError(f"it has more than {LARGEST} bytes")
    try:
        item, end = _item(payload, 0, DEEPEST)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise BrokenCborError("it breaks off, or holds what is no text or no key") from error
    if end != len(payload):
        raise BrokenCborError(f"{len(payload) - end} bytes follow it")
    return item


def _item(data: bytes, at: int, depth: int) -> tuple[object, int]:
    kind, detail = data[at] >> 5, data[at] & 31
    at += 1
    if kind == 7:  # noqa: PLR2004 - major type 7: floats, yes and no
        return _simple(data, at, detail)
    number, at = _number(data, at, detail)
    if kind in (0, 1):
        return (number if kind == 0 else -1 - number), at
    if kind in (2, 3):
        end = at + number
        if end > len(data):
            raise BrokenCborError("a text is longer than the payload")
        return (data[at:end] if kind == 2 else str(data[at:end], "utf-8")), end  # noqa: PLR2004 - bytes
    if kind in (4, 5) and depth and number <= len(data) - at:
        return _array(data, at, number, depth) if kind == 4 else _map(data, at, number, depth)  # noqa: PLR2004
    raise BrokenCborError("it is nested too deep, longer than the payload, or has tags")


def _number(data: bytes, at: int, detail: int) -> tuple[int, int]:
    if detail < 24:  # noqa: PLR2004 - the number itself
        return detail, at
    if detail > 27:  # noqa: PLR2004 - reserved, or of indefinite length
        raise BrokenCborError("it has a length that is not said")
    size = 1 << (detail - 24)
    if at + size > len(data):
        raise BrokenCborError("it breaks off")
    return int.from_bytes(data[at : at + size], "big"), at + size


def _simple(data: bytes, at: int, detail: int) -> tuple[object, int]:
    if detail in _FLOATS:
        form, size = _FLOATS[detail]
        return struct.unpack_from(form, data, at)[0], at + size
    if detail in _SIMPLE:
        return _SIMPLE[detail], at
    raise BrokenCborError("it holds a simple value that means nothing here")


def _array(data: bytes, at: int, number: int, depth: int) -> tuple[list[object], int]:
    items: list[object] = []
    for _ in range(number):
        item, at = _item(data, at, depth - 1)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, number: int, depth: int) -> tuple[dict[object, object], int]:
    items: dict[object, object] = {}
    for _ in range(number):
        key, at = _item(data, at, depth - 1)
        items[key], at = _item(data, at, depth - 1)
    return items, at
