"""The Express example with Passport, in real browsers: what its users see, and what its script line does."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Profile, Site, checked, connected
from tests.running import EnforcerProcess, free_port, require_command, running_program, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOTICE = "session-guard-notice"


@pytest.fixture(scope="module")
def express(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example beside its Enforcer."""
    directory = tmp_path_factory.mktemp("express")
    with EnforcerProcess(directory / "enforcer") as enforcer:
        port = str(free_port())
        own = {"ENFORCER_URL": enforcer.url, "ENFORCER_AUTHKEY": enforcer.authkey, "SECRET_KEY": secrets.token_hex()}
        url = f"http://127.0.0.1:{port}"
        node = [require_command("node"), "examples/express/app.js"]
        with running_program(node, directory / "express.log", f"{url}/login", PORT=port, **own):
            yield Site(url, enforcer)


async def test_one_session_from_login_to_logout(profile: Profile, express: Site) -> None:
    """Displaced at once; the same browser's tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await express.login(loser)
    await express.login(winner)
    await expect(loser.locator(NOTICE).get_by_role("alertdialog")).to_contain_text("logged in somewhere else")
    assert express.enforcer.record(first)["end_reason"] == "displaced"
    await loser.goto(f"{express.url}/")
    await loser.wait_for_url(f"{express.url}/goodbye")

    tab = await winner.context.new_page()
    again = await express.login(tab)
    await winner.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=again)
    await connected(winner)
    assert (await checked(winner))["phase"] == "active"
    await tab.get_by_role("button", name="Log out").click()
    await tab.wait_for_url(f"{express.url}/goodbye")
    await expect(winner.locator(NOTICE).get_by_role("alertdialog")).to_contain_text("You have logged out")


async def test_without_the_script_the_next_request_is_refused(profile: Profile, express: Site) -> None:
    """From memory: the site's server has heard of the end by the stream."""
    loser = await (await profile(java_script_enabled=False)).new_page()
    await express.ask_to_log_in(loser, "bob")
    await expect(loser.get_by_role("heading", name="Hello, bob")).to_be_visible()
    ended = express.enforcer.call("GET", "/v1/users/bob/sessions").json()["sessions"][0]["session"]
    express.enforcer.login("bob")
    cookie = {c["name"]: c["value"] for c in await loser.context.cookies(express.url)}
    with express.visit(**cookie) as visitor:
        until(lambda: visitor.get("/").headers.get("Location") == "/goodbye")
    await loser.goto(f"{express.url}/")
    await loser.wait_for_url(f"{express.url}/goodbye")
    assert express.enforcer.record(ended)["end_reason"] == "displaced"
