"""On which line of a TOML text each value stands: `tomllib` reads the values and forgets the places."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""+'
    r"|'''.*?'''+"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*|[\[\]{},=\n]"
    r"|[^\s\[\]{},=\#\"']+",
    re.DOTALL,
)
_OPENING, _CLOSING = ("[", "{"), ("]", "}")


class _Token(NamedTuple):
    text: str
    line: int


class Lines:
    """The lines of a text that `tomllib` accepts."""

    def __init__(self, text: str) -> None:
        self._known: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # of each array of tables, the index its last header opened
        table: Path = ()
        for statement in _statements(text):
            if statement[0].text == "[":
                table = self._header(statement)
            else:
                self._value(table, statement)

    def of(self, path: Sequence[str | int]) -> int:
        """The line of this value, or of the nearest thing around it; 1 when there is none."""
        for length in range(len(path), 0, -1):
            line = self._known.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def _header(self, statement: list[_Token]) -> Path:
        several = statement[1].text == "["
        names = _key(token.text for token in statement if token.text not in "[]")
        path: Path = ()
        for name in names[:-1]:
            path = self._inside((*path, name))
        path = (*path, names[-1])
        if several:
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
        self._known.setdefault(path, statement[0].line)
        return path

    def _inside(self, path: Path) -> Path:
        return (*path, self._last[path]) if path in self._last else path

    def _value(self, table: Path, statement: list[_Token]) -> None:
        equals = next(i for i, token in enumerate(statement) if token.text == "=")
        path = (*table, *_key(token.text for token in statement[:equals]))
        self._known[path] = statement[0].line
        value = statement[equals + 1 :]
        if value[0].text == "[":
            for index, line in enumerate(_elements(value)):
                self._known[*path, index] = line


def _statements(text: str) -> Iterator[list[_Token]]:
    """Headers and assignments, each with all of its lines; comments left out."""
    statement: list[_Token] = []
    depth, line = 0, 1
    for found in _TOKEN.finditer(text):
        piece = found.group()
        if piece == "\n" and depth == 0 and statement:
            yield statement
            statement = []
        elif piece != "\n" and not piece.startswith("#"):
            depth += (piece in _OPENING) - (piece in _CLOSING)
            statement.append(_Token(piece, line))
        line += piece.count("\n")
    if statement:
        yield statement


def _elements(value: list[_Token]) -> Iterator[int]:
    """The line on which each element of an array begins."""
    depth, awaited = 0, True
    for token in value:
        if depth == 1 and awaited and token.text not in ("]", ","):
            yield token.line
            awaited = False
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 1 and token.text == ",":
            awaited = True


def _key(parts: Iterator[str]) -> list[str]:
    """`sites."a.b".name` in its names, as TOML itself reads them."""
    names: list[str] = []
    inner: Any = tomllib.loads(f"{''.join(parts)} = 0")
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        names.append(name)
    return names
