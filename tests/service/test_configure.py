"""docs/configure.md has one row a setting, as `Settings` has them."""

from pathlib import Path

from service.settings import PREFIX, Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "configure.md"


def default(field):
    if field.default in (None, ""):
        return "–"
    value = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{value}`"


def table():
    rows = [
        f"| `{PREFIX}{name.upper()}` | {default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows]) + "\n"


def test_the_document_has_exactly_the_settings():
    assert table() in DOCUMENT.read_text(encoding="utf-8"), table()
