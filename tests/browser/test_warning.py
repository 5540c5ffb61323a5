"""The warning before the end: what it says, what its buttons do, and that everybody can use it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Profile, checked, opened, running_stage
from tests.browser.stage import Stage
from tests.browser.wire import Wire
from tests.running import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

Picture = Callable[..., Awaitable[None]]
WARNING = "session-guard-warning"
NOTICE = "session-guard-notice"
LANGUAGES = sorted(file.stem for file in (ROOT / "client-js" / "src" / "lang").glob("*.ts"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warning_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Pages are warned at once, and have a minute to answer."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=60, warn_before=60) as stage:
        yield stage


@pytest.fixture
def warned(warning_stage: Stage) -> Stage:
    """Alice has logged in, and every page warns her."""
    return warning_stage.anew()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def short_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Seven seconds without input, warned for the last three."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=7, warn_before=3) as stage:
        yield stage


@pytest.fixture
def short(short_stage: Stage) -> Stage:
    """Alice has logged in anew."""
    return short_stage.anew()


async def test_staying_moves_the_deadline_on_the_server(profile: Profile, short: Stage) -> None:
    """The warning comes in time, says how long there is, and goes with the server's yes, in every tab."""
    page = await opened(profile, short)
    other = await page.context.new_page()
    await other.goto(short.url)
    session = (await checked(page))["session"]
    warning = page.locator(WARNING)
    await expect(warning.get_by_role("alertdialog", name="Are you still there?")).to_be_visible()
    await expect(warning.locator("time")).to_contain_text("0:0")
    await expect(other.locator(WARNING)).to_have_count(1)
    before = short.enforcer.record(session)["last_active_at"]
    await warning.get_by_role("button", name="Stay logged in").click()
    for tab in (page, other):
        await expect(tab.locator(WARNING)).to_have_count(0)
    assert short.enforcer.record(session)["last_active_at"] > before
    assert (await checked(page))["phase"] == "active"


async def test_without_an_answer_it_ends(profile: Profile, short: Stage) -> None:
    """The warning gives way to the notice, once the server has ended the session, and the app is told."""
    page = await opened(profile, short)
    session = (await checked(page))["session"]
    await expect(page.locator(WARNING)).to_have_count(1)
    # a hand that brushes the mouse has not read it
    await page.mouse.move(10, 10)
    await page.mouse.move(200, 200)
    await expect(page.locator(NOTICE)).to_have_count(1, timeout=12_000)
    await expect(page.locator(WARNING)).to_have_count(0)
    await expect(page.locator(NOTICE)).to_contain_text("inactiv")
    assert short.enforcer.record(session)["end_reason"] == "idle"
    assert await short.told() == [{"session": session, "reason": "idle", "header": session}]


async def test_somebody_at_work_is_never_warned(profile: Profile, short: Stage) -> None:
    """Input moves the deadline; the other, resting tab of the same user is not warned either."""
    page = await opened(profile, short)
    resting = await page.context.new_page()
    await resting.goto(short.url)
    await page.bring_to_front()
    # From here on, however long the pages took: input does not answer a warning that is on the screen already.
    await page.evaluate("() => sessionGuard.extend()")
    await expect(page.locator(WARNING)).to_have_count(0)
    await page.evaluate("() => addEventListener('session-guard:warning', () => { window.warned = true }, true)")
    for _ in range(16):
        await page.keyboard.press("a")
        await page.wait_for_timeout(500)
    for tab in (page, resting):
        assert (await checked(tab))["phase"] == "active"
        await expect(tab.locator(WARNING)).to_have_count(0)
    assert await page.evaluate("() => window.warned") is None


async def test_logging_out_from_the_warning(profile: Profile, warned: Stage) -> None:
    """The server ends the session by the user's wish, and the page says goodbye."""
    page = await opened(profile, warned)
    session = (await checked(page))["session"]
    await page.locator(WARNING).get_by_role("button", name="Log out now").click()
    await expect(page.locator(NOTICE)).to_contain_text("logged out")
    assert warned.enforcer.record(session)["end_reason"] == "logout"
    assert [call["session"] for call in await warned.told()] == [session]


async def test_an_unreachable_server_is_said_and_nothing_is_pretended(profile: Profile, warned: Stage) -> None:
    """Staying fails aloud: the warning stays, with a sentence that says so."""
    page = await opened(profile, warned)
    stay = page.locator(WARNING).get_by_role("button", name="Stay logged in")
    await expect(stay).to_be_visible()
    await page.evaluate("() => { WebSocket.prototype.send = () => undefined }")
    await stay.click()
    await expect(page.locator(WARNING).locator("#note")).to_have_text("That did not work. Try again.")
    await expect(stay).not_to_have_attribute("aria-disabled", "true")


async def test_by_keyboard_alone(profile: Profile, warned: Stage) -> None:
    """Focus goes to "stay", stays inside, and comes back to where it was. Escape means stay."""
    page = await opened(profile, warned)
    focused = "() => document.querySelector('session-guard-warning')?.shadowRoot.activeElement?.id"
    await expect(page.locator(WARNING)).to_have_count(1)
    assert await page.evaluate(focused) == "stay"
    await page.keyboard.press("Tab")
    assert await page.evaluate(focused) == "leave"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate(focused) == "stay"
    for _ in range(6):  # Firefox goes through its own bars before it comes back
        await page.keyboard.press("Tab")
        assert await page.evaluate("() => document.activeElement.id") != "text"
    session = (await checked(page))["session"]
    before = warned.enforcer.record(session)["last_active_at"]
    await page.keyboard.press("Escape")
    await checked(page)
    after = warned.enforcer.record(session)["last_active_at"]
    assert after > before
    await expect(page.locator(WARNING).get_by_role("alertdialog")).to_be_visible()


async def test_extending_works_more_than_ten_times(profile: Profile, warned: Stage) -> None:
    """WCAG 2.2.1: at least ten times, by a simple action."""
    page = await opened(profile, warned)
    await expect(page.locator(WARNING)).to_have_count(1)
    ends = [(await checked(page))["idleEndsAt"]]
    for _ in range(11):
        await page.keyboard.press("Enter")
        await page.wait_for_function("before => sessionGuard.getState().idleEndsAt > before", arg=ends[-1])
        ends.append((await checked(page))["idleEndsAt"])
    assert len(ends) == 12


async def test_screen_readers_hear_it_now_and_then(profile: Profile, warned: Stage) -> None:
    """The seconds are only for the eye; the live region speaks of a minute, then of every 20 s."""
    page = await opened(profile, warned)
    warning = page.locator(WARNING)
    await expect(warning.locator("time")).to_have_attribute("aria-hidden", "true")
    spoken = warning.get_by_role("status")
    await expect(spoken).to_have_text("You will be logged out in 1 minute.")
    first = await warning.locator("time").text_content()
    await expect(warning.locator("time")).not_to_have_text(first or "")
    await expect(spoken).to_have_text("You will be logged out in 1 minute.")


async def test_it_speaks_the_language_of_the_page(profile: Profile, warned: Stage) -> None:
    """Eight languages, English among them; Arabic from right to left. Nothing is left in English."""
    page = await (await profile()).new_page()
    assert len(LANGUAGES) == 7
    for language in LANGUAGES:
        warned.lang = language
        await page.goto(warned.url)
        warning = page.locator(WARNING)
        await expect(warning).to_have_attribute("lang", language)
        await expect(warning).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
        text = await warning.get_by_role("alertdialog").inner_text()
        for english in ("Are you", "Stay", "Log out", "undefined"):
            assert english not in text, language


async def test_own_texts_and_own_looks(profile: Profile, warned: Stage) -> None:
    """Texts by option, colours by custom properties, everything else by parts."""
    warned.attributes = {"manual": ""}
    warned.more = (
        "<style>:root{--session-guard-accent:rgb(1,2,3)} session-guard-warning::part(stay){text-transform:uppercase}"
        " button{display:none!important}</style>"
    )
    page = await (await profile()).new_page()
    await page.goto(warned.url)
    await page.evaluate(
        """([url, ticket]) => {
            const messages = { stay: "Weiter", lang: "de" };
            SessionGuard.createSessionGuard({ url, ticket, messages }).start();
        }""",
        [warned.enforcer.url, warned.ticket],
    )
    stay = page.locator(WARNING).get_by_role("button", name="Weiter")
    await expect(stay).to_be_visible()
    assert await stay.evaluate("e => getComputedStyle(e).textTransform") == "uppercase"
    dialog = page.locator(WARNING).get_by_role("alertdialog")
    assert await dialog.evaluate("e => getComputedStyle(e).borderTopColor") == "rgb(1, 2, 3)"


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
    "rtl": {"color_scheme": "light"},
    "zoomed": {"viewport": {"width": 640, "height": 360}, "device_scale_factor": 2},
    "narrow": {"viewport": {"width": 320, "height": 256}},
}


EMULATED = {"dark": "(prefers-color-scheme: dark)", "forced": "(forced-colors: active)"}
"""What Chromium can be made to believe; Firefox's driver leaves it as it is."""


async def looking(profile: Profile, stage: Stage, look: str) -> Page:
    """A page in front of somebody who wants it to look like this."""
    stage.lang = "ar" if look == "rtl" else "en"
    stage.more = "<style>:root { color-scheme: light dark }</style>"
    page = await opened(profile, stage, **LOOKS[look])
    if look in EMULATED and not await page.evaluate("query => matchMedia(query).matches", EMULATED[look]):
        assert page.context.browser is not None
        assert page.context.browser.browser_type.name == "firefox"
        pytest.skip("Firefox's driver cannot emulate this; Chromium runs it")
    return page


async def fits(page: Page, host: str, look: str, name: str, picture: Picture) -> None:
    """No violation, nothing cut off."""
    dialog = page.locator(host).get_by_role("alertdialog")
    await expect(dialog).to_be_visible()
    await picture(page, f"{name}-{look}")
    if look != "forced":  # there the user's colours count, not ours
        assert await violations(page) == []
    box, room = await dialog.bounding_box(), page.viewport_size
    assert box is not None
    assert room is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= room["width"]
    assert await dialog.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert box["height"] <= room["height"]


@pytest.mark.parametrize("look", LOOKS)
async def test_the_dialogs_are_accessible_and_fit(profile: Profile, warned: Stage, picture: Picture, look: str) -> None:
    """At 200 % zoom (half the viewport) too, and at 320 px, which is 400 % (WCAG 1.4.10)."""
    page = await looking(profile, warned, look)
    await fits(page, WARNING, look, "warning", picture)
    warned.login(device={"label": "Firefox on Windows", "class": "desktop"})
    await fits(page, NOTICE, look, "notice", picture)


@pytest.mark.parametrize("look", LOOKS)
async def test_the_cover_is_accessible_and_fits(profile: Profile, stage: Stage, picture: Picture, look: str) -> None:
    """A page that came out of a cache, with the server away."""
    async with Wire(stage.enforcer.port) as wire:
        stage.attributes["url"] = wire.url
        page = await looking(profile, stage, look)
        wire.cut()
        await page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })) }")
        await expect(page.locator(f"{NOTICE} .blank")).to_have_count(0, timeout=20_000)
        await fits(page, NOTICE, look, "cover", picture)
