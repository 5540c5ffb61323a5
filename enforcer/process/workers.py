"""Several processes on one port: starts them, starts them again, passes signals on, ends them.

Each worker is the server itself (`enforcer serve --worker N`); the kernel spreads connections over them
(`SO_REUSEPORT`), and what they must know of each other they know from the store. They write to one log, and end when
this process does, however it does: it holds the other end of their standard input.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from enforcer.process import metrics

log = logging.getLogger(__name__)

READY = b"is listening on"
"""What a worker's first line says."""
END_WITHIN = 12.0
"""Seconds that a worker has to end when it is drained; longer than it needs."""
RESTART_FROM, RESTART_TO = 0.5, 10.0
"""Seconds before a worker is started again; doubled while it does not stay up."""
STAYED_UP = 30.0
"""Seconds after which a worker counts as well."""


class Workers:
    """`count` processes with these arguments. `started` is called once, when all have been ready.

    `drain` is how many seconds they may serve on after they were told to end.
    """

    def __init__(self, count: int, arguments: Sequence[str], started: Callable[[], None], drain: float) -> None:
        self._count = count
        self._end_within = drain + END_WITHIN
        self._arguments = arguments
        self._started = started
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._failed: int | None = None
        self._ready: set[int] = set()
        self._said = False

    async def run(self) -> int:
        """Returns when all have ended after `stop`; the exit status. A worker that cannot start ends them all."""
        with metrics.make_directory() as directory:
            keepers = [asyncio.create_task(self._keep(number, Path(directory))) for number in range(1, self._count + 1)]
            await asyncio.gather(*keepers)
        return self._failed or 0

    def stop(self) -> None:
        """Ends them all; the second time, without a drain."""
        self._stopping.set()
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Passes a signal on."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, number: int, figures: Path) -> None:
        """Runs one worker again and again; its metrics are in `figures`."""
        loop, wait = asyncio.get_running_loop(), RESTART_FROM
        while not self._stopping.is_set():
            began = loop.time()
            status, was_ready = await self._run(number, figures)
            metrics.worker_ended(figures, number)
            if self._stopping.is_set():
                return
            if not was_ready and status == 2:  # it has said why: a mistake in the configuration, which stays
                self._failed = status
                self.stop()
                return
            wait = RESTART_FROM if loop.time() - began > STAYED_UP else min(2 * wait, RESTART_TO)
            log.error("a worker ended, it is started again", extra={"worker": number, "status": status, "in": wait})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()

    async def _run(self, number: int, figures: Path) -> tuple[int, bool]:
        """One life of a worker: its exit status, and whether it was ready once."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "enforcer", "serve", *self._arguments, "--worker", str(number)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, metrics.DIRECTORY: str(figures)},
            start_new_session=True,  # Ctrl-C is for us, and we pass it on
        )
        self._running[number] = process
        if self._stopping.is_set():
            process.terminate()
        assert process.stdout is not None
        first = await process.stdout.readline()
        if READY in first:
            self._ready.add(number)
            if len(self._ready) == self._count and not self._said:
                self._said = True
                self._started()
            log.info("a worker is up", extra={"worker": number, "pid": process.pid})
        status = await self._end_of(process)
        del self._running[number]
        return status, READY in first

    async def _end_of(self, process: asyncio.subprocess.Process) -> int:
        """Waits for it as long as it is wanted, and then not much longer; its exit status."""
        ended, stopping = asyncio.create_task(process.wait()), asyncio.create_task(self._stopping.wait())
        await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not (await asyncio.wait([ended], timeout=self._end_within))[0]:
            process.kill()
        return await ended
