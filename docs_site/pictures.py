"""Takes the pictures of the console, the demo and the elements from the real thing: servers with people on them.

python -m docs_site.pictures
"""

import asyncio
import base64
import random
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import socketio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.running import ROOT, EnforcerProcess

IMAGES = ROOT / "docs/images"
LIVELY = 60
"""Seconds of logins before the console is looked at: its lines begin when it is opened."""
MARGIN = 6
"""Pixels of the page around an element."""
NAMES = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"),
    *("judy", "mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor"),
)
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 "
    "Edg/142.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
REASONS = ("logout", "logout", "logout", "password_changed", "security")
BESIDE = """<body style="margin:0;background:#e8ecf1;display:flex;gap:24px;padding:30px 28px;height:760px">
<style>img {{ border-radius: 12px; box-shadow: 0 6px 24px #0002; width: 620px; height: 760px }}</style>
<img src="data:image/png;base64,{}"><img src="data:image/png;base64,{}">"""


async def people(server: EnforcerProcess, key: str) -> None:
    """Logs people in and out, each with a page, until it is cancelled."""
    pages: dict[str, socketio.AsyncClient] = {}
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20) as http:
        try:
            while True:
                name = random.choice(NAMES)
                if name in pages and random.random() < 0.25:
                    reason = random.choice(REASONS)
                    await http.delete(f"/v1/users/{name}/sessions", params={"reason": reason})
                    await pages.pop(name).disconnect()
                else:
                    login = await http.post(
                        "/notify", json={"room": name, "device": {"user_agent": random.choice(AGENTS)}}
                    )
                    old, pages[name] = pages.get(name), await page_of(server.url, login.json()["ticket"])
                    if old is not None:
                        await old.disconnect()
                await asyncio.sleep(random.expovariate(2.5))
        finally:
            for page in pages.values():
                await page.disconnect()


async def page_of(url: str, ticket: str) -> socketio.AsyncClient:
    """A page that joins, and acknowledges its end."""
    client = socketio.AsyncClient(reconnection=False)
    client.on("force-logout", lambda _: True)
    await client.connect(url, auth={"ticket": ticket}, transports=["websocket"])
    return client


async def console(browser: Browser, directory: Path) -> None:
    """The overview of a server with people on it."""
    ops, shop = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    keys: list[dict[str, Any]] = [
        {"name": "jo", "key": ops, "may": ["admin"]},
        {"name": "shop", "key": shop, "may": ["login", "end"]},
    ]
    with EnforcerProcess(directory, admin=True, keys=keys) as server:
        life = asyncio.create_task(people(server, shop))
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        await page.goto(f"{server.url}/admin")
        await page.get_by_label("Key").fill(ops)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_text("Everything is well")).to_be_visible()
        await asyncio.wait([life], timeout=LIVELY)
        if life.done():
            life.result()
        await page.screenshot(path=IMAGES / "console.png")
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


async def demo(browser: Browser, directory: Path) -> None:
    """Two windows of one user: the first has just been logged out."""
    with EnforcerProcess(directory, demo=True) as server:
        context = await browser.new_context(viewport={"width": 620, "height": 760}, locale="en-US")
        windows = [await context.new_page(), await context.new_page()]
        for window in windows:
            await window.goto(f"{server.url}/demo")
            await window.get_by_label("Log in as").fill("alice")
            await window.get_by_role("button", name="Log in", exact=True).click()
            await expect(window.get_by_text("Live session", exact=True)).to_be_visible()
        await expect(windows[0].get_by_text("You were logged out")).to_be_visible()
        taken = [await _picture(window) for window in windows]
        both = await browser.new_page(viewport={"width": 1320, "height": 820})
        await both.set_content(BESIDE.format(*taken))
        await both.screenshot(path=IMAGES / "demo.png")


async def elements(browser: Browser, directory: Path) -> None:
    """The list of devices, and the choice at the limit, as the demo has them; at the breadth of its page on a phone."""
    with EnforcerProcess(directory, demo=True) as server:
        context = await browser.new_context(
            viewport={"width": 680, "height": 760}, locale="en-US", device_scale_factor=2
        )
        rules = {"devices": "Two", "choose": "Ask me"}
        for image, rule in rules.items():
            name = f"{image}-{secrets.token_hex(2)}"
            first, second = await context.new_page(), await context.new_page()
            for window in (first, second):
                await window.goto(f"{server.url}/demo")
                await window.get_by_label("Log in as").fill(name)
                if window is first:
                    await window.get_by_label(rule).check()
                await window.get_by_role("button", name="Log in", exact=True).click()
                if window is first or image == "devices":
                    await expect(window.get_by_text("Live session", exact=True)).to_be_visible()
            if image == "devices":
                await second.get_by_text("Your devices").click()
                shown = second.locator("session-guard-devices")
                await expect(shown.get_by_role("listitem")).to_have_count(2)
            else:
                shown = second.locator("session-guard-choose")
                await shown.get_by_role("radio").check()
            await second.bring_to_front()
            await second.evaluate("scrollTo(0, 0)")
            box = await shown.bounding_box()
            assert box is not None
            clip: Any = {
                **{"x": box["x"] - MARGIN, "y": box["y"] - MARGIN},
                **{side: box[side] + 2 * MARGIN for side in ("width", "height")},
            }
            await second.screenshot(path=IMAGES / f"{image}.png", animations="disabled", full_page=True, clip=clip)


async def _picture(page: Page) -> str:
    await page.bring_to_front()
    return base64.b64encode(await page.screenshot(animations="disabled")).decode()


async def main() -> None:
    """Takes them."""
    path = shutil.which("chromium")
    if path is None:
        sys.exit("chromium is needed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as scratch:
            await elements(browser, Path(scratch, "elements"))
            await demo(browser, Path(scratch, "demo"))
            await console(browser, Path(scratch, "console"))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
