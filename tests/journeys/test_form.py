"""The answer form: anybody with the room's code, nothing written by looking, one answer a form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from service.registry.tables import Answer, SpentNonce
from service.web import form

if TYPE_CHECKING:
    from city import World
    from fastapi.testclient import TestClient
    from playwright.sync_api import Browser


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits three seconds here, except the test that is about it."""
    monkeypatch.setattr(form, "FASTEST", 0.0)


@pytest.fixture
def code(client: TestClient) -> str:
    """The address behind the QR code of the room Boulogne, which is in no experiment."""
    found = re.search(r"/r/boulogne\?k=[\w.]+", client.get("/rooms/boulogne").text)
    assert found is not None
    return found.group()


def answers(world: World) -> int:
    with world.registry.session() as session:
        return session.scalar(select(func.count()).select_from(Answer)) or 0


def opened(visitor: TestClient, code: str) -> dict[str, str]:
    """The hidden fields of a fresh form."""
    page = visitor.get(code).text
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page))


def sent(visitor: TestClient, hidden: dict[str, str], **given: str):
    return visitor.post("/r/boulogne", data={**hidden, **given}, follow_redirects=False)


@pytest.mark.usefixtures("at_once")
def test_an_answer_is_kept_with_its_day_and_hour_and_nothing_of_who_gave_it(
    visitor: TestClient, world: World, code: str
) -> None:
    answer = sent(
        visitor,
        opened(visitor, code),
        satisfaction="6",
        discomfort="slight",
        remark="  La prise \n est loin ",
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/r/boulogne/thanks")
    with world.registry.session() as session:
        kept = session.scalars(select(Answer).order_by(Answer.id.desc())).first()
    assert (kept.satisfaction, kept.discomfort, kept.remark) == (6, "slight", "La prise est loin")
    assert (kept.helped, kept.air, kept.group_size) == (None, None, None)
    assert set(Answer.__table__.columns.keys()).isdisjoint({"ip", "address", "user_id", "agent", "cookie"})
    assert "Merci" in visitor.get("/r/boulogne/thanks").text


def test_looking_at_the_form_writes_nothing_and_ticks_nothing(
    visitor: TestClient, world: World, code: str
) -> None:
    before = answers(world)
    page = visitor.get(code)
    assert (page.status_code, answers(world)) == (200, before)
    assert "checked" not in page.text
    with world.registry.session() as session:
        assert session.scalar(select(func.count()).select_from(SpentNonce)) is not None
    assert "set-cookie" not in page.headers


@pytest.mark.usefixtures("at_once")
def test_the_same_form_serves_once(visitor: TestClient, world: World, code: str) -> None:
    hidden = opened(visitor, code)
    assert sent(visitor, hidden, satisfaction="5").status_code == 303
    before = answers(world)
    assert sent(visitor, hidden, satisfaction="5").status_code == 409
    assert answers(world) == before


def test_without_the_rooms_code_there_is_no_form(visitor: TestClient) -> None:
    for path in ("/r/boulogne", "/r/boulogne?k=1.0000000000000000000000", "/r/boulogne?k=é"):
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert "plus valable" in answer.text


def test_the_code_of_one_room_opens_no_other(visitor: TestClient, code: str) -> None:
    assert visitor.get(code.replace("boulogne", "loire")).status_code == 403


def test_an_answer_sent_faster_than_anybody_reads_is_not_kept_and_comes_back(
    visitor: TestClient, world: World, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers(world)
    fields = opened(visitor, code)
    refused = sent(visitor, fields, satisfaction="7", remark="La prise est loin.")
    assert refused.status_code == 422
    assert answers(world) == before
    for kept in ("C’était très rapide", "La prise est loin.", 'value="7" required checked'):
        assert kept in refused.text.replace("\u202f", " ")
    monkeypatch.setattr(form, "FASTEST", 0.0)  # a moment later
    assert sent(visitor, fields, satisfaction="7").status_code == 303


@pytest.mark.usefixtures("at_once")
def test_a_robot_that_fills_every_field_is_thanked_and_forgotten(
    visitor: TestClient, world: World, code: str
) -> None:
    before = answers(world)
    assert (
        sent(visitor, opened(visitor, code), satisfaction="7", website="https://spam.example").status_code
        == 303
    )
    assert answers(world) == before


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Il manque la réponse"),
        ({"satisfaction": "8"}, "n’a pas été comprise"),
        ({"satisfaction": "0"}, "n’a pas été comprise"),
        ({"satisfaction": "²"}, "n’a pas été comprise"),
        ({"satisfaction": "4", "temperature": "tropical"}, "n’a pas été comprise"),
    ],
)
def test_what_is_no_answer_comes_back_with_what_was_filled_in(
    visitor: TestClient, world: World, code: str, given: dict[str, str], said: str
) -> None:
    before = answers(world)
    answer = sent(visitor, opened(visitor, code), **given, remark="Trop <b>chaud</b>")
    assert answer.status_code == 422
    assert said in answer.text
    assert "Trop &lt;b&gt;chaud" in answer.text
    assert answers(world) == before


@pytest.mark.usefixtures("at_once")
def test_a_forged_nonce_is_an_expired_form(visitor: TestClient, world: World, code: str) -> None:
    before = answers(world)
    hidden = opened(visitor, code) | {"nonce": "made.up"}
    assert sent(visitor, hidden, satisfaction="4").status_code == 422
    assert answers(world) == before


@pytest.mark.usefixtures("at_once")
def test_a_room_takes_at_most_twice_its_seats_in_an_hour(visitor: TestClient, code: str) -> None:
    statuses = [sent(visitor, opened(visitor, code), satisfaction="4").status_code for _ in range(25)]
    assert statuses[-1] == 429
    assert statuses.count(303) <= 20


def test_the_running_guardrails_question_is_asked_with_the_first_ones(client: TestClient) -> None:
    found = re.search(r"/r/divatte\?k=[\w.]+", client.get("/rooms/divatte").text)
    assert found is not None
    shown = client.get(found.group()).text.split("<details")[0]
    assert 'name="discomfort"' in shown
    assert 'name="temperature"' not in shown


def test_the_form_weighs_little(visitor: TestClient, code: str) -> None:
    """≤ 20 kB transferred, with all it asks for, on first load."""
    page = visitor.get(code)
    urls = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    sizes = [int(each.headers["content-length"]) for each in (page, *(visitor.get(url) for url in urls))]
    assert sum(sizes) <= 20_000


@pytest.mark.browser
def test_an_answer_from_a_phone_without_javascript(
    chromium: Browser, address: str, world: World, client: TestClient
) -> None:
    found = re.search(r"/r/ognon\?k=[\w.]+", client.get("/rooms/ognon").text)
    assert found is not None
    context = chromium.new_context(
        viewport={"width": 390, "height": 800}, java_script_enabled=False, locale="fr-FR"
    )
    page = context.new_page()
    before = answers(world)
    page.goto(address + found.group())
    page.wait_for_timeout(3100)  # what the form asks of everybody
    page.locator("label:has(input[name=satisfaction][value='6'])").click()
    page.locator("label:has(input[name=discomfort][value='none'])").click()
    page.get_by_role("button", name="Envoyer").click()
    assert page.get_by_role("heading", name="Merci").is_visible()
    assert answers(world) == before + 1
    context.close()


@pytest.mark.browser
def test_a_person_signs_in_reads_a_result_and_leaves(chromium: Browser, address: str, world: World) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="fr-FR")
    context.add_cookies([{"name": "temoin", "value": world.token, "url": address}])
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.get_by_role("link", name="Essai tables").click()
    page.locator("summary", has_text="Et si c’était le hasard").click()
    assert page.get_by_text("tirage sur 56").is_visible()
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", name="Before and after, room by room").is_visible()
    page.get_by_role("navigation").get_by_role("link", name="Rooms").click()
    page.get_by_role("link", name="Loire", exact=True).click()
    assert page.get_by_role("heading", name="Measurements").is_visible()
    assert said == []
    assert [url for url in asked if not url.startswith(address)] == []
    context.close()
