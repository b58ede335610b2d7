"""What rooms need so that an experiment can measure what it asks: which sensors, how many, since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from experiments.outcomes import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Kind = Literal["counter", "presence", "climate", "sound", "form"]
KINDS: tuple[Kind, ...] = ("counter", "presence", "climate", "sound", "form")
# any one of these metrics will do
SERVES: dict[Kind, frozenset[str]] = {
    "counter": frozenset({"people"}),
    "presence": frozenset({"people", "presence", "motion"}),
    "climate": frozenset({"co2"}),
    "sound": frozenset({"sound"}),
    "form": frozenset(),
}
COUNTED = frozenset({"seat_fill", "people_peak"})  # of the outcomes of use, those that presence cannot give
# of one, in euros, battery and fixing included: an order of magnitude for a first budget, never a quotation
EUROS: dict[Kind, tuple[int, int]] = {
    "counter": (250, 700),
    "presence": (60, 150),
    "climate": (150, 350),
    "sound": (200, 450),
    "form": (0, 5),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of sensor for these rooms (slugs): where it is, and where it is missing.

    `euros` is the range for the missing ones together.
    """

    kind: Kind
    there: tuple[str, ...]
    missing: tuple[str, ...]
    euros: tuple[int, int]


def kinds_for(outcomes: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds of sensor that these outcomes rest on; comfort, judged while a room is used, needs two."""
    asked = [OUTCOMES[outcome] for outcome in outcomes]
    families = {each.family for each in asked}
    wanted: set[Kind] = set()
    if families & {"occupancy", "comfort"}:
        wanted.add("counter" if COUNTED & {each.key for each in asked} else "presence")
    for each in asked:
        if each.family == "comfort":
            wanted.add("sound" if each.key.startswith("sound") else "climate")
    if "voice" in families:
        wanted.add("form")
    return tuple(kind for kind in KINDS if kind in wanted)


def shopping_list(outcomes: Iterable[str], measured: Mapping[str, Collection[str]]) -> tuple[Item, ...]:
    """What to have for these outcomes in these rooms (slug → the metrics that its sensors report already).

    Every room of the experiment needs all of it, the baseline rooms as much as the treated ones. The paper
    form needs no sensor: it is never missing, and is a start by itself.
    """
    items = []
    for kind in kinds_for(outcomes):
        there = tuple(
            room for room, metrics in measured.items() if kind == "form" or SERVES[kind] & set(metrics)
        )
        missing = tuple(room for room in measured if room not in there)
        low, high = EUROS[kind]
        items.append(Item(kind, there, missing, (low * len(missing), high * len(missing))))
    return tuple(items)
