"""The examples whose pages are React's, in real browsers: the guard lives in the tree of components."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, Site
from tests.browser.examples import OUTSIDE, displaced, running_example, told
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module", params=["fastapi-react", "nextjs"])
def example(request: pytest.FixtureRequest) -> str:
    """Its name."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(example: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each example beside its Enforcer."""
    with running_example(example, tmp_path_factory.mktemp(example)) as site:
        yield site


async def log_in(site: Site, page: Page) -> str:
    """By the form, until the page is guarded; the session."""
    await site.ask_to_log_in(page)
    await guarded(page)
    session: str = site.enforcer.call("GET", "/v1/users/alice/sessions").json()["sessions"][0]["session"]
    return session


async def guarded(page: Page) -> None:
    """The page says whose it is, and that it hears of the end."""
    await expect(page.get_by_role("heading", name="Hello, alice")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("live")


async def test_one_session_from_login_to_logout(profile: Profile, site: Site, example: str) -> None:
    """Displaced at once and refused from then on; tabs come along with a new login; a log-out ends the other tab."""
    loser, winner = await (await profile()).new_page(), await (await profile()).new_page()
    first = await log_in(site, loser)
    held = {str(c["name"]): str(c["value"]) for c in await loser.context.cookies(site.url)}
    private, answer = {"fastapi-react": ("/api/notes", 401), "nextjs": ("/", 307)}[example]
    with site.visit(**held) as visitor:
        assert visitor.get(private).status_code == 200
        await log_in(site, winner)
        await told(loser, "logged in somewhere else")
        until(lambda: visitor.get(private).status_code == answer)
    await displaced(site, loser, first)

    await winner.evaluate("() => { window.before = true }")
    tab = await winner.context.new_page()
    await log_in(site, tab)
    await winner.wait_for_function("() => window.before === undefined")
    await guarded(winner)
    await tab.get_by_role("button", name="Log out", exact=True).click()
    await told(winner, "You have logged out")
    await tab.goto(f"{site.url}/")
    await tab.wait_for_url(OUTSIDE)
