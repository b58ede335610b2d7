"""An outcome in one language: its sizes, its effects, its sentence."""

from __future__ import annotations

from dataclasses import replace
from math import floor, log10
from typing import TYPE_CHECKING

from dashboards.words.outcomes import OUTCOMES, outcome_words

if TYPE_CHECKING:
    from dashboards.language import Language
    from experiments.estimate import Estimate


class Spoken:
    """The words of one outcome in one language."""

    def __init__(self, say: Language, outcome: str, unit: str = "", width: float | None = None) -> None:
        self.say = say
        self.words = outcome_words(outcome, unit)
        if outcome not in OUTCOMES and width:  # what nobody described may be of any size
            self.words = replace(self.words, decimals=max(0, 1 - floor(log10(width))))
        self.label = say(self.words.label)
        self.axis = say(self.words.axis)
        self.unit = say(self.words.unit) if self.words.unit else ""

    def amount(self, size: float) -> str:
        """`35 minutes`, `4,2 points`: a size with its unit."""
        text = self.say.number(abs(size), self.words.decimals)
        return self.say.plural(
            self.words.one, self.words.many, round(abs(size), self.words.decimals), size=text
        )

    def value(self, value: float) -> str:
        """A level, without unit."""
        return self.say.number(value, self.words.decimals)

    def effect(self, value: float | None) -> str:
        """A signed difference, without unit; a dash when there is none."""
        return "–" if value is None else self.say.signed(value, self.words.decimals)

    def headline(self, estimate: Estimate) -> str:
        """One sentence on the effect, with its interval, its stop included."""
        sentence = self._headline(estimate)
        return _of_one_room(sentence, self.say) if estimate.n_treated == 1 else sentence

    def _headline(self, estimate: Estimate) -> str:
        effect, low, high = estimate.effect, estimate.ci_low, estimate.ci_high
        if effect is None:
            return self.say("**L’effet n’a pas pu être estimé.**")
        if low is None or high is None:
            return self._told(effect, self.say("mais rien ne le distingue du hasard"))
        if low <= 0 <= high:
            shown = [self._answers(v) if self.words.scale == "ridit" else self.effect(v) for v in (low, high)]
            return (
                self.say(
                    self.words.unsure, low=shown[0], high=shown[1], label=self.label, unit=self.unit
                ).rstrip()
                + "."
            )
        return self._told(effect, self.between(low, high))

    def _told(self, effect: float, interval: str) -> str:
        message = self.words.more if effect >= 0 else self.words.less
        amount = self._answers(effect) if self.words.scale == "ridit" else self.amount(effect)
        return self.say(message, amount=amount, label=self.label) + f", {interval}."

    def _answers(self, effect: float) -> str:
        return _of_hundred(effect, self.say)

    def between(self, low: float, high: float) -> str:
        """`entre 20 et 49`, in sizes when both bounds are of one side."""
        if self.words.scale == "ridit":
            return self.say("entre {low} et {high}", low=self._answers(low), high=self._answers(high))
        if low * high > 0:
            low, high = sorted((abs(low), abs(high)))
            return self.say("entre {low} et {high}", low=self.value(low), high=self.value(high))
        return self.say("entre {low} et {high}", low=self.effect(low), high=self.effect(high))

    def range(self, low: float | None, high: float | None) -> str:
        """`−38 à +62`; a dash when there is none."""
        if low is None or high is None:
            return "–"
        return self.say("{low} à {high}", low=self.effect(low), high=self.effect(high))


def _width(estimate: Estimate) -> float:
    """The interval's, of which two digits are worth saying; the effect's size without one."""
    low, high = estimate.ci_low, estimate.ci_high
    return abs(estimate.effect or 0.0) if low is None or high is None else high - low


# sentences speak of several rooms; verbs first, so that what is left is the plain plural
_ONE_ROOM = {
    "fr": (
        ("salles réaménagées sont occupées", "salle réaménagée est occupée"),
        ("salles réaménagées sont plus ou moins occupées", "salle réaménagée est plus ou moins occupée"),
        ("salles réaménagées accueillent", "salle réaménagée accueille"),
        ("salles réaménagées conviennent", "salle réaménagée convient"),
        ("salles réaménagées", "salle réaménagée"),
        ("Les salle ", "La salle "),
        ("les salle ", "la salle "),
        ("des salle ", "de la salle "),
    ),
    "en": (
        ("refitted rooms are", "refitted room is"),
        ("refitted rooms’", "refitted room’s"),
        ("whether the refitted rooms host", "whether the refitted room hosts"),
        ("whether the refitted rooms work", "whether the refitted room works"),
        ("refitted rooms host", "refitted room hosts"),
        ("refitted rooms work", "refitted room works"),
        ("refitted rooms", "refitted room"),
    ),
}


def _of_one_room(sentence: str, say: Language) -> str:
    for several, one in _ONE_ROOM["fr" if say.french else "en"]:
        sentence = sentence.replace(several, one)
    return sentence


def _of_hundred(effect: float, say: Language) -> str:
    """A difference in ridit points as answers of 100; an interval may reach beyond what can be."""
    return say.number(min(100.0, max(0.0, 50 + effect)))
