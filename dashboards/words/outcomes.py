# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""How each outcome is spoken of: sizes, effects, whole sentences about the refitted rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboards.language import N_


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
