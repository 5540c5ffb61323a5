"""Strict pages: Content-Security-Policy, Trusted Types, and the worker in each of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, Worker, expect

from tests.browser.conftest import Profile, checked, opened, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
WATCH = """
  window.violations = [];
  addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Sessions that end by themselves: only they need a worker in front of their user."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=900) as stage:
        yield stage


async def worker_of(page: Page) -> Worker:
    """The one that keeps time, which comes soon after the server has named a deadline."""
    worker = page.workers[0] if page.workers else await page.wait_for_event("worker")
    assert page.workers == [worker]
    return worker


async def watched(profile: Profile, stage: Stage) -> Page:
    """A page that collects what its policy forbids."""
    context = await profile()
    await context.add_init_script(WATCH)
    page = await context.new_page()
    await page.goto(stage.url)
    await page.wait_for_function("() => window.sessionGuard?.getState().connected")
    return page


def strict(stage: Stage, **more: str) -> None:
    """The strictest page: its own copy of the client, nothing but its own origin, no script made of text."""
    port = stage.enforcer.port
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self' http://127.0.0.1:{port} ws://127.0.0.1:{port}",
        "img-src": "data:",
        "require-trusted-types-for": "'script'",
        "trusted-types": "session-guard",
        **more,
    }
    stage.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    stage.attributes["url"] = stage.enforcer.url
    stage.script = "/vendor/session-guard.js"


async def test_without_being_asked_there_is_no_worker_and_no_report(profile: Profile, stage: Stage) -> None:
    """The served script on a page whose `worker-src` is left to `default-src`, with a deadline, and hidden, too."""
    stage.headers["Content-Security-Policy"] = (
        f"default-src 'self'; img-src data:; script-src {stage.enforcer.url};"
        f" connect-src 'self' {stage.enforcer.url} {stage.enforcer.url.replace('http', 'ws')}"
    )
    page = await watched(profile, stage)
    assert (await checked(page))["phase"] == "active"
    await page.evaluate(
        """() => {
          Object.defineProperty(Document.prototype, "hidden", { get: () => true, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)
    assert await page.evaluate("() => violations") == []
    assert page.workers == []


async def test_under_default_src_self_with_trusted_types(profile: Profile, stage: Stage) -> None:
    """Socket, worker, notice and the language's texts work, and nothing is even tried that is forbidden."""
    strict(stage)
    stage.lang = "de_DE"
    stage.attributes["worker"] = "on"
    page = await watched(profile, stage)
    file = f"{stage.url}/vendor/session-guard-de.js"
    await page.wait_for_function("file => performance.getEntriesByName(file).length", arg=file)
    await worker_of(page)
    stage.login()
    notice = page.locator(NOTICE).get_by_role("alertdialog")
    await expect(notice).to_contain_text("Ihre Sitzung ist beendet")
    assert await notice.evaluate("e => getComputedStyle(e).borderTopWidth") == "5px"
    assert await page.evaluate("() => violations") == []
    assert len(await stage.told()) == 1


async def test_a_policy_that_forbids_the_worker_forbids_nothing_else(profile: Profile, stage: Stage) -> None:
    """The page's own timers do."""
    strict(stage, **{"worker-src": "'none'", "trusted-types": "'none'"})
    stage.attributes["worker"] = "on"
    page = await watched(profile, stage)
    assert (await checked(page))["phase"] == "active"
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)


async def test_of_another_origin_the_worker_is_a_blob(profile: Profile, stage: Stage) -> None:
    """As most pages have it: the script comes from the server, the page from elsewhere."""
    stage.attributes["worker"] = "on"
    page = await opened(profile, stage)
    assert (await worker_of(page)).url.startswith("blob:")


async def test_a_blob_that_is_forbidden_is_missed_by_nobody(profile: Profile, stage: Stage) -> None:
    """The error comes late and as an event."""
    stage.headers["Content-Security-Policy"] = f"worker-src 'self'; script-src {stage.enforcer.url} 'self'"
    stage.attributes["worker"] = "blob"
    page = await watched(profile, stage)
    assert (await checked(page))["phase"] == "active"
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)
