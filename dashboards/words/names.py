"""What things are called: metrics, units, questions, categories, seasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.language import N_, Language, lower_first

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from dashboards.words.verdicts import Tone


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


def season(first: date, say: Language) -> str:
    """`Été 2026`, `Hiver 2025-2026`: the season that begins on this day."""
    years = f"{first.year}-{first.year + 1}" if first.month == 12 else str(first.year)  # noqa: PLR2004
    return say(SEASONS[first.month], years=years)


def measured(metrics: Sequence[str], say: Language) -> str:
    """The names of these metrics, one after the other: « CO₂, température et humidité »."""
    names = [say(METRICS[metric]) for metric in metrics]
    return say.listed(names[:1] + [lower_first(name) for name in names[1:]])
