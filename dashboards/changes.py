# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""What people changed, in words: the audit's tables, columns and values as one would say them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from dashboards.language import N_, Language, lower_first
from dashboards.words import ASSIGNMENTS, DECISIONS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# table → « la salle », as it follows « a changé »
KINDS: dict[str, str] = {
    "sites": N_("le lieu"),
    "closures": N_("le jour de fermeture"),
    "rooms": N_("la salle"),
    "devices": N_("le capteur"),
    "placements": N_("l’emplacement du capteur"),
    "device_photos": N_("la photo du capteur"),
    "experiments": N_("l’expérience"),
    "arms": N_("la participation de la salle"),
    "measures": N_("la mesure"),
    "protocols": N_("le protocole verrouillé"),
    "looks": N_("l’analyse figée"),
    "deviations": N_("l’imprévu"),
    "costs": N_("le coût"),
    "decisions": N_("la décision"),
    "gateways": N_("la passerelle"),
    "gateway_tokens": N_("le jeton de la passerelle"),
    "users": N_("la personne"),
    "identities": N_("l’identité auprès de l’organisation"),
    "second_factors": N_("le second facteur"),
    "mappings": N_("la correspondance"),
    "imports": N_("l’import"),
    "shares": N_("le lien de partage"),
}
ACTIONS: dict[str, str] = {
    "created": N_("**{who}** a créé {kind} **{called}**"),
    "changed": N_("**{who}** a changé {kind} **{called}** :"),
    "deleted": N_("**{who}** a supprimé {kind} **{called}**"),
}
ROLES: dict[str, str] = {
    "reader": N_("lecture"),
    "facilities": N_("moyens généraux"),
    "analyst": N_("analyse"),
    "administrator": N_("administration"),
}
FIELDS: dict[str, str] = {
    "size": N_("taille"), "map": N_("colonnes"), "status": N_("état"), "width": N_("largeur"), "height": N_("hauteur"), "added_by": N_("ajoutée par"), "number": N_("numéro"), "version": N_("version"), "topic": N_("sujet"), "document": N_("contenu"),
    "name": N_("nom"), "slug": N_("adresse courte"), "title": N_("titre"), "label": N_("libellé"),
    "site": N_("lieu"), "room": N_("salle"), "device_key": N_("capteur"), "experiment": N_("expérience"),
    "gateway": N_("passerelle"), "gateway_name": N_("passerelle"), "key": N_("identifiant"),
    "opens": N_("ouverture"), "closes": N_("fermeture"), "weekdays": N_("jours ouverts"), "day": N_("jour"),
    "reason": N_("raison"), "floor": N_("étage"), "capacity": N_("capacité"), "area_m2": N_("surface (m²)"),
    "volume_m3": N_("volume (m³)"), "heartbeat_minutes": N_("rythme d’envoi (min)"), "start": N_("début"),
    "end": N_("fin"), "starts": N_("début"), "ends": N_("fin"), "expires": N_("échéance"),
    "declared_at": N_("déclaré le"), "declared_on": N_("jour de la déclaration"), "washout": N_("jours écartés"), "min_days": N_("jours au moins"),
    "min_coverage": N_("couverture au moins"), "assignment": N_("choix des salles"), "seed": N_("graine"),
    "alpha": N_("seuil"), "interim": N_("analyse à mi-parcours"), "switch": N_("premier jour après le changement"),
    "pair": N_("paire"), "outcome": N_("mesure"), "role": N_("rôle"), "better": N_("sens souhaité"),
    "useful": N_("plus petit effet utile"), "margin": N_("marge tolérée"), "position": N_("rang"),
    "sha256": N_("empreinte"), "locked_at": N_("verrouillé le"), "locked_by": N_("verrouillé par"),
    "kind": N_("genre"), "taken_at": N_("figée le"), "what": N_("ce qui s’est passé"),
    "entered_by": N_("saisi par"), "entered_at": N_("saisi le"), "euros": N_("euros"), "hours": N_("heures"),
    "choice": N_("choix"), "body": N_("instance"), "decided_on": N_("décidé le"), "lessons": N_("enseignements"),
    "added_at": N_("ajoutée le"), "made_at": N_("fait le"), "token_sha256": N_("jeton"),
    "made_by": N_("fait par"), "revoked_at": N_("révoqué le"),
    "broker_hash": N_("mot de passe du courtier"), "email": N_("adresse électronique"),
    "password_hash": N_("mot de passe"), "active": N_("compte ouvert"), "sealed_secret": N_("secret"), "recovery_sha256": N_("codes de secours"), "enrolled_at": N_("depuis le"), "created_at": N_("créé le"),
    "issuer": N_("émetteur"), "subject": N_("identifiant chez l’émetteur"), "linked_at": N_("reliée le"),
    "user": N_("personne"), "model": N_("modèle"), "devices.position": N_("place dans la salle"),
    "owner": N_("responsable"), "continues_key": N_("prend la suite de"),
    "sheet.idea": N_("L’idée"), "sheet.problem": N_("Le problème vécu"), "sheet.hypothesis": N_("L’hypothèse"),
    "sheet.change": N_("Le changement"), "sheet.why_rooms": N_("Le choix des salles"), "sheet.owner": N_("Porté par"),
    "sheet.people": N_("Les personnes concernées"), "sheet.sponsor": N_("Avec l’appui de"),
    "sheet.risks": N_("Les risques"), "sheet.accessibility": N_("L’accessibilité"),
    "sheet.committee": N_("Instances consultées"),
}  # fmt: skip


def kind(table: str, say: Language) -> str:
    """`la salle`; a table that has no words yet by its own name."""
    return say(KINDS[table]) if table in KINDS else table.replace("_", " ")


def field(table: str, name: str, say: Language) -> str:
    """`capacité`; a column without words by its own name."""
    words = FIELDS.get(f"{table}.{name}") or FIELDS.get(name)
    if words is not None:
        return lower_first(say(words))
    return name.removeprefix("sheet.").replace("_", " ")


def value(name: str, given: Any, say: Language, zone: ZoneInfo) -> str:  # noqa: ANN401 - whatever JSON holds
    """A value as one writes it: `8`, `2 mars 2026 à 16 h 12`, `oui`, `–` for none."""
    if given is None or given == "":
        return "–"
    if isinstance(given, bool):
        return say(N_("oui")) if given else say(N_("non"))
    if isinstance(given, int | float):
        text = f"{given:.12g}" if isinstance(given, float) else str(given)
        return text.replace(".", ",") if say.french else text
    if isinstance(given, str):
        return _named(name, given, say) or _moment(given, say, zone) or given
    return str(given)


def _named(name: str, given: str, say: Language) -> str | None:
    if name == "role" and given in ROLES:
        return say(ROLES[given])
    if name == "choice" and given in DECISIONS:
        return say(DECISIONS[given][1])
    if name == "assignment" and given in ASSIGNMENTS:
        return say(ASSIGNMENTS[given])
    return None


def _moment(given: str, say: Language, zone: ZoneInfo) -> str | None:
    """An ISO day or time, which is how the audit writes them."""
    try:
        if len(given) == len("2026-03-02"):
            return say.day(date.fromisoformat(given), year=True)
        return say.moment(datetime.fromisoformat(given).astimezone(zone)) if given[10:11] == "T" else None
    except ValueError:
        return None
