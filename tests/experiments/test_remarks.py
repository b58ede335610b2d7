"""What remarks speak of, and never of fewer than k."""

from __future__ import annotations

from experiments.remarks import themes

TABLES = [
    "La table bloque.",
    "Les tables sont basses.",
    "Table trop grande !",
    "Une chaise manque.",
    "TABOURET",
]


def test_themes_are_counted_by_words_whatever_their_accents_and_case():
    assert dict(themes(TABLES, 5)) == {"furniture": 5}
    assert dict(themes(["L’ÉCRAN scintille.", "écrans", "ecran", "the screen", "prises"], 5)) == {
        "equipment": 5
    }


def test_fewer_than_k_are_not_told():
    assert themes(TABLES[:4], 5) == ()


def test_nor_are_themes_whose_complement_is_fewer_than_k():
    assert themes([*TABLES, "Rien à signaler."], 5) == ()
    assert dict(themes([*TABLES, *["Rien à signaler."] * 5], 5)) == {"furniture": 5}


def test_a_word_inside_another_is_another_word():
    assert themes(["Un notable stable et acceptable."] * 5, 5) == ()


def test_no_remark_no_theme():
    assert themes([], 5) == ()
