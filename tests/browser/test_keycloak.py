"""Users log in at a real Keycloak, and leave when Keycloak says so."""

import asyncio
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Profile, connected
from tests.keycloak import Keycloak, running_keycloak
from tests.running import EnforcerProcess, free_port, running_program

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.soak]
NOTICE = "session-guard-notice"


@dataclass
class SetUp:
    """The example: a site, its Enforcer, and the Keycloak where its users log in."""

    url: str
    enforcer: EnforcerProcess
    keycloak: Keycloak

    async def login(self, page: Page) -> str:
        """By the form of Keycloak; the session's id."""
        await page.goto(f"{self.url}/")
        await page.locator("#username").fill("alice")
        await page.locator("#password").fill("alice-demo")
        await page.locator("#kc-login").click()
        await page.wait_for_url(f"{self.url}/")
        await expect(page.get_by_role("heading", name="Hello, Alice")).to_be_visible()
        return await connected(page)


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """Keycloak takes a minute to start, so all tests share it."""
    directory = tmp_path_factory.mktemp("keycloak")
    url, port = f"http://127.0.0.1:{free_port()}", free_port()
    with running_keycloak(directory, url, f"http://127.0.0.1:{port}") as keycloak:
        signal = {"kind": "backchannel-logout", "issuer": keycloak.issuer, "client_id": "app", "allow_http": True}
        settings = {"port": port, "signals": {"keycloak": signal}, "max_sessions": 9}
        with EnforcerProcess(directory / "enforcer", **settings) as enforcer:
            own = {
                "ENFORCER_URL": enforcer.url,
                "ENFORCER_AUTHKEY": enforcer.authkey,
                "SECRET_KEY": secrets.token_hex(),
                "ISSUER": keycloak.issuer,
                "SITE_URL": url,
            }
            flask = [sys.executable, "-m", "flask", "--app", "examples/keycloak/app.py", "run"]
            command = [*flask, "--port", url.rpartition(":")[2]]
            with running_program(command, directory / "site.log", f"{url}/healthz", **own):
                yield SetUp(url, enforcer, keycloak)


async def test_an_administrator_ends_sessions(profile: Profile, set_up: SetUp) -> None:
    """In Keycloak, two of three: their browsers leave within a second of the answer, and the log says why; the third of
    the same user stays."""
    pages = [await (await profile()).new_page() for _ in range(3)]
    sessions = [await set_up.login(page) for page in pages]
    for page, session in zip(pages[:2], sessions, strict=False):
        sid = set_up.enforcer.record(session)["idp"]["sid"]
        await asyncio.to_thread(set_up.keycloak.administer, "DELETE", f"/sessions/{sid}")
        answered = time.monotonic()
        await expect(page.locator(NOTICE)).to_have_count(1)
        assert time.monotonic() - answered < 1.0
        record = set_up.enforcer.record(session)
        assert (record["end_reason"], record["ended_by"]) == ("idp_logout", {"kind": "signal", "name": "keycloak"})
    assert set_up.enforcer.record(sessions[2])["active"]


async def test_a_user_who_is_logged_out_may_log_in_again(profile: Profile, set_up: SetUp) -> None:
    """There is no trace of the end in the new session at Keycloak."""
    page = await (await profile()).new_page()
    session = await set_up.login(page)
    sid = set_up.enforcer.record(session)["idp"]["sid"]
    await asyncio.to_thread(set_up.keycloak.administer, "DELETE", f"/sessions/{sid}")
    await expect(page.locator(NOTICE)).to_have_count(1)
    again = await set_up.login(page)
    assert again != session
    assert set_up.enforcer.record(again)["active"]
