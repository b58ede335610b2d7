"""SenML in CBOR (RFC 8428, section 6): an array of maps whose keys are small numbers; on any topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.cbor import BrokenCborError, decoded
from sensors.formats import BINARY
from sensors.formats.senml import take_pack
from sensors.reading import PayloadRejected

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS: tuple[str, ...] = ()
MARKS = (BINARY,)

_KEYS = {
    -6: "bs",
    -5: "bv",
    -4: "bu",
    -3: "bt",
    -2: "bn",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
}


def read(draft: Draft) -> None:
    """Readings of each record."""
    try:
        pack = decoded(draft.payload)
    except BrokenCborError as error:
        raise PayloadRejected(f"binary: the payload is no text and no SenML in CBOR: {error}") from error
    if not isinstance(pack, list) or not all(isinstance(record, dict) for record in pack):
        raise PayloadRejected("binary: the payload is CBOR, but no SenML: no list of records")
    records = [{_KEYS.get(key, key): value for key, value in record.items()} for record in pack]
    take_pack(draft, records)
