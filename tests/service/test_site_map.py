"""The map of the site: for each role every page it opens, and none that it does not."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from service.registry import users

# what is no page of its own: a row of a list, a file, what machines ask, and what belongs to signing in
APART = re.compile(r"\{|\.\w+$|^/(?:api/v1|healthz|readyz|metrics|sign-in|forgotten-password|\.well-known)")
STEPS = {"/plan", "/rooms/compare", "/device", "/device/photo"}  # the map itself, and what a list leads to


def on_the_map(browser):
    main = browser.get("/plan").text.partition("<main")[2].partition("</main>")[0]
    return re.findall(r'href="([^"]*)"', main)


@pytest.mark.parametrize("role", users.ROLES)
def test_a_role_finds_every_page_it_opens_and_no_other(browser_of, app, role):
    browser = browser_of(role)
    pages = {each.path for each in iter_route_contexts(app.routes) if "GET" in each.methods}
    pages = {path for path in pages if not APART.search(path)} - STEPS
    opened = {path for path in pages if browser.get(path).status_code == 200}
    assert sorted(on_the_map(browser)) == sorted(opened)


def test_every_page_leads_to_the_map(reader):
    for path in ("/", "/rooms", "/accessibilite", "/no-such-page"):
        assert '<a href="/plan">Plan du site</a>' in reader.get(path, headers={"Accept": "text/html"}).text


def test_nobody_is_shown_it_without_signing_in(stranger):
    assert stranger.get("/plan").status_code == 303
    assert "/plan" not in stranger.get("/accessibilite").text
