"""What else is on the page and its origin: names that stand in the way, other applications, plain http."""

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, connected, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
WARNING = "session-guard-warning"
ON_WINDOW = ["sessionGuard", "SessionGuard", "trustedTypes", "BroadcastChannel", "localStorage", "location", "fetch"]
ON_DOCUMENT = [
    "currentScript", "hidden", "baseURI", "documentElement", "addEventListener", "dispatchEvent", "createElement",
    "body", "scripts", "querySelectorAll", "activeElement", "referrer", "visibilityState", "defaultView",
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warning_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Pages are warned at once, and have a minute to answer."""
    async with running_stage(tmp_path_factory.mktemp("stage"), idle_timeout=60, warn_before=60) as stage:
        yield stage


async def test_names_in_the_page_are_no_obstacle(profile: Profile, warning_stage: Stage) -> None:
    """`<a id=sessionGuard>`, `<img name=currentScript>`: named access to window and document changes nothing."""
    stage = warning_stage.anew()
    names = [f'<a id="{name}"></a>' for name in ON_WINDOW] + [f'<img name="{name}" alt="">' for name in ON_DOCUMENT]
    stage.body = "".join(names) + "<form><input name=method><input name=action><input name=getAttribute></form>"
    page = await (await profile()).new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(stage.url)
    await page.wait_for_function("() => window.sessionGuard?.getState?.().connected")
    warning = page.locator(WARNING)
    await expect(warning.get_by_role("alertdialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await checked(page)
    stage.login(device={"label": "Phone"})
    await expect(page.locator(NOTICE)).to_contain_text("Phone")
    assert len(await stage.told()) == 1
    assert problems == []


RUBBISH = """([session, room]) => {
  const space = Object.keys(localStorage).find((key) => key.startsWith("session-guard/") && key.includes("/newest/"))
    .replace(/\\/newest\\/.*/, "");
  const huge = "x".repeat(200_000);
  const end = (more) => ({ session, room, end: { session, room, ...more } });
  const values = [
    null, 0, NaN, "", "text", huge, [], {}, { session }, { session, room }, { session: 1, room },
    { session, room, end: {} }, { session, room, end: null }, end({}), end({ reason: 7 }), end({ reason: huge }),
    end({ session: "other", reason: "idle" }), end({ reason: "idle", redirect: {} }),
    { session, room, activeAt: NaN, reported: true }, { session, room, activeAt: huge },
    { session, room, epoch: huge, at: {} }, { session: huge, room, epoch: 1e300, at: 1e300 },
    { session: {}, room: [], epoch: 1, at: 1 }, new Map(), new Date(NaN), new ArrayBuffer(8),
  ];
  const channel = new BroadcastChannel(space);
  for (const value of values) channel.postMessage(value);
  for (const value of values) {
    for (const key of [`ended/${session}`, `newest/${room}`, `called/x`, `open/${room}`, "message"]) {
      const text = typeof value === "string" ? value : String(JSON.stringify(value));
      try { localStorage.setItem(`${space}/${key}`, text); } catch {}
    }
    channel.postMessage(0);
  }
  sessionStorage.setItem("session-guard/sent", huge);
  for (let n = 0; n < 2_000; n++) channel.postMessage({ session: `s${n}`, room, epoch: NaN, at: n });
  channel.close();
}"""


async def test_another_application_of_the_origin_writes_rubbish(profile: Profile, stage: Stage) -> None:
    """To the channel and into storage: nothing breaks, nobody is logged out, nothing is uncovered."""
    context = await profile()
    page, other = await context.new_page(), await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(stage.url)
    session = await connected(page)
    await other.goto(f"{stage.url}/login")
    await other.evaluate(RUBBISH, [session, "alice"])
    await checked(page)
    await page.evaluate("() => { window.dispatchEvent(new Event('focus')); window.dispatchEvent(new Event('online')) }")
    state = await checked(page)
    assert (state["phase"], state["session"], problems) == ("active", session, [])
    await page.reload()
    assert await connected(page) == session
    await other.evaluate(RUBBISH, [session, "alice"])
    stage.login(device={"label": "Phone"})
    await expect(page.locator(NOTICE)).to_contain_text("Phone")
    await other.evaluate(RUBBISH, [session, "alice"])
    await expect(page.locator(NOTICE).get_by_role("alertdialog")).to_be_visible()
    assert problems == []


async def test_two_applications_on_one_origin(profile: Profile, stage: Stage) -> None:
    """With scopes of their own they are strangers: the end of one's session is told there, and takes no notice here."""
    context = await profile()
    shop, office = await context.new_page(), await context.new_page()
    stage.attributes["scope"] = "shop"
    await shop.goto(stage.url)
    first = await connected(shop)
    stage.attributes["scope"] = "office"
    stage.login()  # of the same user, in the same browser, as another application would
    await office.goto(stage.url)
    await connected(office)
    await expect(shop.locator(NOTICE)).to_contain_text("logged in somewhere else")
    assert (await checked(office))["phase"] == "active"
    assert [call["session"] for call in await stage.told()] == [first]


async def plain(page: Page, stage: Stage) -> None:
    """A page without Web Locks, as over plain http, whose language is spelled as an operating system does."""
    await page.goto(stage.url)
    assert await page.evaluate("() => navigator.locks === undefined")
    await connected(page)


@pytest.mark.parametrize("missing", ["undefined", "insecure"])
async def test_pages_without_web_locks_end_alike(
    profile: Profile, tmp_path_factory: pytest.TempPathFactory, missing: str
) -> None:
    """Three tabs: all say why, in German, one calls the app's logout, and none leaves before that is done."""
    address = "127.0.0.1"
    if missing == "insecure":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address this machine would use
            address = probe.getsockname()[0]
    async with running_stage(tmp_path_factory.mktemp("stage"), address=address, ipaddr="0.0.0.0") as stage:
        stage.lang = "de_DE"
        stage.login()
        stage.enforcer.url = stage.enforcer.url.replace("127.0.0.1", address)
        context = await profile()
        if missing == "undefined":
            await context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
        pages = [await context.new_page() for _ in range(3)]
        for page in pages:
            await plain(page, stage)
            if missing == "insecure":
                assert not await page.evaluate("() => isSecureContext")
        session = stage.session
        stage.login()
        for page in pages:
            await expect(page.locator(NOTICE)).to_contain_text("Ihre Sitzung ist beendet")
            await expect(page.locator(NOTICE)).to_contain_text("an anderer Stelle angemeldet")
        await pages[0].wait_for_timeout(1_000)
        assert await stage.told() == [{"session": session, "reason": "displaced", "header": session}]
