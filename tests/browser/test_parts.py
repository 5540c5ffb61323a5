"""The script is one file: nothing else is loaded but a language, and a worker that the page asks for."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, connected, opened, running_stage
from tests.browser.stage import CLIENT_FILES, Stage
from tests.browser.wire import Wire

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


ALONE = """
  window.violations = [];
  addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
"""


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


async def test_in_open_mode_the_browser_knows_who_it_is(profile: Profile, open_stage: Stage) -> None:
    """All pages of a browser are one session, also the next ones; another browser's page displaces it."""
    stage = open_stage.anew()
    stage.attributes |= {"ticket": "", "room": "zoe"}
    page, parts = await visited(profile, stage)
    assert parts == []
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
    assert parts == []
    assert (await checked(page))["phase"] == "active"


async def test_an_own_copy_of_the_one_file_is_all(profile: Profile, idle_stage: Stage, tmp_path: Path) -> None:
    """Under `default-src 'self'`, nothing else beside it: warning, HTTP and notice work, and nothing is reported."""
    stage = idle_stage.anew()
    stage.built = tmp_path
    shutil.copy(CLIENT_FILES / "session-guard.js", tmp_path)
    stage.script = "/built/session-guard.js"
    async with Wire(stage.enforcer.port) as wire:
        wire.blocks_sockets = True
        address = wire.url.removeprefix("http://")
        policy = (
            f"default-src 'self'; img-src data:; connect-src 'self' http://{address} ws://{address};"
            " require-trusted-types-for 'script'; trusted-types 'none'"
        )
        stage.headers["Content-Security-Policy"] = policy
        stage.attributes |= {"url": wire.url, "ticket-url": "/ticket", "watch-http": "on"}
        context = await profile()
        await context.add_init_script(ALONE)
        page = await context.new_page()
        parts: list[str] = []
        page.on("request", lambda request: parts.extend(PART.findall(request.url)))
        await page.goto(stage.url)
        await expect(page.locator(WARNING).get_by_role("alertdialog")).to_be_visible(timeout=20_000)
        await expect(page.locator(NOTICE).get_by_role("alertdialog")).to_be_visible(timeout=20_000)
        assert (await page.evaluate("() => violations"), parts) == ([], [])


async def test_the_warning_needs_no_server_when_it_comes(profile: Profile, idle_stage: Stage) -> None:
    """All that it needs is there."""
    page, parts = await visited(profile, idle_stage.anew())
    await page.route("**/client/*", lambda route: route.abort())
    await expect(page.locator(WARNING).get_by_role("alertdialog")).to_be_visible()
    assert parts == []
