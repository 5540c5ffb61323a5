"""Noticing on the page's own requests that the session is over."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, checked, connected, opened
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTICE = "session-guard-notice"
XHR = """path => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  request.open("POST", path);
  request.onload = () => resolve(request.responseText);
  request.send("hello");
})"""
WRAPPED = "() => Object.getOwnPropertySymbols(fetch).length"
FETCH = "path => fetch(path, { method: 'POST', body: 'hello' }).then((response) => response.text())"


async def deaf(profile: Profile, stage: Stage) -> Page:
    """A page whose socket stays open and brings nothing more from the server by itself."""
    page = await (await profile()).new_page()
    await page.add_init_script(
        """const RealSocket = WebSocket;
        window.WebSocket = class extends RealSocket {
          set onmessage(heard) {
            super.onmessage = (event) => { if (!String(event.data).includes("force-logout")) heard(event); };
          }
        };"""
    )
    await page.goto(stage.url)
    await connected(page)
    await page.wait_for_function(WRAPPED)
    return page


@pytest.mark.parametrize("ask", [XHR, FETCH], ids=["xhr", "fetch"])
@pytest.mark.parametrize("path", ["/api/401", "/api/200?ended"])
async def test_a_401_or_the_apps_header_makes_it_ask(profile: Profile, stage: Stage, ask: str, path: str) -> None:
    """The session has ended, and the push was lost: the app's own answer gives it away. The body arrives untouched."""
    stage.attributes |= {"watch-http": "on", "watch-http-header": "X-Ended"}
    page = await deaf(profile, stage)
    stage.login(device={"label": "Phone"})
    assert await page.evaluate(ask, path) == '{"said": "hello"}'
    await expect(page.locator(NOTICE)).to_contain_text("Phone")
    assert len(await stage.told()) == 1


async def test_what_is_no_sign_is_none(profile: Profile, stage: Stage) -> None:
    """Another path, another origin, another status: nobody asks; and a 401 of a live session ends nothing."""
    stage.attributes |= {"watch-http": "/api"}
    page = await opened(profile, stage)
    await page.wait_for_function(WRAPPED)
    await page.wait_for_timeout(1_200)  # the checks that come with the page's own waking are over
    await page.evaluate(
        """() => {
          window.asked = 0;
          const { send } = WebSocket.prototype;
          WebSocket.prototype.send = function (text) {
            if (text.includes("check")) asked++;
            send.call(this, text);
          };
        }"""
    )
    await page.evaluate(FETCH, "/api/403")
    await page.evaluate(FETCH, "/page/401")
    await page.evaluate("url => fetch(url).catch(() => undefined)", f"{stage.enforcer.url}/session/status")
    assert await page.evaluate("() => asked") == 0
    await page.evaluate(FETCH, "/api/401")
    await page.wait_for_function("() => asked === 1")
    assert (await checked(page))["phase"] == "active"


async def test_streams_stay_streams_and_everything_is_put_back(profile: Profile, stage: Stage) -> None:
    """Bodies can be read bit by bit, errors are the page's own, and stop() leaves no trace."""
    stage.attributes |= {"watch-http": "on"}
    page = await opened(profile, stage)
    await page.wait_for_function(WRAPPED)
    read = await page.evaluate(
        """async () => {
          const reader = (await fetch("/api/200", { method: "POST", body: "x" })).body.getReader();
          const { value } = await reader.read();
          return new TextDecoder().decode(value);
        }"""
    )
    assert read == '{"said": "x"}'
    failed = await page.evaluate("() => fetch('http://127.0.0.1:1/').catch((error) => error.name)")
    assert failed == "TypeError"
    await page.evaluate("() => sessionGuard.stop()")
    assert await page.evaluate("() => Object.getOwnPropertySymbols(fetch).length") == 0
    assert "native code" in await page.evaluate("() => String(fetch)")
    assert "native code" in await page.evaluate("() => String(XMLHttpRequest.prototype.send)")
