"""Home Assistant's statestream: `{base}/{domain}/{entity}/state`, one bare value a topic.

The entity's name says place and quantity (`sensor/loire_co2`): the place is the device. Units are published
apart, so a value is taken in the usual one and refused where that cannot be. Other attributes and discovery
measure nothing; neither does `temperature` of a climate entity, which is what it is set to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.entity import entity

if TYPE_CHECKING:
    from sensors.draft import Draft

_BASES = ("homeassistant", "hass", "ha", "statestream", "home-assistant")
TOPICS = (*(f"{base}/+/+/+" for base in _BASES), "homeassistant/+/+/+/config", "homeassistant/status")
MARKS: tuple[str, ...] = ()

_DOMAINS = frozenset(["sensor", "binary_sensor"])
_MEASURED_BY_CLIMATE = frozenset(["current_temperature", "current_humidity"])


def read(draft: Draft) -> None:
    """The reading of one entity, when its name tells one."""
    base, domain, name, attribute, *_ = [*draft.levels, "", "", ""]
    if domain in _DOMAINS and attribute == "state":
        found = entity(name)
    elif domain == "climate" and attribute in _MEASURED_BY_CLIMATE:
        found = name, attribute
    else:
        return
    if found is None:
        draft.refuse("nothing_known", f"no quantity is known by the name {name!r:.60}")
        return
    place, quantity = found
    if draft.origin(base, place or name):
        draft.take_bare(quantity)
