"""What went wrong, told to programs as one JSON envelope and to people as a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dashboards import render
from dashboards.pages.about import ErrorPage
from dashboards.pages.frame import Frame
from sensors.reading import StoreError
from service.asked import locale
from service.auth import CsrfRejected, SecondFactorNeeded, SignInNeeded, current_person
from service.middleware import secure
from service.web import kept
from service.web.reply import Instead
from service.web.reply import error as error_page
from service.web.sign_in import sign_in_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request, Response

ErrorKey = Literal["not_found", "forbidden", "too_many", "locked", "too_large", "conflict", "csrf", "failed"]

CODES = {
    400: "bad_request",
    401: "sign_in_needed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    423: "locked",
    429: "too_many",
    503: "unavailable",
    507: "disk_full",
}
log = structlog.get_logger("temoin.web")
PAGES: dict[int, ErrorKey] = {403: "forbidden", 404: "not_found", 405: "not_found", 422: "not_found"}
PAGES |= {409: "conflict", 413: "too_large", 423: "locked", 429: "too_many"}


def handle_errors(app: FastAPI) -> None:
    """Have every error of this app answered in one of the two ways."""
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(SecondFactorNeeded, _second_factor_needed)
    app.add_exception_handler(CsrfRejected, _csrf_rejected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Instead, _instead)  # type: ignore[arg-type]  # by its own kind
    app.add_exception_handler(DataError, _invalid)
    app.add_exception_handler(IntegrityError, _conflict)
    app.add_exception_handler(StaleDataError, _conflict)
    app.add_exception_handler(OperationalError, _unavailable)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(Exception, _failed)


def envelope(
    status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """`{"error": {"code", "message"}}`; the code follows from the status unless given."""
    error = {"code": code or CODES.get(status, "failed"), "message": message}
    return JSONResponse({"error": error}, status, headers)


def _for_programs(request: Request) -> bool:
    return request.url.path.startswith("/api/v")


async def _sign_in_needed(request: Request, _error: Exception) -> Response:
    if _for_programs(request):
        return envelope(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
    typed = await kept.typed(request)
    if typed is not None:
        return await run_in_threadpool(sign_in_form, request, "/", status=401, kept=typed)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?next={quote(wanted, safe='/')}" if request.method == "GET" and wanted != "/" else ""
    return RedirectResponse(f"/sign-in{back}", 303)


def _second_factor_needed(request: Request, _error: Exception) -> Response:
    if _for_programs(request):
        return envelope(
            403, "An administrator needs a second factor here: make it at /account/second-factor."
        )
    return RedirectResponse("/account/second-factor", 303)


def _invalid(request: Request, error: Exception) -> Response:
    """An address, a key or a number that nothing here can have: NUL in PostgreSQL, thirty digits."""
    if not _for_programs(request):
        return error_page(request, 404, "not_found")
    if isinstance(error, DataError):
        return envelope(422, "A name or a number is one that the registry cannot hold.")
    lines = error.errors() if isinstance(error, RequestValidationError) else []
    return envelope(422, "; ".join(map(_of_line, lines)))


def _of_line(line: dict[str, Any]) -> str:
    """What is wrong with one part of a request, by where it is in it."""
    where = ".".join(str(part) for part in line["loc"][1:])
    if line["type"] == "json_invalid":
        return f"The body is no JSON, from character {where} on."
    return f"{where}: {line['msg']}" if where else f"{line['loc'][0]}: {line['msg']}"


async def _csrf_rejected(request: Request, error: Exception) -> Response:
    """The page was open in a session that has ended: what was typed in it waits for a click."""
    sign_in = request.url.path.startswith("/sign-in")
    typed = await (kept.carried_by_ours(request) if sign_in else kept.typed(request))
    if typed is None or _for_programs(request):
        return await run_in_threadpool(_refused, request, error)
    person = await run_in_threadpool(current_person, request)
    if person is not None:
        return await run_in_threadpool(kept.resume, request, typed, person, 403)
    return await run_in_threadpool(sign_in_form, request, "/", status=401, kept=typed)


def _refused(request: Request, error: Exception) -> Response:
    status, message = 500, ""
    headers: Mapping[str, str] | None = None
    if isinstance(error, HTTPException):
        status, message, headers = error.status_code, str(error.detail), error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {**(headers or {}), "Allow": ", ".join(sorted(_methods(request)))}
    if _for_programs(request):
        return envelope(status, message, headers=headers)
    key: ErrorKey = "csrf" if isinstance(error, CsrfRejected) else PAGES.get(status, "failed")
    response = error_page(request, status, key)
    response.headers.update(headers or {})
    return response


def _methods(request: Request) -> set[str]:
    """What an address allows: the router knows but the methods of the first of its routes."""
    path = request.url.path
    found = (each for each in iter_route_contexts(request.app.routes) if each.path_regex.match(path))
    return {method for each in found for method in each.methods or ()}


def _instead(_request: Request, told: Instead) -> Response:
    return told.answer()


def _conflict(request: Request, error: Exception) -> Response:
    """A row that is there already, or no longer: somebody was faster, and nothing is written."""
    log.warning("conflict", error=str(error).partition("\n")[0])  # PostgreSQL goes on with values
    if _for_programs(request):
        return envelope(409, "Somebody was faster, and nothing was written: read it again.")
    return error_page(request, 409, "conflict")


def _unavailable(request: Request, _error: Exception) -> Response:
    """The registry or the store is away: the page may not ask them who is signed in."""
    return _without_registry(
        request, 503, "The registry or the store does not answer; try again in a moment."
    )


def _failed(request: Request, _error: Exception) -> Response:
    """Answered outside the middleware, which is why the security headers are set here."""
    response = _without_registry(request, 500, "Something failed here; it is in the log.")
    secure(response.headers, https=request.app.state.settings.secure)
    return response


def _without_registry(request: Request, status: int, message: str) -> Response:
    if _for_programs(request):
        return envelope(status, message)
    page = render.page(ErrorPage(status, "failed"), locale(request), Frame(request.url.path))
    return HTMLResponse(page, status)
