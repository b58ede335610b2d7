"""A context to an HTTP answer: whose language, whose frame."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, ParamSpec
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse

from dashboards import render
from dashboards.language import LOCALES
from dashboards.pages.about import ErrorPage
from dashboards.pages.frame import Frame
from service.asked import LANGUAGE_COOKIE, locale
from service.auth import current_person
from service.registry import quarantine

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request, Response

    from dashboards.pages.about import Fault
    from dashboards.pages.frame import Page
    from service.auth import Person

_YEAR = 365 * 24 * 3600
P = ParamSpec("P")


class Instead(Exception):  # noqa: N818 - not an error: what is answered
    """Nothing is written, and this page is the answer: made after the turn, so that nobody waits for it."""

    def __init__(self, page: Callable[P, Response], *about: P.args, **more: P.kwargs) -> None:
        super().__init__()
        self.answer: Callable[[], Response] = partial(page, *about, **more)


def reply(request: Request, page: Page, status: int = 200, person: Person | None = None) -> HTMLResponse:
    """The page in the reader's language, framed for whoever is signed in."""
    if person is None:
        person = current_person(request)
    response = HTMLResponse(render.page(page, locale(request), _frame(request, person, status)), status)
    wanted = request.query_params.get("lang")
    if wanted in LOCALES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            wanted,
            max_age=_YEAR,
            httponly=True,
            samesite="lax",
            secure=request.app.state.settings.secure,
        )
    response.headers["Vary"] = "Cookie, Accept-Language"
    return response


def error(request: Request, status: int, key: Fault) -> HTMLResponse:
    """A page that says what went wrong and what to do."""
    return reply(request, ErrorPage(status, key), status)


def _frame(request: Request, person: Person | None, status: int) -> Frame:
    wrong = status == HTTPStatus.UNPROCESSABLE_ENTITY
    query = urlencode([item for item in request.query_params.multi_items() if item[0] != "lang"])
    if person is None:
        return Frame(request.url.path, query, wrong=wrong)
    with request.app.state.registry.session() as session:
        waiting = sum(n for _, n in quarantine.waiting_by_code(session))
    return Frame(request.url.path, query, person.name, person.csrf, waiting, person.role, wrong)
