"""The line of every value, whatever way TOML lets one write it."""

import tomllib
from itertools import chain

import pytest

from service.toml_lines import Lines

TEXT = '''title = "a # b"   # line 1
[[sites]]
slug = "a"
text = """
slug = "not a key"
[not.a.header]
"""
list = [
  1,
  { x = [2, 3] }, # [4]
  "]",
]

[[sites.rooms]]
slug = "r"
[[sites.rooms]]
slug = "s"
"odd key" . deep = 1

[[sites]]
slug = "b"
[[sites.rooms]]
slug = "t"
[other]
key.inner = 'it''s'
'''.replace("'it''s'", "'x'")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("sites", 0), 2),
        (("sites", 0, "slug"), 3),
        (("sites", 0, "text"), 4),
        (("sites", 0, "list"), 8),
        (("sites", 0, "list", 0), 9),
        (("sites", 0, "list", 1, "x", 1), 10),
        (("sites", 0, "list", 2), 11),
        (("sites", 0, "rooms", 0, "slug"), 15),
        (("sites", 0, "rooms", 1, "odd key", "deep"), 18),
        (("sites", 1, "slug"), 21),
        (("sites", 1, "rooms", 0, "slug"), 23),
        (("sites", 1, "rooms", 0, "missing"), 22),
        (("other", "key", "inner"), 25),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_a_value_is_found_on_its_line(path, line):
    assert Lines(TEXT).of(path) == line


def test_every_scalar_of_the_text_is_on_a_line_that_names_its_key():
    def walk(value, path=()):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            if isinstance(inner, dict | list):
                yield from walk(inner, (*path, key))
            elif isinstance(key, str):
                yield (*path, key)

    lines, rows = Lines(TEXT), TEXT.splitlines()
    found = list(chain(walk(tomllib.loads(TEXT))))
    assert len(found) == 9
    assert all(path[-1] in rows[lines.of(path) - 1] for path in found)
