"""A page's context to its HTML, and the static files pages ask for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dashboards import changes, charts, glossary, series, words
from dashboards.language import Language, coded, language, lower_first, plain, rich, upper_first
from dashboards.pages.frame import Frame
from sensors.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.pages.frame import Page

_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Asset:
    """A static file under an address that holds its content's hash, so that it may be cached for ever."""

    url: str
    content: bytes
    media_type: str


@lru_cache(maxsize=1)
def assets() -> Mapping[str, Asset]:
    """Every static file by its name; `/static/look.3fa9c1d2.css` is where `look.css` is served."""
    found = {}
    for file in files("dashboards").joinpath("static").iterdir():
        stem, dot, suffix = file.name.rpartition(".")
        if dot + suffix not in _TYPES:
            continue
        content = file.read_bytes()
        url = f"/static/{stem}.{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"
        found[file.name] = Asset(url, content, _TYPES[dot + suffix])
    return MappingProxyType(found)


def page(context: Page, locale: str, frame: Frame | None = None) -> str:
    """The whole HTML document of a page, in French or English."""
    environment = _environment(locale)
    return environment.get_template(context.template).render(page=context, frame=frame or Frame())


def qr_code(url: str, name: str) -> Markup:
    """An address as a QR code, in SVG without styles; `name` is what a screen reader says of it."""
    import segno  # noqa: PLC0415 - only posters need it

    # black on white in both themes: some readers do not see inverted codes
    code = segno.make(url, error="m")
    drawn = code.svg_inline(dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    named = drawn.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1)
    return Markup(named)  # noqa: S704 - written by segno, and the name escaped


@lru_cache(maxsize=2)
def _environment(locale: str) -> Environment:
    say = language(locale)
    environment = Environment(
        loader=PackageLoader("dashboards"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(_vocabulary(say))
    environment.filters["code"] = coded
    environment.filters["lower_first"] = lower_first
    environment.filters["upper_first"] = upper_first
    environment.filters["label_of"] = lambda measure: lower_first(words.Spoken(say, measure.outcome).label)
    return environment


def _vocabulary(say: Language) -> dict[str, Any]:
    """What templates may call."""

    def plural(one: str, many: str, n: float, **values: object) -> Markup:
        return rich(say.plural(one, many, n, **values))

    def reason(given: Any, **about: Any) -> str:  # noqa: ANN401 - passed on as it is
        return words.reason(given, say.locale, **about)

    def spoken(measure: Any) -> words.Spoken:  # noqa: ANN401 - a Measure or an outcome's key
        if isinstance(measure, str):
            return words.Spoken(say, measure)
        return words.Spoken(say, measure.outcome, measure.unit)

    return {
        "_": say.markup,
        "plural": plural,
        "say": say,
        "words": words,
        "changes": changes,
        "glossary": glossary.GLOSSARY,
        "charts": charts,
        "drawing": series,
        "metrics": METRICS,
        "qr": qr_code,
        "reason": reason,
        "spoken": spoken,
        "rich": rich,
        "plain": plain,
        "asset": lambda name: assets()[name].url,
    }
