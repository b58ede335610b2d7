"""What is read of a request in many places: when it came, the row in its address, a field of its form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Form, Path, Request
from starlette.datastructures import FormData

if TYPE_CHECKING:
    from datetime import date

Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]  # a whole form, for who has a thread of their own to wait in


def now(request: Request) -> datetime:
    """This instant in the installation's time zone."""
    return datetime.now(UTC).astimezone(request.app.state.settings.zone)


def today(request: Request) -> date:
    """The local day."""
    return now(request).date()
