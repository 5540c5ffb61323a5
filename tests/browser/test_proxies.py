"""An application that knows nothing of sessions, behind a proxy that asks, in browsers that run no scripts."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile
from tests.proxies import Proxied, proxied

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """nginx, as the example sets it up."""
    with proxied("nginx", tmp_path_factory.mktemp("behind")) as site:
        yield site


async def logged_in(profile: Profile, site: Proxied) -> Page:
    """A browser of its own without scripts, logged in by the form."""
    page = await (await profile(java_script_enabled=False)).new_page()
    await page.goto(site.url)
    await page.get_by_label("User name").fill("alice")
    await page.get_by_label("Password").fill("alice-demo")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("body")).to_contain_text("Private page")
    return page


async def test_the_earlier_browser_is_out_at_its_next_request(profile: Profile, behind: Proxied) -> None:
    """It sees the log-in page where it wanted the next private one; the later browser goes on."""
    earlier = await logged_in(profile, behind)
    later = await logged_in(profile, behind)
    await earlier.goto(f"{behind.url}/accounts")
    await expect(earlier.get_by_role("heading", name="Log in")).to_be_visible()
    await later.goto(f"{behind.url}/accounts")
    await expect(later.locator("body")).to_contain_text("X-Enforcer-Room: alice")
