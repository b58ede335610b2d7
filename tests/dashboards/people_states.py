# ruff: noqa: E501 - one state a line, read as a table
"""The pages of people and of what they changed, in every state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dashboards.pages.people import (
    AccountPage,
    AuditPage,
    ChangeLine,
    PeoplePage,
    PersonForm,
    PersonLine,
    PersonPage,
    SessionLine,
)

if TYPE_CHECKING:
    from dashboards.pages.frame import Page

NOW = datetime(2026, 5, 6, 15, 40, tzinfo=UTC)
LONG = "Direction de l’immobilier, des moyens généraux et de la logistique, pôle bâtiments administratifs, Nantes"
CAMILLE = PersonLine(
    1, "Camille Robert", "camille@ville.example", "administrator", active=True, seen=NOW, me=True
)
ZOE = PersonLine(2, "Zoé Martin", "zoe@ville.example", "reader", active=True)
GONE = PersonLine(3, LONG, f"{'logistique.' * 5}x@ville.example", "analyst", active=False)
HERE = SessionLine("a" * 16, "Firefox, Windows", NOW, NOW, NOW + timedelta(hours=12), here=True)
THERE = replace(HERE, handle="b" * 16, browser="Safari, iPhone", here=False)
WRONG = PersonForm("x" * 130, "zoe@", "", mistakes={"name": "long", "email": "bad", "role": "unknown"})
LINK = f"https://temoin.ville.example/new-password/{'k' * 43}"


def gallery() -> dict[str, Page]:
    """Name of the state → its page."""
    shown = PersonForm(ZOE.name, ZOE.email, ZOE.role)
    person = PersonPage(
        ZOE, shown, (THERE, replace(THERE, browser=None, opened=None)), by="Camille Robert", at=NOW
    )
    token = replace(THERE, handle="c" * 16, browser="Rapport du lundi", scope="read")
    own = AccountPage(CAMILLE, (HERE, THERE, token), token="temoin-api-" + "x" * 43)
    return {
        "people": PeoplePage((CAMILLE, GONE, ZOE), deleted=True),
        "people-wrong": PeoplePage((CAMILLE,), WRONG),
        "person": replace(person, link=LINK, link_until=NOW + timedelta(days=3)),
        "person-new": PersonPage(ZOE, shown, has_password=False, saved=True),
        "person-meanwhile": replace(person, meanwhile=True, form=PersonForm("Zoé M.", "", "analyst")),
        "person-closed": PersonPage(GONE, PersonForm(GONE.name, GONE.email, GONE.role, active=False)),
        "account": replace(own, done="password"),
        "account-wrong": replace(own, has_password=True, sessions=(HERE,), mistakes={"current": "wrong"}),
        "account-without": replace(own, has_password=False),
        "audit": _audit(_changes()),
        "audit-empty": replace(_audit(()), total=0),
    }


def _audit(changes: tuple[ChangeLine, ...]) -> AuditPage:
    kinds = ("rooms", "users", "a_table_without_words")
    return AuditPage(
        changes, 1412, "3f" * 32, kinds, (CAMILLE.email, LONG), ZoneInfo("Europe/Paris"), older=41
    )


def _changes() -> tuple[ChangeLine, ...]:
    camille = "Camille Robert <camille@ville.example>"
    return (
        ChangeLine(44, NOW, camille, "changed", "rooms", "Loire", (("capacity", 8, 10), ("floor", None, "2"))),
        ChangeLine(43, NOW, "root (temoin user)", "created", "users", "Zoé Martin",
                   (("role", None, "reader"), ("created_at", None, "2026-05-06T15:40:00+00:00"), ("active", None, True))),
        ChangeLine(42, NOW, camille, "changed", "experiments", "Des tables mobiles",
                   (("sheet.problem", None, LONG * 3), ("switch", "2026-04-13", "2026-04-14"), ("min_coverage", 0.7, 0.65))),
        ChangeLine(41, NOW, camille, "deleted", "closures", "Hôtel de ville, 2026-05-01", (("reason", "férié", None),)),
    )  # fmt: skip
