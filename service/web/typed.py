"""What requests carry in more than one place: the number of a row in an address, a field of a form."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Path

Number = Annotated[int, Path(ge=1, lt=2**31)]  # PostgreSQL's integer
Typed = Annotated[str, Form()]
