"""One way to hide a page: opaque, above everything, and no style of the page undoes it. Seen by pictures."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, connected, opened, running_stage
from tests.browser.stage import Stage
from tests.browser.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

Picture = Callable[..., Awaitable[None]]
NOTICE = "session-guard-notice"
SECRET = """<style>
  * { visibility: visible !important; opacity: 1 !important; transition: all 1s !important }
  session-guard-notice, session-guard-warning, body ~ * {
    display: none !important; visibility: hidden !important; opacity: 0 !important;
  }
  ::backdrop, dialog, session-guard-notice::part(dialog) {
    background: transparent !important; visibility: hidden !important; opacity: 0 !important;
  }
  .secret {
    visibility: visible !important; position: fixed; z-index: 2147483647; top: 0; left: 0;
    background: #f0f; width: 200px; height: 60px;
  }
  #over { top: auto; bottom: 0 }
</style>
<div class="secret">Private</div><div class="secret" id="over" popover="manual">Private, in the top layer</div>
<dialog id="own"><div class="secret">Private, in a dialog</div></dialog>"""
"""Whatever a page can do to be seen; all of it is magenta."""


async def magenta(page: Page, scratch: Page) -> int:
    """Pixels of the page's secret that are in the picture."""
    picture = base64.b64encode(await page.screenshot()).decode()
    count: int = await scratch.evaluate(
        """async (data) => {
          const image = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
          let found = 0;
          for (let i = 0; i < pixels.length; i += 4) {
            found += pixels[i] > 120 && pixels[i + 1] < 110 && pixels[i + 2] > 120;
          }
          return found;
        }""",
        picture,
    )
    return count


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def short_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Ten seconds without input, warned for the last two."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=10, warn_before=2) as stage:
        yield stage


async def secret_page(profile: Profile, stage: Stage, **options: Any) -> tuple[Page, Page]:
    """A page that shows its secret by all means, and another one that counts pixels."""
    stage.body = SECRET
    page = await opened(profile, stage, **options)
    scratch = await (await profile()).new_page()
    assert await magenta(page, scratch) > 5_000, "the secret is in the picture, or nothing is shown by its absence"
    return page, scratch


async def test_from_the_idle_deadline_on_nothing_is_in_the_picture(profile: Profile, short_stage: Stage) -> None:
    """Not for a moment, and not when it is over."""
    page, scratch = await secret_page(profile, short_stage.anew())
    await page.evaluate(
        """() => {
          const { idleEndsAt } = sessionGuard.getState();
          document.addEventListener("session-guard:expired", () => { window.over = Date.now() - idleEndsAt });
        }"""
    )
    await expect(page.locator(NOTICE)).to_have_count(1, timeout=25_000)
    while await page.evaluate("() => window.over === undefined"):
        assert await magenta(page, scratch) == 0
    await expect(page.locator(NOTICE)).to_contain_text("inactiv")
    assert await magenta(page, scratch) == 0


async def test_no_style_and_no_layer_of_the_page_shows_through(
    profile: Profile, stage: Stage, picture: Picture
) -> None:
    """What enters the top layer after the notice comes out below it; a notice that is removed is back at once."""
    page, scratch = await secret_page(profile, stage)
    stage.login()
    notice = page.locator(NOTICE).get_by_role("alertdialog")
    await expect(notice).to_be_visible()
    assert await magenta(page, scratch) == 0
    await picture(page, "hidden")
    for act in (
        "over.showPopover()",
        "own.showModal()",
        "document.querySelector('session-guard-notice').remove()",
        "document.documentElement.requestFullscreen().catch(() => 0)",
        "document.body.className = 'secret'",
        "document.body.replaceWith(document.body.cloneNode(true))",
    ):
        await page.evaluate(f"() => {{ {act} }}")
        # the news of it is a task of its own
        await page.evaluate(
            "() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => setTimeout(resolve))))"
        )
        assert await magenta(page, scratch) == 0, act
        await expect(notice).to_be_visible()
    link = notice.get_by_role("link")
    await link.click(trial=True)
    for _ in range(3):
        await page.keyboard.press("Escape")
        assert await magenta(page, scratch) == 0


async def back_with_the_server_away(profile: Profile, stage: Stage, wire: Wire, caching: str) -> tuple[Page, Page]:
    """A private page that is left, whose session ends, and that is gone back to while nobody can say so."""
    stage.attributes["url"] = wire.url
    stage.headers["Cache-Control"] = caching
    page, scratch = await secret_page(profile, stage)
    await page.goto(f"{stage.url}/login")
    stage.enforcer.call("DELETE", f"/v1/sessions/{stage.session}")
    wire.cut()
    await page.evaluate("() => { setTimeout(() => { history.back(); }); }")  # answered before it goes
    await page.wait_for_function("() => location.pathname === '/' && window.sessionGuard")
    await expect(page.locator(NOTICE)).to_contain_text("No connection")
    return page, scratch


async def test_back_after_the_log_out_with_the_server_away(profile: Profile, stage: Stage) -> None:
    """What comes out of a cache is hidden until the server has spoken, however long that takes, and says so."""
    async with Wire(stage.enforcer.port) as wire:
        page, scratch = await back_with_the_server_away(profile, stage, wire, "max-age=600")
        assert await magenta(page, scratch) == 0
        await page.wait_for_timeout(3_000)
        assert await magenta(page, scratch) == 0
        wire.mend()
        await expect(page.locator(NOTICE)).to_contain_text("You have logged out.", timeout=40_000)
        assert await magenta(page, scratch) == 0


async def test_back_is_hidden_whether_or_not_the_page_is_out_of_a_cache(profile: Profile, stage: Stage) -> None:
    """A cache may have forgotten it meanwhile, and an app that does not ask Enforcer serves it once more."""
    async with Wire(stage.enforcer.port) as wire:
        page, scratch = await back_with_the_server_away(profile, stage, wire, "no-store")
        assert stage.gets == ["/", "/"], "it was served anew"
        assert await magenta(page, scratch) == 0


async def test_back_to_a_live_session_shows_it_again(profile: Profile, stage: Stage) -> None:
    """And the focus is the page's."""
    stage.headers["Cache-Control"] = "max-age=600"
    page, scratch = await secret_page(profile, stage)
    await page.goto(f"{stage.url}/login")
    await page.evaluate("() => { setTimeout(() => { history.back(); }); }")  # answered before it goes
    await page.wait_for_function("() => location.pathname === '/' && window.sessionGuard?.getState().connected")
    await checked(page)
    await expect(page.locator(NOTICE)).to_have_count(0)
    assert await magenta(page, scratch) > 5_000


async def test_who_gives_up_past_the_deadline_stays_covered_and_says_why(
    profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A lid that was closed past the end of the ticket, a session that lives, and no other ticket to be had."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=600, warn_before=1) as stage:
        stage.login()
        context = await profile()
        await context.add_init_script(
            """const RealSocket = WebSocket;
            const realFetch = fetch;
            // the socket alone decides: over HTTP the session would be told to have ten minutes
            window.fetch = (...call) => window.refuse ? Promise.reject(new TypeError("away")) : realFetch(...call);
            window.WebSocket = class extends RealSocket {
              set onmessage(heard) {
                super.onmessage = ({ data }) => {
                  if (window.refuse && data.startsWith("40")) data = '44{"message":"ticket-expired"}';
                  heard({ data: data.replace(/"idle_ms":\\d+/, '"idle_ms":3000') });
                };
              }
            };"""
        )
        stage.body = SECRET
        page = await context.new_page()
        await page.goto(stage.url)
        await connected(page)
        scratch = await (await profile()).new_page()
        await page.evaluate("() => { window.refuse = true; window.dispatchEvent(new Event('offline')) }")
        stage.enforcer.kill()
        stage.enforcer.start()
        await page.wait_for_function("() => sessionGuard.getState().phase === 'stopped'", timeout=30_000)
        await expect(page.locator(NOTICE)).to_contain_text("hidden until the server confirms")
        assert await magenta(page, scratch) == 0
        await expect(page.locator(NOTICE).get_by_role("link")).to_have_attribute("href", f"{stage.url}/")


@pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=pytest.mark.soak)], indirect=True)
async def test_a_laptop_that_is_opened_the_next_morning(
    profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The ticket has been over for longer than its leeway (a minute), and so has the session: the page says so."""
    async with (
        running_stage(tmp_path_factory.mktemp("stage"), absolute_timeout=10, warn_before=1) as stage,
        Wire(stage.enforcer.port) as wire,
    ):
        stage.login()
        stage.attributes["url"] = wire.url
        page, scratch = await secret_page(profile, stage)
        wire.cut()
        await expect(page.locator(NOTICE)).to_contain_text("No connection", timeout=25_000)
        assert await magenta(page, scratch) == 0
        await asyncio.sleep(64)
        wire.mend()
        await expect(page.locator(NOTICE)).to_contain_text("longest time", timeout=40_000)
        assert await magenta(page, scratch) == 0
        assert (await page.evaluate("() => sessionGuard.getState()"))["end"]["reason"] == "absolute"


async def test_an_app_without_a_session_ends_the_page(profile: Profile, stage: Stage) -> None:
    """`data-ticket-url` answers 401 to a page that had one."""
    stage.attributes |= {"ticket-url": "/api/401"}
    stage.ticket = f"{stage.ticket[:-4]}AAAA"
    page = await (await profile()).new_page()
    await page.goto(stage.url)
    await expect(page.locator(NOTICE)).to_contain_text("no longer valid")


@pytest.mark.parametrize("page_is", ["light", "dark"])
async def test_it_is_as_dark_as_its_page(profile: Profile, stage: Stage, page_is: str) -> None:
    """Whatever the system likes: a light site stays light."""
    dark = page_is == "dark"
    stage.more = f"<style>:root {{ color-scheme: {page_is} }}</style>"
    page = await opened(profile, stage, color_scheme="light" if dark else "dark")
    stage.login()
    dialog = page.locator(NOTICE).get_by_role("alertdialog")
    red = "dialog => Number(getComputedStyle(dialog).backgroundColor.match(/\\d+/)[0])"
    assert (await dialog.evaluate(red) < 100) is dark
    await page.evaluate("() => { document.documentElement.style.colorScheme = 'normal' }")
    assert await dialog.evaluate(red) > 200, "a site that says nothing is light"
