"""What each result says first, in words a facilities officer understands."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from states import GOOD, experiments

from dashboards import render, words
from dashboards.language import language
from dashboards.pages.frame import Frame
from experiments.reason import Reason

EXPECTED = {
    "generalise": ("35 minutes de plus par jour", "On peut généraliser", "good"),
    "generalise-fragile": ("35 minutes de plus par jour", "On peut généraliser", "good"),
    "adjust-uncertain": ("On ne sait pas si", "Pas encore prouvé : prolonger ou ajuster", "warn"),
    "adjust-small": ("On ne sait pas si", "Pas encore prouvé : prolonger ou ajuster", "warn"),
    "stop-guardrail": ("dépasse sa limite : +182 ppm", "Ça dégrade", "bad"),
    "stop-harm": ("C’est le contraire de ce que l’on cherchait", "Ça dégrade", "bad"),
    "stop-futile": ("Même au mieux", "Effet trop petit", "bad"),
    "cannot-conclude": (
        "le hasard peut faire aussi bien 1 fois sur 3",
        "Trop peu de salles pour conclure",
        "unsure",
    ),
    "not-estimable": ("L’effet n’a pas pu être estimé", "Impossible de conclure", "unsure"),
    "no-threshold": ("35 minutes de plus par jour", "Pas de seuil, pas de verdict", "unsure"),
    "voice-primary": ("58 réponses sur 100", "Pas encore prouvé : prolonger ou ajuster", "warn"),
}
CAMILLE = Frame("/experiments/tables", "", "Camille", "token", 0, "facilities")
SPACES = str.maketrans("\u202f\u00a0", "  ")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_result_says_its_sentence_and_its_card(name: str) -> None:
    result = experiments()[name].result
    assert result is not None
    said, title, tone = EXPECTED[name]
    card = words.card(result, language("fr"))
    assert said in words.sentence(result, "fr").translate(SPACES)
    assert (card.title.translate(SPACES), card.tone) == (title, tone)


def test_what_agents_judge_is_always_said() -> None:
    for name, page in experiments().items():
        if page.result is not None:
            assert len(words.judged(page.result, language("fr"))) > 20, name


def test_a_running_experiment_says_nothing_of_its_effect() -> None:
    html = render.page(experiments()["running"], "fr")
    assert "Avant et après" not in html
    assert "Ce que cela change" not in html
    assert "Semaine 10 sur 13" in html


def test_a_guardrail_beyond_its_limit_turns_the_check_to_no() -> None:
    result = experiments()["stop-guardrail"].result
    assert result is not None
    states = [check.state for check in words.checks(result, language("fr"))]
    assert states == ["yes", "no", "yes"]


def test_a_text_of_the_sheet_cannot_bring_markup() -> None:
    page = experiments()["idea"]
    html = render.page(type(page)(**{**vars(page), "title": "<script>alert(1)</script>"}), "fr")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_an_address_of_a_static_file_holds_its_contents_hash() -> None:
    urls = [asset.url for asset in render.assets().values()]
    assert all(len(url.split(".")[-2]) == 8 for url in urls)
    css = sum(len(asset.content) for asset in render.assets().values() if asset.url.endswith(".css"))
    assert css <= 25_000


def estimate_between(low: float, high: float, n_treated: int):
    return replace(GOOD, effect=(low + high) / 2, ci_low=low, ci_high=high, n_treated=n_treated)


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("outcome", [*words.OUTCOMES, "unheard_of"])
def test_one_refitted_room_is_spoken_of_as_one(locale, outcome):
    say = language(locale)
    several = {
        "fr": "salles réaménagées|les salle |(?<!de )la salle réaménagée (?:sont|accueillent|conviennent)",
        "en": r"refitted rooms|refitted room (?:are|host|work)\b",
    }[locale]
    for low, high in ((2.0, 5.0), (-5.0, -2.0), (-2.0, 5.0)):
        one = estimate_between(low, high, n_treated=1)
        assert not re.search(several, words.Spoken(say, outcome).headline(one)), (low, high)
        two = estimate_between(low, high, n_treated=2)
        if "refitted" in (told := words.Spoken(say, outcome).headline(two)):
            assert "refitted rooms" in told


@pytest.mark.parametrize(
    ("width", "shown"), [(4e-9, "0,0000000012"), (0.04, "0,012"), (4, "1,2"), (400, "120"), (4e9, "1")]
)
def test_an_outcome_nobody_described_has_the_digits_its_interval_bears(width, shown):
    spoken = words.Spoken(language("fr"), "unheard_of", "", width)
    assert spoken.value(0.3 * width).startswith(shown)


def test_what_chance_always_does_is_not_one_time_in_one():
    assert words.chance(1.0, language("en")) == "every time"
    assert words.chance(0.7, language("en")) == "more often than not"
    assert words.chance(1 / 3, language("en")) == "1 time in 3"


def test_fragile_says_how_often_it_is_said_of_rooms_that_are_all_alike() -> None:
    numbers = {"ratio": 1.9, "limit": 1.5, "chance": 0.552}
    assert "1 fois sur 2" in words.reason(Reason("sd_ratio", numbers), "fr").translate(SPACES)
    assert "1 time in 2" in words.reason(Reason("sd_ratio", numbers), "en")


def test_an_ended_experiment_says_how_its_decision_is_kept_until_there_is_one() -> None:
    """Whoever must decide is never left with a verdict and no next step; a share link has none to offer."""
    pages = experiments()
    waiting = render.page(pages["generalise"], "fr", CAMILLE)
    assert 'href="#decision"' in waiting
    assert "[experiments.decision]" in waiting
    assert "[experiments.decision]" not in render.page(pages["decided"], "fr", CAMILLE)
    assert "decision" not in render.page(pages["generalise"], "fr")


def test_each_guardrail_has_its_reason_though_several_share_a_code() -> None:
    ended = experiments()["generalise"]
    assert ended.result is not None
    air, noise = (
        Reason("guardrail_held", {"outcome": key, "margin": 5.0})
        for key in ("co2_occupied", "sound_background")
    )
    html = render.page(replace(ended, result=replace(ended.result, reasons=(air, noise, air))), "fr")
    assert html.count("garde-fou tenu") == 2


def test_what_was_observed_is_told_by_arm_in_words() -> None:
    html = render.page(experiments()["running"], "fr")
    strips = html.partition('class="rows strip"')[2].partition("</figure>")[0]
    assert strips.index("Salles réaménagées") < strips.index("Salles témoins")
