"""What is read of a request in many places: when it came, in whose language, the row it names, its form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Form, Path, Request
from starlette.datastructures import FormData

from dashboards.language import LOCALES

if TYPE_CHECKING:
    from datetime import date

LANGUAGE_COOKIE = "lang"
Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]


async def _form(request: Request) -> FormData:
    return await request.form()


# Awaited before the route, which then is no `async def`: it may wait for the registry in a thread of its own.
Sent = Annotated[FormData, Depends(_form)]


def now(request: Request) -> datetime:
    """This instant in the installation's time zone."""
    return datetime.now(UTC).astimezone(request.app.state.settings.zone)


def today(request: Request) -> date:
    """The local day."""
    return now(request).date()


def locale(request: Request) -> str:
    """`?lang=`, else the cookie, else the browser's first choice among ours, else the setting."""
    for given in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if given in LOCALES:
            return given
    for part in request.headers.get("accept-language", "").split(","):
        given = part.partition(";")[0].strip()[:2].lower()
        if given in LOCALES:
            return given
    return str(request.app.state.settings.locale)
