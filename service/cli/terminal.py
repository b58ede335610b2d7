"""A result and a plan in the terminal: the sentence, the numbers, a dot per room."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from dashboards.language import language, plain
from dashboards.words import GRADES, card, outcome_words, reason, rooms_phrase, sentence, told

if TYPE_CHECKING:
    from experiments import Estimate, MeasureResult, Plan, Result

Locale = Literal["fr", "en"]
PLOT_WIDTH = 44
MOST_DECIMALS = 9  # smaller sizes are written with a power of ten


LABELS: dict[str, dict[str, str]] = {
    "en": {
        "effect": "effect",
        "interval": "{level}% interval",
        "p": "p (t, {df} df)",
        "p_randomised": "p (lot drawn again)",
        "draws": "{extreme} of {draws} draws",
        "detrended": "without trends",
        "leave_one_out": "leaving one room out",
        "placebo": "before the change, made-up dates",
        "grade": "grade",
        "to": "{low} to {high}",
        "rooms": "{arms} rooms",
        "excluded": "left out",
        "min_days": "(a day is a row of the panel, be it a week or a year: --min-days asks fewer of them)",
        "before": "○ before",
        "after": "● after",
        "held": "held",
        "crossed": "crossed",
        "unclear": "unclear",
        "not_estimable": "not estimable",
        "p_holm": "p (Holm) {p}",
        "p_floor": "smallest p possible",
        "sd": "SD of room changes",
        "mde80": "detected 4 times in 5",
        "mde80_generalise": "« generalise » 4 times in 5",
        "p_generalise_useful": "P(generalise) at the useful effect",
        "p_generalise_1_5_useful": "P(generalise) at 1.5 times that",
        "p_stop_none": "P(stop) with no effect",
        "alternatives": "with more rooms, the one worth most first",
        "as_days": "as {days} days more would",
        "as_days_at_least": "as at least {days} days more would",
        "no_days": "as no number of days would",
        "trade_offs": "detected 4 times in 5, rooms against days",
        "days_more": "{before} + {after} days",
        "colon": ": ",
        "none": "–",
    },
    "fr": {
        "effect": "effet",
        "interval": "intervalle à {level} %",
        "p": "p (t, {df} ddl)",
        "p_randomised": "p (tirage refait)",
        "draws": "{extreme} des {draws} tirages",
        "detrended": "tendances retirées",
        "leave_one_out": "sans l’une des salles",
        "placebo": "avant le changement, dates fictives",
        "grade": "portée",
        "to": "{low} à {high}",
        "rooms": "{arms} salles",
        "excluded": "salles écartées",
        "min_days": "(un jour est une ligne du tableau, semaine ou année : --min-days en demande moins)",
        "before": "○ avant",
        "after": "● après",
        "held": "tenu",
        "crossed": "dépassé",
        "unclear": "indécis",
        "not_estimable": "non estimable",
        "p_holm": "p (Holm) {p}",
        "p_floor": "plus petit p possible",
        "sd": "écart-type des évolutions",
        "mde80": "détecté 4 fois sur 5",
        "mde80_generalise": "« généraliser » 4 fois sur 5",
        "p_generalise_useful": "P(généraliser) à l’effet utile",
        "p_generalise_1_5_useful": "P(généraliser) à 1,5 fois cet effet",
        "p_stop_none": "P(arrêter) sans effet",
        "alternatives": "avec plus de salles, celle qui vaut le plus d’abord",
        "as_days": "comme avec {days} jours de plus",
        "as_days_at_least": "comme avec au moins {days} jours de plus",
        "no_days": "ce qu’aucun nombre de jours ne ferait",
        "trade_offs": "détecté 4 fois sur 5, salles contre jours",
        "days_more": "{before} + {after} jours",
        "colon": "\N{NO-BREAK SPACE}: ",
        "none": "–",
    },
}


def _number(value: float | None, locale: Locale) -> str:
    """Four significant digits, as the language writes them."""
    if value is None:
        return LABELS[locale]["none"]
    text = f"{value:.4g}".replace("-", "−")
    return text.replace(".", ",") if locale == "fr" else text


@dataclass(frozen=True)
class _Sizes:
    """Sizes in one outcome's unit, with the decimals of three digits of the interval's width."""

    locale: Locale
    decimals: int | None  # None: four significant digits

    @classmethod
    def of(cls, estimated: Estimate, locale: Locale) -> _Sizes:
        """Without an interval, of the effect's own size."""
        low, high = _interval(estimated) or (0.0, abs(estimated.effect or 0.0))
        decimals = 2 - floor(log10(high - low)) if high > low else MOST_DECIMALS + 1
        return cls(locale, max(0, decimals) if decimals <= MOST_DECIMALS else None)

    def one(self, value: float | None) -> str:
        """`20.3`, or a dash."""
        if value is None or self.decimals is None:
            return _number(value, self.locale)
        return language(self.locale).number(value, self.decimals)

    def between(self, bounds: tuple[float, float] | None) -> str:
        """`5.5 to 35.1`, one number where both are the same, or a dash."""
        if bounds is None:
            return LABELS[self.locale]["none"]
        low, high = (self.one(bound) for bound in bounds)
        return low if low == high else LABELS[self.locale]["to"].format(low=low, high=high)


def show_result(result: Result, locale: Locale, *, locked: bool) -> None:
    """The sentence, the card, the numbers, a dot per room, the reasons; `locked` by a protocol or not."""
    say = language(locale)
    out = Console(highlight=False, soft_wrap=False)
    verdict = card(result, say)
    others = [*result.guardrails, *result.secondaries]
    # somebody's own panel has one outcome: nothing is to be said of what agents judged
    said = sentence(result, locale) if others else plain(" ".join(told(result, say)))
    out.print(said, style="bold")
    out.print(f"{verdict.title}. {verdict.text}\n")
    if result.primary is not None:
        outcome = result.primary.measure.outcome
        estimated = result.primary.estimate
        grade = say(GRADES[result.grade])
        if estimated.rooms:
            arms = f"{estimated.n_treated} + {estimated.n_baseline}"
            grade += f" ({LABELS[locale]['rooms'].format(arms=arms)})"
        _print_rows(out, [*_estimate_rows(estimated, locale), (LABELS[locale]["grade"], grade)])
        _print_dots(out, estimated, locale)
        if others:
            _print_rows(
                out,
                [
                    _measure_row(item, locale, say(outcome_words(item.measure.outcome).label))
                    for item in others
                ],
            )
        _print_left_out(out, estimated, locale, locked=locked)
        given = [*result.reasons, *estimated.reasons, *result.way_out]
        # that it is not estimable has been said above; here is why
        given = [why for why in given if why.code != "not_estimable"]
        for text in dict.fromkeys(reason(why, locale, outcome=outcome) for why in given):
            out.print(f"· {text}")


def _measure_row(item: MeasureResult, locale: Locale, label: str) -> tuple[str, str]:
    words, estimated = LABELS[locale], item.estimate
    if estimated.effect is None:
        return label, words["not_estimable"]
    sizes = _Sizes.of(estimated, locale)
    text = f"{sizes.one(estimated.effect)}  ({sizes.between(_interval(estimated))})"
    if item.state is not None:
        return label, f"{text}  {words[item.state]}"
    return label, f"{text}  {words['p_holm'].format(p=_number(item.p_holm, locale))}"


def _interval(estimated: Estimate) -> tuple[float, float] | None:
    if estimated.ci_low is None or estimated.ci_high is None:
        return None
    return estimated.ci_low, estimated.ci_high


def _counts(n_treated: int, n_baseline: int, locale: Locale) -> str:
    say = language(locale)
    return say.listed(
        [rooms_phrase(n_treated, say, treated=True), rooms_phrase(n_baseline, say, treated=False)]
    )


def _print_left_out(out: Console, estimated: Estimate, locale: Locale, *, locked: bool) -> None:
    """Rooms left out for the same reason, on one line; which option would ask less, where none was locked."""
    label, left = LABELS[locale], dict[str, list[str]]()
    for room, cause in estimated.excluded.items():
        left.setdefault(reason(cause, locale), []).append(room)
    for why, rooms in left.items():
        out.print(f"{label['excluded']}{label['colon']}{', '.join(rooms)} ({why})")
    if not locked and any(cause.code == "too_few_days" for cause in estimated.excluded.values()):
        out.print(label["min_days"])


def _estimate_rows(estimated: Estimate, locale: Locale) -> list[tuple[str, str]]:
    """What could be estimated; why the rest could not is said below."""
    label = LABELS[locale]
    if estimated.effect is None:
        return []
    drawn = _number(estimated.p_randomised, locale)
    if estimated.draws is not None:
        drawn += f"  ({label['draws'].format(extreme=estimated.extreme, draws=estimated.draws)})"
    level = label["interval"].format(level=_number(100 * (1 - estimated.alpha), locale))
    sizes = _Sizes.of(estimated, locale)
    rows = [
        (label["effect"], sizes.one(estimated.effect)),
        (level, sizes.between(_interval(estimated))),
        (label["p"].format(df=estimated.df or 0), _number(estimated.p_value, locale)),
        (label["p_randomised"], drawn),
        (label["p_floor"], _number(estimated.p_floor, locale)),
        (label["leave_one_out"], sizes.between(estimated.leave_one_out)),
        (label["detrended"], sizes.one(estimated.effect_detrended)),
        (label["placebo"], sizes.between(estimated.placebo)),
    ]
    return [(name, text) for name, text in rows if text != label["none"]]


def _print_rows(out: Console, rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        out.print(f"  {name:<{width}}  {text}")
    out.print()


def _print_dots(out: Console, estimated: Estimate, locale: Locale) -> None:
    """One line a room: ○ before, ● after, on one scale."""
    rooms = estimated.rooms
    if not rooms:
        return
    low = min(min(room.before, room.after) for room in rooms)
    span = max(max(room.before, room.after) for room in rooms) - low
    name_width = min(24, max(len(room.room) for room in rooms))
    sizes = _Sizes.of(estimated, locale)
    out.print(f"  {'':<{name_width}}  {LABELS[locale]['before']}  {LABELS[locale]['after']}")
    for room in rooms:
        before, after = (
            round((value - low) / span * (PLOT_WIDTH - 1)) if span > 0 else PLOT_WIDTH // 2
            for value in (room.before, room.after)
        )
        line = [" "] * PLOT_WIDTH
        for place in range(min(before, after) + 1, max(before, after)):
            line[place] = "─"
        line[before] = "○"
        line[after] = "●"
        text = Text(f"  {room.room[:name_width]:<{name_width}}  ")
        text.append("".join(line), style="cyan" if room.treated else "bright_black")
        text.append(f"  {sizes.one(room.change)}")
        out.print(text)
    out.print()


def show_plan(promised: Plan, locale: Locale) -> None:
    """The grade, what can be detected, what more rooms would bring."""
    label, say = LABELS[locale], language(locale)
    out = Console(highlight=False)

    def ranged(value: float | None, low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return _number(value, locale)
        return f"{_number(value, locale)}  ({_Sizes(locale, None).between((low, high))})"

    counts = _counts(promised.n_treated, promised.n_baseline, locale)
    colon = label["colon"]
    out.print(f"{counts}{colon}{say(GRADES[promised.grade])}\n", style="bold")
    rows = [
        (label["p_floor"], _number(promised.p_floor, locale)),
        (label["sd"], ranged(promised.sd, promised.sd_low, promised.sd_high)),
        (label["mde80"], ranged(promised.mde80, promised.mde80_low, promised.mde80_high)),
        (label["mde80_generalise"], _number(promised.mde80_generalise, locale)),
    ]
    for name in ("p_generalise_useful", "p_generalise_1_5_useful", "p_stop_none"):
        value = getattr(promised, name)
        if value is not None:
            rows.append((label[name], say.percent(value)))
    _print_rows(out, rows)
    out.print(f"{label['alternatives']}{colon}")
    for more in promised.alternatives:
        out.print(f"· {more.n_treated} + {more.n_baseline}{colon}{say(GRADES[more.grade])}", end="")
        if more.mde80 is not None:
            out.print(f", {label['mde80']}{colon}{_number(more.mde80, locale)}", end="")
        out.print(f", {_as_days(more.days, promised, locale)}" if promised.trade_offs else "")
    _print_trade_offs(out, promised, locale)
    for item in promised.reasons:
        out.print(f"· {reason(item, locale)}")


def _as_days(days: int | None, promised: Plan, locale: Locale) -> str:
    """What rooms more are worth in days, before and after together."""
    label = LABELS[locale]
    if days is None:
        return label["no_days"]
    return label["as_days" if promised.lasting else "as_days_at_least"].format(days=days)


def _print_trade_offs(out: Console, promised: Plan, locale: Locale) -> None:
    """Days down, rooms across."""
    if not promised.trade_offs:
        return
    label, table = LABELS[locale], promised.trade_offs
    arms = list(dict.fromkeys((cell.n_treated, cell.n_baseline) for cell in table))
    lengths = list(dict.fromkeys((cell.days_before, cell.days_after) for cell in table))
    found = {(cell.n_treated, cell.n_baseline, cell.days_before, cell.days_after): cell for cell in table}
    out.print(f"\n{label['trade_offs']}{label['colon']}")
    out.print(f"  {'':<18}" + "".join(f"{f'{n1} + {n0}':>10}" for n1, n0 in arms))
    for before, after in lengths:
        cells = [f"{_number(found[n1, n0, before, after].mde80, locale):>10}" for n1, n0 in arms]
        out.print(f"  {label['days_more'].format(before=before, after=after):<18}{''.join(cells)}")
    out.print()
