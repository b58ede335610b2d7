"""Pages over slow 3G, as a phone in a stairwell has it: soon readable, light, and nothing moves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from city import World
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SLOW_3G = {
    "offline": False,
    "latency": 400,  # ms
    "downloadThroughput": 400_000 / 8,  # bytes/s
    "uploadThroughput": 400_000 / 8,
}
PATIENCE = 8_000  # ms until the heading shows, on a machine that is busy
HEAVIEST = 40_000  # bytes of a page that is not the first
# of every shift since the page began
SHIFTED = """
() => new Promise(told => {
  let total = 0;
  const watch = new PerformanceObserver(list => { for (const e of list.getEntries()) total += e.value; });
  watch.observe({type: 'layout-shift', buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => told(total), 100)));
})
"""


@pytest.fixture
def code(address: str, world: World) -> str:
    """The path behind the QR code of the room Boulogne."""
    room = httpx.get(address + "/rooms/boulogne", cookies={"temoin": world.token}, timeout=30)
    found = re.search(r"/r/boulogne\?k=[\w.]+", room.text)
    assert found is not None
    return found.group()


@pytest.fixture(params=[390, 1440])
def slow(chromium: Browser, address: str, world: World, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser of that width, signed in, behind a slow network."""
    context = chromium.new_context(viewport={"width": request.param, "height": 900}, locale="fr-FR")
    context.add_cookies([{"name": "temoin", "value": world.token, "url": address}])
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW_3G)
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def test_every_page_is_soon_readable_light_and_still(slow: Page, address: str, code: str) -> None:
    asked = ["/", "/rooms", "/rooms/loire", "/experiments/tables", "/devices", code]
    network = slow.context.new_cdp_session(slow)
    network.send("Network.enable")
    came: list[float] = []
    network.on("Network.loadingFinished", lambda told: came.append(told["encodedDataLength"]))
    weights, shifts = {}, {}
    for path in asked:
        came.clear()
        slow.goto(address + path, wait_until="commit")
        slow.locator("h1").first.wait_for(state="visible")
        slow.wait_for_load_state("load")
        shifts[path] = slow.evaluate(SHIFTED)
        weights[path] = sum(came)
    assert all(weights.values())  # or nothing was measured
    assert {path: weight for path, weight in weights.items() if weight > HEAVIEST and path != "/"} == {}
    assert shifts == dict.fromkeys(asked, 0)
