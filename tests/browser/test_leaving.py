"""Leaving the page is a wish: what the page looks like when it is still there, and what is never sent again."""

import asyncio

import pytest
from playwright.async_api import Dialog, Page, expect

from tests.browser.conftest import Profile, connected, opened, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
DRAFT = "() => addEventListener('beforeunload', (event) => { event.preventDefault(); event.returnValue = 'draft' })"
USABLE = """() => {
  const { x, y, width, height } = document.querySelector("#text").getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2)?.id === "text";
}"""
"""Whether a click on the page's field would arrive there."""


async def drafting(profile: Profile, stage: Stage) -> tuple[Page, list[str]]:
    """A page that asks before it is left, whose user always stays; the questions."""
    page = await opened(profile, stage)
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.evaluate(DRAFT)
    await page.locator("input#text").click()  # browsers ask only on pages that somebody has used
    await page.keyboard.type("half a sentence")
    return page, asked


TOLD = """() => {
  const dialog = document.querySelector("session-guard-notice")?.shadowRoot.querySelector("dialog");
  return dialog && dialog.open && getComputedStyle(dialog).opacity === "1" && dialog.textContent;
}"""
"""What the notice says, once it says anything. Not by locators: those wait for a navigation that never ends."""


async def until(page: Page, expression: str, what: str = "") -> None:
    """Asks the page until its answer is true, or contains `what`."""
    async with asyncio.timeout(10):
        while what not in str(answer := await page.evaluate(expression)) or not answer:
            await page.wait_for_timeout(20)


async def covered(page: Page, why: str) -> None:
    """The notice says why, and nothing behind it can be used."""
    await until(page, TOLD, why)
    assert not await page.evaluate(USABLE)
    await page.keyboard.type("x")
    assert "x" not in await page.evaluate("() => document.querySelector('input').value")


WAYS = {
    "redirect": {"redirect": "/login"},
    "redirect alone": {"redirect": "/login", "logout-url": ""},
    "silent redirect": {"redirect": "/login", "notice": "off"},
    "log-out by GET": {"logout-url": "/login", "logout-method": "GET"},
}


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_stays_with_a_draft_sees_why_the_page_is_covered(
    profile: Profile, stage: Stage, way: str
) -> None:
    """The browser asks, the user stays: the page has not been left, and cannot be used."""
    stage.attributes |= WAYS[way]
    page, asked = await drafting(profile, stage)
    stage.login(device={"label": "Phone"})
    async with asyncio.timeout(10):
        while not asked:
            await page.wait_for_timeout(20)
    await covered(page, "Phone")
    assert page.url == f"{stage.url}/"
    assert await page.locator("input#text").input_value() == "half a sentence"


async def test_whoever_logs_out_and_stays_is_covered_too(profile: Profile, stage: Stage) -> None:
    """The own log-out leaves silently; it is not silent about having failed."""
    stage.attributes["redirect"] = "/login"
    page, asked = await drafting(profile, stage)
    await page.evaluate("() => { sessionGuard.logout() }")
    await covered(page, "You have logged out.")
    assert asked == ["beforeunload"]


async def test_a_replaced_page_that_stays_is_covered(profile: Profile, stage: Stage) -> None:
    """`replaced` loads the page again: the user keeps the draft, and is told."""
    page, asked = await drafting(profile, stage)
    stage.login(replaces=stage.session)
    await covered(page, "logged in again")
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("target", ["/nothing", "/download"])
async def test_a_log_out_that_answers_without_a_page(profile: Profile, stage: Stage, target: str) -> None:
    """204, or a file: the browser stays where it is."""
    stage.attributes |= {"logout-url": target, "logout-method": "GET"}
    page = await opened(profile, stage)
    old = stage.session
    stage.login()
    async with asyncio.timeout(10):
        while not any(path.startswith(target) for path in stage.gets):
            await page.wait_for_timeout(20)
    await covered(page, "logged in somewhere else")
    assert stage.gets[-1] == f"{target}?session={old}&reason=displaced"


async def test_back_after_the_redirect(profile: Profile, stage: Stage) -> None:
    """At once, from whichever cache: the page of the ended session cannot be used."""
    stage.attributes["redirect"] = "/login"
    page = await opened(profile, stage)
    stage.login()
    await page.wait_for_url("**/login")
    await page.evaluate("() => { setTimeout(() => { history.back(); }); }")  # answered before the page goes
    await page.wait_for_function("() => location.pathname === '/' && document.readyState === 'complete'")
    await covered(page, "logged in somewhere else")


async def order(page: Page, stage: Stage) -> None:
    """By a form, as a human would; the answer is a page of its own."""
    await page.evaluate(
        """() => {
          const form = "<form method=post action=/order><button>Order</button></form>";
          document.body.insertAdjacentHTML("beforeend", form);
        }"""
    )
    await page.get_by_role("button", name="Order").click()
    await expect(page.locator("#ordered")).to_have_text("Order 1")
    await connected(page)


async def test_an_order_is_never_sent_a_second_time(profile: Profile, stage: Stage) -> None:
    """The old tab shows the answer to a POST, and the browser logs in again: the page says so, and sends nothing."""
    page = await opened(profile, stage)
    await order(page, stage)
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.type) or asyncio.create_task(dialog.accept()))
    stage.login(replaces=stage.session)
    notice = page.locator(NOTICE)
    await expect(notice).to_contain_text("logged in again")
    other = await page.context.new_page()
    await other.goto(stage.url)
    await connected(other)
    await expect(page.locator("#ordered")).to_have_count(1)
    assert (stage.orders, asked) == (1, [])
    await notice.get_by_role("link", name="Continue").click()
    await page.wait_for_url(f"{stage.url}/order")
    await expect(page.locator("#ordered")).to_have_count(0)
    assert (stage.orders, asked, stage.gets[-1]) == (1, [], "/order")


async def test_what_looks_like_a_page_is_loaded_by_get(profile: Profile, stage: Stage) -> None:
    """A form that no guard saw sent: loading the page again is a GET, and no question is asked."""
    page = await (await profile()).new_page()
    await page.goto(f"{stage.url}/login")
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.type) or asyncio.create_task(dialog.accept()))
    await page.set_content(f"<form method=post action='{stage.url}/order'><button>Order</button></form>")
    await page.get_by_role("button", name="Order").click()
    await expect(page.locator("#ordered")).to_have_text("Order 1")
    await connected(page)
    stage.login(replaces=stage.session)
    await expect(page.locator("#ordered")).to_have_count(0)
    assert (stage.orders, asked, stage.gets) == (1, [], ["/order"])


async def test_after_a_redirect_it_is_the_answer_to_a_get(profile: Profile, stage: Stage) -> None:
    """POST, redirect, GET: such a page is loaded again as any other, once, also with a fragment in its address."""
    page = await opened(profile, stage)
    await page.evaluate(
        """() => {
          const form = "<form method=post action=/sign-in><button>Go</button></form>";
          document.body.insertAdjacentHTML("beforeend", form);
        }"""
    )
    await page.get_by_role("button", name="Go").click()
    await page.wait_for_url(f"{stage.url}/")
    await connected(page)
    await page.evaluate("() => { location.hash = 'part' }")
    loads = len(stage.gets)
    stage.login(replaces=stage.session)
    session = stage.session
    await page.wait_for_function("session => window.sessionGuard?.getState().session === session", arg=session)
    assert stage.gets[loads:] == ["/"]


async def test_a_page_that_a_script_has_made_is_not_loaded_again(profile: Profile, stage: Stage) -> None:
    """The address of a frame with `srcdoc` leads to nothing: it says why instead."""
    page = await (await profile()).new_page()
    await page.goto(f"{stage.url}/login")
    line = stage.line().replace("defer", "")
    await page.evaluate(
        """line => {
          const frame = document.createElement("iframe");
          frame.srcdoc = `<p id=private>Private</p>${line}`;
          document.body.append(frame);
        }""",
        line,
    )
    frame = page.frames[1]
    await frame.wait_for_function("() => window.sessionGuard?.getState().connected")
    stage.login(replaces=stage.session)
    await expect(frame.locator(NOTICE)).to_contain_text("logged in again")
    await expect(frame.locator("#private")).to_have_count(1)


async def test_the_hook_comes_before_a_replaced_page_is_loaded_again(profile: Profile, stage: Stage) -> None:
    """The same browser logs in again while an old tab holds a half-typed form: it is saved, then the tab reloads."""
    page = await (await profile()).new_page()
    stage.attributes["manual"] = ""
    await page.goto(stage.url)
    await page.evaluate(
        """([url, ticket]) => {
          const beforeForcedLogout = async ({ reason }, { deadline }) => {
            await new Promise((resolve) => setTimeout(resolve, 300));
            const { value } = document.querySelector("#text");
            localStorage.setItem("draft", `${reason} ${deadline > Date.now()} ${value}`);
          };
          window.mark = true;
          window.guard = SessionGuard.createSessionGuard({ url, ticket, beforeForcedLogout });
          guard.start();
        }""",
        [stage.enforcer.url, stage.ticket],
    )
    await page.wait_for_function("() => guard.getState().connected")
    await page.locator("input#text").fill("half a sentence")
    stage.login(replaces=stage.session)
    await page.wait_for_function("() => !window.mark && document.readyState === 'complete'")
    assert await page.evaluate("() => localStorage.getItem('draft')") == "replaced true half a sentence"


async def test_back_at_the_first_page_after_a_log_in_keeps_the_session(
    profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Open mode: the id that is known and live stays; nobody is logged out, and no session is left behind."""
    async with running_stage(tmp_path_factory.mktemp("stage"), join="open") as stage:
        stage.attributes |= {"ticket": "", "room": "zoe", "fresh-login": ""}
        stage.headers["Cache-Control"] = "no-store"
        page = await opened(profile, stage)
        session = await connected(page)
        await page.goto(f"{stage.url}/login")
        await page.go_back()
        assert await connected(page) == session
        await page.reload()
        assert await connected(page) == session
        await page.goto(f"{stage.url}/page/next")
        assert await connected(page) != session, "another log-in is one"
