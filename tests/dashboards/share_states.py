"""The pages of share links, in every state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboards import render
from dashboards.pages.experiments import ExperimentPage, OwnerPage
from dashboards.pages.frame import Frame, Page
from dashboards.pages.shares import SharedPage, ShareGonePage, ShareLine, SharesPage

NOW = datetime(2026, 5, 6, 15, 40, tzinfo=UTC)
LONG = "Direction de l’immobilier, des moyens généraux et de la logistique, pôle bâtiments, Nantes"
OPEN = ShareLine(3, NOW, "Camille Robert", NOW + timedelta(days=30), NOW + timedelta(hours=2), "open")
LINES = (
    OPEN,
    replace(OPEN, id=2, by=LONG, used=None, state="revoked"),
    replace(OPEN, id=1, used=None, until=NOW, state="expired"),
)


def gallery(experiment: ExperimentPage) -> dict[str, Page]:
    """Name of the state → its page."""
    listed = SharesPage(experiment.slug, experiment.title, LINES)
    whole = render.page(experiment, "fr", Frame())
    main = whole.partition('<main id="main">')[2].rpartition("</main>")[0]
    link = f"https://temoin.ville.example/s/{'k' * 43}"
    people = ((4, LONG), (1, "Camille Robert"), (7, "Nadia Le Goff"))
    owner = OwnerPage(experiment.slug, experiment.title, people[1], people, 1, may_act=True)
    return {
        "owner": replace(owner, owner=None),
        "owner-another": replace(owner, may_act=False, owner=people[0]),
        "owner-meanwhile": replace(owner, wanted=7, mistake="meanwhile"),
        "shares-not-mine": replace(listed, owner=LONG, may_act=False),
        "shares": listed,
        "shares-empty": replace(listed, shares=()),
        "shares-made": replace(listed, link=link, until=NOW + timedelta(days=30)),
        "shares-wrong": replace(listed, mistake="many"),
        "shares-revoked": replace(listed, revoked=True),
        "shared": SharedPage(experiment.title, main, NOW, NOW + timedelta(days=30)),
        "share-gone": ShareGonePage(),
        "share-too-many": ShareGonePage(14),
    }
