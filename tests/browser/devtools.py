"""Chromium by its own debugging protocol (https://chromedevtools.github.io/devtools-protocol/).

For what Playwright keeps its browsers from: hidden, frozen and cached pages, and a machine that sleeps.
"""

import asyncio
import itertools
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.running import START_WITHIN, require_command, until

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""For every Chromium here, whoever starts it."""
FLAGS = [*CHROMIUM_FLAGS, "--headless", "--remote-debugging-port=0", "--window-size=1000,700"]


class Chromium:
    """An asynchronous context manager; one process group of its own, a fresh profile in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        command = [require_command("chromium"), *FLAGS, f"--user-data-dir={self._directory}", "about:blank"]
        self._process = await asyncio.create_subprocess_exec(
            *command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port = self._directory / "DevToolsActivePort"
        await asyncio.to_thread(until, lambda: port.exists() and len(port.read_text().split()) == 2, START_WITHIN)
        number, path = port.read_text().split()
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{number}{path}", max_msg_size=0)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        await self._process.wait()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    def signal(self, number: signal.Signals) -> None:
        """To every process of this browser: SIGSTOP is a closed lid."""
        os.killpg(self._process.pid, number)

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One call; raises AssertionError with what the browser says is wrong."""
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(START_WITHIN):
            answer = await self._waiting[number]
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    async def tab(self, url: str) -> "Tab":
        """A new tab in front of the others."""
        target = (await self.send("Target.createTarget", url=url))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = Tab(self, session)
        await tab.call("Page.enable")
        return tab

    async def _read(self) -> None:
        async for message in self._socket:
            data = message.json()
            if "id" in data and (waiting := self._waiting.pop(data["id"], None)) is not None:
                waiting.set_result(data)


class Tab:
    """One page, whatever it shows."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A call of the protocol to this page."""
        return await self._browser.send(method, self._session, **params)

    async def evaluate(self, expression: str) -> Any:
        """Its value, awaited; raises AssertionError if it throws."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, expression: str, within: float = 10.0) -> Any:
        """Waits until it is truthy; raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                try:
                    if value := await self.evaluate(expression):
                        return value
                except AssertionError:
                    pass  # between two pages there is nothing to ask
                await asyncio.sleep(0.02)

    async def lifecycle(self, state: str) -> None:
        """`frozen`, as an energy saver would; or `active`."""
        await self.call("Page.setWebLifecycleState", state=state)
