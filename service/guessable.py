"""Passwords that are tried first: common ones, walks over the keyboard, one's own name, a word and a year.

zxcvbn (Wheeler, USENIX Security 2016) counts how many others would be tried before; its lists are English, so
it is told what people in a French town hall would take. Nobody outside is asked.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ENOUGH = 4  # zxcvbn's best score: not within the first 10^10
READ = 72  # characters; zxcvbn reads no more
WORDS = """
    motdepasse monmotdepasse passe mdp changezmoi changer default defaut temporaire temp secrete passwort
    administrateur administrator root user utilisateur demo invite guest login connexion bienvenue bonjour
    bonsoir salut coucou merci temoin mairie ville commune metropole region prefecture departement service
    services public bureau salle reunion ordinateur hoteldeville soleil lune etoile doudou loulou loulous
    chouchou choupette princesse amour jetaime jtaime coeur cherie cheri bebe famille maman papa maison
    vanille caramel papillon dauphin panthere tigre lion chaton minou chien basketball rugby
    azertyuiop azertyuiopqsdfghjklmwxcvbn qsdfghjklm wxcvbn
    automne hiver printemps janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre
    lundi mardi mercredi jeudi vendredi samedi dimanche france bretagne europe paris marseille lyon nantes
    toulouse bordeaux lille rennes strasbourg nicolas julien thomas alexandre sebastien christophe laurent
    stephane philippe frederic antoine maxime guillaume camille charlotte pauline isabelle nathalie sandrine
    caroline celine aurelie virginie
""".split()  # noqa: SIM905 - words are read, and changed, as words


def guessable(password: str, about: Iterable[str] = ()) -> bool:
    """Whether this is among the first that would be tried of somebody; `about` are their name and address."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its lists are large, and few choose a password

    known = [_plain(each) for each in about]
    known += [part for each in known for part in re.split(r"[\W_]+", each) if len(part) > 2]  # noqa: PLR2004 - « de »
    known += [each.partition("@")[0] for each in known]
    found = zxcvbn(_plain(password)[:READ], user_inputs=list(dict.fromkeys([*known, *WORDS])))
    return bool(found["score"] < ENOUGH)


def _plain(text: str) -> str:
    """Small letters without accents, as the lists have them."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))
