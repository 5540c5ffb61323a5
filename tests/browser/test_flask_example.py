"""The main job on a real application, in real browsers: a second login ends the first."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, WebSocketRoute, expect

from tests.browser.conftest import Profile, Site, checked, connected, running_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

Picture = Callable[..., Awaitable[None]]
NOTICE = "session-guard-notice"


async def greeted(page: Page, user: str = "alice") -> None:
    """The private page is shown."""
    await expect(page.get_by_role("heading", name=f"Hello, {user}")).to_be_visible()


def logout_calls(context: BrowserContext) -> list[str]:
    """Collects the calls of the app's logout that this browser makes from now on."""
    calls: list[str] = []
    context.on("request", lambda r: calls.append(r.url) if r.url.endswith("/logout") else None)
    return calls


async def test_the_older_browser_leaves_and_the_newer_one_stays(profile: Profile, site: Site, picture: Picture) -> None:
    """The first browser says why and leads to the login page; no tab of the second one is disturbed."""
    old, new = await profile(), await profile()
    loser, winner, third = await old.new_page(), await new.new_page(), await new.new_page()
    first = await site.login(loser)
    second = await site.login(winner)
    await third.goto(f"{site.url}/")
    assert await connected(third) == second

    notice = loser.locator(NOTICE).get_by_role("alertdialog")
    await expect(notice).to_contain_text("logged in somewhere else")
    await expect(notice).to_contain_text(" on Linux")
    await picture(loser, "notice")
    await notice.get_by_role("link", name="Log in again").click()
    await loser.wait_for_url(f"{site.url}/login")
    await expect(loser.get_by_role("status")).to_contain_text("you have logged in somewhere else")
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(f"{site.url}/login")

    for page in (winner, third):
        assert (await checked(page))["phase"] == "active"
        await greeted(page)
        await expect(page.locator(NOTICE)).to_have_count(0)
    record = site.enforcer.record(first)
    assert (record["end_reason"], record["delivery"]) == ("displaced", "acked")
    assert record["ended_by"]["session"] == second


async def test_it_ends_on_the_page_that_was_chosen(profile: Profile, tmp_path: Path, picture: Picture) -> None:
    """With a redirect the browser leaves by itself, and the page it comes to says why."""
    with running_site(tmp_path, redirects={"direct": "/goodbye"}) as site:
        loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
        await site.login(loser)
        await site.login(winner)
        await loser.wait_for_url(f"{site.url}/goodbye")
        await expect(loser.get_by_role("status")).to_contain_text("you have logged in somewhere else")
        await picture(loser, "redirect")
        assert (await checked(winner))["phase"] == "active"


async def test_with_two_allowed_only_the_oldest_leaves(profile: Profile, tmp_path: Path) -> None:
    """A kick passes by the browser of the same user that is online at that moment and may stay."""
    with running_site(tmp_path, max_sessions=2) as site:
        oldest, middle, newest = [await (await profile()).new_page() for _ in range(3)]
        for page in (oldest, middle, newest):
            await site.login(page)
        await expect(oldest.locator(NOTICE)).to_have_count(1)
        for page in (middle, newest):
            assert (await checked(page))["phase"] == "active"
            await expect(page.locator(NOTICE)).to_have_count(0)


@pytest.mark.parametrize("blocked", ["scripts", "the client"])
async def test_without_the_script_the_next_request_is_refused(profile: Profile, site: Site, blocked: str) -> None:
    """A browser that was told nothing is turned away at its next request, with the reason."""
    old = await profile(java_script_enabled=blocked != "scripts")
    await old.route("**/session-guard.js", lambda route: route.abort())
    loser, winner = await old.new_page(), await (await profile()).new_page()
    await loser.goto(f"{site.url}/login")
    await loser.get_by_label("User name").fill("alice")
    await loser.get_by_label("Password").fill("alice-demo")
    await loser.get_by_role("button", name="Log in").click()
    await greeted(loser)
    await site.login(winner)
    await loser.goto(f"{site.url}/")
    assert loser.url == f"{site.url}/goodbye"
    await expect(loser.get_by_role("status")).to_contain_text("you have logged in somewhere else")
    await loser.goto(f"{site.url}/")
    assert loser.url == f"{site.url}/login"


async def test_a_new_login_in_the_same_browser_keeps_it_logged_in(profile: Profile, site: Site) -> None:
    """The old tab comes back with the new session; the app's logout is not called."""
    context = await profile()
    old, new = await context.new_page(), await context.new_page()
    first = await site.login(old)
    calls = logout_calls(context)
    second = await site.login(new)
    await old.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=second)
    for page in (old, new):
        await page.reload()
        await greeted(page)
        assert (await checked(page))["session"] == second
    assert calls == []
    assert site.enforcer.record(first)["end_reason"] == "replaced"


async def test_the_kick_comes_before_the_new_page_exists(profile: Profile, site: Site) -> None:
    """The old tab knows of its end while the answer with the new cookie is still on its way."""
    context = await profile()
    old = await context.new_page()
    await site.login(old)
    calls = logout_calls(context)
    # The browser's own request, as far as the app can tell, with its answer in our hands.
    held = {c["name"]: c["value"] for c in await context.cookies(site.url)}
    with site.visit(**held) as request:
        answer = request.post("/login", data=site.form())
        assert answer.status_code == 302
        await old.wait_for_function("() => window.sessionGuard?.getState().end?.reason === 'replaced'")
        await context.add_cookies([{"name": "session", "value": answer.cookies["session"], "url": site.url}])
    new = await context.new_page()
    await new.goto(f"{site.url}/")
    second = await connected(new)
    await old.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=second)
    await connected(old)
    await greeted(old)
    await new.reload()
    await greeted(new)
    assert calls == []


async def test_the_kick_comes_long_after_the_new_page(profile: Profile, site: Site) -> None:
    """The old tab hears of its end only when the new page has been there for a while."""
    context = await profile()
    old, new = await context.new_page(), await context.new_page()
    late = asyncio.Event()

    async def slow(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        async def pass_on(message: str | bytes) -> None:
            if "force-logout" in str(message):
                await late.wait()
            socket.send(message)

        server.on_message(lambda message: asyncio.ensure_future(pass_on(message)))

    await old.route_web_socket("**/socket.io/**", slow)
    await site.login(old)
    calls = logout_calls(context)
    second = await site.login(new)
    await new.reload()
    await connected(new)
    late.set()
    await old.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=second)
    await old.reload()
    await greeted(old)
    await new.reload()
    await greeted(new)
    assert calls == []


async def test_an_ended_tab_comes_back_when_its_user_logs_in_again(profile: Profile, site: Site) -> None:
    """Displaced from elsewhere, then logged in again in another tab: the notice makes room for the new session."""
    context = await profile()
    old, new = await context.new_page(), await context.new_page()
    await site.login(old)
    await site.login(await (await profile()).new_page())
    await expect(old.locator(NOTICE)).to_have_count(1)
    session = await site.login(new)
    await old.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=session)
    await greeted(old)
    assert (await checked(new))["phase"] == "active"


async def test_a_logout_in_one_tab_ends_the_other_tabs(profile: Profile, site: Site, picture: Picture) -> None:
    """The tab that was used says goodbye; the others show the notice."""
    context = await profile()
    here, there = await context.new_page(), await context.new_page()
    session = await site.login(here)
    await there.goto(f"{site.url}/")
    assert await connected(there) == session
    await here.get_by_role("button", name="Log out").click()
    await here.wait_for_url(f"{site.url}/goodbye")
    await expect(there.locator(NOTICE).get_by_role("alertdialog")).to_contain_text("You have logged out")
    await picture(there, "logout")
    await there.goto(f"{site.url}/")
    assert there.url == f"{site.url}/login"
    assert site.enforcer.record(session)["end_reason"] == "logout"


async def test_a_restart_of_the_server_logs_nobody_out(profile: Profile, tmp_path: Path) -> None:
    """The page hears nothing for a while, connects again, and is still logged in."""
    with running_site(tmp_path) as site:
        page = await (await profile()).new_page()
        session = await site.login(page)
        site.enforcer.kill()
        await page.wait_for_function("() => !sessionGuard.getState().connected")
        with site.visit(session=(await page.context.cookies(site.url))[0]["value"]) as visitor:
            refused = visitor.get("/")
            assert (refused.status_code, refused.cookies) == (503, {})
            assert "still logged in" in refused.text
        site.enforcer.start()
        await page.wait_for_function("() => sessionGuard.getState().connected", timeout=30_000)
        state = await checked(page)
        assert (state["phase"], state["session"]) == ("active", session)
        await page.reload()
        await greeted(page)
