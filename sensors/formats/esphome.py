"""ESPHome: `{prefix}/sensor/{name}/state` and `{prefix}/binary_sensor/{name}/state`, one bare value a topic.

The prefix is the node, the name says the quantity; a place in it (`loire_co2` of a node with several) makes a
device of its own. Logs, states of switches and what the node says of itself measure nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.entity import entity

if TYPE_CHECKING:
    from sensors.draft import Draft

_PREFIXES = ("+", "+/+", "+/+/+")
_MEASURING = ("sensor", "binary_sensor")
_OTHERS = ("switch", "light", "text_sensor", "number", "select", "button", "climate", "fan", "cover")
TOPICS = (
    *(f"{prefix}/{kind}/+/state" for prefix in _PREFIXES for kind in (*_MEASURING, *_OTHERS)),
    *("+/debug", "esphome/+/debug", "esphome/+/status"),
)
MARKS: tuple[str, ...] = ()


def read(draft: Draft) -> None:
    """The reading of one sensor, when its name tells one."""
    *prefix, kind, name, attribute = ["", "", "", *draft.topic.split("/")]
    if attribute != "state" or kind not in _MEASURING:
        return
    found = entity(name)
    if found is None:
        draft.refuse("nothing_known", f"no quantity is known by the name {name!r:.60}")
        return
    place, quantity = found
    root, *node = [level for level in prefix if level] or [""]
    if draft.origin(root, "/".join([*(node or [root]), *([place] if place else [])])):
        draft.take_bare(quantity)
