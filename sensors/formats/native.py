"""Témoin's own: `temoin/{gateway}/{device}`, one object or a list of them.

{"time": "2026-03-02T09:15:00Z", "seq": 7, "readings": {"co2": 612, "presence": true}}
`time` is ISO 8601 (without a zone: the decoder's), or seconds or milliseconds since 1970; without it the
time of reception stands in. Keys of `readings` are those of `sensors.metrics`, values in its units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.metrics import METRICS
from sensors.wording import misfit, shown

if TYPE_CHECKING:
    from sensors.draft import Draft

TOPICS = ("temoin/+/+",)
MARKS: tuple[str, ...] = ()


def read(draft: Draft) -> None:
    """Readings of one object, or of each in a list."""
    _, gateway, device = draft.topic.split("/")
    document = draft.document
    if type(document) is not list:
        _entry(draft, gateway, device, document, "")
        return
    if not document:
        draft.refuse("empty", "the payload is an empty list")
    for index, entry in enumerate(document):
        _entry(draft, gateway, device, entry, f"[{index}].")


def _entry(draft: Draft, gateway: str, device: str, entry: object, within: str) -> None:
    if type(entry) is not dict:
        draft.refuse(*misfit(within or "the payload", entry, "an object with `readings`"))
        return
    if "readings" not in entry:
        draft.refuse("missing", f"there is no {within}readings")
        return
    readings = entry["readings"]
    if type(readings) is not dict:
        draft.refuse(*misfit(f"{within}readings", readings, "an object of metric and value"))
        return
    if not readings:
        draft.refuse("empty", f"{within}readings has nothing in it")
        return
    if draft.origin(gateway, device, entry.get("time"), seq=entry.get("seq"), within=within):
        within = f"{within}readings."
        for key, value in readings.items():
            _reading(draft, key, value, within)


def _reading(draft: Draft, key: str, value: object, within: str) -> None:
    metric = METRICS.get(key)
    if metric is None:
        draft.refuse("unknown_metric", f"{within}{shown(key)} is none of {', '.join(METRICS)}")
    elif metric.is_state:
        if value in (0, 1):  # true and false are these too
            draft.put(metric, float(value), key, within)
        elif value is not None:
            draft.refuse(*misfit(within + key, value, "0 or 1"))
    elif type(value) is float or type(value) is int:
        draft.put(metric, value, key, within)
    elif value is not None:  # null: not measured this time
        draft.refuse(*misfit(within + key, value, "a number"))
