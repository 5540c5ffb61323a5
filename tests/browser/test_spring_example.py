"""The Spring Boot example in real browsers, and for who runs no script."""

import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import Profile, Site, connected
from tests.browser.examples import displaced, log_out, logged_in_anew, running_example, told
from tests.running import START_WITHIN, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example beside its Enforcer; one for both browsers, as it takes a while to start."""
    with running_example("spring-boot", tmp_path_factory.mktemp("spring-boot")) as site:
        yield site


@pytest.mark.asyncio(loop_scope="session")
async def test_from_login_to_logout(profile: Profile, site: Site) -> None:
    """Displaced at once; the same browser's tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await site.login(loser)
    async with loser.expect_response("**/logout") as logout:
        await site.login(winner)
        await told(loser, "logged in somewhere else")
    assert (await logout.value).status == 204
    await displaced(site, loser, first)

    tab, again = await logged_in_anew(site, winner)
    await tab.get_by_label("A new note").fill("Milk & <bread>")
    await tab.get_by_role("button", name="Write it down").click()
    await expect(tab.get_by_role("listitem").last).to_have_text("Milk & <bread>")
    await connected(tab)
    await log_out(site, tab, winner)

    mine = await site.login(tab)
    other = site.enforcer.login("alice", max_sessions=2)["session"]
    await tab.get_by_role("button", name="Log out everywhere").click()
    await tab.wait_for_url(f"{site.url}/goodbye")
    ended = [site.enforcer.record(one)["end_reason"] for one in (again, mine, other)]
    assert ended == ["logout", "logout", "logout_everywhere"]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_restart_of_the_server_logs_nobody_out(profile: Profile, site: Site) -> None:
    """A page with status 503 meanwhile, in the site's own looks. Then all is as it was."""
    page = await (await profile()).new_page()
    session = await site.login(page)
    site.enforcer.kill()
    try:
        deadline = time.monotonic() + START_WITHIN
        while (answer := await page.goto(f"{site.url}/")) and answer.status == 200:  # it has not heard of it yet
            assert time.monotonic() < deadline
        assert answer is not None
        assert answer.status == 503
        await expect(page.get_by_role("heading", name="One moment, please")).to_be_visible()
        assert await page.evaluate("() => getComputedStyle(document.querySelector('.button')).cursor") == "pointer"
    finally:
        site.enforcer.start()
    await page.get_by_role("link", name="Try again").click()
    await page.wait_for_url(f"{site.url}/")
    assert await connected(page) == session


def test_without_the_script_the_next_request_is_refused(site: Site) -> None:
    """And the page that it comes to says why. A prefetch is refused, and changes nothing."""
    with site.visit() as visitor:

        def login(password: str) -> httpx.Response:
            token = visitor.get("/login").text.partition('name="_csrf" value="')[2].partition('"')[0]
            form = {"username": "bob", "password": password, "_csrf": token}
            return visitor.post("/login", data=form, follow_redirects=True)

        assert "Bad credentials" in login("wrong").text
        assert "Hello, bob" in login("bob-demo").text
        site.enforcer.login("bob")
        until(lambda: visitor.get("/", headers={"Sec-Purpose": "prefetch"}).status_code == 503)
        goodbye = visitor.get("/", follow_redirects=True)
        assert str(goodbye.url) == f"{site.url}/goodbye?ended=displaced"
        assert "you have logged in somewhere else" in goodbye.text
        assert visitor.get("/").headers["Location"] == f"{site.url}/login"
