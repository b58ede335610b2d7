"""Panels and switch days as CSV files: read whole, or refused with one sentence that names the line."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import date
from typing import TYPE_CHECKING, Any

from service.cli.end import REJECTED_INPUT, Ended

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from experiments.design import Day

MISSING = frozenset(["", "na", "nan", "null", "none", "-"])
DECIMAL_COMMA = re.compile(r"^([+-]?\d*),(\d+)$")
MOST_NAMED = 8


def refused(path: Path, sentence: str, line: int | None = None) -> Ended:
    """The end of the command: what is wrong with a file, and on which line."""
    where = f"{path}" if line is None else f"{path}, line {line}"
    return Ended(f"{where}: {sentence}.", REJECTED_INPUT)


def read_text(path: Path) -> str:
    """The text of a file, or the end of the command."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(path, f"not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise refused(path, f"{error.strerror}") from error


def _rows(path: Path, wanted: Iterable[str], hint: str = "") -> tuple[list[str], list[list[str]]]:
    """Header and lines of a CSV that has the wanted columns; a sentence for each way it may not be one.

    Between semicolons, as a French or German spreadsheet writes them, 2,5 is 2.5.
    """
    text = read_text(path)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(reader, [])]
        rows = list(reader)
    except csv.Error as error:
        raise refused(path, str(error), reader.line_num) from error
    if not header:
        raise refused(path, "the file is empty")
    for name in wanted:
        if name not in header:
            raise refused(path, f"no column {name!r}; the first line says {', '.join(header)}{hint}")
        if header.count(name) > 1:
            raise refused(path, f"two columns are named {name!r}")
    for line, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            raise refused(path, f"{len(row)} values for {len(header)} columns", line)
    if not any(rows):
        raise refused(path, "no line below the header")
    if separator == ";":
        rows = [[DECIMAL_COMMA.sub(r"\1.\2", field.strip()) for field in row] for row in rows]
    return header, rows


def _separator(text: str) -> str:
    """What the first line is divided by: a comma, or the semicolons and tabs of spreadsheets."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def read_panel(path: Path, columns: dict[str, str], *, outcomes: bool = False) -> pd.DataFrame:
    """`room`, `day`, `value` (and `outcome`, `n`), one value a room, day and outcome; or the end."""
    import pandas as pd  # noqa: PLC0415 - half a second that --help need not pay

    wanted = [*columns.values(), *(["outcome"] if outcomes else [])]
    header, rows = _rows(path, wanted, "; --room, --day and --value name other columns")
    place = {name: header.index(column) for name, column in columns.items()}
    if outcomes:
        place |= {name: header.index(name) for name in ("outcome", "n") if name in header}
    lines = [line for line, row in enumerate(rows, start=2) if row]
    fields = {name: [row[i].strip() for row in rows if row] for name, i in place.items()}
    _check_rooms(path, lines, fields["room"], columns["room"])
    frame: dict[str, list[Any]] = dict(fields)
    frame["day"] = _days(path, lines, fields["day"])
    for name in {"value", "n"} & set(fields):
        frame[name] = _numbers(path, lines, fields[name], columns.get(name, name))
    _check_twice(path, lines, frame)
    table = pd.DataFrame(frame)
    return table.assign(day=table["day"].astype(object)) if isinstance(frame["day"][0], date) else table


def _check_rooms(path: Path, lines: list[int], rooms: list[str], column: str) -> None:
    if "" in rooms:
        raise refused(path, f"no {column}", lines[rooms.index("")])


def _check_twice(path: Path, lines: list[int], frame: dict[str, list[Any]]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    outcomes = frame.get("outcome", [""] * len(lines))
    for line, *key in zip(lines, frame["room"], frame["day"], outcomes, strict=True):
        first = seen.setdefault(tuple(key), line)
        if first != line:
            room, day = key[0], key[1]
            raise refused(path, f"room {room!r} is there twice on {day} (first on line {first})", line)


def _days(path: Path, lines: list[int], texts: list[str]) -> list[Any]:
    known: dict[str, Day] = {}
    for line, text in zip(lines, texts, strict=True):
        if text not in known:
            known[text] = _day(text, f"{path}, line {line}")
    if len({isinstance(day, date) for day in known.values()}) > 1:
        raise refused(path, "some days are dates and some are numbers")
    return [known[text] for text in texts]


def _day(text: str, where: str) -> Day:
    if re.fullmatch(r"[+-]?\d{1,9}(\.0+)?", text):
        return int(float(text))
    if re.fullmatch(r"\d{4}-\d{2}", text):
        text += "-01"
    try:
        return date.fromisoformat(re.sub(r"[T ]00:00(:00(\.0+)?)?$", "", text))
    except ValueError as error:
        shown = repr(text) if text else "nothing"
        raise Ended(
            f"{where}: day is {shown}; write a date as 2026-04-13, a month as 2026-04, a week as 2026-W16, "
            "or a whole number.",
            REJECTED_INPUT,
        ) from error


def _numbers(path: Path, lines: list[int], texts: list[str], column: str) -> list[float]:
    numbers = []
    for line, text in zip(lines, texts, strict=True):
        try:
            number = math.nan if text.lower() in MISSING else float(text)
        except ValueError as error:
            hint = "; write decimals with a point" if DECIMAL_COMMA.match(text) else ""
            raise refused(path, f"{column} is {text!r}, not a number{hint}", line) from error
        if math.isinf(number):
            raise refused(path, f"{column} is infinite", line)
        numbers.append(number)
    return numbers


def read_switches(path: Path) -> dict[str, Day]:
    """Room → first day after its change; rooms without a day are baseline and left out."""
    header, rows = _rows(path, ("room", "switch"))
    room, switch = header.index("room"), header.index("switch")
    seen: dict[str, int] = {}
    switches: dict[str, Day] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        name, text = row[room].strip(), row[switch].strip()
        if seen.setdefault(name, line) != line:
            raise refused(path, f"room {name!r} is there twice (first on line {seen[name]})", line)
        if text.lower() not in MISSING:
            switches[name] = _day(text, f"{path}, line {line}")
    if len({isinstance(day, date) for day in switches.values()}) > 1:
        raise refused(path, "some switches are dates and some are numbers")
    return switches


def check_switches(frame: pd.DataFrame, switches: dict[str, Day], panel: Path, path: Path) -> list[Any]:
    """The days of the panel in order, once the two files agree."""
    days = sorted(set(frame["day"]))
    rooms = set(frame["room"])
    if len(rooms) == 1:
        raise refused(panel, f"one room only ({next(iter(rooms))}); a comparison needs baseline rooms")
    if not switches:
        raise refused(path, "no room has a switch day; nothing was changed")
    for room, day in switches.items():
        if room not in rooms:
            raise refused(path, f"room {room!r} is not in {panel.name}, whose rooms are {_named(rooms)}")
        if isinstance(day, date) != isinstance(days[0], date):
            raise refused(
                path, f"room {room!r} switches on {day}, but the days of {panel.name} are like {days[0]}"
            )
        if day > days[-1]:
            raise refused(
                path, f"room {room!r} switches on {day}, after the last day of {panel.name}, {days[-1]}"
            )
        if day <= days[0]:
            raise refused(
                path,
                f"room {room!r} switches on {day}, no day of {panel.name} is before (first: {days[0]})",
            )
    return days


def _named(rooms: set[str]) -> str:
    """Some names, so that a misspelt one is seen beside the right one."""
    some = [repr(room) for room in sorted(rooms)[:MOST_NAMED]]
    return ", ".join(some) + (f" and {len(rooms) - MOST_NAMED} more" if len(rooms) > MOST_NAMED else "")
