# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""The words that Témoin uses with care: each means one thing, on every page."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.language import N_


@dataclass(frozen=True)
class Word:
    """A word, what it means, its anchor on the page; `forms` is how sentences have it, as a pattern."""

    key: str
    word: str
    meaning: str
    forms: str


GLOSSARY: dict[str, tuple[Word, ...]] = {
    N_("Comparer des salles"): (
        Word(
            "salle-temoin",
            N_("Salle témoin"),
            N_(
                "Une salle que l’on ne change pas. Elle vit les mêmes jours que les autres, et dit ce qui serait arrivé sans rien changer."
            ),
            r"salles? témoins?",
        ),
        Word(
            "salle-reamenagee",
            N_("Salle réaménagée"),
            N_("Une salle qui reçoit le changement à l’essai : tables, sièges, écran, cloison."),
            r"salles? réaménagées?",
        ),
        Word(
            "evolution",
            N_("Évolution d’une salle"),
            N_(
                "Sa moyenne d’après le changement, moins sa moyenne d’avant. Une salle témoin en a une aussi."
            ),
            r"évolutions?",
        ),
        Word(
            "effet",
            N_("Effet"),
            N_(
                "L’évolution moyenne des salles réaménagées, moins celle des salles témoins. C’est ce que le changement a causé, et non ce que la saison aurait fait de toute façon."
            ),
            r"effets?",
        ),
        Word(
            "intervalle",
            N_("Intervalle"),
            N_(
                "De combien à combien l’effet peut être, hasard compris. À 95 % : calculé ainsi, il contient le vrai effet dix-neuf fois sur vingt. S’il contient zéro, l’effet n’est pas établi."
            ),
            r"intervalles?",
        ),
        Word(
            "seuil-utile",
            N_("Seuil utile"),
            N_("Le plus petit effet qui vaudrait de changer d’autres salles, fixé avant le début."),
            r"seuils? utiles?",
        ),
        Word(
            "garde-fou",
            N_("Garde-fou"),
            N_(
                "Ce que le changement ne doit pas abîmer (l’air, le bruit, les dos), et de combien au plus. Il est tenu, dépassé, ou l’on ne sait pas."
            ),
            r"garde-fous?",
        ),
        Word(
            "tirage",
            N_("Tirage"),
            N_(
                "Le choix au hasard des salles réaménagées. Le rejouer de toutes les façons possibles dit ce que le hasard fait à lui seul."
            ),
            r"tirages?",
        ),
        Word(
            "indication",
            N_("Indication"),
            N_(
                "Ce que vaut un résultat dont les salles sont trop peu nombreuses, ou mal choisies, pour décider. L’expérience est alors indicative ; sinon, elle est décisive."
            ),
            r"indications?|indicatives?",
        ),
        Word(
            "fragile",
            N_("Résultat fragile"),
            N_(
                "Les deux calculs du hasard ne disent pas la même chose, ou les deux groupes de salles sont inégalement dispersés. On généralise alors par étapes, en continuant de mesurer."
            ),
            r"résultat fragile",
        ),
        Word(
            "non-concluant",
            N_("Non concluant"),
            N_(
                "La décision quand on ne sait toujours pas, à la fin, si le changement a un effet. Ce n’est pas dire qu’il n’en a pas."
            ),
            r"non concluant",
        ),
        Word(
            "essai-libre",
            N_("Essai libre"),
            N_(
                "Un changement observé sans salle témoin. On raconte ce qui s’est passé ; on ne dit pas ce que le changement a causé."
            ),
            r"essai libre",
        ),
    ),
    N_("Conduire une expérience"): (
        Word(
            "protocole",
            N_("Protocole"),
            N_(
                "Les salles, les dates, ce qui sera comparé, le seuil utile et les garde-fous. Il se verrouille avant le changement."
            ),
            r"protocole",
        ),
        Word(
            "scelles",
            N_("Sous scellés"),
            N_(
                "Ce que personne ne voit jusqu’à la fin d’une expérience : l’effet, et les mesures des salles comparées. On parle aussi d’embargo."
            ),
            r"sous scellés",
        ),
        Word(
            "imprevu",
            N_("Imprévu"),
            N_(
                "Ce qui s’est passé d’autre dans une salle pendant l’expérience : un capteur déplacé, des travaux, une fermeture. Il est noté à sa date, et rien n’en est effacé ensuite."
            ),
            r"imprévus?",
        ),
        Word(
            "jour-valable",
            N_("Jour valable"),
            N_(
                "Un jour d’ouverture assez observé : 70 % des heures, sauf si le protocole dit autrement. Les autres ne comptent pas : une journée muette n’est pas une journée vide."
            ),
            r"jours? valables?",
        ),
        Word(
            "couverture",
            N_("Couverture"),
            N_("La part des heures d’ouverture d’une salle qui a été observée."),
            r"couverture",
        ),
        Word(
            "mi-parcours",
            N_("Point de mi-parcours"),
            N_(
                "Le seul regard permis avant la fin, s’il est prévu au protocole. Son intervalle est plus large, pour que regarder deux fois n’augmente pas le risque de se tromper."
            ),
            r"mi-parcours",
        ),
    ),
    N_("Le confort d’une salle"): (
        Word(
            "categorie",
            N_("Catégorie I, II, III"),
            N_(
                "Les bandes de la norme européenne EN 16798-1 pour la température et le CO₂, de la plus exigeante (I) à la plus large (III). Au-delà, on dit IV."
            ),
            r"catégories? I",
        ),
        Word(
            "confinement",
            N_("Confinement (indice ICONE)"),
            N_(
                "Un indice français de l’air, de 0 (nul) à 5 (extrême) : il compte le temps de réunion passé au-dessus de 1 000 et de 1 700 ppm de CO₂."
            ),
            r"confinement",
        ),
    ),
    N_("Les capteurs et leurs messages"): (
        Word(
            "passerelle",
            N_("Passerelle"),
            N_("L’appareil ou le service qui recueille les messages des capteurs et les envoie à Témoin."),
            r"passerelles?",
        ),
        Word(
            "muet",
            N_("Muet, muette"),
            N_(
                "Sans message depuis plus longtemps que d’habitude ; deux heures, pour une passerelle. Ce qui n’a pas été entendu n’est pas zéro : on ne sait pas."
            ),
            r"muet(?:te)?s?",
        ),
        Word(
            "quarantaine",
            N_("Quarantaine"),
            N_(
                "Là où attendent les messages que Témoin a gardés sans pouvoir les lire. La raison est dite ; une fois la cause corrigée, ils sont relus, et rien n’est perdu."
            ),
            r"quarantaine",
        ),
        Word(
            "correspondance",
            N_("Correspondance"),
            N_(
                "Ce qui apprend à Témoin à lire un message de forme inconnue : quel champ est quelle mesure, et quel nom est celui du capteur."
            ),
            r"correspondances?",
        ),
    ),
}
