"""Real browsers, and a real application that uses Enforcer."""

import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.devtools import CHROMIUM_FLAGS
from tests.browser.stage import Stage
from tests.running import ROOT, EnforcerProcess, free_port, require_command, running_program

ARTEFACTS = ROOT / "test-artefacts" / "browser"
PATIENCE = 10_000
"""Milliseconds that a test waits for what must come."""


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["chromium", "firefox"])
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """One browser process for all tests; each test makes its own profiles in it."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        if request.param == "chromium":
            path = require_command("chromium")
            browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        else:
            path = require_command("firefox-esr")
            browser = await playwright.firefox.launch(channel="moz-firefox", executable_path=path)
        yield browser
        await browser.close()


Profile = Callable[..., Awaitable[BrowserContext]]


@pytest_asyncio.fixture(loop_scope="session")
async def profile(browser: Browser) -> AsyncIterator[Profile]:
    """Makes browsers that share nothing with each other: storage, cookies, channels between tabs."""
    made = []

    async def new(**options: Any) -> BrowserContext:
        context = await browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(PATIENCE)
        made.append(context)
        return context

    yield new
    for context in made:
        await context.close()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[..., Awaitable[None]]:
    """Keeps a screenshot for whoever wants to see what the test saw."""

    async def take(page: Page, name: str) -> None:
        browser = request.node.callspec.params["browser"]
        await page.screenshot(path=ARTEFACTS / f"{name}-{browser}.png")

    return take


@dataclass
class Site:
    """The Flask example beside its Enforcer."""

    url: str
    enforcer: EnforcerProcess
    secret_key: str = ""
    """What the site signs its cookies with."""
    rooms: dict[str, str] = field(default_factory=dict)
    """Of users whose room is not their name."""

    async def login(self, page: Page, user: str = "alice") -> str:
        """As a human would, by the form. Returns the session's id once the page is connected."""
        await self.ask_to_log_in(page, user)
        await page.wait_for_url(f"{self.url}/")
        return await connected(page)

    async def ask_to_log_in(self, page: Page, user: str = "alice") -> None:
        """The same, whatever the site says to it."""
        await page.goto(f"{self.url}/login")
        await page.get_by_label("User name").fill(user)
        await page.get_by_label("Password").fill(f"{user}-demo")
        await page.get_by_role("button", name="Log in").click()

    def visit(self, **cookies: str) -> httpx.Client:
        """A visitor without a browser."""
        return httpx.Client(base_url=self.url, cookies=cookies, timeout=10)

    def form(self, user: str = "alice") -> dict[str, str]:
        """What the login form sends."""
        return {"user": user, "password": f"{user}-demo"}


async def connected(page: Page) -> str:
    """Waits until the page's guard has its socket; the session's id."""
    await page.wait_for_function("() => window.sessionGuard?.getState().connected")
    session: str = await page.evaluate("() => sessionGuard.getState().session")
    return session


OVER = "document.addEventListener('session-guard:expired', () => { window.over = true })"
"""Marks a page that has done with its end but for leaving: the app's logout has been called, by whichever tab."""


async def checked(page: Page) -> dict[str, Any]:
    """The barrier: the answer to `check` comes by the same socket, so after everything that was sent before it."""
    state: dict[str, Any] = await page.evaluate("() => sessionGuard.check()")
    return state


@contextmanager
def running_site(directory: Path, ask: bool = False, **settings: Any) -> Iterator[Site]:
    """The Flask example and its Enforcer, each in a process of its own. With `ask` newcomers choose at the limit."""
    with ExitStack() as stack:
        enforcer = stack.enter_context(EnforcerProcess(directory / "enforcer", **settings))
        url = f"http://127.0.0.1:{free_port()}"
        secret_key = secrets.token_hex()
        own = {"ENFORCER_URL": enforcer.url, "ENFORCER_AUTHKEY": enforcer.authkey, "SECRET_KEY": secret_key}
        if ask:
            own["ASK_AT_THE_LIMIT"] = "1"
        port = url.rpartition(":")[2]
        flask = [sys.executable, "-m", "flask", "--app", "examples/flask/app.py", "run", "--port", port]
        stack.enter_context(running_program(flask, directory / "flask.log", f"{url}/login", **own))
        yield Site(url, enforcer, secret_key)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The Flask example, shared by tests that each log in anew."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A plain site beside an Enforcer without time-outs."""
    async with running_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage) -> Stage:
    """The plain site, as it was at the beginning, with alice logged in anew."""
    return shared_stage.anew()


@asynccontextmanager
async def running_stage(directory: Path, address: str = "127.0.0.1", **settings: Any) -> AsyncIterator[Stage]:
    """A plain site at this address on the tests' own loop, and its Enforcer in a process of its own."""
    with EnforcerProcess(directory / "enforcer", **settings) as enforcer:
        stage = Stage(enforcer)
        runner = web.AppRunner(stage.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        listener = web.TCPSite(runner, address, 0)
        await listener.start()
        stage.url = f"http://{address}:{runner.addresses[0][1]}"
        yield stage
        await runner.cleanup()


async def opened(profile: Profile, stage: Stage, path: str = "/", **options: Any) -> Page:
    """A page of the stage in a browser of its own, connected."""
    page = await (await profile(**options)).new_page()
    await page.goto(stage.url + path)
    await connected(page)
    return page


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small apps of client-js/test/apps, bundled."""
    node = require_command("node")
    directory = tmp_path_factory.mktemp("apps")
    subprocess.run([node, "scripts/apps.mjs", str(directory)], cwd=ROOT / "client-js", check=True)
    return directory


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with the demo switched on."""
    with EnforcerProcess(tmp_path_factory.mktemp("demo"), demo=True) as server:
        yield server
