"""What the script loads only where a page needs it."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, connected, opened, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
WARNING = "session-guard-warning"
PART = re.compile(r"/session-guard-(\w+)\.js")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Pages name their room, and have no ticket."""
    async with running_stage(tmp_path_factory.mktemp("stage"), join="open") as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def idle_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Seven seconds without input, warned for the last five."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=7, warn_before=5) as stage:
        yield stage


async def visited(profile: Profile, stage: Stage) -> tuple[Page, list[str]]:
    """A connected page, and the parts that it asks for."""
    page = await (await profile()).new_page()
    parts: list[str] = []

    def note(url: str) -> None:
        parts.extend(PART.findall(url))

    page.on("request", lambda request: note(request.url))
    await page.goto(stage.url)
    await connected(page)
    return page, parts


async def test_a_page_with_its_ticket_and_no_deadline_needs_none(profile: Profile, stage: Stage) -> None:
    """The answer to the check has been taken in, and with it whatever it makes the page load."""
    page, parts = await visited(profile, stage)
    await checked(page)
    assert parts == []


async def test_in_open_mode_the_browser_knows_who_it_is(profile: Profile, open_stage: Stage) -> None:
    """All pages of a browser are one session, also the next ones; another browser's page displaces it."""
    stage = open_stage.anew()
    stage.attributes |= {"ticket": "", "room": "zoe"}
    page, parts = await visited(profile, stage)
    assert parts == ["credentials"]
    session = (await checked(page))["session"]
    stage.enforcer.call("POST", "/notify", json={"room": "zoe"})
    await page.reload()
    assert await connected(page) == session
    other = await opened(profile, stage)
    assert await connected(other) != session
    stage.enforcer.call("POST", "/notify", json={"room": "zoe"})
    await expect(page.locator(NOTICE)).to_have_count(1)
    [call] = await stage.told()
    assert call["session"] == session
    await page.reload()
    assert await connected(page) != session


async def test_a_ticket_comes_from_the_app(profile: Profile, stage: Stage) -> None:
    """`data-ticket-url`, where the page brings none along."""
    stage.attributes |= {"ticket": "", "ticket-url": "/ticket"}
    page, parts = await visited(profile, stage)
    assert parts == ["credentials"]
    assert (await checked(page))["phase"] == "active"


async def test_the_warning_needs_no_server_when_it_comes(profile: Profile, idle_stage: Stage) -> None:
    """What shows it is loaded as soon as there is a deadline."""
    page, parts = await visited(profile, idle_stage.anew())
    await page.wait_for_function("() => performance.getEntriesByType('resource').some(e => /-deadline/.test(e.name))")
    assert parts == ["deadline"]
    await page.route("**/client/*", lambda route: route.abort())
    await expect(page.locator(WARNING).get_by_role("alertdialog")).to_be_visible()
    assert parts == ["deadline"]


async def test_without_the_part_it_ends_all_the_same(profile: Profile, idle_stage: Stage) -> None:
    """Nobody is warned on the screen, but the app is, and the notice is the script's own."""
    context = await profile()
    await context.route("**/session-guard-deadline.js", lambda route: route.abort())
    await context.add_init_script("document.addEventListener('session-guard:warning', () => { window.warned = true })")
    page = await context.new_page()
    await page.goto(idle_stage.anew().url)
    await connected(page)
    await expect(page.locator(NOTICE).get_by_role("alertdialog")).to_be_visible(timeout=15_000)
    assert await page.evaluate("() => window.warned")
    assert await page.locator(WARNING).count() == 0
