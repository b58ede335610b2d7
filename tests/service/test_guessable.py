"""Which passwords are tried first, and which are not."""

from __future__ import annotations

import secrets

import pytest

from service.guessable import guessable

CAMILLE = ("camille.robert@nantes.example", "Camille Robert")
FIRST = [
    "motdepasse123", "Motdepasse2026!", "azertyuiop12", "AZERTYUIOP123", "qwertyuiop123",
    "123456789012", "aaaaaaaaaaaa", "1q2w3e4r5t6y", "1qaz2wsx3edc", "passwordpassword", "P@ssw0rd2026!",
    "administrateur", "administrator1", "bonjourbonjour", "Bonjour2026!!", "azertyazerty",
    "nicolas123456", "qazwsxedcrfv", "q1w2e3r4t5y6", "zaq12wsxcde3", "1234567890qwe", "abcdefghijkl",
    "0987654321098", "iloveyou1234", "jetaime123456", "marseille13013", "Nantes44000!!",
    "MairieNantes2026", "unbelievable", "superman12345", "qwerty123456789", "12121212121212",
    "abcabcabcabc", "Welcome2026!!!", "changeme1234", "letmeinletmein", "trustno1trustno1",
    "Février2026!",
]  # fmt: skip


@pytest.mark.parametrize("password", FIRST)
def test_what_everybody_tries_is_known(password):
    assert guessable(password)


@pytest.mark.parametrize(
    "password", ["camille.robert", "Camille.Robert1985", "ROBERT@nantes44!", "trebor-Robert-1"]
)
def test_so_is_what_is_made_of_ones_own_name(password):
    assert guessable(password, CAMILLE) == (password != "trebor-Robert-1")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "trois mots sans lien", "la tortue mange du plomb", "tracteur violet 44",
        "mot de passe cheval agrafe", "Xk9$mP2!qL7#", "密码甲乙丙丁戊己庚辛壬癸", "agrafe cheval nuage",
    ],
)  # fmt: skip
def test_words_without_a_link_are_not(password):
    assert not guessable(password, CAMILLE)


def test_nor_is_what_chance_makes():
    assert not any(guessable(secrets.token_urlsafe(12), CAMILLE) for _ in range(200))
