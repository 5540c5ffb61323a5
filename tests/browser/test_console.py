"""The console at `/admin`: an administrator at work, in every look, with names that mean harm."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import ARTEFACTS, Profile
from tests.running import EnforcerProcess, free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "0ps-" * 12
KEYS = [{"name": "ops", "key": KEY, "may": ["admin"]}]
HOOK = {"name": "app", "url": f"http://127.0.0.1:{free_port()}/", "secret": "whsec_" + "A" * 32, "allow_private": True}
HOOK["events"] = ["login.refused"]
"""Nobody listens there, and no login is refused."""
HOSTILE = ["<img src=x onerror=pwned()>", "\u202eecila\u202c", "👩" * 256, '"><script>pwned()</script>']
LOOKS: list[dict[str, Any]] = [
    {"color_scheme": "dark", "viewport": {"width": 1600, "height": 900}},
    {"forced_colors": "active", "viewport": {"width": 360, "height": 800}},
]
PAGES = ("sessions", "audit", "webhooks", "settings", "overview")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """With users of every kind."""
    directory = tmp_path_factory.mktemp("console") / "enforcer"
    with EnforcerProcess(directory, admin=True, keys=KEYS, max_sessions=3, webhooks=[HOOK]) as made:
        for name in HOSTILE:
            first = made.login(name, device={"label": name})
            made.login(name, device={"label": name}, max_sessions=1)
            made.login(name, device={"label": name}, impersonated_by=name)
            note = {"json": {"note": name}, "headers": {"Authorization": f"Bearer {first['ticket']}"}}
            assert httpx.post(f"{made.url}/session/report", **note).status_code == 204
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def page(profile: Profile, server: EnforcerProcess) -> AsyncIterator[Page]:
    """At the door."""
    async with opened(profile, server) as page:
        yield page


@asynccontextmanager
async def opened(profile: Profile, server: EnforcerProcess, **look: Any) -> AsyncIterator[Page]:
    """The console in a browser of its own; no error is left unhandled."""
    errors: list[str] = []
    page: Page = await (await profile(**look)).new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.add_init_script("window.pwned = () => { throw new Error('pwned') }")
    await page.goto(f"{server.url}/admin")
    yield page
    assert errors == []


async def log_in(page: Page, key: str = KEY) -> None:
    """By the form."""
    await page.get_by_label("Key").fill(key)
    await page.get_by_label("Key").press("Enter")


async def test_an_administrator_at_work(page: Page, server: EnforcerProcess) -> None:
    """A wrong key, the right one, what happens as it happens, a user, an end, the audit log, a link, and out."""
    await log_in(page, "wrong")
    await expect(page.get_by_role("alert")).to_have_text("That key is wrong.")
    assert await violations(page) == []
    await log_in(page)
    await expect(page.get_by_role("heading", level=1, name="Overview")).to_be_focused()
    await expect(page.get_by_text("Everything is well")).to_be_visible()
    assert await page.evaluate("() => document.cookie") == ""
    room = f"ann {id(page)}"
    server.login(room, device={"label": "Firefox on Linux"})
    await page.get_by_role("listitem").filter(has_text=room).get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(room)
    cards = page.locator(".session")
    await expect(cards).to_have_count(1)
    server.login(room, device={"label": "Safari on iPhone"})
    await expect(cards).to_have_count(2)
    await page.get_by_role("button", name="Ask").click()
    await expect(page.get_by_text("The login would be admitted.")).to_be_visible()
    await cards.filter(has_text="Firefox").get_by_role("button", name="End").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading")).to_have_text("End this session?")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await cards.filter(has_text="Firefox").get_by_role("button", name="End").click()
    await dialog.get_by_label("Reason").select_option("security")
    await dialog.get_by_role("button", name="End").click()
    await expect(page.get_by_text("One session has ended.")).to_be_visible()
    await expect(cards).to_have_count(1)
    await expect(page.locator(".timeline")).to_contain_text("Security")

    await page.get_by_role("link", name="Audit log").click()
    await page.get_by_label("User", exact=True).fill(room)
    await page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("administrator")
    await expect(rows.first).to_contain_text("ops")
    await page.get_by_role("link", name="Webhooks").click()
    await page.get_by_role("button", name="Test").click()
    await expect(page.get_by_text("The test was not taken")).to_be_visible()
    await page.go_back()
    await expect(rows).to_have_count(3)
    address = page.url
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    assert (await download.value).suggested_filename == "audit.csv"
    await page.reload()
    await expect(rows).to_have_count(3)
    server.login(room)
    await page.get_by_role("button", name="1 new row").click()
    await expect(rows).to_have_count(4)
    await page.get_by_role("button", name="Log out").click()
    await page.goto("about:blank")
    await page.goto(address)
    await log_in(page)
    await expect(rows).to_have_count(4)


async def test_names_that_mean_harm_are_names(page: Page, server: EnforcerProcess) -> None:
    """In every column, in the search, in the question before an end; what hides is shown as its number.

    Nor does the console do anything that its own policy has to stop.
    """
    blocked: list[str] = []
    await page.expose_function("blocked", lambda directive: blocked.append(directive))
    await page.evaluate("addEventListener('securitypolicyviolation', (event) => { blocked(event.effectiveDirective) })")
    await log_in(page)
    for name in HOSTILE:
        await page.get_by_label("User or session").fill(name)
        await page.get_by_role("button", name="Search").click()
        shown = name.replace("\u202e", "[U+202E]").replace("\u202c", "[U+202C]")
        await expect(page.get_by_role("heading", level=1)).to_have_text(shown)
        await page.get_by_role("button", name="End all").click()
        await expect(page.get_by_role("dialog")).to_contain_text(shown)
        await expect(page.locator("main")).to_contain_text(f"opened by {shown}")
        await page.get_by_role("button", name="Cancel").click()
        assert await page.locator("main img, main script").count() == 0
    # A label is cut at 128 characters.
    for link, columns in (("Sessions", (1, 2, 5)), ("Audit log", (2, 4, 5, 7))):
        await page.get_by_role("link", name=link).click()
        for name in HOSTILE:
            shown = name.replace("\u202e", "[U+202E]").replace("\u202c", "[U+202C]")
            rows = page.locator("tbody tr")
            for column in columns:
                cells = rows.locator(f"td:nth-child({column + 1})")
                await expect(cells.filter(has_text=shown[:100]).first).to_be_visible()
        assert await page.locator("main img, main script").count() == 0
        assert "\u202e" not in await page.locator("main").inner_text()
    await page.get_by_label("User or session").fill("nobody")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_text("No user and no session is called nobody.")).to_be_visible()
    assert blocked == []


@pytest.mark.parametrize("look", LOOKS, ids=["wide-dark", "phone-forced"])
async def test_each_page_in_each_look(
    profile: Profile, server: EnforcerProcess, look: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Everybody can use it, and nothing is wider than the window."""
    name = request.node.callspec.id
    async with opened(profile, server, **look) as page:
        await log_in(page)
        await expect(page.locator(".figure").first).to_be_visible()
        for path in PAGES:
            await page.evaluate("page => { location.hash = `#/${page}` }", path)
            await expect(page.locator(".figure, tbody tr, .session").first).to_be_visible()
            assert await violations(page) == [], path
            assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
            if "chromium" in name:  # in Firefox a picture takes a style of its own, which the page's policy forbids
                await page.screenshot(path=ARTEFACTS / f"console-{path}-{name}.png")
        await page.get_by_label("User or session").fill(HOSTILE[2])
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator(".session").first).to_be_visible()
        assert await violations(page) == []
        assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


async def test_an_outage_is_said_and_gone_through(page: Page, server: EnforcerProcess) -> None:
    """The server restarts: the page says so, comes back by itself, and is still logged in."""
    await log_in(page)
    state = page.locator(".state")
    await expect(state).to_have_text("Live")
    await expect(page.locator(".figure").first).to_be_visible()
    server.stop()
    await expect(state).to_have_text("Reconnecting…")
    await expect(page.get_by_text("Something is wrong")).to_be_visible()
    server.start()
    await expect(state).to_have_text("Live", timeout=20_000)
    await expect(page.get_by_text("Everything is well")).to_be_visible()
