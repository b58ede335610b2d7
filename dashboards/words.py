# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""What is said of results: outcomes, reasons, verdicts, in French and English, for pages and terminals alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log10
from typing import TYPE_CHECKING, Any, Literal

from dashboards.language import LOCALES, N_, Language, Locale, language, plain, rich

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from experiments.estimate import Estimate
    from experiments.reason import Reason
    from experiments.verdict import MeasureResult, Result

__all__ = ["LOCALES", "Locale", "language", "plain", "reason", "rich", "sentence"]

Tone = Literal["good", "warn", "bad", "unsure"]


@dataclass(frozen=True)
class OutcomeWords:
    """How one outcome is spoken of; `more`, `less` and `unsure` are whole sentences about the refitted rooms.

    `scale` is `amount`, `points` (shares in %, whose differences are points) or `ridit` (50 + effect answers of 100).
    """

    label: str
    axis: str
    unit: str
    one: str
    many: str
    more: str
    less: str
    unsure: str
    decimals: int = 0
    scale: Literal["amount", "points", "ridit"] = "amount"


_POINT, _POINTS = N_("{size} point"), N_("{size} points")
_RIDIT_AXIS = N_("réponses d’après, sur 100, qui dépassent une réponse d’avant")


def _share(label: str, axis: str) -> OutcomeWords:
    """A share of time in %, spoken of by its label."""
    return OutcomeWords(
        label=label,
        axis=axis,
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Dans les salles réaménagées, « {label} » **gagne {amount}**"),
        less=N_("Dans les salles réaménagées, « {label} » **perd {amount}**"),
        unsure=N_("**On ne sait pas** si « {label} » a changé : l’effet est entre {low} et {high} points"),
        decimals=1,
        scale="points",
    )


OUTCOMES: dict[str, OutcomeWords] = {
    "occupied_minutes": OutcomeWords(
        label=N_("Temps occupé"),
        axis=N_("minutes occupées par jour d’ouverture"),
        unit=N_("min"),
        one=N_("{size} minute"),
        many=N_("{size} minutes"),
        more=N_(
            "Les salles réaménagées sont occupées **{amount} de plus par jour** que si rien n’avait changé"
        ),
        less=N_(
            "Les salles réaménagées sont occupées **{amount} de moins par jour** que si rien n’avait changé"
        ),
        unsure=N_(
            "**On ne sait pas** si les salles réaménagées sont plus ou moins occupées : "
            "l’effet est entre {low} et {high} minutes par jour"
        ),
    ),
    "time_utilisation": OutcomeWords(
        label=N_("Taux d’occupation"),
        axis=N_("% du temps d’ouverture"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_(
            "Le taux d’occupation des salles réaménagées est **plus haut de {amount}** que si rien n’avait changé"
        ),
        less=N_(
            "Le taux d’occupation des salles réaménagées est **plus bas de {amount}** que si rien n’avait changé"
        ),
        unsure=N_(
            "**On ne sait pas** si les salles réaménagées sont plus ou moins occupées : "
            "l’effet est entre {low} et {high} points de leur temps d’ouverture"
        ),
        decimals=1,
        scale="points",
    ),
    "seat_fill": OutcomeWords(
        label=N_("Remplissage des sièges"),
        axis=N_("% des sièges, quand la salle est occupée"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_(
            "Les sièges des salles réaménagées sont **mieux remplis, de {amount}**, que si rien n’avait changé"
        ),
        less=N_(
            "Les sièges des salles réaménagées sont **moins remplis, de {amount}**, que si rien n’avait changé"
        ),
        unsure=N_(
            "**On ne sait pas** si les sièges des salles réaménagées sont mieux remplis : "
            "l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "meetings": OutcomeWords(
        label=N_("Réunions par jour"),
        axis=N_("réunions par jour d’ouverture"),
        unit=N_("par jour"),
        one=N_("{size} réunion"),
        many=N_("{size} réunions"),
        more=N_(
            "Les salles réaménagées accueillent **{amount} de plus par jour** que si rien n’avait changé"
        ),
        less=N_(
            "Les salles réaménagées accueillent **{amount} de moins par jour** que si rien n’avait changé"
        ),
        unsure=N_(
            "**On ne sait pas** si les salles réaménagées accueillent plus ou moins de réunions : "
            "l’effet est entre {low} et {high} par jour"
        ),
        decimals=1,
    ),
    "no_show": OutcomeWords(
        label=N_("Réservations sans personne"),
        axis=N_("% des réservations"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Les réservations sans personne **augmentent de {amount}**"),
        less=N_("Les réservations sans personne **diminuent de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si les réservations sans personne ont changé : l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "ad_hoc": OutcomeWords(
        label=N_("Réunions non réservées"),
        axis=N_("% des réunions"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Les réunions non réservées **augmentent de {amount}**"),
        less=N_("Les réunions non réservées **diminuent de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si les réunions non réservées ont changé : l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "early_end": OutcomeWords(
        label=N_("Temps réservé resté inutilisé"),
        axis=N_("minutes de réservation inutilisées, à la fin"),
        unit=N_("min"),
        one=N_("{size} minute"),
        many=N_("{size} minutes"),
        more=N_("Les réservations finissent **plus tôt, de {amount}**, que si rien n’avait changé"),
        less=N_("Les réservations finissent **moins tôt, de {amount}**, que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si les réservations finissent plus tôt : l’effet est entre {low} et {high} minutes"
        ),
    ),
    "overrun": OutcomeWords(
        label=N_("Dépassement des réservations"),
        axis=N_("minutes après la fin de la réservation"),
        unit=N_("min"),
        one=N_("{size} minute"),
        many=N_("{size} minutes"),
        more=N_("On reste **plus longtemps après la fin, de {amount}**, que si rien n’avait changé"),
        less=N_("On reste **moins longtemps après la fin, de {amount}**, que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si l’on reste plus longtemps après la fin : l’effet est entre {low} et {high} minutes"
        ),
    ),
    "people_peak": OutcomeWords(
        label=N_("Plus grand groupe du jour"),
        axis=N_("personnes au plus, par jour"),
        unit=N_("personnes"),
        one=N_("{size} personne"),
        many=N_("{size} personnes"),
        more=N_("Le plus grand groupe du jour **compte {amount} de plus** que si rien n’avait changé"),
        less=N_("Le plus grand groupe du jour **compte {amount} de moins** que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si les groupes sont plus grands : l’effet est entre {low} et {high} personnes"
        ),
        decimals=1,
    ),
    "co2_occupied": OutcomeWords(
        label=N_("CO₂ pendant les réunions"),
        axis=N_("ppm de CO₂, quand la salle est occupée"),
        unit="ppm",
        one="{size} ppm",
        many="{size} ppm",
        more=N_("Le CO₂ pendant les réunions est **plus haut de {amount}** que si rien n’avait changé"),
        less=N_("Le CO₂ pendant les réunions est **plus bas de {amount}** que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si le CO₂ pendant les réunions a changé : l’effet est entre {low} et {high} ppm"
        ),
    ),
    "co2_high": OutcomeWords(
        label=N_("Réunions au-dessus de 1 000 ppm de CO₂"),
        axis=N_("% du temps occupé au-dessus de 1 000 ppm"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Le temps de réunion passé au-dessus de 1 000 ppm **augmente de {amount}**"),
        less=N_("Le temps de réunion passé au-dessus de 1 000 ppm **diminue de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si le temps de réunion passé au-dessus de 1 000 ppm a changé : "
            "l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "co2_very_high": OutcomeWords(
        label=N_("Réunions au-dessus de 1 700 ppm de CO₂"),
        axis=N_("% du temps occupé au-dessus de 1 700 ppm"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Le temps de réunion passé au-dessus de 1 700 ppm **augmente de {amount}**"),
        less=N_("Le temps de réunion passé au-dessus de 1 700 ppm **diminue de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si le temps de réunion passé au-dessus de 1 700 ppm a changé : "
            "l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "air_changes": OutcomeWords(
        label=N_("Renouvellement de l’air"),
        axis=N_("renouvellements par heure, salle vide"),
        unit=N_("par heure"),
        one=N_("{size} par heure"),
        many=N_("{size} par heure"),
        more=N_("L’air est renouvelé **plus vite, de {amount}**, que si rien n’avait changé"),
        less=N_("L’air est renouvelé **moins vite, de {amount}**, que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si le renouvellement de l’air a changé : "
            "l’effet est entre {low} et {high} par heure"
        ),
        decimals=1,
    ),
    "temperature_in_band": OutcomeWords(
        label=N_("Réunions à bonne température"),
        axis=N_("% du temps occupé à bonne température"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("Le temps de réunion passé à bonne température **augmente de {amount}**"),
        less=N_("Le temps de réunion passé à bonne température **diminue de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si le temps de réunion passé à bonne température a changé : "
            "l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "sound_background": OutcomeWords(
        label=N_("Bruit de fond"),
        axis=N_("dB(A), salle ouverte et vide"),
        unit="dB(A)",
        one="{size} dB(A)",
        many="{size} dB(A)",
        more=N_("Le bruit de fond est **plus fort de {amount}** que si rien n’avait changé"),
        less=N_("Le bruit de fond est **plus faible de {amount}** que si rien n’avait changé"),
        unsure=N_(
            "**On ne sait pas** si le bruit de fond a changé : l’effet est entre {low} et {high} dB(A)"
        ),
        decimals=1,
    ),
    "satisfaction": OutcomeWords(
        label=N_("La salle a convenu"),
        axis=_RIDIT_AXIS,
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_(
            "Les salles réaménagées conviennent mieux : **{amount} réponses sur 100** d’après dépassent une réponse d’avant"
        ),
        less=N_(
            "Les salles réaménagées conviennent moins bien : "
            "**{amount} réponses sur 100** d’après dépassent une réponse d’avant"
        ),
        unsure=N_(
            "**On ne sait pas** si les salles réaménagées conviennent mieux : "
            "entre {low} et {high} réponses sur 100 d’après dépassent une réponse d’avant"
        ),
        scale="ridit",
    ),
    "helped": OutcomeWords(
        label=N_("L’aménagement a aidé le groupe"),
        axis=_RIDIT_AXIS,
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_(
            "L’aménagement aide davantage les groupes : "
            "**{amount} réponses sur 100** d’après dépassent une réponse d’avant"
        ),
        less=N_(
            "L’aménagement aide moins les groupes : **{amount} réponses sur 100** d’après dépassent une réponse d’avant"
        ),
        unsure=N_(
            "**On ne sait pas** si l’aménagement aide davantage les groupes : "
            "entre {low} et {high} réponses sur 100 d’après dépassent une réponse d’avant"
        ),
        scale="ridit",
    ),
    "discomfort": OutcomeWords(
        label=N_("Gêne corporelle déclarée"),
        axis=N_("% des réponses disant une gêne"),
        unit=N_("points"),
        one=_POINT,
        many=_POINTS,
        more=N_("La gêne corporelle déclarée **augmente de {amount}**"),
        less=N_("La gêne corporelle déclarée **diminue de {amount}**"),
        unsure=N_(
            "**On ne sait pas** si la gêne corporelle déclarée a changé : l’effet est entre {low} et {high} points"
        ),
        decimals=1,
        scale="points",
    ),
    "temperature_category_1": _share(
        N_("Température de catégorie I"), N_("% du temps occupé en catégorie I de température")
    ),
    "temperature_category_3": _share(
        N_("Température de catégorie III au moins"),
        N_("% du temps occupé en catégorie III de température ou mieux"),
    ),
    "co2_category_1": _share(N_("CO₂ de catégorie I"), N_("% du temps occupé en catégorie I de CO₂")),
    "co2_category_2": _share(
        N_("CO₂ de catégorie II au moins"), N_("% du temps occupé en catégorie II de CO₂ ou mieux")
    ),
    "co2_category_3": _share(
        N_("CO₂ de catégorie III au moins"), N_("% du temps occupé en catégorie III de CO₂ ou mieux")
    ),
}
VOICES = frozenset(["satisfaction", "helped", "discomfort"])


def outcome_words(outcome: str, unit: str = "") -> OutcomeWords:
    """The words of an outcome; one that is not in the table goes by its key and its own unit."""
    if outcome in OUTCOMES:
        return OUTCOMES[outcome]
    amount = f"{{size}} {unit}".strip()
    return OutcomeWords(
        label=outcome,
        axis=f"{outcome} ({unit})" if unit else outcome,
        unit=unit,
        one=amount,
        many=amount,
        more=N_(
            "Dans les salles réaménagées, « {label} » est **plus haut de {amount}** que si rien n’avait changé"
        ),
        less=N_(
            "Dans les salles réaménagées, « {label} » est **plus bas de {amount}** que si rien n’avait changé"
        ),
        unsure=N_("**On ne sait pas** si « {label} » a changé : l’effet est entre {low} et {high} {unit}"),
        decimals=1,
    )


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


# ---------------------------------------------------------------------------------------------- reasons

REASONS: dict[str, str] = {
    "absent": N_("aucune valeur de cette salle"),
    "too_few_days": N_("jours valables : {before} avant, {after} après ; il en faut {needed} de chaque côté"),
    "too_few_answers": N_("réponses : {before} avant, {after} après ; il en faut {needed} de chaque côté"),
    "pair_broken": N_("l’autre salle de la paire, {partner}, est écartée"),
    "no_common_days": N_("aucun jour commun avec les autres salles"),
    "no_treated": N_("Aucune salle réaménagée n’a assez de jours valables."),
    "no_baseline": N_(
        "Aucune salle témoin à qui se comparer : il n’y en a pas, ou aucune n’a assez de jours valables."
    ),
    "two_rooms": N_("Avec une salle de chaque côté, rien ne distingue l’effet du hasard."),
    "one_pair": N_("Avec une seule paire de salles, rien ne distingue l’effet du hasard."),
    "zero_variance": N_("Toutes les salles ont changé d’autant : rien ne mesure le hasard."),
    "no_randomisation": N_("Le tirage ne peut pas être rejoué : une salle n’aurait plus de jour d’un côté."),
    "no_answers": N_("Aucune réponse n’a été donnée."),
    "missing_cells": N_("{share} des journées manquent ; la comparaison en tient compte."),
    "dates_apart": N_(
        "Les réaménagements sont éloignés de {days} jours (au-delà de {limit}) : l’intervalle est un peu trop court."
    ),
    "sd_ratio": N_(
        "Les évolutions des deux groupes de salles ne sont pas aussi dispersées (rapport {ratio}, limite {limit}) ; "
        "entre salles toutes semblables, cela arrive {chance}."
    ),
    "sd_ratio_history": N_(
        "Avant même le changement, les deux groupes n’étaient pas aussi dispersés (rapport {ratio}, limite {limit})."
    ),
    "placebo_large": N_(
        "Avant que rien ne change, les deux groupes évoluaient déjà différemment, et d’autant ({gap}, pour un effet de {effect})."
    ),
    "few_answers_ratio": N_(
        "Les deux groupes n’ont pas autant de réponses (rapport {ratio}, limite {limit}) : indicatif au mieux."
    ),
    "sampled": N_("Le hasard est jugé sur {draws} tirages, pas sur tous."),
    "one_treated": N_("Une seule salle a été réaménagée."),
    "few_rooms": N_(
        "Avec {n_treated} + {n_baseline} salles, le hasard seul peut faire aussi bien {chance} : c’est trop pour décider."
    ),
    "assignment_unknown": N_(
        "On ne sait pas comment les salles ont été choisies : décider demande un tirage au sort."
    ),
    "retrospective": N_("L’expérience a été déclarée après le changement : indicative au mieux."),
    "grade_none": N_("{n_treated} + {n_baseline} salles ne suffisent pas pour conclure."),
    "rooms_lost": N_("Salles gardées : {kept} sur les {planned} prévues."),
    "locked": N_("L’expérience est en cours : ni effet ni verdict avant la fin."),
    "not_started": N_("L’expérience n’a pas commencé."),
    "interim_goes_on": N_("Le point d’étape ne permet pas de s’arrêter : l’expérience continue."),
    "not_estimable": N_("Rien ne permet de juger l’effet."),
    "no_threshold": N_("Aucun seuil utile n’a été fixé avant le début : il n’y a pas de verdict."),
    "useful": N_("L’effet ({effect}) atteint le seuil utile ({useful})."),
    "not_useful_yet": N_("L’effet ({effect}) est réel, mais sous le seuil utile ({useful})."),
    "uncertain": N_("L’intervalle ({ci_low} à {ci_high}) contient zéro : l’effet n’est pas établi."),
    "harmful": N_("L’effet va dans le mauvais sens, hasard compris ({ci_low} à {ci_high})."),
    "futile": N_("Même au mieux ({bound}), l’effet reste sous le seuil utile ({useful})."),
    "randomisation_disagrees": N_(
        "Les deux calculs du hasard ne disent pas la même chose ({p_value} et {p_randomised}) : prudence."
    ),
    "guardrail_held": N_("« {outcome} » : garde-fou tenu (limite {margin})."),
    "guardrail_unclear": N_("« {outcome} » : on ne sait pas si la limite de {margin} est tenue."),
    "guardrail_crossed": N_("« {outcome} » : la limite de {margin} est dépassée."),
    "guardrail_not_estimable": N_("« {outcome} » : le garde-fou n’a pas pu être estimé."),
    "indicative_only": N_("Tout y est, sauf le nombre ou le choix des salles : indicatif seulement."),
    "voices_alone": N_("Un formulaire ouvert à tous ne suffit pas, seul, pour généraliser."),
    "fragile": N_("Résultat fragile : à confirmer avant de s’engager."),
    "add_rooms": N_("Ajouter {added} : à {n_treated} + {n_baseline}, l’expérience devient {grade}."),
    "more_days": N_("Observer {rooms} au moins {more} : l’expérience devient {grade}."),
    "new_protocol": N_(
        "Recommencer avec les mêmes salles, en déclarant le protocole avant le changement : l’expérience devient {grade}."
    ),
    "draw_by_lot": N_("Tirer au sort les salles à réaménager : l’expérience devient {grade}."),
    "short_history": N_("Il n’y a que {days} jours d’historique, il en faudrait {needed}."),
    "no_spread": N_(
        "Sans mesures d’avant, on ne sait pas de combien ces salles varient d’un jour à l’autre, ni donc ce qui serait détecté."
    ),
    "guardrails_weak": N_(
        "Même sans rien abîmer, les garde-fous ne seraient tous tenus que dans {probability} des cas (visé : {limit})."
    ),
}
_SIZES = frozenset(["effect", "useful", "bound", "ci_low", "ci_high", "gap", "margin"])
_SIGNED = frozenset(["effect", "bound", "ci_low", "ci_high"])
_PROBABILITIES = frozenset(["p_value", "p_randomised", "p_floor", "alpha"])
GRADES = {"decision": N_("décisive"), "indicative": N_("indicative"), "none": N_("sans conclusion possible")}


def reason(
    given: Reason, locale: str, *, outcome: str | None = None, names: Mapping[str, str] | None = None
) -> str:
    """One sentence for a reason, plain; `outcome` gives its sizes their unit, `names` its rooms theirs."""
    say = language(locale)
    told = [abs(value) for key, value in given.numbers.items() if key in _SIZES and value]
    sizes = Spoken(say, str(given.numbers.get("outcome", outcome or "")), width=min(told, default=None))
    values = {key: _number(key, value, say, sizes, names or {}) for key, value in given.numbers.items()}
    if given.code == "few_rooms":
        values["chance"] = chance(given.numbers["p_floor"], say)
    if given.code == "sd_ratio":
        values["chance"] = chance(given.numbers["chance"], say)
    if given.code == "more_days":
        values["more"] = say.plural("{n} jour de plus", "{n} jours de plus", given.numbers["days"])
    if given.code == "add_rooms":
        values["added"] = _added(given, say)
    return say(REASONS[given.code], **values)


def _number(key: str, value: Any, say: Language, sizes: Spoken, names: Mapping[str, str]) -> object:  # noqa: ANN401, PLR0911 - a reason's numbers are JSON values, each kind with its form
    if value is None:
        return "–"
    if key == "outcome":
        return sizes.label
    if key == "grade":
        return say(GRADES[value])
    if key in ("share", "probability") or (key == "limit" and value < 1):
        return say.percent(value)
    if key in _PROBABILITIES:
        return say.probability(value)
    if key in _SIZES:
        return sizes.effect(value) if key in _SIGNED else sizes.amount(value)
    if key in ("rooms", "partner") and not isinstance(value, int):
        rooms = [value] if isinstance(value, str) else list(value)
        return say.listed([names.get(room, room) for room in rooms])
    return value


def _added(given: Reason, say: Language) -> str:
    arms = [(given.numbers["treated"], True), (given.numbers["baseline"], False)]
    return say.listed([rooms_phrase(n, say, treated=treated) for n, treated in arms if n])


def chance(p: float, say: Language) -> str:
    """A probability as people say it: `1 fois sur 3`."""
    if p <= 0:
        return say("presque jamais")
    times = round(1 / p)
    if times > 1:
        return say("1 fois sur {times}", times=times)
    return say("chaque fois") if round(p, 2) == 1 else say("le plus souvent")


def rooms_phrase(n: int, say: Language, *, treated: bool) -> str:
    """`3 salles réaménagées`, `1 salle témoin`."""
    if treated:
        return say.plural("{n} salle réaménagée", "{n} salles réaménagées", n)
    return say.plural("{n} salle témoin", "{n} salles témoins", n)


# --------------------------------------------------------------------------------------------- verdicts


def sentence(result: Result, locale: str) -> str:
    """What the result says in plain words: the effect, the threshold, what agents judge."""
    say = language(locale)
    return plain(" ".join([*told(result, say), judged(result, say)]))


def told(result: Result, say: Language) -> list[str]:
    """The sentences at the top of the page, marked: the effect, then what it is worth."""
    if result.primary is None or holds(result, "locked", "not_started"):
        return [_locked(result, say)]
    measure, estimate = result.primary.measure, result.primary.estimate
    spoken = Spoken(say, measure.outcome, measure.unit, _width(estimate))
    first = spoken.headline(estimate)
    rest = [text for text in (_worth(result, spoken), _crossed(result, say)) if text]
    if result.verdict == "cannot_conclude" or holds(result, "guardrail_crossed"):
        first = plain(first)  # what matters most is said after it
    return [first, *rest]


def holds(result: Result, *codes: str) -> bool:
    """Whether a result gives one of these reasons, itself or through its primary outcome."""
    given = list(result.reasons)
    if result.primary is not None:
        given += [*result.primary.reasons, *result.primary.estimate.reasons]
    return any(item.code in codes for item in given)


def _locked(result: Result, say: Language) -> str:
    if holds(result, "not_started"):
        return say("L’expérience n’a pas commencé.")
    return say("L’expérience est en cours : **ni effet ni verdict avant la fin.**")


def _worth(result: Result, spoken: Spoken) -> str:
    """The effect against chance and against the threshold fixed beforehand; empty when neither adds anything."""
    say = spoken.say
    if result.primary is None:
        return ""
    measure, estimate = result.primary.measure, result.primary.estimate
    if result.verdict == "cannot_conclude":
        return _as_good_by_chance(estimate, say)
    if measure.useful is None or estimate.effect is None:
        return ""
    if holds(result, "harmful"):
        return say("**C’est le contraire de ce que l’on cherchait.**")
    if holds(result, "futile"):
        message = N_("Même au mieux, c’est moins que le seuil utile fixé avant le début : {useful}.")
    elif estimate.effect * measure.sign >= measure.useful:
        message = N_("Le seuil utile fixé avant le début est de {useful}.")
    else:
        message = N_("C’est moins que le seuil utile fixé avant le début : {useful}.")
    return say(message, useful=spoken.amount(measure.useful))


def _as_good_by_chance(estimate: Estimate, say: Language) -> str:
    if estimate.effect is None:
        return ""
    arms = [(estimate.n_treated, True), (estimate.n_baseline, False)]
    return say(
        "Avec {rooms}, **le hasard peut faire aussi bien {chance}.**",
        rooms=say.listed([rooms_phrase(n, say, treated=treated) for n, treated in arms]),
        chance=chance(estimate.p_floor, say),
    )


def _crossed(result: Result, say: Language) -> str:
    crossed = [item for item in result.guardrails if item.state == "crossed"]
    if not crossed:
        return ""
    spoken = Spoken(say, crossed[0].measure.outcome, crossed[0].measure.unit, _width(crossed[0].estimate))
    return say(
        "Mais **« {label} » dépasse sa limite** : {effect} {unit} ({range}), pour {margin} au plus.",
        label=spoken.label,
        effect=spoken.effect(crossed[0].estimate.effect),
        unit=spoken.unit,
        range=spoken.range(crossed[0].estimate.ci_low, crossed[0].estimate.ci_high),
        margin=spoken.effect((crossed[0].measure.margin or 0) * -crossed[0].measure.sign),
    )


def voice_of(result: Result) -> MeasureResult | None:
    """The measure that says what agents judge: helped, else satisfaction, else discomfort, primary or not."""
    found = {item.measure.outcome: item for item in measures_of(result)}
    return next((found[key] for key in ("helped", "satisfaction", "discomfort") if key in found), None)


def measures_of(result: Result) -> list[MeasureResult]:
    """Every measure of a result, the primary first."""
    first = [result.primary] if result.primary is not None else []
    return [*first, *result.secondaries, *result.guardrails]


def judged(result: Result, say: Language) -> str:
    """The second line, always there: what agents judge or, when that came first, what was measured."""
    voice = voice_of(result)
    if result.primary is not None and result.primary.measure.outcome in VOICES:
        measured = next((item for item in measures_of(result) if item.measure.outcome not in VOICES), None)
        if measured is None:
            return say("Rien d’autre que les réponses des agents n’a été mesuré.")
        return _beside(measured, say)
    if voice is None:
        return say("Les agents n’ont pas été interrogés : leur bien-être n’a pas été mesuré.")
    return _voiced(voice, say)


def _beside(item: MeasureResult, say: Language) -> str:
    spoken = Spoken(say, item.measure.outcome, item.measure.unit, _width(item.estimate))
    return say(
        "Ce que disent les capteurs : « {label} » {effect} {unit} ({range}).",
        label=spoken.label,
        effect=spoken.effect(item.estimate.effect),
        unit=spoken.unit,
        range=spoken.range(item.estimate.ci_low, item.estimate.ci_high),
    )


def _voiced(item: MeasureResult, say: Language) -> str:
    estimate, spoken = item.estimate, Spoken(say, item.measure.outcome)
    if estimate.effect is None:
        return say("Ce que jugent les agents n’a pas pu être comparé : trop peu de réponses.")
    answers = answers_phrase(item, say)
    if estimate.ci_low is None or estimate.ci_high is None:
        opening = say("Les agents ont répondu, sans que l’on distingue leur avis du hasard")
    elif estimate.ci_low <= 0 <= estimate.ci_high:
        opening = say("L’avis des agents n’a pas changé de façon établie")
    elif estimate.effect * item.measure.sign > 0:
        opening = say("Les agents s’y retrouvent")
    else:
        opening = say("Les agents s’y retrouvent moins bien")
    if spoken.words.scale == "ridit":
        finding = say(
            "{quoted}, {n} réponses sur 100 d’après dépassent une réponse d’avant",
            quoted=say.quoted(lower_first(spoken.label)),
            n=_of_hundred(estimate.effect, say),
        )
    else:
        finding = say(
            "{quoted}, {effect} {unit}",
            quoted=say.quoted(lower_first(spoken.label)),
            effect=spoken.effect(estimate.effect),
            unit=spoken.unit,
        )
    interval = (
        ""
        if estimate.ci_low is None or estimate.ci_high is None
        else spoken.between(estimate.ci_low, estimate.ci_high)
    )
    if interval and answers:
        details = say("{interval} ; {answers}", interval=interval, answers=answers)
    else:
        details = interval or answers
    if not details:
        return say("{opening} : {finding}.", opening=opening, finding=finding)
    return say("{opening} : {finding} ({details}).", opening=opening, finding=finding, details=details)


def answers_phrase(item: MeasureResult, say: Language) -> str:
    """`1 412 réponses`, empty for what is not asked."""
    if item.voices is None:
        return ""
    return say.plural("{n} réponse", "{n} réponses", item.voices.answers)


def upper_first(text: str) -> str:
    """The text with a capital, as a title or a cell begins."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """A label inside a sentence; `CO₂` stays as it is."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


@dataclass(frozen=True)
class Check:
    """One of the three conditions to generalise, and how it stands."""

    state: Literal["yes", "no", "unsure"]
    label: str
    detail: str


@dataclass(frozen=True)
class Card:
    """What the experiment allows: a title, a line, the conditions."""

    tone: Tone
    title: str
    text: str
    checks: tuple[Check, ...] = ()


def card(result: Result, say: Language) -> Card:
    """The card beside the sentence, whatever the verdict."""
    if result.verdict is None:
        return _unspoken(result, say)
    tone, title, text = _verdict_words(result, say)
    return Card(tone, title, text, checks(result, say))


def _unspoken(result: Result, say: Language) -> Card:
    if holds(result, "no_threshold"):
        return Card(
            "unsure",
            say("Pas de seuil, pas de verdict"),
            say("Aucun effet utile n’a été fixé avant le début. L’effet se lit ci-dessous, sans conseil."),
            checks(result, say),
        )
    return Card("unsure", say("Résultat à la fin"), say("Regarder avant, c’est se tromper plus souvent."))


def _verdict_words(result: Result, say: Language) -> tuple[Tone, str, str]:
    if result.verdict == "generalise":
        return "good", say("On peut généraliser"), _generalise_text(result, say)
    if result.verdict == "stop":
        if holds(result, "guardrail_crossed", "harmful"):
            return (
                "bad",
                say("Ça dégrade"),
                say("Mieux vaut arrêter : revenir à l’état d’avant, garder la leçon."),
            )
        return (
            "bad",
            say("Effet trop petit"),
            say("Mieux vaut arrêter : même au mieux, le gain ne vaut pas le changement."),
        )
    if result.verdict == "adjust":
        return "warn", say("Pas encore prouvé : prolonger ou ajuster"), _adjust_text(result, say)
    if result.primary is None or result.primary.estimate.effect is None:
        return "unsure", say("Impossible de conclure"), say("L’effet n’a pas pu être estimé.")
    return (
        "unsure",
        say("Trop peu de salles pour conclure"),
        say("L’essai n’est pas perdu : voici ce qui permettrait de conclure."),
    )


def _generalise_text(result: Result, say: Language) -> str:
    if not result.guardrails:  # what nobody watched is not said to be unharmed
        if result.fragile:
            return say("Effet utile, mais un résultat fragile : à confirmer en généralisant par étapes.")
        return say("Effet utile, assez de salles comparées. Aucun garde-fou n’a été surveillé.")
    if result.fragile:
        return say(
            "Effet utile et rien d’abîmé, mais un résultat fragile : à confirmer en généralisant par étapes."
        )
    return say("Effet utile, rien d’abîmé, assez de salles comparées.")


# what most stands in the way of « generalise », the weightiest first
_LACKING: tuple[tuple[str, str], ...] = (
    (
        "indicative_only",
        N_("Les signes sont bons, mais le nombre ou le choix des salles ne permet qu’une indication."),
    ),
    (
        "voices_alone",
        N_("Les réponses d’un formulaire ouvert à tous ne suffisent pas, seules, pour généraliser."),
    ),
    (
        "uncertain",
        N_("L’effet peut être utile comme nul : il faut plus de salles, ou un changement plus net."),
    ),
    ("not_useful_yet", N_("L’effet existe, mais il est plus petit que ce qui avait été jugé utile.")),
    (
        "randomisation_disagrees",
        N_("L’effet est utile, mais les deux calculs du hasard ne disent pas la même chose."),
    ),
    ("guardrail_unclear", N_("L’effet est utile, mais on ne sait pas encore si rien n’est abîmé.")),
    ("guardrail_not_estimable", N_("L’effet est utile, mais on ne sait pas encore si rien n’est abîmé.")),
)


def _adjust_text(result: Result, say: Language) -> str:
    lacking = next((text for code, text in _LACKING if holds(result, code)), None)
    return say(lacking or N_("L’une des conditions n’est pas remplie."))


def checks(result: Result, say: Language) -> tuple[Check, ...]:
    """The conditions to generalise: an effect, nothing harmed, enough rooms."""
    if result.primary is None:
        return ()
    return (_effect_check(result.primary, say), *_guardrail_check(result, say), _rooms_check(result, say))


def _effect_check(item: MeasureResult, say: Language) -> Check:
    estimate, measure = item.estimate, item.measure
    spoken = Spoken(say, measure.outcome, measure.unit, _width(estimate))
    label = say("Un effet utile et établi")
    if estimate.effect is None:
        return Check("unsure", label, say("non estimé"))
    detail = say("{effect} {unit}", effect=spoken.effect(estimate.effect), unit=spoken.unit).rstrip()
    if measure.useful is not None:
        detail = say(
            "{effect}, pour {useful} visés",
            effect=spoken.effect(estimate.effect),
            useful=spoken.effect(measure.useful * measure.sign),
        )
    if estimate.ci_low is None or estimate.ci_high is None:
        return Check("unsure", label, detail)
    good, bad = sorted((estimate.ci_low * measure.sign, estimate.ci_high * measure.sign), reverse=True)
    if bad > 0 and (measure.useful is None or estimate.effect * measure.sign >= measure.useful):
        return Check("yes", label, detail)
    if good < (measure.useful or 0):
        return Check("no", label, detail)
    return Check("unsure", label, detail)


def _guardrail_check(result: Result, say: Language) -> tuple[Check, ...]:
    states = [item.state for item in result.guardrails]
    if not states:
        return ()
    state: Literal["yes", "no", "unsure"] = "unsure"
    if all(s == "held" for s in states):
        state = "yes"
    elif "crossed" in states:
        state = "no"
    held = sum(s == "held" for s in states)
    detail = say.plural("{n} garde-fou tenu sur {of}", "{n} garde-fous tenus sur {of}", held, of=len(states))
    return (Check(state, say("Rien d’abîmé"), detail),)


def _rooms_check(result: Result, say: Language) -> Check:
    detail = {
        "decision": say("de quoi décider"),
        "indicative": say("une indication, pas plus"),
        "none": say("pas de quoi conclure"),
    }[result.grade]
    states: dict[str, Literal["yes", "no", "unsure"]] = {
        "decision": "yes",
        "indicative": "unsure",
        "none": "no",
    }
    return Check(states[result.grade], say("Assez de salles, bien choisies"), detail)


VERDICTS: dict[str, tuple[Tone, str]] = {
    "generalise": ("good", N_("on peut généraliser")),
    "adjust": ("warn", N_("pas encore prouvé")),
    "stop": ("bad", N_("à arrêter")),
    "cannot_conclude": ("unsure", N_("impossible de conclure")),
}
DECISIONS: dict[str, tuple[Tone, str]] = {
    "generalise": ("good", N_("Généraliser")),
    "extend": ("good", N_("Étendre à certaines salles")),
    "adjust": ("warn", N_("Ajuster et prolonger")),
    "stop": ("bad", N_("Arrêter")),
    "inconclusive": ("unsure", N_("Non concluant")),
}
STATUSES: dict[str, str] = {
    "idea": N_("idée"),
    "planned": N_("prévue"),
    "running": N_("en cours"),
    "ended": N_("terminée, décision à prendre"),
    "decided": N_("décidée"),
}
ICONE: dict[str, tuple[Tone, str]] = {
    "none": ("good", N_("confinement nul")),
    "low": ("good", N_("confinement faible")),
    "medium": ("warn", N_("confinement moyen")),
    "high": ("warn", N_("confinement élevé")),
    "very_high": ("bad", N_("confinement très élevé")),
    "extreme": ("bad", N_("confinement extrême")),
}
EQUIPMENT: dict[str, tuple[str, str, str]] = {  # what it is, where it hangs, how often it speaks
    "counter": (
        N_("Compteur de personnes"),
        N_(
            "Au plafond ou au-dessus de la porte, selon le modèle, sans que le mobilier neuf ne lui "
            "cache des places."
        ),
        N_("Toutes les 5 min, ou à chaque passage et au moins une fois par heure."),
    ),
    "presence": (
        N_("Détecteur de présence"),
        N_("En hauteur dans un angle, tourné vers les places assises et non vers la porte."),
        N_("À chaque changement, et au moins une fois par heure, même quand rien ne bouge."),
    ),
    "climate": (
        N_("Capteur de CO₂ et de température"),
        N_(
            "Au mur à hauteur de visage assis, 1,1 m à 1,7 m, à plus d’un mètre d’une porte, d’une "
            "fenêtre ou d’un radiateur."
        ),
        N_("Toutes les 10 min ; laissez-le à l’air libre dix minutes à la mise en service."),
    ),
    "sound": (
        N_("Sonomètre"),
        N_(
            "Au mur ou au plafond, loin des bouches d’air ; il ne doit transmettre que des niveaux, "
            "jamais de son."
        ),
        N_("Toutes les 10 min, en dB(A) moyens."),
    ),
    "form": (
        N_("Questionnaire d’une minute"),
        N_(
            "Une affiche avec le code de la salle, près de la porte ; elle s’imprime depuis la page "
            "de la salle."
        ),
        N_("À elle seule, elle suffit pour commencer."),
    ),
}
METRICS: dict[str, str] = {
    "co2": N_("CO₂"),
    "temperature": N_("Température"),
    "humidity": N_("Humidité"),
    "light": N_("Lumière"),
    "sound": N_("Niveau sonore"),
    "people": N_("Personnes"),
    "presence": N_("Présence"),
    "motion": N_("Mouvements"),
    "people_in": N_("Entrées"),
    "people_out": N_("Sorties"),
    "door_open": N_("Porte ouverte"),
    "window_open": N_("Fenêtre ouverte"),
    "voc_ppb": N_("COV"),
    "voc_index": N_("Indice COV"),
    "pm2_5": N_("Particules PM2,5"),
    "pm10": N_("Particules PM10"),
    "pressure": N_("Pression"),
    "battery": N_("Pile"),
    "battery_voltage": N_("Tension de la pile"),
    "rssi": N_("Signal (RSSI)"),
    "snr": N_("Signal (SNR)"),
}
UNITS: dict[str, str] = {
    "people": N_("pers."),
    "0/1": N_("part du temps"),
    "triggers": "",
    "count": "",
    "": "",
}
ASSIGNMENTS: dict[str, str] = {
    "lot": N_("tirage au sort"),
    "reasoned": N_("choix raisonné, sans regarder les résultats passés"),
    "unknown": N_("non précisé"),
}
QUESTIONS: dict[str, str] = {
    "satisfaction": N_("Globalement, cette salle vous a-t-elle convenu pour votre réunion ?"),
    "helped": N_("L’aménagement (tables, sièges, écran) a-t-il aidé le groupe à travailler ?"),
    "temperature": N_("Température : vous auriez préféré…"),
    "air": N_("L’air était-il agréable à respirer ?"),
    "hearing": N_("Pouviez-vous entendre et parler sans gêne ?"),
    "discomfort": N_(
        "En sortant, une gêne corporelle (dos, nuque, épaules) liée à l’assise ou à la posture ?"
    ),
    "worth": N_("Le temps passé en valait-il la peine ?"),
    "group_size": N_("Combien étiez-vous ?"),
    "remark": N_("Une idée ou un problème à signaler ?"),
}
COMFORT: dict[str, str] = {
    "temperature": N_("Température pendant les réunions"),
    "co2": N_("Air (CO₂) pendant les réunions"),
}
SEASONS = {
    12: N_("Hiver {years}"),
    3: N_("Printemps {years}"),
    6: N_("Été {years}"),
    9: N_("Automne {years}"),
}
CATEGORIES = {"1": N_("catégorie I"), "2": "II", "3": "III", "4": N_("IV, au-delà")}
THEMES: dict[str, str] = {
    "furniture": N_("mobilier"),
    "equipment": N_("écran et prises"),
    "warmth": N_("chaud et froid"),
    "air": N_("air"),
    "noise": N_("bruit"),
    "light": N_("lumière"),
    "booking": N_("réservation"),
    "room_size": N_("taille de la salle"),
    "care": N_("entretien"),
}
OPTIONS: dict[str, dict[str, str]] = {
    "temperature": {"cooler": N_("plus frais"), "same": N_("inchangé"), "warmer": N_("plus chaud")},
    "discomfort": {
        "none": N_("aucune"),
        "slight": N_("légère"),
        "clear": N_("nette"),
        "unsaid": N_("je passe"),
    },
    "group_size": {"1-2": "1–2", "3-5": "3–5", "6-10": "6–10", "11+": N_("11 ou plus")},
}
QUARANTINE_CODES: dict[str, str] = {
    "out_of_range": N_("valeur hors plage"),
    "sentinel": N_("valeur de capteur en défaut"),
    "not_finite": N_("valeur qui n’est pas un nombre fini"),
    "bad_value": N_("valeur illisible"),
    "bad_type": N_("champ d’une autre nature qu’attendu"),
    "bad_time": N_("heure illisible"),
    "bad_device": N_("nom de capteur illisible"),
    "empty_device": N_("nom de capteur vide"),
    "duplicate_key": N_("champ donné deux fois"),
    "missing": N_("champ manquant"),
    "ambiguous": N_("deux champs pour une même mesure"),
    "unknown_metric": N_("mesure inconnue"),
    "unknown_unit": N_("unité inconnue"),
    "nothing_known": N_("aucune mesure reconnue"),
    "unknown_format": N_("format inconnu"),
    "not_decoded": N_("message non décodé par la passerelle"),
    "retained": N_("message gardé par le broker, sans heure"),
    "empty": N_("message vide"),
    "binary": N_("message qui n’est pas du texte"),
    "broken_json": N_("JSON mal formé"),
    "too_deep": N_("JSON trop imbriqué"),
    "too_large": N_("message trop gros"),
    "too_many": N_("trop de mesures en un message"),
    "internal": N_("erreur de décodage"),
    "store_refused": N_("refusé par InfluxDB"),
    "clock_ahead": N_("horloge en avance"),
    "clock_behind": N_("horloge en retard"),
    "late": N_("message trop ancien"),
}
QUARANTINE_REMEDIES: dict[str, str] = {
    "out_of_range": N_(
        "Regardez l’unité : un facteur 10 ou 100, ou des kelvins, se voient d’ordinaire. Si elle est bonne, le capteur est en défaut : remplacez-le, puis écartez ces messages."
    ),
    "sentinel": N_(
        "Le capteur envoie la valeur qui veut dire « pas de sonde » : vérifiez la sonde et la pile, puis écartez ces messages."
    ),
    "not_finite": N_(
        "Le décodeur de la passerelle n’envoie pas un nombre : corrigez-le, puis écartez ces messages."
    ),
    "bad_value": N_(
        "Le décodeur de la passerelle n’envoie pas un nombre : corrigez-le, puis écartez ces messages."
    ),
    "bad_type": N_("Dites ce que veut dire chaque champ, ou corrigez le décodeur de la passerelle."),
    "bad_time": N_(
        "Dites quelle heure compte, ou corrigez le décodeur : l’heure s’écrit avec sa zone, comme 2026-03-02T08:00:00Z."
    ),
    "bad_device": N_(
        "Donnez au capteur un nom lisible dans la passerelle, ou dites quel champ ou quel niveau du sujet le nomme."
    ),
    "empty_device": N_(
        "Donnez au capteur un nom lisible dans la passerelle, ou dites quel champ ou quel niveau du sujet le nomme."
    ),
    "duplicate_key": N_(
        "Le message donne deux fois le même champ : corrigez le décodeur de la passerelle, puis écartez ces messages."
    ),
    "missing": N_("Dites ce que veut dire chaque champ, ou corrigez le décodeur de la passerelle."),
    "ambiguous": N_("Dites lequel des deux champs est la mesure, et laissez l’autre à « rien »."),
    "unknown_metric": N_(
        "Dites quelle mesure est chaque champ ; laissez à « rien » ce qui n’en est pas une."
    ),
    "unknown_unit": N_("Dites ce que veut dire chaque champ, et dans quelle unité."),
    "nothing_known": N_(
        "Dites ce que veut dire chaque champ. S’il n’y a là que la pile ou le réseau, écartez ces messages."
    ),
    "unknown_format": N_(
        "Dites ce que veut dire chaque champ : les messages de cette forme seront lus désormais."
    ),
    "not_decoded": N_(
        "La passerelle n’a envoyé que des octets : installez-y le décodeur du fabricant. Les messages suivants seront lus ; écartez ceux-ci."
    ),
    "retained": N_(
        "Réglez la passerelle pour que le broker ne garde pas ses messages (retain), puis écartez ceux-ci."
    ),
    "empty": N_("Il n’y a rien dans ces messages : vérifiez ce que la passerelle envoie, puis écartez-les."),
    "binary": N_("Réglez la passerelle pour qu’elle envoie du JSON, puis écartez ces messages."),
    "broken_json": N_(
        "Le message est mal écrit, ou coupé en route : vérifiez ce que la passerelle envoie, puis écartez ces messages."
    ),
    "too_deep": N_("Réglez la passerelle pour qu’elle en envoie moins à la fois, puis écartez ces messages."),
    "too_large": N_(
        "Réglez la passerelle pour qu’elle en envoie moins à la fois, puis écartez ces messages."
    ),
    "too_many": N_("Réglez la passerelle pour qu’elle en envoie moins à la fois, puis écartez ces messages."),
    "internal": N_(
        "La faute est dans Témoin : prévenez qui l’administre, et relisez ces messages après une mise à jour."
    ),
    "store_refused": N_("Voyez ce qu’InfluxDB en dit ci-dessous, corrigez-le, puis relisez ces messages."),
    "clock_ahead": N_(
        "Remettez à l’heure le capteur ou la passerelle, puis écartez ces messages : on ne sait pas de quand ils sont."
    ),
    "clock_behind": N_(
        "Remettez à l’heure le capteur ou la passerelle, puis écartez ces messages : on ne sait pas de quand ils sont."
    ),
    "late": N_("Écartez ces messages ; des mesures du passé viennent par un fichier, sous « Importer »."),
}


def season(first: date, say: Language) -> str:
    """`Été 2026`, `Hiver 2025-2026`: the season that begins on this day."""
    years = f"{first.year}-{first.year + 1}" if first.month == 12 else str(first.year)  # noqa: PLR2004
    return say(SEASONS[first.month], years=years)


def measured(metrics: Sequence[str], say: Language) -> str:
    """The names of these metrics, one after the other: « CO₂, température et humidité »."""
    names = [say(METRICS[metric]) for metric in metrics]
    return say.listed(names[:1] + [lower_first(name) for name in names[1:]])


def cause(code: str, say: Language) -> str:
    """Why a payload waits in quarantine, in a few words; a code nobody named as it is."""
    return say(QUARANTINE_CODES[code]) if code in QUARANTINE_CODES else code


def remedy(code: str, say: Language) -> str:
    """What to do about payloads that wait for this cause; nothing is known of a code nobody named."""
    return say(QUARANTINE_REMEDIES[code]) if code in QUARANTINE_REMEDIES else ""
