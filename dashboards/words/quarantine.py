# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""Why a message waits, and what to do about it."""

from __future__ import annotations

from dashboards.language import N_, Language

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
    "retained": N_("message gardé par le courtier MQTT, sans heure"),
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
        "Dites à quelle mesure correspond chaque champ ; laissez à « rien » ce qui n’en est pas une."
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
        "Réglez la passerelle pour que le courtier MQTT ne garde pas ses messages (retain), puis écartez ceux-ci."
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
    "late": N_("Écartez ces messages ; les mesures du passé s’ajoutent par un fichier, sous « Importer »."),
}

# the remedies that begin by saying what fields mean; for the others that form comes last, folded
MENDED_BY_MEANING = frozenset(
    (
        "bad_type",
        "bad_time",
        "bad_device",
        "empty_device",
        "missing",
        "ambiguous",
        "unknown_metric",
        "unknown_unit",
        "nothing_known",
        "unknown_format",
    )
)


def cause(code: str, say: Language) -> str:
    """Why a payload waits in quarantine, in a few words; a code nobody named as it is."""
    return say(QUARANTINE_CODES[code]) if code in QUARANTINE_CODES else code


def remedy(code: str, say: Language) -> str:
    """What to do about payloads that wait for this cause; nothing is known of a code nobody named."""
    return say(QUARANTINE_REMEDIES[code]) if code in QUARANTINE_REMEDIES else ""
