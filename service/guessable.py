"""Passwords that are tried first: a few letters, a walk over the keyboard, one's own name, common words.

Twelve characters at least are asked already, which the well-known lists of short ones cannot have. What of
those lists is as long is nearly always made of these parts; nobody outside is asked, and no list of stolen
passwords is kept.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LEFT = 4  # letters that must remain once the parts below are taken away
DIFFERENT = 5  # letters and digits that are not the same
STRIDE = 4  # keys in a row that are a walk
UNIT = 8  # a text no longer than this, repeated, is that text
WALKS = (
    "abcdefghijklmnopqrstuvwxyz",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",  # down the columns
    "qazwsxedcrfvtgbyhnujmikolp",
    "aqwzsxedcrfvtgbyhnujikolpm",
    "1aqw2zsx3edc4rfv5tgb6yhn7ujk8il9om0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "1a2z3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1z2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6g7h8i9j0",
)
_WORDS = re.compile(r"[a-z]+").findall(
    """
    password passwort passe motdepasse mdp secret secrete changeme changezmoi changer default defaut
    temporaire temp admin administrateur administrator root user utilisateur test demo invite guest
    login connexion welcome bienvenue bonjour bonsoir salut coucou hello merci soleil lune etoile doudou
    loulou loulous chouchou choupette princesse princess prince amour jetaime jtaime iloveyou love coeur
    cherie cheri bebe famille maman papa maison chocolat vanille caramel papillon dauphin panthere tigre
    lion chaton minou chien football soccer baseball basketball rugby tennis hockey monkey dragon master
    shadow sunshine superman batman spiderman pokemon naruto starwars zelda mario matrix freedom
    whatever trustno letmein qwerty azerty ninja pirate killer flower summer winter spring autumn
    automne hiver printemps janvier fevrier mars avril juin juillet aout septembre octobre novembre
    decembre january february march april june july august september october november december lundi
    mardi mercredi jeudi vendredi samedi dimanche monday tuesday wednesday thursday friday saturday
    sunday france paris marseille lyon nantes toulouse bordeaux lille rennes strasbourg bretagne europe
    mairie ville commune metropole region prefecture departement service services public bureau salle
    reunion temoin ordinateur computer internet windows microsoft office outlook google facebook
    instagram linkedin youtube android iphone samsung nicolas julien thomas alexandre sebastien
    christophe laurent stephane philippe frederic antoine maxime guillaume camille marine charlotte
    pauline isabelle nathalie sandrine caroline celine aurelie virginie michael jennifer jordan charlie
    daniel andrew joshua monmotdepasse unbelievable superstar manchester liverpool chelsea arsenal
    barcelona juventus metallica
    """
)
_BY_LENGTH = sorted(set(_WORDS), key=len, reverse=True)
_WALKED = {
    each[at : at + STRIDE]
    for walk in WALKS
    for each in (walk, walk[::-1])
    for at in range(len(walk) - STRIDE + 1)
}
_LOOKALIKES = str.maketrans("@4310$57", "aaeiosst")


def guessable(password: str, about: Iterable[str] = ()) -> bool:
    """Whether this is among the first that would be tried of somebody; `about` are their name and address."""
    plain = _plain(password)
    bare = "".join(filter(str.isalnum, plain))
    if not bare.isascii():
        return False  # letters of no list here
    if len(set(bare)) < DIFFERENT or _unit(bare) <= UNIT:
        return True
    own = {part for each in about for part in re.split(r"[^a-z]+", _plain(each)) if len(part) >= STRIDE - 1}
    words = sorted(own, key=len, reverse=True) + _BY_LENGTH
    return any(_left(reading, words) < LEFT for reading in (bare, _plain(plain.translate(_LOOKALIKES))))


def _plain(text: str) -> str:
    """Small letters without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def _unit(bare: str) -> int:
    """The length of what this text is a repetition of; its own when of nothing shorter."""
    return (bare + bare).find(bare, 1)


def _left(reading: str, words: Iterable[str]) -> int:
    """How many letters remain once walks and words are taken away."""
    text, at = "", 0
    while at < len(reading):
        if reading[at : at + STRIDE] in _WALKED:
            at += STRIDE
            while reading[at - STRIDE + 1 : at + 1] in _WALKED and at < len(reading):
                at += 1
            text += " "
        else:
            text += reading[at]
            at += 1
    for word in words:
        text = text.replace(word, " ")
    return sum(map(str.isalpha, text))
