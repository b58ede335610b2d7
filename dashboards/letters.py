"""What is written to people by mail, in their language: subject and plain text."""

from __future__ import annotations

from typing import Literal

from dashboards.language import N_, language

What = Literal["password", "second_factor", "no_second_factor", "codes"]
_SUBJECT = N_("Témoin : choisir un mot de passe")
_TEXT = N_(
    "Bonjour,\n\n"
    "Quelqu’un, vous sans doute, a demandé à choisir un nouveau mot de passe pour votre compte Témoin. "
    "Cette adresse le permet, une seule fois, pendant une heure :\n\n"
    "{address}\n\n"
    "Si ce n’est pas vous, ne faites rien : votre mot de passe reste le même.\n"
)
_CHANGED = {
    "password": (
        N_("Témoin : votre mot de passe a changé"),
        N_("Le mot de passe de votre compte Témoin vient d’être changé."),
    ),
    "second_factor": (
        N_("Témoin : votre second facteur est en place"),
        N_("Votre compte Témoin demande maintenant un code de téléphone après le mot de passe."),
    ),
    "no_second_factor": (
        N_("Témoin : votre second facteur est retiré"),
        N_("Votre compte Témoin ne demande plus de code de téléphone après le mot de passe."),
    ),
    "codes": (
        N_("Témoin : des codes faux après votre mot de passe"),
        N_("Quelqu’un a tapé votre mot de passe de Témoin, puis huit codes faux. L’accès lui a été refusé."),
    ),
}
_AROUND = N_(
    "Bonjour,\n\n{what}\n\n"
    "Si c’est vous, il n’y a rien à faire. Sinon, prévenez sans attendre qui administre Témoin, "
    "et choisissez un autre mot de passe :\n\n"
    "{address}\n"
)


def new_password(address: str, locale: str) -> tuple[str, str]:
    """Subject and text of the mail that lets somebody choose a password at `address`."""
    say = language(locale)
    return say(_SUBJECT), say(_TEXT, address=address)


def changed(what: What, address: str, locale: str) -> tuple[str, str]:
    """Subject and text of the mail that tells somebody what happened to their account; `address` mends it."""
    say = language(locale)
    subject, sentence = _CHANGED[what]
    return say(subject), say(_AROUND, what=say(sentence), address=address)
