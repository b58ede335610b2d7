# ruff: noqa: E501 - a sentence stays in one piece, to be searched and translated
"""What is said of a result: the sentence, the lines below it, the card beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dashboards.language import N_, Language, language, lower_first, plain
from dashboards.words.outcomes import VOICES
from dashboards.words.reasons import chance, rooms_phrase
from dashboards.words.spoken import Spoken, _of_hundred, _width

if TYPE_CHECKING:
    from experiments.estimate import Estimate
    from experiments.verdict import MeasureResult, Result


Tone = Literal["good", "warn", "bad", "unsure"]


def sentence(result: Result, locale: str) -> str:
    """What the result says in plain words: the effect, the threshold, what agents judge."""
    say = language(locale)
    return plain(" ".join([*told(result, say), judged(result, say)]))


def told(result: Result, say: Language) -> list[str]:
    """The sentences at the top of the page, marked: the effect, then what it is worth."""
    if result.primary is None or holds(result, "locked", "not_started"):
        return [_locked(result, say)]
    measure, estimate = result.primary.measure, result.primary.estimate
    spoken = Spoken(say, measure.outcome, measure.unit, _width(estimate))
    first = spoken.headline(estimate)
    rest = [text for text in (_worth(result, spoken), _crossed(result, say)) if text]
    if result.verdict == "cannot_conclude" or holds(result, "guardrail_crossed"):
        first = plain(first)  # what matters most is said after it
    return [first, *rest]


def holds(result: Result, *codes: str) -> bool:
    """Whether a result gives one of these reasons, itself or through its primary outcome."""
    given = list(result.reasons)
    if result.primary is not None:
        given += [*result.primary.reasons, *result.primary.estimate.reasons]
    return any(item.code in codes for item in given)


def _locked(result: Result, say: Language) -> str:
    if holds(result, "not_started"):
        return say("L’expérience n’a pas commencé.")
    return say("L’expérience est en cours : **ni effet ni verdict avant la fin.**")


def _worth(result: Result, spoken: Spoken) -> str:
    """The effect against chance and against the threshold fixed beforehand; empty when neither adds anything."""
    say = spoken.say
    if result.primary is None:
        return ""
    measure, estimate = result.primary.measure, result.primary.estimate
    if result.verdict == "cannot_conclude":
        return _as_good_by_chance(estimate, say)
    if measure.useful is None or estimate.effect is None:
        return ""
    if holds(result, "harmful"):
        return say("**C’est le contraire de ce que l’on cherchait.**")
    if holds(result, "futile"):
        message = N_("Même au mieux, c’est moins que le seuil utile fixé avant le début : {useful}.")
    elif estimate.effect * measure.sign >= measure.useful:
        message = N_("Le seuil utile fixé avant le début est de {useful}.")
    else:
        message = N_("C’est moins que le seuil utile fixé avant le début : {useful}.")
    return say(message, useful=spoken.amount(measure.useful))


def _as_good_by_chance(estimate: Estimate, say: Language) -> str:
    if estimate.effect is None:
        return ""
    arms = [(estimate.n_treated, True), (estimate.n_baseline, False)]
    return say(
        "Avec {rooms}, **le hasard peut faire aussi bien {chance}.**",
        rooms=say.listed([rooms_phrase(n, say, treated=treated) for n, treated in arms]),
        chance=chance(estimate.p_floor, say),
    )


def _crossed(result: Result, say: Language) -> str:
    crossed = [item for item in result.guardrails if item.state == "crossed"]
    if not crossed:
        return ""
    spoken = Spoken(say, crossed[0].measure.outcome, crossed[0].measure.unit, _width(crossed[0].estimate))
    return say(
        "Mais **« {label} » dépasse sa limite** : {effect} {unit} ({range}), pour {margin} au plus.",
        label=spoken.label,
        effect=spoken.effect(crossed[0].estimate.effect),
        unit=spoken.unit,
        range=spoken.range(crossed[0].estimate.ci_low, crossed[0].estimate.ci_high),
        margin=spoken.effect((crossed[0].measure.margin or 0) * -crossed[0].measure.sign),
    )


def voice_of(result: Result) -> MeasureResult | None:
    """The measure that says what agents judge: helped, else satisfaction, else discomfort, primary or not."""
    found = {item.measure.outcome: item for item in measures_of(result)}
    return next((found[key] for key in ("helped", "satisfaction", "discomfort") if key in found), None)


def measures_of(result: Result) -> list[MeasureResult]:
    """Every measure of a result, the primary first."""
    first = [result.primary] if result.primary is not None else []
    return [*first, *result.secondaries, *result.guardrails]


def judged(result: Result, say: Language) -> str:
    """The second line, always there: what agents judge or, when that came first, what was measured."""
    voice = voice_of(result)
    if result.primary is not None and result.primary.measure.outcome in VOICES:
        measured = next((item for item in measures_of(result) if item.measure.outcome not in VOICES), None)
        if measured is None:
            return say("Rien d’autre que les réponses des agents n’a été mesuré.")
        return _beside(measured, say)
    if voice is None:
        return say("Les agents n’ont pas été interrogés : leur bien-être n’a pas été mesuré.")
    return _voiced(voice, say)


def _beside(item: MeasureResult, say: Language) -> str:
    spoken = Spoken(say, item.measure.outcome, item.measure.unit, _width(item.estimate))
    return say(
        "Ce que disent les capteurs : « {label} » {effect} {unit} ({range}).",
        label=spoken.label,
        effect=spoken.effect(item.estimate.effect),
        unit=spoken.unit,
        range=spoken.range(item.estimate.ci_low, item.estimate.ci_high),
    )


def _voiced(item: MeasureResult, say: Language) -> str:
    estimate, spoken = item.estimate, Spoken(say, item.measure.outcome)
    if estimate.effect is None:
        return say("Ce que jugent les agents n’a pas pu être comparé : trop peu de réponses.")
    answers = answers_phrase(item, say)
    if estimate.ci_low is None or estimate.ci_high is None:
        opening = say("Les agents ont répondu, sans que l’on distingue leur avis du hasard")
    elif estimate.ci_low <= 0 <= estimate.ci_high:
        opening = say("L’avis des agents n’a pas changé de façon établie")
    elif estimate.effect * item.measure.sign > 0:
        opening = say("Les agents s’y retrouvent")
    else:
        opening = say("Les agents s’y retrouvent moins bien")
    if spoken.words.scale == "ridit":
        finding = say(
            "{quoted}, {n} réponses sur 100 d’après dépassent une réponse d’avant",
            quoted=say.quoted(lower_first(spoken.label)),
            n=_of_hundred(estimate.effect, say),
        )
    else:
        finding = say(
            "{quoted}, {effect} {unit}",
            quoted=say.quoted(lower_first(spoken.label)),
            effect=spoken.effect(estimate.effect),
            unit=spoken.unit,
        )
    interval = (
        ""
        if estimate.ci_low is None or estimate.ci_high is None
        else spoken.between(estimate.ci_low, estimate.ci_high)
    )
    if interval and answers:
        details = say("{interval} ; {answers}", interval=interval, answers=answers)
    else:
        details = interval or answers
    if not details:
        return say("{opening} : {finding}.", opening=opening, finding=finding)
    return say("{opening} : {finding} ({details}).", opening=opening, finding=finding, details=details)


def answers_phrase(item: MeasureResult, say: Language) -> str:
    """`1 412 réponses`, empty for what is not asked."""
    if item.voices is None:
        return ""
    return say.plural("{n} réponse", "{n} réponses", item.voices.answers)


@dataclass(frozen=True)
class Check:
    """One of the three conditions to generalise, and how it stands."""

    state: Literal["yes", "no", "unsure"]
    label: str
    detail: str


@dataclass(frozen=True)
class Card:
    """What the experiment allows: a title, a line, the conditions."""

    tone: Tone
    title: str
    text: str
    checks: tuple[Check, ...] = ()


def card(result: Result, say: Language) -> Card:
    """The card beside the sentence, whatever the verdict."""
    if result.verdict is None:
        return _unspoken(result, say)
    tone, title, text = _verdict_words(result, say)
    return Card(tone, title, text, checks(result, say))


def _unspoken(result: Result, say: Language) -> Card:
    if holds(result, "no_threshold"):
        return Card(
            "unsure",
            say("Pas de seuil, pas de verdict"),
            say("Aucun effet utile n’a été fixé avant le début. L’effet se lit ci-dessous, sans conseil."),
            checks(result, say),
        )
    return Card("unsure", say("Résultat à la fin"), say("Regarder avant, c’est se tromper plus souvent."))


def _verdict_words(result: Result, say: Language) -> tuple[Tone, str, str]:
    if result.verdict == "generalise":
        return "good", say("On peut généraliser"), _generalise_text(result, say)
    if result.verdict == "stop":
        if holds(result, "guardrail_crossed", "harmful"):
            return (
                "bad",
                say("Ça dégrade"),
                say("Mieux vaut arrêter : revenir à l’état d’avant, garder la leçon."),
            )
        return (
            "bad",
            say("Effet trop petit"),
            say("Mieux vaut arrêter : même au mieux, le gain ne vaut pas le changement."),
        )
    if result.verdict == "adjust":
        return "warn", say("Pas encore prouvé : prolonger ou ajuster"), _adjust_text(result, say)
    if result.primary is None or result.primary.estimate.effect is None:
        return "unsure", say("Impossible de conclure"), say("L’effet n’a pas pu être estimé.")
    return (
        "unsure",
        say("Trop peu de salles pour conclure"),
        say("L’essai n’est pas perdu : voici ce qui permettrait de conclure."),
    )


def _generalise_text(result: Result, say: Language) -> str:
    if not result.guardrails:  # what nobody watched is not said to be unharmed
        if result.fragile:
            return say("Effet utile, mais un résultat fragile : à confirmer en généralisant par étapes.")
        return say("Effet utile, assez de salles comparées. Aucun garde-fou n’a été surveillé.")
    if result.fragile:
        return say(
            "Effet utile et rien d’abîmé, mais un résultat fragile : à confirmer en généralisant par étapes."
        )
    return say("Effet utile, rien d’abîmé, assez de salles comparées.")


# what most stands in the way of « generalise », the weightiest first
_LACKING: tuple[tuple[str, str], ...] = (
    (
        "indicative_only",
        N_("Les signes sont bons, mais le nombre ou le choix des salles ne permet qu’une indication."),
    ),
    (
        "voices_alone",
        N_("Les réponses d’un formulaire ouvert à tous ne suffisent pas, seules, pour généraliser."),
    ),
    (
        "uncertain",
        N_("L’effet peut être utile comme nul : il faut plus de salles, ou un changement plus net."),
    ),
    ("not_useful_yet", N_("L’effet existe, mais il est plus petit que ce qui avait été jugé utile.")),
    (
        "randomisation_disagrees",
        N_("L’effet est utile, mais les deux calculs du hasard ne disent pas la même chose."),
    ),
    ("guardrail_unclear", N_("L’effet est utile, mais on ne sait pas encore si rien n’est abîmé.")),
    ("guardrail_not_estimable", N_("L’effet est utile, mais on ne sait pas encore si rien n’est abîmé.")),
)


def _adjust_text(result: Result, say: Language) -> str:
    lacking = next((text for code, text in _LACKING if holds(result, code)), None)
    return say(lacking or N_("L’une des conditions n’est pas remplie."))


def checks(result: Result, say: Language) -> tuple[Check, ...]:
    """The conditions to generalise: an effect, nothing harmed, enough rooms."""
    if result.primary is None:
        return ()
    return (_effect_check(result.primary, say), *_guardrail_check(result, say), _rooms_check(result, say))


def _effect_check(item: MeasureResult, say: Language) -> Check:
    estimate, measure = item.estimate, item.measure
    spoken = Spoken(say, measure.outcome, measure.unit, _width(estimate))
    label = say("Un effet utile et établi")
    if estimate.effect is None:
        return Check("unsure", label, say("non estimé"))
    detail = say("{effect} {unit}", effect=spoken.effect(estimate.effect), unit=spoken.unit).rstrip()
    if measure.useful is not None:
        detail = say(
            "{effect}, pour {useful} visés",
            effect=spoken.effect(estimate.effect),
            useful=spoken.effect(measure.useful * measure.sign),
        )
    if estimate.ci_low is None or estimate.ci_high is None:
        return Check("unsure", label, detail)
    good, bad = sorted((estimate.ci_low * measure.sign, estimate.ci_high * measure.sign), reverse=True)
    if bad > 0 and (measure.useful is None or estimate.effect * measure.sign >= measure.useful):
        return Check("yes", label, detail)
    if good < (measure.useful or 0):
        return Check("no", label, detail)
    return Check("unsure", label, detail)


def _guardrail_check(result: Result, say: Language) -> tuple[Check, ...]:
    states = [item.state for item in result.guardrails]
    if not states:
        return ()
    state: Literal["yes", "no", "unsure"] = "unsure"
    if all(s == "held" for s in states):
        state = "yes"
    elif "crossed" in states:
        state = "no"
    held = sum(s == "held" for s in states)
    detail = say.plural("{n} garde-fou tenu sur {of}", "{n} garde-fous tenus sur {of}", held, of=len(states))
    return (Check(state, say("Rien d’abîmé"), detail),)


def _rooms_check(result: Result, say: Language) -> Check:
    detail = {
        "decision": say("de quoi décider"),
        "indicative": say("une indication, pas plus"),
        "none": say("pas de quoi conclure"),
    }[result.grade]
    states: dict[str, Literal["yes", "no", "unsure"]] = {
        "decision": "yes",
        "indicative": "unsure",
        "none": "no",
    }
    return Check(states[result.grade], say("Assez de salles, bien choisies"), detail)


VERDICTS: dict[str, tuple[Tone, str]] = {
    "generalise": ("good", N_("on peut généraliser")),
    "adjust": ("warn", N_("pas encore prouvé")),
    "stop": ("bad", N_("à arrêter")),
    "cannot_conclude": ("unsure", N_("impossible de conclure")),
}
DECISIONS: dict[str, tuple[Tone, str]] = {
    "generalise": ("good", N_("Généraliser")),
    "extend": ("good", N_("Étendre à certaines salles")),
    "adjust": ("warn", N_("Ajuster et prolonger")),
    "stop": ("bad", N_("Arrêter")),
    "inconclusive": ("unsure", N_("Non concluant")),
}
STATUSES: dict[str, str] = {
    "idea": N_("idée"),
    "planned": N_("prévue"),
    "running": N_("en cours"),
    "ended": N_("terminée, décision à prendre"),
    "decided": N_("décidée"),
}
