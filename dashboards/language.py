"""French and English: the catalogue of sentences, numbers and dates as each language writes them.

Message identifiers are the French sentences; `locales/en/LC_MESSAGES/temoin.po` is read as it is, uncompiled.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

Locale = Literal["fr", "en"]
LOCALES: tuple[Locale, ...] = ("fr", "en")
NARROW = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def N_(message: str) -> str:  # noqa: N802 - the name gettext tools look for
    """Mark a sentence of a table for translation; it is translated where it is used."""
    return message


class Language:
    """One language: `_` and `n_` translate and fill in, the rest writes numbers and dates.

    Sentences may hold `**…**` for what matters most: `plain` drops the marks, `rich` makes them `<b>`.
    """

    def __init__(self, locale: Locale) -> None:
        self.locale: Locale = locale
        self.french = locale == "fr"
        self._catalogue = None if self.french else _catalogue(locale)

    def __call__(self, message: str, **values: object) -> str:
        """The sentence in this language, its `{names}` filled in as the language writes numbers and dates."""
        return self._fill(self._translated(message), values)

    def plural(self, one: str, many: str, n: float, **values: object) -> str:
        """`one` or `many` as `n` asks; `{n}` is the number."""
        # French counts 0 and 1,9 as singular, English only 1
        singular = abs(n) < 2 if self.french else abs(n) == 1  # noqa: PLR2004
        if self._catalogue is not None:
            message = self._catalogue.get(one)
            if message is not None and isinstance(message.string, tuple) and all(message.string):
                one, many = message.string[:2]
        return self._fill(one if singular else many, {"n": n, **values})

    def _translated(self, message: str) -> str:
        if self._catalogue is None:
            return message
        found = self._catalogue.get(message)
        return str(found.string) if found is not None and found.string else message

    def _fill(self, message: str, values: dict[str, object]) -> str:
        return self.typeset(message).format(**{name: self.written(value) for name, value in values.items()})

    def markup(self, message: str, **values: object) -> Markup:
        """The sentence for a page: marks as `<b>`, values escaped unless they are Markup."""
        filled = {name: self.written(value) for name, value in values.items()}
        return rich(self.typeset(self._translated(message))).format(**filled)

    def written(self, value: object) -> object:
        """A number or a date as this language writes it; anything else as it is."""
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, float):
            return self.number(value, 0 if value == round(value) else 1)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return self.day(value)
        return value

    def typeset(self, text: str) -> str:
        """Spaces that do not break where French or a unit wants them, and « a-t-elle » in one piece."""
        text = text.replace("} {unit}", "}\N{NO-BREAK SPACE}{unit}")
        if not self.french:
            return text
        for mark in (";", "?", "!", "»", "%", "€"):
            text = text.replace(f" {mark}", f"{NARROW}{mark}")
        text = text.replace("-t-", "\N{NON-BREAKING HYPHEN}t\N{NON-BREAKING HYPHEN}")
        return text.replace(" :", "\N{NO-BREAK SPACE}:").replace("« ", f"«{NARROW}")

    # ----------------------------------------------------------------------------------------- numbers

    def number(self, value: float, decimals: int = 0) -> str:
        """`1 412`, `−0,4`; a value that rounds to nothing has no sign."""
        text = f"{abs(value):,.{decimals}f}"
        sign = MINUS if value < 0 and any(digit in text for digit in "123456789") else ""
        if self.french:
            text = text.replace(",", NARROW).replace(".", ",")
        return sign + text

    def signed(self, value: float, decimals: int = 0) -> str:
        """`+35`, `−8`, `0`."""
        text = self.number(value, decimals)
        return (
            text if text.startswith(MINUS) or not any(digit in text for digit in "123456789") else f"+{text}"
        )

    def percent(self, share: float, decimals: int = 0) -> str:
        """A share of 0–1 as a percentage."""
        return f"{self.number(100 * share, decimals)}{NARROW if self.french else ''}%"

    def probability(self, p: float) -> str:
        """`0,018`, or `< 0,001`."""
        smallest = 0.001
        if p < smallest:
            return f"<{NARROW}{self.number(smallest, 3)}"
        return self.number(p, 3 if p < 0.1 else 2)  # noqa: PLR2004 - two digits that say something

    def euros(self, value: float) -> str:
        """Whole euros."""
        return f"{self.number(value)}{NARROW}€" if self.french else f"€{self.number(value)}"

    # ------------------------------------------------------------------------------------------- dates

    def day(self, value: date, *, year: bool = False, weekday: bool = False) -> str:
        """`2 mars`, `1er avril 2026`, `jeudi 5 mars`; the number stays with its month."""
        number = "d'er'" if self.french and value.day == 1 else "d"
        form = f"{'EEEE ' if weekday else ''}{number}\N{NO-BREAK SPACE}MMMM{' y' if year else ''}"
        return self._dated(value, form)

    @property
    def colon(self) -> str:
        """A colon between two things, with the spaces it has here."""
        return "\N{NO-BREAK SPACE}: " if self.french else ": "

    def month(self, value: date) -> str:
        """`mars 2026`."""
        return self._dated(value, "MMMM y")

    def short_day(self, value: date) -> str:
        """`02/03` or `2 Mar`: for axes."""
        return value.strftime("%d/%m") if self.french else self._dated(value, "d MMM")

    def days(self, start: date, end: date) -> str:
        """`2 mars – 29 mai 2026`, both years said when they differ."""
        return f"{self.day(start, year=start.year != end.year)}\N{NO-BREAK SPACE}– {self.day(end, year=True)}"

    def weekday(self, value: date) -> str:
        """`lun. 4` or `Mon 4`: for axes."""
        return self._dated(value, "EEE d")

    def hour(self, value: datetime) -> str:
        """`9 h` or `9:00`: for axes."""
        return f"{value.hour}{NARROW}h" if self.french else f"{value.hour}:00"

    def clock(self, value: datetime) -> str:
        """`16 h 12` or `16:12`."""
        return f"{value.hour}{NARROW}h{NARROW}{value.minute:02d}" if self.french else f"{value:%H:%M}"

    def moment(self, value: datetime | date) -> str:
        """`2 mars 2026 à 16 h 12`; of a day, `2 mars 2026`."""
        if not isinstance(value, datetime):
            return self.day(value, year=True)
        return self(N_("{day} à {clock}"), day=self.day(value, year=True), clock=self.clock(value))

    def moments(self, first: datetime, last: datetime) -> str:
        """`2 mars 2026 à 16 h 12 – 17 h 05`: the day once where it is one, one moment where both are."""
        if first == last:
            return self.moment(first)
        end = self.clock(last) if first.date() == last.date() else self.moment(last)
        return f"{self.moment(first)}\N{NO-BREAK SPACE}– {end}"

    def floor(self, floor: str) -> str:
        """`étage 2`, `rez-de-chaussée` for 0, `sous-sol 1` for -1; other names as they are."""
        if not re.fullmatch(r"-?\d{1,3}", floor):
            return floor
        number = int(floor)
        if number == 0:
            return self(N_("rez-de-chaussée"))
        return (
            self(N_("étage {floor}"), floor=number)
            if number > 0
            else self(N_("sous-sol {floor}"), floor=-number)
        )

    def _dated(self, value: date, form: str) -> str:
        from babel.dates import format_date  # noqa: PLC0415 - 15 ms that a form in a corridor need not pay

        return format_date(value, form, locale=self.locale if self.french else "en_GB")

    # ------------------------------------------------------------------------------------------- marks

    def listed(self, items: list[str]) -> str:
        """`a, b et c`."""
        if len(items) <= 1:
            return "".join(items)
        return self(N_("{first} et {last}"), first=", ".join(items[:-1]), last=items[-1])

    def quoted(self, text: str) -> str:
        """`« … »` or `“…”`."""
        return f"«{NARROW}{text}{NARROW}»" if self.french else f"“{text}”"


def plain(text: str) -> str:
    """A sentence without its marks, for terminals and attributes."""
    return text.replace("**", "")


def rich(text: str) -> Markup:
    """A sentence with its marks as `<b>`, everything else escaped."""
    pieces = str(escape(text)).split("**")
    return Markup("".join(piece if i % 2 == 0 else f"<b>{piece}</b>" for i, piece in enumerate(pieces)))  # noqa: S704 - escaped above


def coded(text: str) -> Markup:
    """What stands between backticks as `<code>`, everything else escaped."""
    pieces = str(escape(text)).split("`")
    return Markup("".join(piece if i % 2 == 0 else f"<code>{piece}</code>" for i, piece in enumerate(pieces)))  # noqa: S704 - escaped above


@lru_cache(maxsize=len(LOCALES))
def language(locale: str) -> Language:
    """The language of that key, French for any that is not known."""
    return Language("en" if locale == "en" else "fr")


def _catalogue(locale: Locale) -> Catalog:
    from babel.messages.pofile import read_po  # noqa: PLC0415 - French has no catalogue to read

    with files("dashboards").joinpath(f"locales/{locale}/LC_MESSAGES/temoin.po").open("rb") as file:
        return read_po(file, locale=locale)


def upper_first(text: str) -> str:
    """The text with a capital, as a title or a cell begins."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """A label inside a sentence; `CO₂` stays as it is."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
