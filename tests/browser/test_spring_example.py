"""The Spring Boot example in real browsers, and its requests while there is no Enforcer."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Profile, Site, checked, connected
from tests.browser.examples import OUTSIDE, running_example, told
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example beside its Enforcer; one for both browsers, as it takes a while to start."""
    with running_example("spring-boot", tmp_path_factory.mktemp("spring-boot")) as site:
        yield site


async def test_from_login_to_logout(profile: Profile, site: Site) -> None:
    """Displaced at once; the same browser's tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await site.login(loser)
    async with loser.expect_response("**/logout") as logout:
        await site.login(winner)
        await told(loser, "logged in somewhere else")
    assert (await logout.value).status == 204
    assert site.enforcer.record(first)["end_reason"] == "displaced"
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(OUTSIDE)

    tab = await winner.context.new_page()
    again = await site.login(tab)
    await winner.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=again)
    await connected(winner)
    assert (await checked(winner))["phase"] == "active"
    await tab.get_by_label("A new note").fill("Milk & <bread>")
    await tab.get_by_role("button", name="Write it down").click()
    await expect(tab.get_by_role("listitem")).to_have_text(["Milk & <bread>"])
    await connected(tab)
    await tab.get_by_role("button", name="Log out", exact=True).click()
    await tab.wait_for_url(f"{site.url}/goodbye")
    await told(winner, "You have logged out")
    assert site.enforcer.record(again)["end_reason"] == "logout"


async def test_log_out_everywhere(profile: Profile, site: Site) -> None:
    """This browser and all others of the user."""
    here = await (await profile()).new_page()
    mine = await site.login(here)
    other = site.enforcer.login("alice", max_sessions=2)["session"]
    await here.get_by_role("button", name="Log out everywhere").click()
    await here.wait_for_url(f"{site.url}/goodbye")
    assert [site.enforcer.record(one)["end_reason"] for one in (mine, other)] == ["logout", "logout_everywhere"]


async def test_without_the_script_the_next_request_is_refused(profile: Profile, site: Site) -> None:
    """And the page that it comes to says why; a wrong password is told from that."""
    loser = await (await profile(java_script_enabled=False)).new_page()
    await loser.goto(f"{site.url}/login")
    await loser.get_by_label("User name").fill("bob")
    await loser.get_by_label("Password").fill("wrong")
    await loser.get_by_role("button", name="Log in").click()
    await expect(loser.get_by_role("alert")).to_have_text("Bad credentials")
    await site.ask_to_log_in(loser, "bob")
    await expect(loser.get_by_role("heading", name="Hello, bob")).to_be_visible()
    ended = site.enforcer.call("GET", "/v1/users/bob/sessions").json()["sessions"][0]["session"]
    site.enforcer.login("bob")
    assert site.enforcer.record(ended)["end_reason"] == "displaced"
    cookie = (await loser.context.cookies(site.url))[0]["value"]
    with site.visit(JSESSIONID=cookie) as visitor:  # of which nothing is changed by a prefetch
        until(lambda: visitor.get("/", headers={"Sec-Purpose": "prefetch"}).status_code == 503)
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(f"{site.url}/goodbye?ended=displaced")
    await expect(loser.get_by_role("status")).to_contain_text("you have logged in somewhere else")
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(f"{site.url}/login")


async def test_a_restart_of_the_server_logs_nobody_out(profile: Profile, site: Site) -> None:
    """A page with status 503 meanwhile, which is pretty; nobody logs in. Then all is as it was."""
    here, newcomer = await (await profile()).new_page(), await (await profile()).new_page()
    session = await site.login(here)
    await newcomer.goto(f"{site.url}/login")
    site.enforcer.kill()
    try:
        answer = await here.goto(f"{site.url}/")
        assert answer is not None
        assert answer.status == 503
        await expect(here.get_by_role("heading", name="One moment, please")).to_be_visible()
        assert await here.evaluate("() => getComputedStyle(document.querySelector('.button')).cursor") == "pointer"
        await site.ask_to_log_in(newcomer, "bob")
        await expect(newcomer.get_by_text("Nobody can log in just now.")).to_be_visible()
    finally:
        site.enforcer.start()
    await newcomer.goto(f"{site.url}/")
    await newcomer.wait_for_url(f"{site.url}/login")
    await here.get_by_role("link", name="Try again").click()
    await here.wait_for_url(f"{site.url}/")
    assert await connected(here) == session
