"""What is read of a request in many places: when it came, the row in its address, a field of its form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Form, Path

if TYPE_CHECKING:
    from datetime import date

    from fastapi import Request

Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]


def now(request: Request) -> datetime:
    """This instant in the installation's time zone."""
    return datetime.now(UTC).astimezone(request.app.state.settings.zone)


def today(request: Request) -> date:
    """The local day."""
    return now(request).date()
