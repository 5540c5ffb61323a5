"""One socket for all tabs of a browser, held by a shared worker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import Profile, checked, connected
from tests.browser.stage import Stage
from tests.browser.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
WORKER = "/built/session-guard-shared-worker.js"


@pytest_asyncio.fixture(loop_scope="session")
async def wire(stage: Stage, apps: Path) -> AsyncIterator[Wire]:
    """Between every tab of this test and its Enforcer: it counts their sockets."""
    stage.attributes, stage.built = {"manual": ""}, apps
    async with Wire(stage.enforcer.port) as wire:
        yield wire


async def tab(browser: BrowserContext, stage: Stage, wire: Wire, worker: str = WORKER) -> Page:
    """One more tab, connected."""
    page = await browser.new_page()
    await page.goto(stage.url)
    await page.evaluate("() => { delete window.sessionGuard }")
    await page.evaluate(
        "([url, ticket, worker]) => { Object.assign(document.body.dataset, { url, ticket, worker }) }",
        [wire.url, stage.ticket, worker],
    )
    await page.add_script_tag(content=(stage.built / "shared.js").read_text(), type="module")
    await connected(page)
    return page


async def test_three_tabs_have_one_socket_and_end_together(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Within a second of each other; the server has its acknowledgement, and the app is called once."""
    browser = await profile()
    session = stage.enforcer.call("GET", "/v1/users/alice/sessions").json()["sessions"][0]["session"]
    tabs = [await tab(browser, stage, wire) for _ in range(3)]
    assert wire.sockets == 1
    for page in tabs:
        await page.evaluate(
            """() => {
              document.addEventListener("session-guard:state", () => { window.endedAt ??= Date.now() });
              document.addEventListener("session-guard:expired", () => { window.over = true });
            }"""
        )
    stage.login(device={"label": "Phone"})
    ended = []
    for page in tabs:
        await expect(page.locator(NOTICE)).to_contain_text("Phone")
        await page.wait_for_function("() => window.over")
        ended.append(await page.evaluate("() => window.endedAt"))
    assert max(ended) - min(ended) <= 1_000
    assert [call["session"] for call in stage.logouts] == [session]
    assert stage.enforcer.record(session)["delivery"] == "acked"


async def test_tabs_that_go_leave_the_socket_to_the_others(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Whoever opened it first; the last one closes it."""
    browser = await profile()
    first, second, third = [await tab(browser, stage, wire) for _ in range(3)]
    await first.close()
    await second.evaluate("() => sessionGuard.stop()")
    assert (await checked(third))["connected"]
    assert wire.sockets == 1
    await third.evaluate("() => sessionGuard.stop()")
    async with asyncio.timeout(10):
        while wire.sockets:
            await asyncio.sleep(0.02)


async def test_a_cut_wire_is_mended_for_all(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Each tab tries again by itself, and they meet at one socket."""
    browser = await profile()
    tabs = [await tab(browser, stage, wire) for _ in range(2)]
    wire.cut()
    for page in tabs:
        await page.wait_for_function("() => sessionGuard.getState().phase === 'unreachable'")
    wire.mend()
    for page in tabs:
        await page.evaluate("() => dispatchEvent(new Event('online'))")
        await page.wait_for_function("() => sessionGuard.getState().connected", timeout=30_000)
        assert (await checked(page))["phase"] == "active"
    assert wire.sockets == 1


@pytest.mark.parametrize("missing", ["class", "file"])
async def test_without_a_shared_worker_each_has_its_own(
    profile: Profile, stage: Stage, wire: Wire, missing: str
) -> None:
    """A browser that has none, and a file that is not there."""
    browser = await profile()
    if missing == "class":
        await browser.add_init_script("delete window.SharedWorker")
    worker = WORKER if missing == "class" else "/built/nothing.js"
    tabs = [await tab(browser, stage, wire, worker) for _ in range(2)]
    assert wire.sockets == 2
    stage.login()
    for page in tabs:
        await expect(page.locator(NOTICE)).to_have_count(1)
