"""What each column of an exported table holds. Names of columns are the contract, and in no language."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.language import N_


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, its unit and what it holds, both to be said in a language."""

    name: str
    unit: str
    meaning: str


TABLES: dict[str, tuple[Column, ...]] = {
    "rooms.csv": (
        Column("room", "", N_("clé de la salle")),
        Column("name", "", N_("nom usuel")),
        Column("site", "", N_("clé de son lieu")),
        Column("site_name", "", N_("nom usuel")),
        Column("floor", "", N_("tel que déclaré")),
        Column("capacity", N_("personnes"), N_("places ; vide : inconnu")),
        Column("area", "m²", N_("vide : inconnu")),
        Column("volume", "m³", N_("vide : inconnu")),
        Column("opens", N_("heure locale"), N_("heure d’ouverture du lieu")),
        Column("closes", N_("heure locale"), N_("heure de fermeture du lieu ; 00:00 est la fin du jour")),
        Column("weekdays", "ISO", N_("jours de la semaine où le lieu est ouvert, lundi est 1")),
    ),
    "outcomes.csv": (
        Column("room", "", N_("clé de la salle ; les salles pour une personne sont laissées de côté")),
        Column("day", N_("date locale"), ""),
        Column("outcome", "", N_("ce qui a été mesuré, expliqué plus bas")),
        Column("version", "", N_("de la définition de la mesure")),
        Column("value", N_("celle de la mesure"), N_("vide : non défini ce jour-là, ou sous scellés")),
        Column("coverage", "0–1", N_("part des heures d’ouverture sur laquelle repose la valeur")),
        Column("sealed", "0/1", N_("1 : caché jusqu’à la fin d’une expérience de cette salle")),
    ),
    "experiments.csv": (
        Column("experiment", "", N_("sa clé")),
        Column("title", "", ""),
        Column(
            "status",
            "",
            N_("idea (idée), planned (prévue), running (en cours), ended (terminée) ou decided (décidée)"),
        ),
        Column("starts", N_("date locale"), N_("premier jour de la période d’avant")),
        Column("ends", N_("date locale"), N_("dernier jour de la période d’après")),
        Column(
            "assignment",
            "",
            N_("choix des salles : lot (tirage), reasoned (motivé) ou unknown (inconnu)"),
        ),
        Column("protocol_sha256", "", N_("du protocole tel que verrouillé ; vide : pas verrouillé")),
        Column("verdict", "", N_("vide : sous scellés, ou aucun ne peut être rendu")),
        Column("grade", "", N_("decision (décisive), indicative ou none (aucune)")),
        Column(
            "decision",
            "",
            N_("generalise, extend, adjust, stop ou inconclusive ; vide : pas encore de décision"),
        ),
        Column("decided_on", N_("date locale"), ""),
        Column("decided_by", "", N_("par quelle instance")),
        Column("reason", "", N_("de la décision")),
    ),
    "arms.csv": (
        Column("experiment", "", N_("clé de l’expérience")),
        Column("room", "", N_("clé de la salle")),
        Column(
            "switch", N_("date locale"), N_("premier jour d’après le changement ; vide : une salle témoin")
        ),
        Column("pair", "", N_("salles tirées ensemble")),
    ),
    "devices.csv": (
        Column("device", "", N_("sa clé, passerelle/nom")),
        Column("label", "", N_("nom usuel")),
        Column("model", "", ""),
        Column("position", "", N_("où dans la salle, en toutes lettres")),
        Column("heartbeat", "min", N_("au moins un message par durée ; vide : non déclaré")),
        Column("continues", "", N_("clé du capteur dont il a pris la place")),
        Column("first_seen", "UTC", ""),
        Column(
            "last_seen",
            "UTC",
            N_("vide tant qu’une expérience est en cours dans sa salle, et si elle est pour une personne"),
        ),
    ),
    "placements.csv": (
        Column("device", "", N_("sa clé")),
        Column("room", "", N_("clé de la salle")),
        Column("start", "UTC", N_("dans cette salle dès lors")),
        Column("end", "UTC", N_("jusqu’alors ; vide : encore")),
    ),
    "answers.csv": (
        Column("room", "", N_("clé de la salle")),
        Column(
            "month",
            N_("local"),
            N_("les mois en cours, ou de moins d’avis que le plus petit groupe montré, sont laissés de côté"),
        ),
        Column(
            "question",
            "",
            N_("comme sur le formulaire ; sans celles qu’un essai de la salle dit, ce mois-là, par période"),
        ),
        Column("answer", "", N_("ce qui a été coché")),
        Column("n", N_("avis"), N_("combien l’ont coché")),
    ),
}
READINGS = (
    Column("device", "", N_("sa clé ; seulement tant qu’il était dans une salle")),
    Column(
        "room", "", N_("clé de la salle ; les salles pour une personne ou sous scellés sont laissées de côté")
    ),
    Column("metric", "", N_("ce qui a été mesuré")),
    Column("time", "UTC", N_("à la milliseconde")),
    Column("value", N_("celle de la grandeur"), ""),
)
PANEL = (
    Column("room", "", N_("clé de la salle")),
    Column("day", N_("date locale"), N_("ou la période des avis")),
    Column("outcome", "", N_("comme dans outcomes.csv")),
    Column("value", N_("celle de la mesure"), N_("telle que comparée")),
    Column("n", N_("avis"), N_("pour les mesures tirées des avis seulement")),
)
