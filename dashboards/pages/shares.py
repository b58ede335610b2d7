"""An experiment's page for people without an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class ShareLine:
    """A link to an experiment's page as it was; `state` is open, expired or revoked."""

    id: int
    made: datetime
    by: str
    until: datetime
    used: datetime | None  # the last time
    state: Literal["open", "expired", "revoked"]


@dataclass(frozen=True)
class SharesPage:
    """The links of one experiment, and the one just made, which is shown this once.

    `mistake`: days (none of those to choose from), many (one has to be revoked first).
    """

    slug: str
    title: str
    shares: tuple[ShareLine, ...]
    link: str | None = None
    until: datetime | None = None  # of the one just made
    mistake: Literal["days", "many"] | None = None
    revoked: bool = False
    owner: str | None = None
    may_act: bool = True
    template = "share_list.html"


@dataclass(frozen=True)
class SharedPage:
    """An experiment's page as it was, for somebody without an account; `main` is HTML that we rendered."""

    title: str
    main: str
    made: datetime
    until: datetime
    template = "share.html"


@dataclass(frozen=True)
class ShareGonePage:
    """A link that opens nothing; `minutes` to wait, for an address that tried too many."""

    minutes: int = 0
    template = "share_gone.html"
