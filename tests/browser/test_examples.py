"""The examples in other languages, in real browsers: what their users see, and what the script line does."""

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Profile, Site, checked, connected
from tests.running import EnforcerProcess, free_port, require_command, running_program, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOTICE = "session-guard-notice"
OUTSIDE = re.compile("/(goodbye|login)$")


@pytest.fixture(scope="module", params=["express", "php"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each example beside its Enforcer."""
    directory, port = tmp_path_factory.mktemp(request.param), str(free_port())
    if request.param == "express":
        command = [require_command("node"), "examples/express/app.js"]
    else:
        command = [require_command("php"), "-S", f"127.0.0.1:{port}", "examples/php/index.php"]
    with EnforcerProcess(directory / "enforcer") as enforcer:
        url = f"http://127.0.0.1:{port}"
        own = {"ENFORCER_URL": enforcer.url, "ENFORCER_AUTHKEY": enforcer.authkey, "SECRET_KEY": secrets.token_hex()}
        own |= {"PORT": port, "PHP_CLI_SERVER_WORKERS": "4"}
        with running_program(command, directory / "site.log", f"{url}/login", **own):
            yield Site(url, enforcer)


async def test_one_session_from_login_to_logout(profile: Profile, site: Site) -> None:
    """Displaced at once; the same browser's tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await site.login(loser)
    await site.login(winner)
    await expect(loser.locator(NOTICE).get_by_role("alertdialog")).to_contain_text("logged in somewhere else")
    assert site.enforcer.record(first)["end_reason"] == "displaced"
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(OUTSIDE)

    tab = await winner.context.new_page()
    again = await site.login(tab)
    await winner.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=again)
    await connected(winner)
    assert (await checked(winner))["phase"] == "active"
    await tab.get_by_role("button", name="Log out").click()
    await tab.wait_for_url(f"{site.url}/goodbye")
    await expect(winner.locator(NOTICE).get_by_role("alertdialog")).to_contain_text("You have logged out")


async def test_without_the_script_the_next_request_is_refused(profile: Profile, site: Site) -> None:
    """The site's server asks, or has heard of the end by the stream."""
    loser = await (await profile(java_script_enabled=False)).new_page()
    await site.ask_to_log_in(loser, "bob")
    await expect(loser.get_by_role("heading", name="Hello, bob")).to_be_visible()
    ended = site.enforcer.call("GET", "/v1/users/bob/sessions").json()["sessions"][0]["session"]
    site.enforcer.login("bob")
    cookie = {c["name"]: c["value"] for c in await loser.context.cookies(site.url)}
    with site.visit(**cookie) as visitor:
        until(lambda: visitor.get("/").headers.get("Location") in ("/goodbye", "/login"))
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(OUTSIDE)
    assert site.enforcer.record(ended)["end_reason"] == "displaced"
