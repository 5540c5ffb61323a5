"""People who write without keys or pointer, and where the focus is after the warning."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, opened, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

WARNING = "session-guard-warning"
EVERY = 900
"""Milliseconds between two words: slow, for a dictation."""
AREAS = """<textarea id="area">Dear Ms. </textarea><div id="rich" contenteditable>Dear Ms. </div>"""
WARNED = "addEventListener('session-guard:warning', () => { window.warned = true }, true)"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def short_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Ten seconds without input, warned for the last three."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=10, warn_before=3) as stage:
        yield stage


@pytest.fixture
def short(short_stage: Stage) -> Stage:
    """Alice has logged in anew, and the page has something to write into."""
    short_stage.anew().body = AREAS
    return short_stage


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warning_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Every page is warned as soon as nobody has been there for six seconds, and has a minute to answer."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=66, warn_before=60) as stage:
        yield stage


async def dictated(page: Page) -> None:
    """As dictation, on-screen keyboards and input methods do it: text without a key."""
    await page.keyboard.insert_text("word ")


async def inserted(page: Page) -> None:
    """As helpers of the browser do it: a change of the text alone."""
    await page.evaluate("() => document.execCommand('insertText', false, 'word ')")


@pytest.mark.parametrize("write", [dictated, inserted])
async def test_who_dictates_is_there(profile: Profile, short: Stage, write: Callable[[Page], Awaitable[None]]) -> None:
    """A word every 0.9 s, for longer than the time-out: no warning, and every word arrives."""
    page = await opened(profile, short)
    await page.evaluate(WARNED)
    await page.locator("#area").evaluate("area => { area.focus(); area.setSelectionRange(99, 99) }")
    for _ in range(16):
        await write(page)
        await page.wait_for_timeout(EVERY)
    assert (await checked(page))["phase"] == "active"
    assert await page.evaluate("() => window.warned") is None
    assert await page.locator("#area").input_value() == "Dear Ms. " + "word " * 16


@pytest.mark.parametrize("area", ["area", "rich", "text"])
async def test_the_focus_is_where_it_was(profile: Profile, warning_stage: Stage, area: str) -> None:
    """Focus in a text, warning, Enter on "stay", and the sentence goes on (WCAG 2.4.3)."""
    warning_stage.anew().body = AREAS
    page = await opened(profile, warning_stage)
    field = page.locator(f"{'input' if area == 'text' else ''}#{area}")
    await field.click()
    await page.keyboard.press("End")
    await page.keyboard.type("Smith")
    await expect(page.locator(WARNING)).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator(WARNING)).to_have_count(0)
    assert await page.evaluate("() => document.activeElement.id") == area
    await page.keyboard.type(", hello")
    text = await field.evaluate("field => field.value ?? field.textContent")
    assert text.endswith("Smith, hello"), text


async def test_the_focus_comes_back_into_a_shadow_root(profile: Profile, warning_stage: Stage) -> None:
    """A field of a web component is one, too."""
    warning_stage.anew()
    page = await opened(profile, warning_stage)
    await page.evaluate(
        """() => {
          const host = document.createElement("div");
          document.body.append(host);
          host.attachShadow({ mode: "open" }).innerHTML = "<input id=deep>";
          host.shadowRoot.querySelector("input").focus();
        }"""
    )
    await page.keyboard.type("a")
    await expect(page.locator(WARNING)).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator(WARNING)).to_have_count(0)
    await page.keyboard.type("b")
    assert await page.locator("#deep").input_value() == "ab"
