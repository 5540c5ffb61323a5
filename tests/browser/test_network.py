"""Bad networks: blocked sockets, cut wires, a server that comes back."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import OVER, Profile, checked, opened
from tests.browser.stage import Stage
from tests.browser.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
PHASE = "phase => window.sessionGuard?.getState().phase === phase"


@pytest_asyncio.fixture(loop_scope="session")
async def wire(stage: Stage) -> AsyncIterator[Wire]:
    """Between every page of this test and its Enforcer; the script comes past it."""
    async with Wire(stage.enforcer.port) as wire:
        stage.attributes["url"] = wire.url
        yield wire


async def phase(page: Page, name: str) -> None:
    """Waits for it."""
    await page.wait_for_function(PHASE, arg=name, timeout=20_000)


async def test_where_sockets_are_blocked_it_asks_over_http(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Active without a socket; input counts; the end comes with the next question, with the same outcome."""
    wire.blocks_sockets = True
    page = await (await profile()).new_page()
    await page.goto(stage.url)
    await phase(page, "active")
    state = await checked(page)
    assert state["connected"] is False
    before = stage.enforcer.record(state["session"])["last_active_at"]
    await page.keyboard.press("a")
    await checked(page)
    assert stage.enforcer.record(state["session"])["last_active_at"] > before

    stage.login(device={"label": "Firefox on Windows"})
    await page.evaluate("() => dispatchEvent(new Event('online'))")
    notice = page.locator(NOTICE).get_by_role("alertdialog")
    await expect(notice).to_contain_text("Firefox on Windows")
    assert [call["session"] for call in await stage.told()] == [state["session"]]
    assert stage.enforcer.record(state["session"])["delivery"] == "refused_on_return"


@pytest.mark.soak
async def test_by_itself_it_asks_every_twenty_seconds(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Nobody wakes the page; it finds out all the same. Logging out works over HTTP too."""
    wire.blocks_sockets = True
    first, second = await (await profile()).new_page(), await (await profile()).new_page()
    for page in (first, second):
        await page.goto(stage.url)
        await phase(page, "active")
    await second.evaluate("() => sessionGuard.logout({ everywhere: true })")
    await expect(second.locator(NOTICE)).to_contain_text("logged out")
    await expect(first.locator(NOTICE)).to_contain_text("logged out", timeout=30_000)


async def test_the_socket_is_taken_again_once_it_gets_through(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Polling is for the time without."""
    wire.blocks_sockets = True
    page = await (await profile()).new_page()
    await page.goto(stage.url)
    await phase(page, "active")
    wire.blocks_sockets = False
    await page.wait_for_function("() => sessionGuard.getState().connected", timeout=40_000)
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)


async def test_a_cut_wire_logs_nobody_out(profile: Profile, stage: Stage, wire: Wire) -> None:
    """Unreachable, then active again by itself, still the same session."""
    page = await opened(profile, stage)
    session = (await checked(page))["session"]
    wire.cut()
    await phase(page, "unreachable")
    await expect(page.locator(NOTICE)).to_have_count(0)
    wire.mend()
    await page.evaluate("() => dispatchEvent(new Event('online'))")
    await phase(page, "active")
    assert (await checked(page))["session"] == session
    assert stage.logouts == []


async def test_an_end_during_the_cut_is_told_after_it(profile: Profile, stage: Stage, wire: Wire) -> None:
    """The event was missed; the state is the truth."""
    page = await opened(profile, stage)
    wire.cut()
    await phase(page, "unreachable")
    stage.login(device={"label": "Phone"})
    wire.mend()
    await expect(page.locator(NOTICE)).to_contain_text("Phone", timeout=40_000)
    assert len(await stage.told()) == 1


async def test_a_tab_without_a_way_to_the_server_ends_with_the_others(
    profile: Profile, stage: Stage, wire: Wire
) -> None:
    """Its own wire is cut; the news comes from the tab beside it within a second. One of the two calls the app."""
    cut = await opened(profile, stage)
    wire.cut()
    await phase(cut, "unreachable")
    wire.mend()
    await cut.route_web_socket("**", lambda socket: socket.close())
    other = await cut.context.new_page()
    await other.goto(stage.url)
    await other.wait_for_function("() => sessionGuard.getState().connected")
    await cut.evaluate("() => document.addEventListener('session-guard:expired', () => { window.at = Date.now() })")
    await other.evaluate("() => document.addEventListener('session-guard:expired', () => { window.at = Date.now() })")
    stage.login()
    at = [await page.wait_for_function("() => window.at") for page in (cut, other)]
    first, second = [await handle.json_value() for handle in at]
    assert abs(first - second) <= 1_000
    assert len(stage.logouts) == 1


async def test_a_restart_of_the_server_is_survived(profile: Profile, stage: Stage) -> None:
    """Killed and started again: the page connects again and is still logged in."""
    page = await opened(profile, stage)
    session = (await checked(page))["session"]
    stage.enforcer.kill()
    await page.wait_for_function("() => !sessionGuard.getState().connected")
    stage.enforcer.start()
    await page.wait_for_function("() => sessionGuard.getState().connected", timeout=30_000)
    state = await checked(page)
    assert (state["phase"], state["session"]) == ("active", session)


async def test_three_tabs_in_each_of_two_browsers(profile: Profile, stage: Stage) -> None:
    """All three of the older login say why, one of them calls the app, none of the newer one is disturbed."""
    old, new = await profile(), await profile()
    losers = [await old.new_page() for _ in range(3)]
    for page in losers:
        await page.goto(stage.url)
        await page.evaluate(OVER)
    first = (await checked(losers[0]))["session"]
    stage.login()
    winners = [await new.new_page() for _ in range(3)]
    for page in losers:
        await expect(page.locator(NOTICE)).to_have_count(1)
    for page in winners:
        await page.goto(stage.url)
        assert (await checked(page))["phase"] == "active"
        await expect(page.locator(NOTICE)).to_have_count(0)
    for page in losers:
        await page.wait_for_function("() => window.over")
    assert stage.logouts == [{"session": first, "reason": "displaced", "header": first}]


async def test_a_slow_app_keeps_nobody_in_the_dark(profile: Profile, stage: Stage) -> None:
    """While its logout has not answered, the notice is on the screen, and the page has not left."""
    stage.attributes["redirect"] = "/login"
    stage.logout_may_answer.clear()
    page = await opened(profile, stage)
    stage.login(device={"label": "Phone"})
    assert len(await stage.told()) == 1
    await expect(page.locator(NOTICE)).to_contain_text("Phone")
    assert page.url == f"{stage.url}/"
    stage.logout_may_answer.set()
    await page.wait_for_url("**/login")


async def test_storage_may_be_forbidden(profile: Profile, stage: Stage) -> None:
    """Every touch of it throws: the page guards, ends and calls the app all the same."""
    context = await profile()
    await context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"])
             Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError") } });
           delete window.BroadcastChannel;"""
    )
    page = await context.new_page()
    await page.goto(stage.url)
    assert (await checked(page))["phase"] == "active"
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)
    assert len(await stage.told()) == 1


async def test_tabs_find_each_other_without_a_channel(profile: Profile, stage: Stage, wire: Wire) -> None:
    """By storage events."""
    context = await profile()
    await context.add_init_script("delete window.BroadcastChannel")
    cut, other = await context.new_page(), await context.new_page()
    await cut.goto(stage.url)
    assert (await checked(cut))["phase"] == "active"
    wire.cut()
    await phase(cut, "unreachable")
    await cut.route_web_socket("**", lambda socket: socket.close())
    wire.mend()
    await other.goto(stage.url)
    await other.wait_for_function("() => sessionGuard.getState().connected")
    wire.blocks_sockets = True
    stage.login()
    for page in (other, cut):
        await expect(page.locator(NOTICE)).to_have_count(1)
