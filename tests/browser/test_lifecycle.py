"""Pages that sleep: frozen, hidden, in the back-forward cache, on a laptop whose lid is closed. Chromium only."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.conftest import OVER, running_stage
from tests.browser.devtools import Chromium, Tab
from tests.browser.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECTED = "window.sessionGuard?.getState().connected"
NOTICE = "document.querySelector('session-guard-notice')?.shadowRoot.textContent"
WARNING = "document.querySelector('session-guard-warning')"


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(tmp_path: Path) -> AsyncIterator[Chromium]:
    """A browser of its own for each test: some of them are stopped."""
    async with Chromium(tmp_path / "profile") as browser:
        yield browser


async def guarded(chromium: Chromium, stage: Stage) -> Tab:
    """A page of the stage, connected."""
    tab = await chromium.tab(stage.url)
    await tab.until(CONNECTED)
    return tab


async def test_a_frozen_page_finds_out_when_it_thaws(chromium: Chromium, stage: Stage) -> None:
    """It loses its socket and the news with it."""
    tab = await guarded(chromium, stage)
    await tab.lifecycle("frozen")
    stage.login(device={"label": "Phone"})
    await tab.lifecycle("active")
    await tab.until(f"{NOTICE}?.includes('Phone')")
    assert len(await stage.told()) == 1


async def away(tab: Tab, stage: Stage) -> None:
    """Goes to another page, so that this one is put into the cache, marked to be known again."""
    await tab.evaluate(
        """window.mark = true;
        addEventListener("pageshow", () => {
          window.shown = document.querySelector("session-guard-notice") ? "hidden" : "seen";
        })"""
    )
    await tab.call("Page.navigate", url=f"{stage.url}/login")
    await tab.until("document.title === 'Log in'")


async def test_back_to_an_ended_session_shows_nothing_of_it(chromium: Chromium, stage: Stage) -> None:
    """The page comes out of the cache hidden, and turns into the notice."""
    tab = await guarded(chromium, stage)
    await away(tab, stage)
    stage.login(device={"label": "Phone"})
    await tab.evaluate("history.back()")
    await tab.until("window.mark && window.shown")
    assert await tab.evaluate("window.shown") == "hidden"
    await tab.until(f"{NOTICE}?.includes('Phone')")


async def test_back_to_a_live_session_shows_it_again(chromium: Chromium, stage: Stage) -> None:
    """Hidden until the answer is there, and then as it was."""
    tab = await guarded(chromium, stage)
    await away(tab, stage)
    await tab.evaluate("history.back()")
    await tab.until("window.mark && window.shown")
    assert await tab.evaluate("window.shown") == "hidden"
    await tab.until("!document.querySelector('session-guard-notice')")
    await tab.until(CONNECTED)
    assert stage.logouts == []


async def test_a_closed_lid_past_the_deadline(chromium: Chromium, tmp_path: Path) -> None:
    """Opened again it ends within two seconds, without a warning on the way, and the app is told once."""
    async with running_stage(tmp_path / "stage", idle_timeout=10, warn_before=3) as stage:
        session = stage.login()
        tabs = [await guarded(chromium, stage) for _ in range(2)]
        for tab in tabs:
            await tab.evaluate("addEventListener('session-guard:warning', () => { window.warned = true }, true)")
            await tab.evaluate(OVER)
        chromium.signal(signal.SIGSTOP)
        asked = time.monotonic() + 20
        while stage.enforcer.record(session)["active"]:
            assert time.monotonic() < asked
            await asyncio.sleep(0.1)
        chromium.signal(signal.SIGCONT)
        for tab in tabs:
            await tab.until(NOTICE, within=2)
            assert await tab.evaluate("window.warned") is None
        for tab in tabs:
            await tab.until("window.over")
        assert [call["session"] for call in stage.logouts] == [session]


async def test_a_kick_reaches_a_hidden_tab_at_once(chromium: Chromium, stage: Stage) -> None:
    """Another tab is in front; the notice is there all the same, and waits for no throttled timer, which takes 1 s."""
    took = []
    for _ in range(10):
        tab = await guarded(chromium, stage)
        await chromium.tab("about:blank")
        assert await tab.evaluate("document.hidden")
        waiting = asyncio.create_task(
            tab.evaluate(
                """new Promise((resolve) => new MutationObserver(() => {
                     if (document.querySelector("session-guard-notice")) resolve(Date.now());
                   }).observe(document.documentElement, { childList: true }))"""
            )
        )
        await tab.evaluate("1")
        await asyncio.to_thread(stage.login)  # the app answers its logout from this loop meanwhile
        shown = await waiting
        took.append(shown - await tab.evaluate("Date.parse(sessionGuard.getState().end.at)"))
    took.sort()
    print(f"end to notice in a hidden tab, ms: p50 {took[4]:.0f}, p95 {took[9]:.0f}")
    assert took[4] <= 500


@pytest.mark.soak
async def test_a_hidden_tab_is_warned_in_time(chromium: Chromium, tmp_path: Path) -> None:
    """Three minutes in the background, throttled: the warning comes within 2 s of its time, and so does the end."""
    async with running_stage(tmp_path / "stage", idle_timeout=180, warn_before=20) as stage:
        session = stage.login()
        stage.attributes["worker"] = "on"
        tab = await guarded(chromium, stage)
        await chromium.tab("about:blank")
        assert await tab.evaluate("document.hidden")
        due = await tab.evaluate("sessionGuard.getState().idleEndsAt")
        await tab.evaluate(
            """addEventListener("session-guard:warning", () => { window.warnedAt = Date.now() }, true);
            addEventListener("session-guard:expired", () => { window.endedAt = Date.now() }, true)"""
        )
        ended = await tab.until("window.endedAt", within=200)
        late = await tab.evaluate("warnedAt") - (due - 20_000)
        print(f"hidden tab: warned {late:.0f} ms late, ended {ended - due:.0f} ms after the deadline")
        assert -1_000 <= late <= 2_000
        assert ended - due <= 4_000
        assert stage.enforcer.record(session)["end_reason"] == "idle"
