"""What requests carry in more than one place: the number of a row in an address, a field of a form."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form, Path, Request
from starlette.datastructures import FormData

Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]


async def _sent(request: Request) -> FormData:
    return await request.form()


Sent = Annotated[FormData, Depends(_sent)]  # a whole form, for who has a thread of their own to wait in
