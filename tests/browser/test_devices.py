"""What a user sees of the own sessions, and does about them: the list, the choice at the limit, "this was not me"."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import Profile, opened, running_stage
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

Picture = Callable[..., Awaitable[None]]
DEVICES = "session-guard-devices"
CHOOSE = "session-guard-choose"
NOTICE = "session-guard-notice"
POLICY = "default-src 'self'; script-src 'self' {0}; connect-src 'self' {0} {1}"
LOOKS: list[dict[str, Any]] = [
    {"color_scheme": "light"},
    {"color_scheme": "dark"},
    {"forced_colors": "active"},
    {"viewport": {"width": 320, "height": 600}},
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def roomy_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Each user may be logged in on five devices."""
    async with running_stage(tmp_path_factory.mktemp("stage"), max_sessions=5) as stage:
        yield stage


@pytest.fixture
def roomy(roomy_stage: Stage) -> Stage:
    """Alice is logged in on this browser alone, on a page with the strictest policy and a list of her devices."""
    stage = roomy_stage.anew()
    stage.enforcer.call("POST", "/v1/users/logout", json={"room": "alice"})
    stage.login(device={"label": "Firefox on Linux", "class": "desktop"})
    stage.elevate_for = 300
    socket = stage.enforcer.url.replace("http", "ws")
    stage.headers["Content-Security-Policy"] = POLICY.format(stage.enforcer.url, socket)
    stage.more = module(stage, "devices")
    return stage


def module(stage: Stage, name: str) -> str:
    """The line that loads an element."""
    return f'<script type="module" src="{stage.enforcer.url}/client/session-guard-{name}.js"></script>'


def section(body: str) -> str:
    """Everything of a page belongs to some landmark."""
    return f"<section aria-label='Account'>{body}</section>"


def another(stage: Stage, label: str) -> str:
    """Alice logs in on another device; the session's id."""
    session: str = stage.enforcer.login("alice", device={"label": label, "class": "mobile"})["session"]
    return session


def live(stage: Stage, session: str) -> bool:
    return stage.enforcer.record(session)["ended_at"] is None


async def test_the_list_is_live_and_ends_one_or_all_others(profile: Profile, roomy: Stage, picture: Picture) -> None:
    """By keyboard too; ending needs what the app gives once it has asked for the password again."""
    phone = another(roomy, "Chrome on Android")
    roomy.body = section(f'<{DEVICES} elevate-url="/elevate"></{DEVICES}>')
    page = await opened(profile, roomy)
    rows = page.locator(DEVICES).get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="This device")).to_contain_text("Firefox on Linux")
    await expect(rows.filter(has_text="This device")).to_contain_text("Online now")
    assert await violations(page) == []
    tablet = another(roomy, "Safari on iPad")
    await page.evaluate(f"document.querySelector({DEVICES!r}).refresh()")
    await expect(rows).to_have_count(3)
    await picture(page, "devices")
    button = page.locator(DEVICES).get_by_role("button", name="Log out: Chrome on Android")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(2)
    await expect(page.locator(DEVICES).get_by_role("status")).to_have_text("Logged out: Chrome on Android")
    assert (live(roomy, phone), live(roomy, tablet), live(roomy, roomy.session)) == (False, True, True)
    assert roomy.enforcer.record(phone)["end_reason"] == "logout"
    assert await page.evaluate("document.activeElement.localName") == DEVICES, "the focus is still in the list"
    await page.locator(DEVICES).get_by_role("button", name="Log out all other devices").click()
    await expect(rows).to_have_count(1)
    assert (live(roomy, tablet), live(roomy, roomy.session)) == (False, True)
    await page.locator(DEVICES).get_by_role("button", name="Log out: Firefox on Linux").click()
    await expect(page.locator(NOTICE)).to_contain_text("You have logged out.")


async def test_without_a_way_to_an_elevated_ticket_nothing_of_others_can_be_ended(
    profile: Profile, roomy: Stage
) -> None:
    """An elevated ticket in the attribute is one; one that is over is not."""
    phone = another(roomy, "Chrome on Android")
    roomy.body = f"<{DEVICES}></{DEVICES}>"
    page = await opened(profile, roomy)
    devices = page.locator(DEVICES)
    await expect(devices.get_by_role("listitem")).to_have_count(2)
    await expect(devices.get_by_role("button")).to_have_count(1)
    for call, code in ((f"end({phone!r})", "elevation-required"), ("endOthers()", "elevation-required")):
        refused = await page.evaluate(f"() => sessionGuard.devices.{call}.catch(error => error.code)")
        assert refused == code
    answer = roomy.enforcer.call("POST", f"/v1/sessions/{roomy.session}/ticket", json={"elevate_for": 300}).json()
    listed = await page.evaluate("() => sessionGuard.devices.list()")
    assert [row["current"] for row in listed["sessions"]].count(True) == 1
    assert (listed["may_end"], listed["more"], listed["max_sessions"]) == (False, 0, 5)
    await devices.evaluate(
        "(element, ticket) => element.setAttribute('elevated-ticket', ticket)", answer["elevated_ticket"]
    )
    await devices.get_by_role("button", name="Log out: Chrome on Android").click()
    await expect(devices.get_by_role("listitem")).to_have_count(1)
    assert not live(roomy, phone)


async def test_the_choice_is_a_part_of_its_form(profile: Profile, roomy: Stage, picture: Picture) -> None:
    """A form with too few is not sent; by keyboard alone; the event names what is chosen."""
    rows = [
        {
            "session": "s1",
            "device": {"label": "Firefox on <Linux>"},
            "started_at": "2026-11-27T20:00:00.000Z",
            "online": True,
        },
        {"session": "s2", "device": {"label": None, "class": "mobile"}, "last_seen_at": "2026-11-27T21:00:00.000Z"},
        {"session": "s3", "device": None},
    ]
    sessions = json.dumps(rows).replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    roomy.attributes = {"ticket": ""}
    roomy.more = module(roomy, "choose")
    form = (
        "<form action='/chosen' method='post'><{0} sessions='{1}' max='{2}' cancel-url='/login'></{0}>"
        "<p><button>Go on</button></p></form>"
    )
    page = await (await profile()).new_page()
    for limit, kind, chosen in ((3, "radio", ["s2"]), (2, "checkbox", ["s2", "s3"])):
        roomy.body = section(form.format(CHOOSE, sessions, limit))
        await page.goto(roomy.url)
        choose = page.locator(CHOOSE)
        await expect(choose.get_by_role(kind)).to_have_count(3)  # type: ignore[arg-type]
        assert await violations(page) == []
        await picture(page, f"choose-{kind}")
        await page.evaluate(
            "() => { window.told = []; addEventListener('choose', (event) => { told.push(event.detail.ends) }) }"
        )
        await page.get_by_role("button", name="Go on").click()
        assert page.url == f"{roomy.url}/", "nothing is chosen, nothing is sent"
        await choose.get_by_role(kind, name="mobile").focus()  # type: ignore[arg-type]
        await page.keyboard.press("Space")
        if kind == "checkbox":
            await choose.get_by_role("checkbox", name="Unknown device").check()
        assert (await page.evaluate("() => told.at(-1)")) == chosen
        await page.get_by_role("button", name="Go on").click()
        await page.wait_for_url("**/chosen")
        assert json.loads(await page.locator("body").inner_text()) == {"ends": chosen}


async def test_both_lists_fit_and_speak_the_language_of_the_page(
    profile: Profile, roomy: Stage, picture: Picture
) -> None:
    """Light, dark, forced colours and 320 px wide; from right to left, and nothing left in English."""
    another(roomy, "Chrome on Android")
    roomy.lang = "ar"
    roomy.more = (
        f"<style>:root {{ color-scheme: light dark }}</style>{module(roomy, 'devices')}{module(roomy, 'choose')}"
    )
    roomy.headers = {}
    rows = json.dumps([{"session": "s1", "device": {"label": "Firefox"}}, {"session": "s2"}])
    roomy.body = section(
        f"<{DEVICES} elevate-url='/elevate'></{DEVICES}>"
        f"<{CHOOSE} sessions='{rows}' max='2' cancel-url='/login'></{CHOOSE}>"
    )
    for number, look in enumerate(LOOKS):
        page = await opened(profile, roomy, **look)
        await expect(page.locator(DEVICES).get_by_role("listitem").filter(has_text="Android")).to_be_visible()
        await picture(page, f"lists-{number}")
        assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        for name in (DEVICES, CHOOSE):
            box = page.locator(name).locator("div").first
            assert await box.evaluate("e => getComputedStyle(e).direction") == "rtl"
            assert "Log" not in await box.inner_text()
        if "forced_colors" not in look:
            assert await violations(page) == []
        await page.context.close()


async def test_this_was_not_me(profile: Profile, stage: Stage) -> None:
    """Only where the page asks for the button; the audit log has it, once."""
    stage.attributes["report"] = "on"
    page = await opened(profile, stage)
    old = stage.session
    stage.login()
    button = page.locator(NOTICE).get_by_role("button", name="This was not me")
    await button.click()
    await expect(page.locator(NOTICE).get_by_role("button", name="Reported. Thank you.")).to_be_visible()
    assert await page.evaluate("() => sessionGuard.report('I am in bed')") is None
    rows = stage.enforcer.call("GET", f"/v1/audit?session={old}").json()
    assert [row["event"] for row in rows["items"]].count("reported") == 1
    del stage.attributes["report"]
    plain = await opened(profile, stage)
    assert await plain.evaluate("() => sessionGuard.report().catch(error => error.code)") == "session-live"
    stage.login()
    await expect(plain.locator(NOTICE).get_by_role("link")).to_be_visible()
    await expect(plain.locator(NOTICE).get_by_role("button")).to_have_count(0)
