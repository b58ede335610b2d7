"""What requests carry in more than one place: the number of a row in an address, a form and its fields."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form, Path, Request
from starlette.datastructures import FormData

Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]


async def _form(request: Request) -> FormData:
    return await request.form()


# Awaited before the route, which then is no `async def`: it may wait for the registry in a thread of its own.
Sent = Annotated[FormData, Depends(_form)]
