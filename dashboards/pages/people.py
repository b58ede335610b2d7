"""People, their sessions and tokens, how they sign in, and what they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class PersonLine:
    """Somebody who may sign in; `seen` is when they last used a session that is still open."""

    id: int
    name: str
    email: str
    role: str
    active: bool
    seen: datetime | None = None
    me: bool = False


@dataclass(frozen=True)
class PersonForm:
    """Somebody as typed into a form, and by field what is wrong: missing, bad, long, taken, unknown, last."""

    name: str = ""
    email: str = ""
    role: str = "reader"
    active: bool = True
    mistakes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PeoplePage:
    """Everybody who may sign in, and a form for one more."""

    people: tuple[PersonLine, ...]
    form: PersonForm = PersonForm()
    deleted: bool = False  # somebody was, just now
    template = "people.html"


@dataclass(frozen=True)
class SessionLine:
    """A browser on which somebody is signed in; `handle` is what a form says to mean it."""

    handle: str
    browser: str | None
    opened: datetime | None
    seen: datetime | None
    until: datetime
    here: bool = False
    scope: str = ""  # read or write: a token for programs, called `browser`


@dataclass(frozen=True)
class PersonPage:
    """Somebody, for administrators. `form` has what was typed, `person` what they are.

    `meanwhile` says that somebody else changed them while the form was open, `by` and `at` who and when.
    `link` is shown once: whoever has it chooses the password, until `link_until`.
    """

    person: PersonLine
    form: PersonForm
    sessions: tuple[SessionLine, ...] = ()
    meanwhile: bool = False
    by: str | None = None
    at: datetime | None = None
    link: str | None = None
    link_until: datetime | None = None
    has_password: bool = True
    by_provider: bool = False  # signs in by the organisation's OpenID provider
    saved: bool = False
    template = "person.html"


@dataclass(frozen=True)
class AccountPage:
    """Oneself: where one is signed in, and one's password.

    `mistakes` by field: wrong, wait (too many tries), length, differ; of a token: missing, long, many.
    """

    person: PersonLine
    sessions: tuple[SessionLine, ...]
    has_password: bool = True
    mistakes: Mapping[str, str] = field(default_factory=dict)
    done: Literal["password", "sessions"] | None = None
    second_factor: bool = False
    token: str = ""  # just made, shown once
    named: str = ""  # typed, as the two that follow
    scope: str = "read"
    days: str = "90"
    template = "account.html"


@dataclass(frozen=True)
class SecondFactorPage:
    """One's second factor: none, a secret to be proved, recovery codes just made, or in place since."""

    email: str
    since: datetime | None = None
    left: int = 0  # recovery codes
    has_password: bool = True
    owed: bool = False  # the installation asks it of this person
    draft: str = ""  # the secret, signed and sealed, as the next form carries it
    secret: str = ""  # in groups of four, shown once
    address: str = ""  # otpauth:
    recovery: tuple[str, ...] = ()  # shown once
    mistakes: Mapping[str, str] = field(default_factory=dict)  # current: wrong, wait, late; code: wrong
    template = "second_factor.html"


@dataclass(frozen=True)
class ChangeLine:
    """Who changed what; each field with what it was and what it became, as the audit's JSON has them."""

    id: int
    at: datetime
    who: str  # « Marie Dupont <marie@ville.example> », or a program
    action: Literal["created", "changed", "deleted"]
    kind: str  # the table
    called: str
    fields: tuple[tuple[str, Any, Any], ...]

    @property
    def name(self) -> str:
        """Who, without the address."""
        return self.who.partition(" <")[0]


@dataclass(frozen=True)
class AuditPage:
    """The changes people made, newest first, a page of them; `head` is the hash of the last of all."""

    changes: tuple[ChangeLine, ...]
    total: int
    head: str
    kinds: tuple[str, ...]
    people: tuple[str, ...]
    zone: ZoneInfo
    kind: str = ""
    who: str = ""
    older: int | None = None  # the page after this one begins below this id
    template = "audit.html"


@dataclass(frozen=True)
class Kept:
    """What was typed into a form whose session had ended; `path` is where it goes, on this site."""

    path: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SignInPage:
    """Local accounts, and the organisation's provider; `next` is a path of this site."""

    next: str = "/"
    csrf: str = ""
    email: str = ""
    error: (
        Literal[
            "wrong", "too_many", "busy", "link_used",
            "away", "refused", "clock", "stale", "denied",
            "unknown", "disabled", "no_address", "address_taken",
        ]
        | None
    ) = None  # fmt: skip
    minutes: int = 0  # to wait, where there were too many attempts
    provider: str | None = (
        None  # what the provider's account is called; "" where it has no name; None: no provider
    )
    new_password: bool = False  # it was just chosen
    nobody: bool = False  # no account was ever made
    kept: Kept | None = None
    known: bool = False  # the provider may still know this browser, and can be told to forget it
    template = "sign_in.html"


@dataclass(frozen=True)
class CodePage:
    """The second factor of who gave the right password; `ticket` says who that is."""

    next: str = "/"
    csrf: str = ""
    ticket: str = ""
    error: Literal["wrong", "too_many", "unreadable"] | None = None
    minutes: int = 0  # to wait, where there were too many attempts
    kept: Kept | None = None
    template = "sign_in_code.html"


@dataclass(frozen=True)
class ResumePage:
    """Signed in again: what was typed, to be sent now. `csrf` is the new session's."""

    kept: Kept
    csrf: str
    template = "resume.html"


@dataclass(frozen=True)
class ForgottenPage:
    """Asking for a mail to choose a password with."""

    csrf: str = ""
    state: Literal["ask", "sent", "too_many", "no_mail"] = "ask"
    minutes: int = 0
    template = "forgotten.html"


@dataclass(frozen=True)
class NewPasswordPage:
    """Choosing a password by a link; without a token the link opens nothing any more."""

    token: str | None
    csrf: str = ""
    email: str = ""
    error: Literal["short", "long", "differ", "guessable"] | None = None
    least: int = 12
    most: int = 128
    template = "new_password.html"
