"""Every staff page from a registry, and what an experiment under seal lets through."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from city import RUNNING_ROOMS, SLUGS, SWITCHED, TODAY, World, readings, working_days
from sqlalchemy import select

from dashboards.language import plain
from experiments.panel import DayOutcome
from service.registry import outcomes
from service.registry.tables import Answer, Room

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PAGES = [
    "/", "/experiments", "/experiments/tables", "/experiments/ecrans", "/experiments/assises",
    "/experiments/coin", "/experiments/cloisons", "/experiments/debout", "/rooms", "/rooms/loire",
    "/rooms/loire?span=week",
    "/rooms/divatte", "/rooms/brivet", "/rooms/loire/poster", "/quarantine", "/gateways", "/method", "/plan",
    "/accessibilite",
]  # fmt: skip


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_in_both_languages(client: TestClient, path: str, language: str) -> None:
    answer = client.get(path, params={"lang": language} | ({"span": "week"} if "span" in path else {}))
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert "style=" not in answer.text.replace("font-style=", "")
    assert not re.search(
        r"<script(?! src=\"/static/)|\son\w+=|https?://(?!testserver|www\.w3\.org|formulaire\.defenseurdesdroits\.fr)",
        answer.text,
    )


@pytest.mark.parametrize("path", PAGES[:-1])
def test_nobody_sees_a_staff_page_without_signing_in(visitor: TestClient, path: str) -> None:
    assert visitor.get(path, follow_redirects=False).status_code in (303, 401)


def test_the_language_chosen_stays(client: TestClient) -> None:
    client.get("/experiments?lang=en")
    assert '<html lang="en">' in client.get("/rooms").text


def test_an_ended_experiment_says_its_effect_and_what_it_allows(client: TestClient) -> None:
    page = client.get("/experiments/tables").text
    assert "minutes de plus par jour" in page
    assert "On peut généraliser" in page
    assert "des 56 tirages" in page
    assert "« l’aménagement a aidé le groupe »" in page.replace("\u202f", " ").lower()


def test_a_planned_experiment_says_what_it_can_detect(client: TestClient) -> None:
    page = client.get("/experiments/assises").text
    assert "De quoi décider" in page
    assert "huit fois sur dix" in page


def test_a_free_trial_has_voices_and_no_verdict(client: TestClient) -> None:
    page = client.get("/experiments/coin").text
    assert "essai libre" in page
    assert "Ce qu’en disent les agents" in page
    assert "généraliser</span>" not in page


def test_a_missing_experiment_or_room_is_a_page_that_says_so(client: TestClient) -> None:
    for path in ("/experiments/none", "/rooms/none", "/r/none"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "<h1>" in answer.text


def test_a_room_under_seal_shows_its_devices_and_nothing_it_measured(client: TestClient) -> None:
    page = client.get("/rooms/divatte").text
    assert "sous scellés" in page
    assert "city/divatte" in page
    assert "ppm" not in page
    assert 'class="marks"' not in page


def test_no_page_changes_with_what_rooms_under_seal_did(client: TestClient, world: World) -> None:
    """Were the effect to show anywhere, these bytes would differ."""

    def everything() -> dict[str, str]:
        # a free room's own page moves with the clock, and knows of no other room
        asked = [
            *(path for path in PAGES if "/rooms/loire" not in path),
            *(f"/rooms/{slug}" for slug in RUNNING_ROOMS),
        ]
        return {path: re.sub(r"\d+\u202fh\u202f\d+", "", client.get(path).text) for path in asked}

    now = datetime.now(UTC).replace(microsecond=0)
    sealed = [each for each in readings(now) if each.device.removeprefix("city/") in RUNNING_ROOMS]
    world.store.write(sealed)
    before = everything()
    world.store.write([each._replace(value=each.value * 3) for each in sealed])
    with world.registry.session() as session:
        saved = {}
        for day in working_days(SWITCHED, TODAY - timedelta(days=1)):
            kept = saved[day] = outcomes.between(session, day, day)
            factor = [3.0 if room in RUNNING_ROOMS else 1.0 for room in kept["room"]]
            _put(session, day, kept.assign(value=kept["value"] * factor))
        rooms = {room.id for room in session.scalars(select(Room)) if room.slug in RUNNING_ROOMS}
        answers = [
            a for a in session.scalars(select(Answer).where(Answer.day >= SWITCHED)) if a.room_id in rooms
        ]
        marks = [answer.satisfaction for answer in answers]
        for answer in answers:
            answer.satisfaction = answer.helped = 1
            answer.temperature = "warmer"
    try:
        after = everything()
    finally:
        world.store.write(sealed)
        with world.registry.session() as session:
            for day, kept in saved.items():
                _put(session, day, kept)
            for answer, mark in zip(answers, marks, strict=True):
                session.merge(answer).satisfaction = mark
    assert [path for path in before if before[path] != after[path]] == []


def _put(session: object, day: object, frame: object) -> None:
    outcomes.replace_day(
        session, day, [DayOutcome(r.room, day, r.outcome, 1, r.value, r.coverage) for r in frame.itertuples()]
    )


def test_a_silent_device_outside_experiments_is_counted_at_the_foot_of_today(client: TestClient) -> None:
    today = client.get("/").text
    assert re.search(r'href="/device-health">1 capteur muet hors expérience', plain(today))
    assert "city/cens" in client.get("/device-health").text


def test_while_an_experiment_runs_no_payload_is_shown(client: TestClient) -> None:
    causes = re.findall(r'href="(/quarantine/\d+)"', client.get("/quarantine").text)
    pages = [client.get(cause).text for cause in causes]
    assert any("327.67 is what a missing probe says" in page for page in pages)
    assert not any("{&#34;temperature" in page for page in pages)


def test_the_first_load_of_the_experiment_page_is_light(client: TestClient) -> None:
    """≤ 150 kB transferred, page and everything it asks for."""
    page = client.get("/experiments/tables")
    sizes = [_transferred(page)] + [_transferred(client.get(url)) for url in _asked(page.text)]
    assert sum(sizes) <= 150_000
    assert len(sizes) <= 5


def _asked(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', html)


def _transferred(answer: object) -> int:
    return int(answer.headers["content-length"])


def test_static_files_may_be_kept_for_ever(client: TestClient) -> None:
    for url in _asked(client.get("/").text):
        answer = client.get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/look.00000000.css").status_code == 404


def test_rooms_of_the_world_are_all_listed(client: TestClient) -> None:
    page = client.get("/rooms").text
    assert all(f'href="/rooms/{slug}"' in page for slug in SLUGS)
