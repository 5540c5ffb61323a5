"""React and the custom element, in real browsers."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"


async def app_page(profile: Profile, stage: Stage, apps: Path, name: str) -> Page:
    """An empty page with one of the apps; the script line of the stage does not start."""
    stage.attributes = {"manual": ""}
    page = await (await profile()).new_page()
    await page.add_init_script(COUNTED)
    await page.goto(stage.url)
    await page.evaluate(
        "([url, ticket]) => { Object.assign(document.body.dataset, { url, ticket }) }",
        [stage.enforcer.url, stage.ticket],
    )
    await page.add_script_tag(content=(apps / f"{name}.js").read_text(), type="module")
    return page


COUNTED = """
  window.sockets = 0;
  window.WebSocket = class extends WebSocket { constructor(...args) { super(...args); sockets++; } };
"""


async def test_react_in_strict_mode(profile: Profile, stage: Stage, apps: Path) -> None:
    """Mounted twice and connected once; unmounted it stops quietly; mounted again it guards, and ends."""
    page = await app_page(profile, stage, apps, "react")
    phase = page.locator("#phase")
    await expect(phase).to_have_text("active")
    session = stage.enforcer.call("GET", "/v1/users/alice/sessions").json()["sessions"][0]
    assert session["online"]
    assert await page.evaluate("() => sockets") == 1
    await page.locator("#toggle").click()
    await expect(phase).to_have_count(0)
    await page.locator("#toggle").click()
    await expect(phase).to_have_text("active")
    assert await page.evaluate("() => sockets") == 2
    assert stage.enforcer.record(session["session"])["active"]
    stage.login()
    await expect(phase).to_have_text("expired")
    await expect(page.locator(NOTICE)).to_have_count(1)


async def test_the_element(profile: Profile, stage: Stage, apps: Path) -> None:
    """Guards while it is in the document, goes on when it is moved, and starts anew with another ticket."""
    page = await app_page(profile, stage, apps, "element")
    await page.evaluate(
        """() => {
          const element = document.createElement("session-guard");
          element.setAttribute("url", document.body.dataset.url);
          element.setAttribute("ticket", document.body.dataset.ticket);
          element.setAttribute("logout-url", "/logout");
          document.body.append(element);
        }"""
    )
    phase = "phase => document.querySelector('session-guard').guard?.getState().phase === phase"
    await page.wait_for_function(phase, arg="active")
    await page.evaluate("() => document.body.prepend(document.querySelector('session-guard'))")
    await page.wait_for_function(phase, arg="active")
    assert await page.evaluate("() => sockets") == 1
    stage.login()
    await expect(page.locator(NOTICE)).to_have_count(1)
    assert len(await stage.told()) == 1
    await page.evaluate(
        "ticket => document.querySelector('session-guard').setAttribute('ticket', ticket)", stage.ticket
    )
    await page.wait_for_function(phase, arg="active")
    await expect(page.locator(NOTICE)).to_have_count(0)
    await page.evaluate("() => { window.gone = document.querySelector('session-guard'); gone.remove() }")
    await page.wait_for_function("() => gone.guard === null")
