"""The demo page, as its first visitor meets it."""

import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Profile
from tests.running import EnforcerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

Picture = Callable[..., Awaitable[None]]


async def log_in(page: Page) -> None:
    """With whatever name the form holds; returns when the session is live."""
    await page.get_by_role("button", name="Log in", exact=True).click()
    await live(page)


async def live(page: Page) -> None:
    """The window is logged in, with a socket."""
    await expect(page.get_by_text("Live session", exact=True)).to_be_visible()


async def window(context: BrowserContext, server: EnforcerProcess, name: str) -> Page:
    """A window of its own, with `name` in its form."""
    page = await context.new_page()
    await page.goto(f"{server.url}/demo")
    await page.get_by_label("Log in as").fill(name)
    return page


async def focused(locator: Locator) -> None:
    """What a keyboard or a screen reader is at, once this window is in front."""
    await expect(locator).to_be_visible()
    assert await locator.evaluate("element => element === document.activeElement")


def complaints(context: BrowserContext) -> list[str]:
    """Collects what the browser complains about: a breach of the content security policy is a console error."""
    found: list[str] = []
    context.on("console", lambda m: found.append(m.text) if m.type in ("error", "warning") else None)
    context.on("weberror", lambda e: found.append(str(e.error)))
    return found


async def test_two_windows(profile: Profile, demo: EnforcerProcess, picture: Picture) -> None:
    """Log in, open a second window, log in there: the first one leaves and says why. Nothing is complained about."""
    context = await profile()
    found = complaints(context)
    first = await context.new_page()
    await first.goto(f"{demo.url}/demo")
    name = await first.get_by_label("Log in as").input_value()
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d\d", name)
    colour = await first.locator("#window-name").inner_text()
    await log_in(first)
    await focused(first.get_by_role("heading", name=f"You are logged in as {name}"))

    async with context.expect_page() as opened:
        await first.get_by_role("link", name="Open a second window").click()
    second = await opened.value
    await expect(second.get_by_label("Log in as")).to_have_value(name)
    await expect(second.locator("#out-lead")).to_contain_text(f"The {colour} is logged in as")
    await log_in(second)

    await focused(first.get_by_role("heading", name="You were logged out"))
    other = await second.locator("#window-name").inner_text()
    assert other != colour
    await expect(first.get_by_role("alert").filter(visible=True)).to_contain_text(f"The {other} has just logged in as")
    await expect(first.locator("#ended-facts")).to_contain_text(re.compile(rf"{other} · .*Told in\d+ ms"))
    for page in (first, second):
        rows = page.get_by_role("listitem")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(0)).to_contain_text(re.compile(rf"{other}.*live"))
        await expect(rows.nth(1)).to_contain_text(
            re.compile(rf"{colour}.*ended.*displaced by {other} · told in \d+ ms")
        )
        await expect(page.locator("#count")).to_have_text("1 live")
    await live(second)
    assert found == []  # before the pictures: taking one puts a style into the page
    await picture(first, "demo-first")
    await picture(second, "demo-second")

    await first.get_by_role("button", name="Log in again here").click()
    await live(first)
    await expect(second.get_by_role("heading", name="You were logged out")).to_be_visible()


async def test_a_reload_keeps_the_login(profile: Profile, demo: EnforcerProcess) -> None:
    """And does not count as another login; a new tab is another window."""
    context, name = await profile(), f"reloader-{secrets.token_hex(3)}"  # the list also shows who was here lately
    page = await window(context, demo, name)
    await log_in(page)
    await page.reload()
    await live(page)
    assert len(demo.call("GET", f"/v1/users/demo:{name}/sessions").json()["sessions"]) == 1
    tab = await window(context, demo, name)
    await expect(tab.get_by_role("listitem")).to_have_count(1)
    await live(page)


async def test_logging_out(profile: Profile, tmp_path: Path) -> None:
    """Here, and everywhere: the other window says where it came from."""
    with EnforcerProcess(tmp_path, demo=True, max_sessions=2) as server:
        context = await profile()
        first, second = await window(context, server, "ann"), await window(context, server, "ann")
        await log_in(first)
        await log_in(second)
        await live(first)
        await expect(first.locator("#in-lead")).to_contain_text("2 live sessions")
        await second.get_by_role("button", name="Log out everywhere").click()
        for page in (first, second):
            await expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
        await expect(first.get_by_role("alert").filter(visible=True)).to_contain_text("logged out everywhere")
        await first.get_by_role("button", name="Another name").click()
        await focused(first.get_by_label("Log in as"))


async def test_a_server_that_keeps_the_first_login(profile: Profile, tmp_path: Path) -> None:
    """Policy `reject`: the second window is turned away, and told why."""
    with EnforcerProcess(tmp_path, demo=True, policy="reject") as server:
        context = await profile()
        first, second = await window(context, server, "ann"), await window(context, server, "ann")
        await log_in(first)
        await second.get_by_role("button", name="Log in", exact=True).click()
        await expect(second.get_by_role("alert").filter(visible=True)).to_contain_text("keeps the first login")
        await live(first)


async def fits(page: Page) -> None:
    """Everybody can use it, on a phone and on a desktop."""
    assert await violations(page) == []
    for width in (360, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth") is True


async def pictures(page: Page, picture: Picture, name: str) -> None:
    """Of both widths. Taking one puts a style into the page, which its policy refuses."""
    for width in (360, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await picture(page, f"demo-{name}-{width}")


async def test_a_phone_and_a_desktop_and_the_list_of_devices(
    profile: Profile, demo: EnforcerProcess, picture: Picture
) -> None:
    """The rule that the first window has chosen holds for the second; either ends the other from the list."""
    context, name = await profile(reduced_motion="reduce"), f"mover-{secrets.token_hex(3)}"
    found = complaints(context)
    desktop = await window(context, demo, name)
    await expect(desktop.get_by_role("radio", name="One", exact=True)).to_be_checked()
    await desktop.get_by_label("Phone + desktop").check()
    await fits(desktop)
    await log_in(desktop)
    async with context.expect_page() as opened:
        await desktop.get_by_role("link", name="Open a second window").click()
    phone = await opened.value
    await expect(phone.get_by_label("Phone + desktop")).to_be_checked()
    await expect(phone.get_by_label("Phone + desktop")).to_be_disabled()
    await expect(phone.get_by_label("A phone")).to_be_checked()
    await log_in(phone)
    await live(desktop)
    await expect(phone.locator("#count")).to_have_text("2 live")
    await phone.get_by_text("Your devices").click()
    rows = phone.locator("session-guard-devices").get_by_role("listitem")
    await expect(rows).to_have_count(2)
    other = await desktop.locator("#window-name").inner_text()
    await fits(phone)
    await phone.get_by_role("button", name=f"Log out: {other}").click()
    await expect(desktop.get_by_role("alert").filter(visible=True)).to_contain_text("logged this window out from the")
    await expect(rows).to_have_count(1)
    await live(phone)
    assert found == []
    await pictures(phone, picture, "devices")


async def test_the_newcomer_is_asked(profile: Profile, demo: EnforcerProcess, picture: Picture) -> None:
    """At the limit of one: cancel, or choose, and the chosen window leaves."""
    context, name = await profile(reduced_motion="reduce"), f"asker-{secrets.token_hex(3)}"
    first, second = await window(context, demo, name), await window(context, demo, name)
    await first.get_by_label("Ask me").check()
    await pictures(first, picture, "switch")
    await log_in(first)
    reached = second.get_by_role("heading", name="The limit is reached")
    await second.get_by_role("button", name="Log in", exact=True).click()
    await focused(reached)
    await fits(second)
    await pictures(second, picture, "choose")
    await second.get_by_role("button", name="Log out there and go on").click()  # nothing is chosen yet
    await expect(reached).to_be_visible()
    await second.get_by_role("button", name="Cancel").click()
    await live(first)
    await second.get_by_role("button", name="Log in", exact=True).click()
    await second.locator("session-guard-choose").get_by_role("radio").check()
    await second.get_by_role("button", name="Log out there and go on").click()
    await live(second)
    await expect(first.get_by_role("alert").filter(visible=True)).to_contain_text("chose to log this window out")


async def test_with_open_joins(profile: Profile, tmp_path: Path) -> None:
    """The demo has tickets of its own, so it works in both settings of `join`."""
    with EnforcerProcess(tmp_path, demo=True, join="open") as server:
        context = await profile()
        first, second = await window(context, server, "ann"), await window(context, server, "ann")
        await log_in(first)
        await log_in(second)
        await expect(first.get_by_role("heading", name="You were logged out")).to_be_visible()
        await live(second)


async def test_a_name_is_only_text(profile: Profile, demo: EnforcerProcess) -> None:
    """Whatever it looks like."""
    context = await profile()
    found = complaints(context)
    name = "<img src=x onerror=alert(1)>&room=*"
    page = await window(context, demo, name)
    await log_in(page)
    await expect(page.get_by_role("heading", name=f"You are logged in as {name}")).to_be_visible()
    await expect(page.get_by_role("heading", name=f"Sessions of {name}")).to_be_visible()
    assert found == []


async def test_the_operators_redirects_do_not_count_here(profile: Profile, tmp_path: Path) -> None:
    """The page stays, and shows why."""
    with EnforcerProcess(tmp_path, demo=True, redirects={"direct": "/login"}) as server:
        context = await profile()
        first, second = await window(context, server, "ann"), await window(context, server, "ann")
        await log_in(first)
        await log_in(second)
        await expect(first.get_by_role("heading", name="You were logged out")).to_be_visible()
        assert first.url == f"{server.url}/demo"


CONTRAST = """element => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((c) => {
      const part = c / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const border = luminance(getComputedStyle(element).borderTopColor);
  const card = luminance(getComputedStyle(element.closest(".window")).backgroundColor);
  return (Math.max(border, card) + 0.05) / (Math.min(border, card) + 0.05);
}"""
"""Of a button's border on its card (WCAG 2.2, 1.4.11)."""

LINES = """() => {
  const tops = new Map();
  for (const element of document.querySelectorAll(".pane:not([hidden]) .actions > *")) {
    const top = Math.round(element.getBoundingClientRect().top / 8);
    tops.set(top, (tops.get(top) ?? 0) + 1);
  }
  return [...tops.values()];
}"""
"""How many of the actions stand on each line."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1600])
async def test_how_it_looks(
    profile: Profile, demo: EnforcerProcess, picture: Picture, width: int, scheme: Literal["light", "dark"]
) -> None:
    """Nothing is clipped, no button is left alone below others, and secondary buttons can be seen."""
    context = await profile(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await window(context, demo, f"looker-{secrets.token_hex(3)}")
    await log_in(page)
    clipped = "() => [...document.querySelectorAll('pre')].some((pre) => pre.scrollWidth > pre.clientWidth)"
    assert await page.evaluate(clipped) is False
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth") is True
    assert await page.evaluate(LINES) in ([3], [1, 2])
    await page.mouse.move(0, 0)
    for name in ("Log out", "Log out everywhere"):
        button = page.get_by_role("button", name=name, exact=True)
        await expect(button).to_be_visible()
        assert await button.evaluate(CONTRAST) >= 3
    await picture(page, f"demo-{width}-{scheme}")
