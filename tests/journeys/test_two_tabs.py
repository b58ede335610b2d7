"""Two tabs, the back button, a session that ends in mid-form: in a real browser, nothing typed is lost."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import uvicorn

from service.app import create_app
from service.registry import Registry, users
from service.registry.tables import Room, Site
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

PASSWORD = "correct horse battery"
FORM = 'form[action="/rooms/loire/facts"]'
pytestmark = pytest.mark.browser


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A room, and somebody who looks after it."""
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    registry.migrate()
    with registry.session() as session:
        session.add(Room(slug="loire", name="Loire", capacity=8, site=Site(slug="mairie", name="Mairie")))
        users.add(session, "camille@ville.example", "Camille", "facilities", PASSWORD, datetime.now(UTC))
    yield registry
    registry.close()


@pytest.fixture
def tabs(registry: Registry, tmp_path: Path, chromium: Browser) -> Iterator[BrowserContext]:
    """A browser in which she is signed in, on an installation of its own."""
    app = create_app(Settings(data_dir=tmp_path), registry)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    now = datetime.now(UTC)
    with registry.session() as session:
        user = users.known(session, "camille@ville.example")
        token = users.open_session(session, user, now, timedelta(hours=1))
    context = chromium.new_context(base_url=address, locale="fr-FR")
    context.set_default_timeout(5_000)
    context.add_cookies([{"name": "temoin", "value": token, "url": address}])
    yield context
    context.close()
    server.should_exit = True
    thread.join(timeout=10)
    app.state.store.close()


def opened(tabs: BrowserContext) -> Page:
    """A tab with the room's form."""
    page = tabs.new_page()
    page.goto("/rooms/loire/facts")
    return page


def save(page: Page, seats: str) -> None:
    """Type a number of seats, and send the form."""
    page.locator(f"{FORM} [name=capacity]").fill(seats)
    page.locator(f"{FORM} button").click()


def seats(registry: Registry) -> int | None:
    """What is written."""
    with registry.session() as session:
        return session.query(Room).one().capacity


def test_the_second_tab_is_told_what_the_first_saved_and_may_insist(
    tabs: BrowserContext, registry: Registry
) -> None:
    first, second = opened(tabs), opened(tabs)
    save(first, "10")
    assert first.get_by_role("status").inner_text() == "C’est enregistré."
    save(second, "12")
    assert "entre-temps" in second.get_by_role("alert").inner_text()
    assert second.locator("dd", has_text="10").is_visible()
    assert second.locator(f"{FORM} [name=capacity]").input_value() == "12"
    assert seats(registry) == 10
    save(second, "12")
    second.get_by_role("status").wait_for()
    assert seats(registry) == 12


def test_back_after_saving_does_not_bring_the_old_form_to_overwrite(
    tabs: BrowserContext, registry: Registry
) -> None:
    page = opened(tabs)
    save(page, "10")
    page.get_by_role("status").wait_for()
    page.go_back()
    assert page.locator(f"{FORM} [name=capacity]").input_value() == "10"
    save(page, "10")  # once more the same
    page.get_by_role("status").wait_for()
    page.go_back()
    save(page, "14")
    page.get_by_role("status").wait_for()
    assert seats(registry) == 14
    page.reload()  # of a page that a redirect led to: nothing is sent again
    page.get_by_role("status").wait_for()


def test_two_clicks_are_one_site(tabs: BrowserContext, registry: Registry) -> None:
    page = tabs.new_page()
    page.goto("/sites")
    page.locator("[name=name]").fill("Annexe")
    page.locator('form[action="/sites"] button').dblclick()
    page.get_by_role("status").wait_for()
    with registry.session() as session:
        assert sorted(name for (name,) in session.query(Site.name)) == ["Annexe", "Mairie"]


def test_signed_out_in_one_tab_what_the_other_holds_is_kept(tabs: BrowserContext, registry: Registry) -> None:
    page, other = opened(tabs), opened(tabs)
    other.locator('form[action="/sign-out"] button').click()
    other.locator("#password").wait_for()
    save(page, "16")
    assert "Ce que vous aviez saisi est gardé" in page.get_by_role("alert").inner_text()
    page.locator("#email").fill("camille@ville.example")
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    assert page.locator("dd", has_text="16").is_visible()
    page.get_by_role("button", name="Envoyer maintenant").click()
    page.get_by_role("status").wait_for()
    assert seats(registry) == 16
