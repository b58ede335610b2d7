"""What somebody typed while their session ended: carried through signing in, sent when they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashboards.pages.people import Kept, ResumePage
from service.auth import safe_path
from service.web.reply import reply

if TYPE_CHECKING:
    from fastapi import Request, Response
    from starlette.datastructures import FormData

    from service.auth import Person

MOST = 200_000  # characters of all fields together: more than any form here takes
MARK = "kept."  # before the names of the fields that the sign-in form carries
TO = "kept-to"
SECRET = {"csrf", "password", "current", "new", "again", "code"}  # fields that must not lie in a page
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def typed(request: Request) -> Kept | None:
    """The fields of a form sent from one of our pages; None for anything else, or an empty one."""
    if request.method != "POST" or not _ours(request):
        return None
    if not request.headers.get("content-type", "").startswith(FORMS):
        return None
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return _kept(wanted, _texts(await request.form()))


async def carried(request: Request) -> Kept | None:
    """The fields that this sign-in form carries for another one."""
    form = await request.form()
    fields = [(name.removeprefix(MARK), value) for name, value in _texts(form) if name.startswith(MARK)]
    return _kept(str(form.get(TO, "")), fields)


async def carried_by_ours(request: Request) -> Kept | None:
    """The same of a sign-in form whose token does not hold: None unless it was on one of our pages.

    Another site would have what it chose shown as what somebody had typed, one click from being sent.
    """
    return await carried(request) if _ours(request) else None


def resume(request: Request, kept: Kept, person: Person, status: int = 200) -> Response:
    """The page that shows what was typed, with a button to send it as `person`."""
    return reply(request, ResumePage(kept, person.csrf), status, person)


def _kept(path: str, fields: list[tuple[str, str]]) -> Kept | None:
    """Without what must not lie in a page: a spent token, a password."""
    fields = [(name, value) for name, value in fields if name not in SECRET and "password" not in name]
    if not fields or sum(len(name) + len(value) for name, value in fields) > MOST:
        return None
    return Kept(path, tuple(fields)) if safe_path(path) == path else None


def _texts(form: FormData) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _ours(request: Request) -> bool:
    """Whether a browser says that the form was on one of our pages; who says nothing is not believed."""
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
