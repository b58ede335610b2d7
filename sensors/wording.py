"""How a refusal speaks of a value: one line, short, whatever came in."""

from __future__ import annotations

_LONGEST = 60
_LONGEST_SENTENCE = 400
_LARGEST = 10**30


def shown(value: object) -> str:
    """`value` in at most sixty characters without line breaks or control characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        return "an integer of more than 30 digits"
    if isinstance(value, str) and len(value) > _LONGEST:
        value = f"{value[: _LONGEST - 3]}…"
    return repr(value)


def in_one_line(sentence: str) -> str:
    """A sentence that names fields as they came: printable, and no longer than a few lines on a screen."""
    if len(sentence) > _LONGEST_SENTENCE:
        sentence = f"{sentence[: _LONGEST_SENTENCE - 1]}…"
    if sentence.isprintable():
        return sentence
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in sentence)


class UnreadableError(ValueError):
    """A time or a name that cannot be one; `code` groups refusals, the sentence starts with the value."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Twice:
    """Stands where a JSON object gave one key twice, so that whoever reads it there refuses it."""

    def __repr__(self) -> str:
        return "given twice"


TWICE = Twice()


def misfit(field: str, value: object, wanted: str) -> tuple[str, str]:
    """Code and sentence for a `field` whose value is not what was `wanted`."""
    if value is TWICE:
        return "duplicate_key", f"{field} is given twice"
    return "bad_type", f"{field} is {shown(value)}, not {wanted}"
