# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""Why something could not be had, or what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.language import N_, Language, language
from dashboards.words.spoken import Spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from experiments.reason import Reason


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
    "interim_goes_on": N_("Le point de mi-parcours ne permet pas de s’arrêter : l’expérience continue."),
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
