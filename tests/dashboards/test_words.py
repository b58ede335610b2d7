"""Every sentence is in both languages, every reason and outcome has its words."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

import dashboards
from dashboards import words
from dashboards.glossary import GLOSSARY, Word
from dashboards.language import language, plain, rich
from experiments.outcomes import OUTCOMES
from experiments.reason import REASONS, Reason
from sensors.metrics import METRICS

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ROOT = Path(dashboards.__file__).parent
MARKS = {"_": None, "N_": None, "plural": (1, 2), "say": None}
FIELD = re.compile(r"\{(\w+)\}")
NUMBERS: dict[str, Any] = {
    "outcome": "co2_occupied", "partner": "loire", "rooms": ["loire", "erdre"], "grade": "decision",
    "share": 0.1, "probability": 0.5, "p_value": 0.04, "p_randomised": 0.2, "p_floor": 0.1, "alpha": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def used() -> dict[Any, str]:
    """Sentence (or singular and plural) → a file that has it."""
    found: dict[Any, str] = {}
    modules = sorted(ROOT.rglob("*.py"), key=lambda path: path.stem == "glossary")  # pages first
    files = [(path, "python") for path in modules]
    files += [(path, "jinja2.ext:babel_extract") for path in (ROOT / "templates").glob("*.html")]
    for path, method in files:
        with path.open("rb") as file:
            for _, message, _, _ in extract(method, file, keywords=MARKS):
                found.setdefault(message, path.name)
    return found


@pytest.fixture(scope="module")
def english() -> Catalog:
    with (ROOT / "locales/en/LC_MESSAGES/temoin.po").open("rb") as file:
        return read_po(file, locale="en")


def test_every_sentence_is_in_english(used: dict[Any, str], english: Catalog) -> None:
    missing = []
    for message, where in used.items():
        found = english.get(message)
        strings = found.string if found is not None else ""
        if not all(strings if isinstance(strings, tuple) else (strings,)):
            missing.append(f"{where}: {message}")
    assert missing == []


def test_no_translation_is_left_over(used: dict[Any, str], english: Catalog) -> None:
    assert [entry.id for entry in english if entry.id and entry.id not in used] == []


def test_a_translation_has_the_fields_and_marks_of_its_sentence(english: Catalog) -> None:
    for entry in english:
        pairs = (
            zip(entry.id, entry.string, strict=True)
            if isinstance(entry.id, tuple)
            else [(entry.id, entry.string)]
        )
        for french, translated in pairs:
            if french:
                assert set(FIELD.findall(french)) == set(FIELD.findall(translated)), french
                assert french.count("**") == translated.count("**"), french


def test_french_sentences_use_the_typographic_apostrophe(used: dict[Any, str]) -> None:
    sentences = [part for message in used for part in (message if isinstance(message, tuple) else (message,))]
    assert [text for text in sentences if "'" in text] == []


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("code", REASONS)
def test_every_reason_is_a_sentence_in_both_languages(code: str, locale: str) -> None:
    numbers = {name: NUMBERS.get(name, 3) for name in REASONS[code]}
    said = words.reason(Reason(code, numbers), locale, outcome="occupied_minutes", names={"loire": "Loire"})
    assert len(said) > 10
    assert "{" not in said


def test_a_reason_without_its_numbers_shows_dashes() -> None:
    reason = Reason("uncertain", {"ci_low": None, "ci_high": None})
    assert "–" in words.reason(reason, "fr", outcome="meetings")


def test_every_outcome_metric_and_its_unit_have_words() -> None:
    assert set(words.OUTCOMES) == set(OUTCOMES)
    assert set(words.METRICS) == set(METRICS)
    assert {key for key, outcome in OUTCOMES.items() if outcome.family == "voice"} == words.VOICES


def test_every_cause_of_quarantine_says_what_to_do() -> None:
    assert set(words.QUARANTINE_REMEDIES) == set(words.QUARANTINE_CODES)
    verbs = re.compile(
        r"\b(?:corrigez|dites|remplacez|vérifiez|donnez|installez|réglez|prévenez|voyez|remettez|écartez)\b"
    )
    for code, text in words.QUARANTINE_REMEDIES.items():
        assert verbs.search(text.lower()), code
        assert words.remedy(code, language("en")) != text, code
    assert words.remedy("of tomorrow", language("fr")) == ""


def test_numbers_are_written_as_each_language_does() -> None:
    fr, en = language("fr"), language("en")
    assert (fr.number(1412), en.number(1412)) == ("1\u202f412", "1,412")
    assert (fr.signed(-0.42, 1), en.signed(-0.42, 1)) == ("−0,4", "−0.4")
    assert (fr.signed(35), fr.signed(-0.01, 1), fr.signed(0)) == ("+35", "0,0", "0")
    assert (fr.percent(0.385), en.percent(0.385)) == ("38\u202f%", "38%")
    assert (fr.euros(2840), en.euros(2840)) == ("2\u202f840\u202f€", "€2,840")
    assert (fr.probability(0.0003), fr.probability(0.018)) == ("<\u202f0,001", "0,018")


def test_dates_are_written_as_each_language_does() -> None:
    fr, en = language("fr"), language("en")
    assert (fr.day(date(2026, 4, 1)), en.day(date(2026, 4, 1))) == ("1er\xa0avril", "1\xa0April")
    assert fr.day(date(2026, 4, 11)) == "11\xa0avril"
    assert fr.moment(datetime(2026, 2, 24, 16, 12)) == "24\xa0février 2026 à 16\u202fh\u202f12"  # noqa: DTZ001 - shown as it is
    assert en.moment(datetime(2026, 2, 24, 16, 12)) == "24\xa0February 2026 at 16:12"  # noqa: DTZ001 - shown as it is
    morning, noon = datetime(2026, 3, 2, 9, 5), datetime(2026, 3, 2, 12)  # noqa: DTZ001 - shown as it is
    assert fr.moments(morning, noon) == "2\xa0mars 2026 à 9\u202fh\u202f05\xa0– 12\u202fh\u202f00"
    assert fr.moments(noon, noon) == fr.moment(noon)
    assert fr.days(date(2025, 12, 1), date(2026, 1, 5)) == "1er\xa0décembre 2025\xa0– 5\xa0janvier 2026"


def test_french_puts_narrow_spaces_where_it_wants_them() -> None:
    fr = language("fr")
    assert fr("« {label} » a changé ?", label="x") == "«\u202fx\u202f» a changé\u202f?"
    assert fr("À savoir : oui ; non") == "À savoir\u00a0: oui\u202f; non"


def test_french_counts_nothing_and_one_as_singular_english_only_one() -> None:
    counted = [
        (language(key).plural("{n} réponse", "{n} réponses", n)) for key in ("fr", "en") for n in (0, 1, 2)
    ]
    assert counted == ["0 réponse", "1 réponse", "2 réponses", "0 answers", "1 answer", "2 answers"]


def test_marks_become_bold_and_nothing_else_passes_as_markup() -> None:
    assert rich("a **b** <i>") == "a <b>b</b> &lt;i&gt;"
    assert plain("a **b**") == "a b"
    assert language("fr").markup("**{x}**", x="<script>") == "<b>&lt;script&gt;</b>"


def test_an_outcome_of_somebody_elses_panel_goes_by_its_own_name() -> None:
    spoken = words.Spoken(language("fr"), "debit", "L/s")
    assert (spoken.label, spoken.amount(3.25)) == ("debit", "3,2 L/s")


def _sentences(used: dict[Any, str]) -> dict[str, str]:
    """Sentence → the file that has it, singular and plural each for itself."""
    return {
        part: where
        for message, where in used.items()
        for part in (message if isinstance(message, tuple) else (message,))
    }


def test_what_differs_goes_by_the_word_of_the_glossary(used: dict[Any, str]) -> None:
    """« écart » was said of an effect, of a change and of what happened unplanned: it is said of nothing."""
    loose = re.compile(r"\bécarts?\b|\bdéviations?\b|\bdeltas?\b", re.IGNORECASE)
    assert [(where, text) for text, where in _sentences(used).items() if loose.search(text)] == []


def test_a_difference_is_one_between_changes_and_nothing_else(used: dict[Any, str]) -> None:
    differing = [text for text in _sentences(used) if re.search("différences?", text, re.IGNORECASE)]
    assert differing
    assert [text for text in differing if "évolution" not in text] == []


@pytest.mark.parametrize("word", [each for entries in GLOSSARY.values() for each in entries])
def test_each_word_of_the_glossary_is_used_on_some_page(used: dict[Any, str], word: Word) -> None:
    elsewhere = [text for text, where in _sentences(used).items() if "gloss" not in where]
    form = re.compile(rf"\b(?:{word.forms})\b", re.IGNORECASE)
    assert any(form.search(text) for text in elsewhere), word.word
    assert form.search(word.word), word.word


def test_no_two_words_of_the_glossary_share_a_place() -> None:
    keys = [each.key for entries in GLOSSARY.values() for each in entries]
    assert len(keys) == len(set(keys)) > 20


# where a form's mistakes have their sentences, each under « field-mistake »
MISTAKES = ("device", "mapping_form", "person_fields", "place_fields")
SENTENCE = re.compile(r'^"([\w-]+)": _\("([^"]+)"', re.MULTILINE)
SAID = re.compile(r"\b\w+ez\b|\bau plus\b|\bdites\b|\bil y faut\b|\bfont l’affaire\b", re.IGNORECASE)
REASONED = {"delete-used"}  # nothing is to be done: it says why


@pytest.mark.parametrize("name", MISTAKES)
def test_the_sentence_of_a_mistake_says_what_to_do(name: str) -> None:
    found = SENTENCE.findall((ROOT / f"templates/{name}.html").read_text(encoding="utf-8"))
    told = [(key, text) for key, text in found if key not in {*REASONED, "moved", "noted", "described"}]
    assert len(told) > 8
    assert [(key, text) for key, text in told if not SAID.search(text)] == []
