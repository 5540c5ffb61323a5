"""Starts the examples in `examples/`, as their README files say, each beside an Enforcer of its own."""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.conftest import Site, checked, connected
from tests.running import ROOT, EnforcerProcess, free_port, require_command, running_program

OUTSIDE = re.compile(r"/(goodbye|login)(\?(next=/|ended=displaced))?$")
"""Where they send who has no live session."""


@contextmanager
def running_example(name: str, directory: Path) -> Iterator[Site]:
    """The example of this name, from when it answers."""
    port = str(free_port())
    with EnforcerProcess(directory / "enforcer") as enforcer:
        url = f"http://127.0.0.1:{port}"
        own = {"ENFORCER_URL": enforcer.url, "ENFORCER_AUTHKEY": enforcer.authkey, "SECRET_KEY": secrets.token_hex()}
        own |= {"PORT": port, "PHP_CLI_SERVER_WORKERS": "4", "PYTHONPATH": str(ROOT / "client-python")}
        own |= {"DATABASE": str(directory / "notebook.db")}
        match name:
            case "django":
                manage = [sys.executable, "examples/django/manage.py"]
                done = subprocess.run([*manage, "migrate"], cwd=ROOT, env=own, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                command = [*manage, "runserver", "--noreload", port]
            case "fastapi-react":
                at = ["--app-dir", "examples/fastapi-react", "--port", port, "--no-access-log"]
                command = [sys.executable, "-m", "uvicorn", *at, "app:app"]
            case "nextjs":
                at = ["examples/nextjs", "--hostname", "127.0.0.1", "--port", port]
                command = [require_command("node"), "examples/nextjs/node_modules/next/dist/bin/next", "start", *at]
            case "php":
                command = [require_command("php"), "-S", f"127.0.0.1:{port}", "examples/php/index.php"]
            case "spring-boot":
                require_command("mvn")  # which has built it: see Makefile
                quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
                command = [require_command("java"), *quick, "-jar", "examples/spring-boot/target/notebook.jar"]
            case _:
                command = [require_command("node"), f"examples/{name}/app.js"]
        with running_program(command, directory / "site.log", f"{url}/login", **own):
            yield Site(url, enforcer, rooms={"alice": "1", "bob": "2"} if name == "django" else {})


async def displaced(site: Site, loser: Page, session: str) -> None:
    """Its log-in was displaced, and its next request leads outside."""
    assert site.enforcer.record(session)["end_reason"] == "displaced"
    await loser.goto(f"{site.url}/")
    await loser.wait_for_url(OUTSIDE)


async def logged_in_anew(site: Site, page: Page) -> tuple[Page, str]:
    """Another tab of the same browser logs in, and the page comes along; the tab and its session."""
    tab = await page.context.new_page()
    session = await site.login(tab)
    await page.wait_for_function("id => window.sessionGuard?.getState().session === id", arg=session)
    await connected(page)
    assert (await checked(page))["phase"] == "active"
    return tab, session


async def log_out(site: Site, page: Page, other: Page) -> None:
    """By the button; the other tab of the browser is told."""
    await page.get_by_role("button", name="Log out", exact=True).click()
    await page.wait_for_url(f"{site.url}/goodbye")
    await told(other, "You have logged out")


async def told(page: Page, why: str) -> None:
    """The page says why its session is over."""
    await expect(page.locator("session-guard-notice").get_by_role("alertdialog")).to_contain_text(why)
