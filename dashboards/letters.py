"""What is written to people by mail, in their language: subject and plain text."""

from __future__ import annotations

from dashboards.language import N_, language

_SUBJECT = N_("Témoin : choisir un mot de passe")
_TEXT = N_(
    "Bonjour,\n\n"
    "Quelqu’un, vous sans doute, a demandé à choisir un nouveau mot de passe pour votre compte Témoin. "
    "Cette adresse le permet, une seule fois, pendant une heure :\n\n"
    "{address}\n\n"
    "Si ce n’est pas vous, ne faites rien : votre mot de passe reste le même.\n"
)


def new_password(address: str, locale: str) -> tuple[str, str]:
    """Subject and text of the mail that lets somebody choose a password at `address`."""
    say = language(locale)
    return say(_SUBJECT), say(_TEXT, address=address)
