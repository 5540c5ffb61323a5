"""Pages that swap their body instead of loading another page: Turbo, htmx, and what sites write themselves.

A guard lives as long as its line is in the page.
"""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, connected, opened
from tests.browser.stage import SIGN_OUT, Stage
from tests.running import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
MODULES = ROOT / "client-js" / "node_modules"
OWN = """<script>
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { action } = event.target;
  const response = await fetch(action, { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  document.body.replaceWith(page.body);
  for (const old of document.body.querySelectorAll("script")) {
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) script.setAttribute(name, value);
    old.replaceWith(script);
  }
});
</script>"""
WAYS = {
    "turbo, in the head": ("@hotwired/turbo/dist/turbo.es2017-umd.js", False),
    "turbo, in the body": ("@hotwired/turbo/dist/turbo.es2017-umd.js", True),
    "htmx": ("htmx.org/dist/htmx.min.js", True),
    "its own": ("", True),
}
MARK = "() => { window.mark = true }"


async def signed_in(page: Page, stage: Stage) -> str:
    """By the form, without a page load."""
    await page.get_by_label("Name").fill("alice")
    await page.get_by_label("Password").fill("secret")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Private")).to_be_visible()
    await page.wait_for_function(
        "() => window.sessionGuard?.getState().connected && sessionGuard.getState().phase === 'active'"
    )
    session: str = await page.evaluate("() => sessionGuard.getState().session")
    assert session == stage.session
    return session


def swapping(stage: Stage, way: str) -> None:
    """Every form of the site swaps the body."""
    library, stage.line_in_body = WAYS[way]
    stage.built = (MODULES / library).parent
    stage.more = f'<script src="/built/{library.rpartition("/")[2]}" defer></script>' if library else OWN
    stage.body = SIGN_OUT


@pytest.mark.parametrize("way", WAYS)
async def test_log_in_log_out_log_in(profile: Profile, stage: Stage, way: str) -> None:
    """The ordinary log-out leaves the log-in form alone, and the next session is guarded like the first."""
    swapping(stage, way)
    page = await (await profile()).new_page()
    await page.goto(f"{stage.url}/sign-in")
    await page.evaluate(MARK)
    first = await signed_in(page, stage)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Password")).to_be_visible()
    assert stage.enforcer.record(first)["end_reason"] == "logout"
    second = await signed_in(page, stage)
    assert second != first
    assert await page.evaluate("() => window.mark"), "all of that was one page"
    await expect(page.locator(NOTICE)).to_have_count(0)
    stage.login(device={"label": "Phone"})
    await expect(page.locator(NOTICE)).to_contain_text("Phone")


async def test_a_line_that_outlives_its_page_gives_way_to_the_log_in_form(profile: Profile, stage: Stage) -> None:
    """In the head nothing takes it out: it covers no form that has taken the place of its page.

    The page behind the next log-in is loaded, because only that brings its line.
    """
    page = await opened(profile, stage)
    await page.evaluate(MARK)
    stage.enforcer.call("DELETE", f"/v1/sessions/{stage.session}")
    await expect(page.locator(NOTICE)).to_have_count(1)
    await page.evaluate(
        "() => { document.body.innerHTML = '<form><label>Password <input type=password></label></form>' }"
    )
    await expect(page.locator(NOTICE)).to_have_count(0)
    await page.get_by_label("Password").fill("secret")
    stage.login()
    await page.evaluate("() => { document.body.innerHTML = '<h1>Welcome back</h1>' }")
    await page.wait_for_function("() => !window.mark && window.sessionGuard?.getState().connected")
    assert await connected(page) == stage.session


async def test_a_page_behind_the_log_in_stays_covered(profile: Profile, stage: Stage) -> None:
    """A field for a password alone is no log-in form: not one that was there before, nor two of them."""
    stage.body = "<label>Password <input type=password></label>"
    page = await opened(profile, stage)
    stage.enforcer.call("DELETE", f"/v1/sessions/{stage.session}")
    notice = page.locator(NOTICE)
    await expect(notice).to_have_count(1)
    await page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('input'), {type: 'password'}))"
    )
    await page.evaluate("() => { document.body.innerHTML = '<input type=password><input type=password>' }")
    await page.evaluate("() => { document.body.innerHTML = '<p>Private, out of a cache</p>' }")
    await expect(notice.get_by_role("alertdialog")).to_be_visible()


async def test_the_line_goes_and_the_guard_with_it(profile: Profile, stage: Stage) -> None:
    """Quietly: the session lives on, nobody is told anything."""
    stage.line_in_body = True
    page = await opened(profile, stage)
    await page.evaluate("() => { document.body.innerHTML = '<p>Public</p>' }")
    await page.wait_for_function("() => sessionGuard.getState().phase === 'stopped'")
    assert stage.enforcer.record(stage.session)["active"]
    stage.login()
    await page.wait_for_timeout(300)
    await expect(page.locator(NOTICE)).to_have_count(0)
    assert stage.logouts == []


async def test_a_moved_line_goes_on(profile: Profile, stage: Stage) -> None:
    """And the same line twice is one guard."""
    page = await opened(profile, stage)
    told = []
    page.on("console", lambda message: told.append(message.text))
    await page.evaluate("() => { window.was = sessionGuard; document.body.append(document.querySelector('script')) }")
    await page.evaluate(
        """() => new Promise((resolve) => {
          const line = document.querySelector("script");
          const again = document.createElement("script");
          for (const { name, value } of line.attributes) again.setAttribute(name, value);
          again.onload = resolve;
          document.body.append(again);
        })"""
    )
    assert await page.evaluate("() => was === sessionGuard && sessionGuard.getState().connected")
    assert any("twice" in text for text in told)


async def test_whoever_is_covered_stays_covered_while_the_next_line_is_on_its_way(
    profile: Profile, stage: Stage
) -> None:
    """A cached copy of the ended page is swapped in, with its line: nothing of it is seen before that has run."""
    stage.line_in_body = True
    page = await opened(profile, stage)
    stage.login()
    notice = page.locator(NOTICE).get_by_role("alertdialog")
    await expect(notice).to_be_visible()
    gone = await page.evaluate(
        """() => new Promise((resolve) => {
          const line = document.querySelector("script");
          const next = document.createElement("script");
          for (const { name, value } of line.attributes) next.setAttribute(name, value);
          let seen = 0;
          const watch = () => { seen += !document.querySelector("session-guard-notice"); if (!over) setTimeout(watch) };
          let over = false;
          next.onload = () => setTimeout(() => { over = true; resolve(seen) }, 200);
          document.body.innerHTML = "<p>Private, out of a cache</p>";
          document.body.append(next);
          watch();
        })"""
    )
    assert gone == 0
    await expect(notice).to_be_visible()
