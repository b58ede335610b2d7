"""What is wrong with what was said, in a sentence; the same checks as the pages' forms make."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.embargo import Embargo

SENTENCES = {
    "missing": "is missing",
    "long": "is too long",
    "bad": "cannot be read as such, or has characters that cannot be printed",
    "range": "is out of range",
    "order": "is not after the beginning",
    "taken": "somebody or something has it already",
    "unknown": "there is no such thing",
    "ahead": "is in the future",
    "overlap": "is when the device was in another room",
    "before": "leaves nothing of a stay beside it",
    "last": "this is the last active administrator: make somebody else one first",
}


def sealed(laid: Embargo) -> NoReturn:
    """Raise HTTPException 409: what is said of a device would open this seal."""
    raise HTTPException(
        409,
        f"What it measured before today is hidden until the experiment {laid.slug} is over, on {laid.ends}: "
        "no other room can show it. Say that it was in no room then, and in this one from today on.",
    )


def refuse(mistakes: Mapping[str, str], status: int = 422) -> None:
    """Raise HTTPException where there is a mistake, each by its field."""
    if mistakes:
        told = "; ".join(f"{name}: {SENTENCES[code]}" for name, code in mistakes.items())
        raise HTTPException(status, f"{told}.")
