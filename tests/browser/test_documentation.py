"""The pages for people: what the server says of itself, its API with calls that can be tried, and what went wrong."""

from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from enforcer import protocol
from tests.browser.conftest import Profile
from tests.running import EnforcerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_from_the_start_to_a_call_and_to_what_went_wrong(profile: Profile, tmp_path: Path) -> None:
    """All of it comes from here, nothing breaks the pages' own policy, and what is tried is a real login."""
    with EnforcerProcess(tmp_path / "enforcer") as server:
        context = await profile()
        page = await context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(server.url)
        await page.get_by_role("link", name="The HTTP API").click()
        operation = page.locator("#operations-Sessions-PostV1Sessions")
        await operation.get_by_role("button").first.click()
        await page.get_by_role("button", name="Authorize").click()
        await page.get_by_label("Value").first.press_sequentially(server.authkey)
        await page.get_by_role("button", name="Apply credentials").first.click()
        await expect(page.get_by_role("button", name="Remove authorization").first).to_be_visible()
        await page.get_by_role("button", name="Close").first.click()
        await operation.get_by_role("button", name="Execute").click()
        await expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("201")
        assert len(server.call("GET", "/v1/users/alice/sessions").json()["sessions"]) == 1

        problem = httpx.get(f"{server.url}/v1/audit").json()
        await page.goto(server.url + problem["type"])
        await expect(page.locator(":target")).to_have_text(problem["code"])
        for code in protocol.PROBLEMS:
            await expect(page.locator(f"#{code}")).to_have_count(1)
        assert said == []
        assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {server.url.split("/")[2]}
