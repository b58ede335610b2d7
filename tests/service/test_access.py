"""Which role each route asks for, walked by everybody: a route that is not in the table fails the test."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from service.registry import users

# the least role that is let in; each is let in wherever those above it in this table are
ACCESS = {
    "nobody": """
        GET /.well-known/security.txt
        GET /accessibilite
        GET /forgotten-password
        POST /forgotten-password
        GET /healthz
        GET /new-password/{token}
        POST /new-password/{token}
        GET /r/{slug}
        GET /r/{slug}/thanks
        POST /r/{slug}
        GET /readyz
        GET /s/{token}
        GET /sign-in
        GET /sign-in/oidc
        GET /sign-in/oidc/back
        GET /sign-in/oidc/out
        GET /sign-in/{token}
        POST /sign-in
        POST /sign-in/code
        POST /sign-in/resume
        GET /static/{name}
    """,
    "reader": """
        GET /
        GET /account
        GET /account/second-factor
        POST /account/password
        POST /account/second-factor
        POST /account/second-factor/code
        POST /account/second-factor/end
        POST /account/sessions
        POST /account/tokens
        GET /api/docs
        GET /api/v1/account
        GET /api/v1/device-health
        GET /api/v1/devices
        GET /api/v1/devices/{key:path}
        GET /api/v1/experiments
        GET /api/v1/experiments/{slug}
        GET /api/v1/experiments/{slug}/comfort
        GET /api/v1/experiments/{slug}/file
        GET /api/v1/experiments/{slug}/later
        GET /api/v1/experiments/{slug}/panel.csv
        GET /api/v1/experiments/{slug}/plan
        GET /api/v1/experiments/{slug}/progress
        GET /api/v1/experiments/{slug}/protocol.json
        GET /api/v1/experiments/{slug}/result
        GET /api/v1/experiments/{slug}/voices
        GET /api/v1/gateways
        GET /api/v1/mappings
        GET /api/v1/mappings/{number}
        GET /api/v1/photos/{key:path}
        GET /api/v1/quarantine
        GET /api/v1/quarantine/{cause}
        GET /api/v1/replays
        GET /api/v1/replays/{number}
        GET /api/v1/openapi.json
        GET /api/v1/rooms
        GET /api/v1/rooms/{slug}
        GET /api/v1/rooms/{slug}/days
        GET /api/v1/rooms/{slug}/profile
        GET /api/v1/rooms/{slug}/seasons
        GET /api/v1/rooms/{slug}/series
        GET /api/v1/rooms/{slug}/voices
        GET /api/v1/today
        GET /api/v1/weeks
        GET /device
        GET /device-health
        GET /device/photo
        GET /devices
        GET /experiments
        GET /experiments/{slug}
        GET /gateways
        GET /glossaire
        GET /look
        GET /method
        GET /mappings/{number}
        GET /plan
        GET /quarantine
        GET /quarantine/{cause}
        GET /rooms
        GET /rooms/compare
        GET /rooms/{slug}
        GET /rooms/{slug}/notice
        GET /rooms/{slug}/poster
        POST /sign-out
    """,
    "facilities": """
        DELETE /api/v1/experiments/{slug}/shares/{number}
        DELETE /api/v1/imports/{number}
        DELETE /api/v1/mappings/{number}
        DELETE /api/v1/rooms/{slug}
        DELETE /api/v1/sites/{slug}
        DELETE /api/v1/sites/{slug}/closures/{day}
        GET /api/v1/experiments/{slug}/owner
        GET /api/v1/experiments/{slug}/shares
        GET /api/v1/imports
        GET /api/v1/imports/{number}
        GET /api/v1/sites
        GET /api/v1/sites/{slug}
        PATCH /api/v1/devices/{key:path}
        PATCH /api/v1/placements/{number}
        PATCH /api/v1/rooms/{slug}
        PATCH /api/v1/sites/{slug}
        POST /api/v1/experiments/{slug}/shares
        POST /api/v1/imports
        POST /api/v1/imports/{number}/preview
        POST /api/v1/imports/{number}/start
        POST /api/v1/imports/{number}/undo
        POST /api/v1/mappings
        POST /api/v1/mapping-previews
        POST /api/v1/quarantine/{cause}/drop
        POST /api/v1/placements
        POST /api/v1/quarantine/{cause}/replay
        POST /api/v1/sites
        POST /api/v1/sites/{slug}/rooms
        PUT /api/v1/experiments/{slug}/owner
        PUT /api/v1/mappings/{number}
        PUT /api/v1/sites/{slug}/closures/{day}
        PUT /api/v1/sites/{slug}/holidays/{year}
        POST /device
        POST /device/photo
        POST /device/room
        POST /device/stay
        GET /import
        POST /import
        GET /import/{number}
        POST /import/{number}
        POST /import/{number}/undo
        POST /mappings/{number}
        POST /mappings/{number}/withdraw
        POST /quarantine/{cause}/drop
        POST /quarantine/{cause}/map
        POST /quarantine/{cause}/replay
        GET /experiments/{slug}/owner
        POST /experiments/{slug}/owner
        GET /experiments/{slug}/shares
        POST /experiments/{slug}/shares
        POST /experiments/{slug}/shares/{number}/revoke
        POST /rooms/{slug}/delete
        GET /rooms/{slug}/facts
        POST /rooms/{slug}/facts
        GET /site/{slug}
        POST /site/{slug}
        POST /site/{slug}/closed
        POST /site/{slug}/delete
        POST /site/{slug}/open
        POST /site/{slug}/rooms
        GET /sites
        POST /sites
    """,
    "analyst": """
        GET /api/v1/changes
        GET /api/v1/exports
        GET /api/v1/exports/{name}.{kind}
        GET /audit
        GET /audit.csv
        GET /audit.jsonl
        GET /export
        GET /export/{name}.{kind}
    """,
    "administrator": """
        DELETE /api/v1/people/{number}
        DELETE /api/v1/people/{number}/sessions
        GET /api/v1/people
        GET /api/v1/people/{number}
        PATCH /api/v1/people/{number}
        POST /api/v1/people
        GET /people
        POST /people
        GET /people/{number}
        POST /people/{number}
        POST /people/{number}/delete
        POST /people/{number}/link
        POST /people/{number}/sessions
    """,
}
MACHINES = {
    "GET /metrics",
    "POST /api/v1/readings",
}  # by a token or an address of their own: tested with them
LEVELS = ("nobody", *users.ROLES)
LISTED = {route.strip(): role for role, routes in ACCESS.items() for route in routes.strip().splitlines()}


@pytest.fixture
def routes(app):
    found = {f"{method} {each.path}" for each in iter_route_contexts(app.routes) for method in each.methods}
    return sorted(
        found - MACHINES, key=lambda route: (route == "POST /sign-out", route)
    )  # it ends the session


def test_every_route_is_in_the_table(routes):
    """A new one is added to it, under the least role that may use it."""
    assert sorted(LISTED) == sorted(routes)


@pytest.mark.parametrize("role", users.ROLES)
def test_each_role_is_let_in_where_the_table_says(browser_of, routes, role):
    browser, told = browser_of(role), {}
    for route in routes:
        method, path = route.split()
        data = {"csrf": browser.csrf} if method == "POST" else None
        said = {} if method == "GET" else {"X-CSRF-Token": browser.csrf}
        answer = browser.request(method, re.sub(r"\{[\w:]+\}", "4711", path), data=data, headers=said)
        told[route] = answer.status_code not in (401, 403)
    expected = {
        route: LEVELS.index(LISTED[route]) <= LEVELS.index(role) for route in routes if route in LISTED
    }
    private = {route: let for route, let in told.items() if LISTED.get(route, "nobody") != "nobody"}
    assert private == {route: expected[route] for route in private}


def test_nobody_is_let_in_only_where_the_table_says(stranger, routes):
    for route in routes:
        method, path = route.split()
        answer = stranger.request(method, re.sub(r"\{[\w:]+\}", "4711", path))
        asked_to_sign_in = answer.status_code == 401 or answer.headers.get("location", "").startswith(
            "/sign-in"
        )
        if method == "GET" or LISTED.get(route) != "nobody":
            assert asked_to_sign_in == (LISTED.get(route) != "nobody"), route


def test_no_change_is_taken_without_its_token(browser_of, routes):
    """Another site can send a browser's cookie along, never what our own pages carry."""
    browser, taken = browser_of("administrator"), []
    for route in routes:
        method, path = route.split()
        if method != "GET" and LISTED[route] != "nobody":
            answer = browser.request(method, re.sub(r"\{[\w:]+\}", "4711", path))
            taken += [] if answer.status_code == 403 else [route]
    assert taken == []
