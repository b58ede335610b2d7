"""Long lists a part at a time: `limit` and `after`, and the next part's address in `Link` (RFC 8288)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Depends, HTTPException, Query, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
MOST = 1000
LINK = {"Link": {"schema": {"type": "string"}, "description": 'The next part: `<…>; rel="next"`'}}


class Paging:
    """Dependency of a list: which part of it was asked for."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most")] = MOST,
        after: Annotated[
            str | None, Query(max_length=300, description="As `Link` of the part before says")
        ] = None,
    ) -> None:
        self._request, self._response, self._limit, self._after = request, response, limit, after

    def part(self, found: Sequence[T], name: Callable[[T], object]) -> Sequence[T]:
        """The part of `found`, whose items `name` tells apart; `Link` is set where there is more.

        Raises HTTPException 422 for an `after` that is not in the list: it would be a part of nothing.
        """
        first = 0
        if self._after is not None:
            names = [str(name(each)) for each in found]
            if self._after not in names:
                raise HTTPException(
                    422, "after: not in this list, or no longer; begin again without it, and follow Link."
                )
            first = names.index(self._after) + 1
        shown = found[first : first + self._limit]
        if first + self._limit < len(found):
            following = self._request.url.include_query_params(limit=self._limit, after=str(name(shown[-1])))
            self._response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        return shown


Part = Annotated[Paging, Depends()]
