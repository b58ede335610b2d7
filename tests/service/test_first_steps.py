"""Somebody's first minutes with an empty installation: what the pages tell to type works as told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from dashboards.pages.experiments import ExampleFile
from experiments import plan
from service.declare import declare
from service.registry import experiments, users
from service.registry.tables import Experiment

ROOMS = '[[sites]]\nslug = "hv"\nname = "Hôtel de ville"\n' + "".join(
    f'[[sites.rooms]]\nslug = "{slug}"\nname = "{slug}"\ncapacity = 8\n' for slug in ExampleFile.ROOMS
)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("path", ["/", "/experiments"])
def test_the_example_of_a_file_is_one_that_can_be_declared(reader, registry, settings, path, lang):
    page = reader.get(f"{path}?lang={lang}").text
    file = unescape(re.search(r"(?s)<pre>(\[\[experiments\]\].*?)</pre>", page)[1])
    with registry.session() as session:
        now = datetime.now(UTC)
        declare(session, ROOMS + file, "Camille", now, settings.zone)
        found = experiments.find(session, "tables-hautes")
        assert experiments.status(found, now.date()) == "planned"
        assert experiments.compared(found)
    treated = sum(arm.switch is not None for arm in found.arms)
    assert plan(treated, len(found.arms) - treated).grade == "decision"


@pytest.mark.parametrize("path", ["/", "/experiments"])
def test_the_example_names_the_rooms_that_are_there(reader, registry, settings, path):
    """A room pasted from a spreadsheet has a key that no page had shown."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    with registry.session() as session:
        declare(session, ROOMS.replace('slug = "', 'slug = "salle-'), "Camille", now, settings.zone)
    file = unescape(re.search(r"(?s)<pre>(\[\[experiments\]\].*?)</pre>", reader.get(path).text)[1])
    with registry.session() as session:
        declare(session, file, "Camille", now, settings.zone)
        assert len(experiments.find(session, "tables-hautes").arms) == 7


def test_whoever_has_experiments_is_still_told_how_one_begins(browser_of, registry, settings):
    now = datetime(2026, 11, 24, tzinfo=UTC)
    with registry.session() as session:
        declare(session, ROOMS, "Camille", now, settings.zone)
        session.add(Experiment(slug="essai", title="Essai", declared_at=now, assignment="lot", sheet={}))
    assert "[[experiments]]" in browser_of("facilities").get("/experiments").text
    assert "[[experiments]]" not in browser_of("reader").get("/experiments").text


def test_an_installation_that_nobody_may_sign_in_to_says_what_to_type(stranger, registry):
    page = stranger.get("/sign-in").text
    typed = unescape(re.search(r"<pre>temoin user add (.*?)</pre>", re.sub("</?span[^>]*>", "", page))[1])
    assert typed == "vous@ville.example --role administrator"
    with registry.session() as session:
        users.add(session, "a@ville.example", "A", "reader", None, datetime.now(UTC))
    assert "Personne n’a encore de compte" not in stranger.get("/sign-in").text
