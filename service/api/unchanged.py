"""Changes only to what was read: `If-Match` names the `version` of what the caller has (RFC 9110, 13.1.1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, HTTPException

CHANGED = "It was changed meanwhile: read it again, and send If-Match with the version that is told."


class IfMatch:
    """Dependency of a change: it is refused where somebody else was faster. Without the header it holds."""

    def __init__(
        self,
        if_match: Annotated[
            str | None, Header(max_length=300, description="The `version` that was read, in quotes")
        ] = None,
    ) -> None:
        self._named = None if if_match is None else {each.strip() for each in if_match.split(",")}

    def check(self, version: object) -> None:
        """Raise HTTPException 412 unless this version, or any (`*`), is the one that the caller has."""
        if self._named is not None and self._named.isdisjoint({"*", f'"{version}"'}):
            raise HTTPException(412, CHANGED)


Have = Annotated[IfMatch, Depends()]
