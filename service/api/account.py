"""Who is asking: to see what a token is for. Passwords and tokens are made in a browser."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request

from service.api.people import ApiSession, Role, sessions_of
from service.auth import SignedIn
from service.registry import users

router = APIRouter(prefix="/api/v1/account", tags=["people"])


@dataclass(frozen=True)
class ApiAccount:
    """Oneself: name, role, where one is signed in and the tokens of one's programs."""

    name: str
    email: str
    role: Role
    sessions: list[ApiSession]


@router.get("")
def get_account(request: Request, person: SignedIn) -> ApiAccount:
    """Whose token this is, or who is signed in."""
    with request.app.state.registry.session() as session:
        user = users.known(session, person.email)
        return ApiAccount(user.name, user.email, user.role, sessions_of(session, user))  # type: ignore[arg-type]  # one of the four
