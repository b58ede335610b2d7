"""What people say of a room: one number a room and period, never a room and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from experiments.outcomes.definition import OutcomeDefinition
from experiments.voice import K_ANSWERS, ridit

if TYPE_CHECKING:
    from datetime import date

DISCOMFORT = ("slight", "clear")
SAID = ("none", *DISCOMFORT)  # « je ne souhaite pas répondre » is no answer
COLUMNS = ["room", "day", "outcome", "value", "n"]

DEFINITIONS = (
    OutcomeDefinition("satisfaction", 1, "/100", "voice", "higher", 0),
    OutcomeDefinition("helped", 1, "/100", "voice", "higher", 0),
    OutcomeDefinition("discomfort", 1, "%", "voice", "lower", 0),
)


def voice_rows(
    answers: pd.DataFrame,
    switch: dict[str, date],
    starts: date,
    ends: date,
    resumes: dict[str, date],
    k: int = K_ANSWERS,
) -> pd.DataFrame:
    """Two rows a room and voice outcome: before (on `starts`) and after (on the room's switch day).

    `answers` has columns `room`, `day`, `satisfaction`, `helped`, `discomfort`; `switch` and `resumes` give
    each room of the experiment its switch and the first day that counts after the washout. `value` is the
    ridit × 100 against the room's own answers before (so 50 before), or the share of discomfort in %; `n`
    the answers. A room with fewer than `k` answers in either period has no rows. Columns as COLUMNS.
    """
    rows = []
    for room, day in switch.items():
        mine = answers[answers["room"] == room]
        before = mine[(mine["day"] >= starts) & (mine["day"] < day)]
        after = mine[(mine["day"] >= resumes[room]) & (mine["day"] <= ends)]
        for outcome in ("satisfaction", "helped"):
            marks = [period[outcome].dropna().astype(int).tolist() for period in (before, after)]
            if min(map(len, marks)) >= k:
                rows.append((room, starts, outcome, 50.0, len(marks[0])))
                rows.append((room, day, outcome, ridit(marks[0], marks[1]), len(marks[1])))
        said = [period["discomfort"][period["discomfort"].isin(SAID)] for period in (before, after)]
        if min(map(len, said)) >= k:
            for when, period in zip((starts, day), said, strict=True):
                share = float(100 * period.isin(DISCOMFORT).mean())
                rows.append((room, when, "discomfort", share, len(period)))
    return pd.DataFrame(rows, columns=COLUMNS)
