"""`examples/socketio`: a page with nothing but socket.io-client keeps its id over reloads and acknowledges its end."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser.conftest import Profile
from tests.running import ROOT, EnforcerProcess, free_port, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLE = ROOT / "examples/socketio"
CLIENT = ROOT / "tests/integration/node_modules/socket.io-client-4/dist/socket.io.min.js"


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[tuple[str, EnforcerProcess]]:
    """The example as it is, but for the server's address, beside its Enforcer."""
    with EnforcerProcess(tmp_path / "enforcer", join="open", login_window=3) as server:
        page = (EXAMPLE / "index.html").read_text().replace("http://127.0.0.1:8080", server.url)

        async def index(_: web.Request) -> web.Response:
            return web.Response(text=page, content_type="text/html")

        async def goodbye(_: web.Request) -> web.Response:
            return web.Response(text="Goodbye", content_type="text/html")

        app = web.Application()
        app.add_routes([web.get("/", index), web.get("/logout", goodbye)])
        for name, file in (("page.js", EXAMPLE / "page.js"), ("socket.io.min.js", CLIENT)):
            app.router.add_get(f"/{name}", partial(_script, file.read_text()))
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}", server
        await runner.cleanup()


async def _script(text: str, _: web.Request) -> web.Response:
    return web.Response(text=text, content_type="text/javascript")


def live(server: EnforcerProcess) -> list[str]:
    """Alice's sessions with a socket."""
    listed = server.call("GET", "/v1/users/alice/sessions").json()["sessions"]
    return [s["session"] for s in listed if s["online"]]


KEPT = "() => localStorage.getItem('enforcer:alice')"


async def test_it_stays_who_it_is_and_hears_its_end(profile: Profile, site: tuple[str, EnforcerProcess]) -> None:
    """Reloads and a second tab are the same session; another browser's login ends both, and they say that they know."""
    url, server = site
    first = await (await profile()).new_page()
    await first.goto(url)
    session = await (await first.wait_for_function(KEPT)).json_value()
    assert server.login("alice")["session"] == session
    for _ in range(2):
        await first.reload()
        until(lambda: live(server) == [session])
    tab = await first.context.new_page()
    await tab.goto(url)
    until(lambda: live(server) == [session])
    await tab.close()
    other = await (await profile()).new_page()
    await other.goto(url)
    newer = await (await other.wait_for_function(KEPT)).json_value()
    assert newer != session
    assert server.login("alice")["displaced"] == [session]
    await first.wait_for_url(f"{url}/logout?reason=displaced")
    until(lambda: server.record(session)["delivery"] == "acked")
    assert await first.evaluate(KEPT) is None
    await other.reload()
    until(lambda: live(server) == [newer])
