"""The examples in other frameworks, in real browsers: what their users see, and what the script line does."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Profile, Site, connected
from tests.browser.examples import OUTSIDE, displaced, log_out, logged_in_anew, running_example, told
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module", params=["express", "php", "django"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each example beside its Enforcer."""
    with running_example(request.param, tmp_path_factory.mktemp(request.param)) as site:
        yield site


async def test_one_session_from_login_to_logout(profile: Profile, site: Site) -> None:
    """Displaced at once; the same browser's tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await site.login(loser)
    await site.login(winner)
    await told(loser, "logged in somewhere else")
    await displaced(site, loser, first)

    tab, _ = await logged_in_anew(site, winner)
    await log_out(site, tab, winner)


@pytest.mark.parametrize("site", ["express", "php"], indirect=True)
async def test_without_the_script_the_next_request_is_refused(profile: Profile, site: Site) -> None:
    """The site's server asks, or has heard of the end by the stream."""
    loser = await (await profile(java_script_enabled=False)).new_page()
    await site.ask_to_log_in(loser, "bob")
    await expect(loser.get_by_role("heading", name="Hello, bob")).to_be_visible()
    ended = site.enforcer.call("GET", "/v1/users/bob/sessions").json()["sessions"][0]["session"]
    site.enforcer.login("bob")
    cookie = {c["name"]: c["value"] for c in await loser.context.cookies(site.url)}
    with site.visit(**cookie) as visitor:
        until(lambda: OUTSIDE.search(visitor.get("/").headers.get("Location", "")))
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(OUTSIDE)
    assert site.enforcer.record(ended)["end_reason"] == "displaced"


@pytest.mark.parametrize("site", ["django"], indirect=True)
async def test_django_with_its_admin(profile: Profile, site: Site) -> None:
    """The admin leaves and is refused as every page; "everywhere" and a change of the password end other browsers."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    await site.login(loser)
    await loser.goto(f"{site.url}/admin/notebook/note/add/")
    await connected(loser)
    await loser.route("**/logout", lambda route: route.abort())  # whoever hears nothing is refused all the same
    await site.login(winner)
    await told(loser, "logged in somewhere else")
    await loser.goto(f"{site.url}/admin/")
    await loser.wait_for_url(f"{site.url}/login?next=/admin/")

    mine = await site.login(loser)
    await told(winner, "logged in somewhere else")
    other = site.enforcer.login(site.rooms["alice"], max_sessions=2)["session"]
    await loser.get_by_role("link", name="Change the password").click()
    await loser.get_by_label("Old password").fill("alice-demo")
    for field in ("New password", "New password confirmation"):
        await loser.get_by_label(field, exact=True).fill("alice-demo")
    await loser.get_by_role("button", name="Change it").click()
    await loser.wait_for_url(f"{site.url}/")
    assert site.enforcer.record(other)["end_reason"] == "password_changed"
    assert await connected(loser) == mine

    other = site.enforcer.login(site.rooms["alice"], max_sessions=2)["session"]
    await loser.get_by_role("button", name="Log out everywhere").click()
    await loser.wait_for_url(f"{site.url}/goodbye")
    assert [site.enforcer.record(one)["end_reason"] for one in (mine, other)] == ["logout", "logout_everywhere"]
