"""The Flask example at the limit: the newcomer chooses who goes, after the password and by this browser alone."""

import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Profile, Site, checked, connected, running_site

CHOOSE = "session-guard-choose"
REACHED = "The limit is reached"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site that asks at the limit, which is one."""
    with running_site(tmp_path_factory.mktemp("asking"), ask=True) as site:
        yield site


@pytest.fixture
def full(asking: Site) -> str:
    """Bob is logged in on his phone, and nowhere else, so he is at the limit; the session's id."""
    asking.enforcer.call("POST", "/v1/users/logout", json={"room": "bob"})
    phone: str = asking.enforcer.login("bob", device={"label": "Bob's <phone>", "class": "mobile"})["session"]
    return phone


def live(site: Site, session: str) -> bool:
    """Whether a session has not ended."""
    return bool(site.enforcer.record(session)["active"])


@pytest.mark.asyncio(loop_scope="session")
async def test_the_newcomer_chooses(
    profile: Profile, asking: Site, picture: Callable[[Page, str], Awaitable[None]]
) -> None:
    """Cancelled, nobody has ended; chosen, the other browser leaves at once and says why."""
    asking.enforcer.call("POST", "/v1/users/logout", json={"room": "alice"})
    loser, page = await (await profile()).new_page(), await (await profile()).new_page()
    first = await asking.login(loser)
    await asking.ask_to_log_in(page)
    await expect(page.get_by_role("heading", name=REACHED)).to_be_visible()
    choice = page.locator(CHOOSE).get_by_role("radio", name="Linux")
    await expect(choice).to_have_count(1)
    assert "wrong" not in await page.locator("main").inner_text()
    assert await violations(page) == []
    await picture(page, "flask-choose")
    await page.locator(CHOOSE).get_by_role("link", name="Cancel").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert (await checked(loser))["phase"] == "active"

    await asking.ask_to_log_in(page)
    await choice.check()
    await page.get_by_role("button", name="Log out there and go on").click()
    await page.wait_for_url(f"{asking.url}/")
    second = await connected(page)
    await expect(loser.locator("session-guard-notice").get_by_role("alertdialog")).to_contain_text("somewhere else")
    record = asking.enforcer.record(first)
    assert (record["end_reason"], record["ended_by"]["session"]) == ("displaced", second)
    assert (await checked(page))["phase"] == "active"


def test_who_does_not_know_the_password_sees_and_ends_nothing(asking: Site, full: str) -> None:
    """Nor does the form help another browser, another user, or somebody who comes too late."""
    chosen = {"user": "bob", "ends": full}
    with asking.visit() as stranger, asking.visit() as browser:
        wrong = stranger.post("/login", data={"user": "bob", "password": "guess"})
        assert (wrong.status_code, REACHED in wrong.text, full in wrong.text) == (401, False, False)
        asked = browser.post("/login", data=asking.form("bob"))
        assert (asked.status_code, REACHED in asked.text, full in asked.text) == (409, True, True)
        assert "bob-demo" not in asked.text
        without_scripts = asked.text.partition("<noscript>")[2].partition("</noscript>")[0]
        assert f'<input type="checkbox" name="ends" value="{full}"> Bob&#39;s &lt;phone&gt;' in without_scripts
        kept = _signer(asking).loads(browser.cookies["session"])
        assert kept.keys() == {"checked"}
        assert kept["checked"] == ["bob", pytest.approx(time.time(), abs=60)]
        assert stranger.post("/login/choose", data=chosen).status_code == 401
        late = str(_signer(asking).dumps({"checked": ["bob", int(time.time()) - 301]}))
        with asking.visit(session=late) as sleeper:
            assert sleeper.post("/login/choose", data=chosen).status_code == 401
        kept = {"checked": ["bob", int(time.time()) - 200]}
        browser.cookies.clear()
        browser.cookies.set("session", str(_signer(asking).dumps(kept)), domain="127.0.0.1")
        for data in ({}, {"ends": ["not mine", "", "../x", "x" * 500]}):
            again = browser.post("/login/choose", data={"user": "bob", **data})
            assert (again.status_code, REACHED in again.text) == (409, True)
        assert _signer(asking).loads(browser.cookies["session"]) == kept, "asking again does not make it last longer"
        assert browser.post("/login/choose", data=chosen | {"user": "alice"}).status_code == 401
        assert live(asking, full)
        assert browser.post("/login/choose", data=chosen).status_code == 401, "over: the wrong name has ended it"
        browser.post("/login", data=asking.form("bob"))
        assert browser.post("/login/choose", data=chosen).headers["Location"] == "/"
        assert not live(asking, full)
        assert "checked" not in _signer(asking).loads(browser.cookies["session"])


def _signer(site: Site):  # type: ignore[no-untyped-def]
    """Reads and writes cookies as the site does."""
    app = Flask("site")
    app.secret_key = site.secret_key
    return SecureCookieSessionInterface().get_signing_serializer(app)
