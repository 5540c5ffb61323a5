"""Wires one process, and owns the order in which it starts and stops."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

from aiohttp import web

from enforcer.api import (
    admin,
    admin_data,
    demo,
    devices,
    forward_auth,
    logs,
    measure,
    openapi,
    overview,
    pages,
    seen,
    sessions,
    signals,
    site,
    stream,
    webhooks,
)
from enforcer.api.connections import Connections
from enforcer.api.context import CONTEXT, Context, edge_of
from enforcer.api.describing import Describer
from enforcer.api.guard import bounded_head, internal_port, known_host, no_credentials_in_url, no_encoded_bodies
from enforcer.api.parsing import MAX_BODY
from enforcer.configuration.describing import NEED_RESTART
from enforcer.configuration.settings import Settings
from enforcer.domain.errors import StartError, StoreInUse, StoreUnavailable
from enforcer.gateway.draining import drain
from enforcer.gateway.handshake import Handshakes
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import Pace
from enforcer.gateway.places import Places
from enforcer.http.authkeys import AuthKeys, Guesses
from enforcer.http.console_cookies import ConsoleCookies
from enforcer.http.problems import problems
from enforcer.http.rates import Rates
from enforcer.http.signals.receivers import Receivers
from enforcer.process import descriptors
from enforcer.process.clock import Clock
from enforcer.process.descriptors import Descriptors
from enforcer.process.jobs import Jobs
from enforcer.process.listening import reserved_port, why_not_listening
from enforcer.process.metrics import LoopWatch, Metrics
from enforcer.process.notices import Notices
from enforcer.process.tasks import cancelled
from enforcer.store.by_url import kind_of, make_store
from enforcer.tickets import TicketOffice
from enforcer.usecases.journal import Journal
from enforcer.usecases.overview import Here, Overview
from enforcer.usecases.pages import Pages
from enforcer.usecases.registry import Registry
from enforcer.usecases.signals import Signals
from enforcer.usecases.tail import Tail
from enforcer.webhooks.hooks import Webhooks

log = logging.getLogger(__name__)

SYSTEM_CLOCK = Clock()
HAND_OVER = 3.0
"""Seconds that a process takes, told to stop, to let go of its database, besides `drain_delay` and `drain_window`."""
LOOK_AGAIN = 0.02
"""Seconds between two looks whether it has."""
OPEN_RETRY = 1.0
"""Seconds between tries to open a store that is away at the start."""
DEMO_BURST, DEMO_RATE = 100, 2.0
"""Logins of one address on the demo page, which anybody may use and which stay in the store."""


class Server:
    """One process. `start`, maybe `drain`, then `stop`.

    `port` is the one that is listened on, `internal_port` the one of app servers, if they have one.

    `worker` is its number if it is one of several on one port.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        pace: Pace | None = None,
        *,
        worker: int | None = None,
    ) -> None:
        self._settings = settings
        self._shares_port = None if worker is None else True
        self._store = make_store(settings.store, clock.wall, settings.cache_mb)
        metrics = Metrics(worker)
        self._loop_watch = LoopWatch(metrics)
        journal = Journal(clock.elapsed, metrics.takeover_wars.inc)
        self._tail = Tail(self._store.logs, stream.rendered)
        told = (metrics.committed, journal.committed, self._tail.committed)
        self._registry = Registry(self._store, settings.rules, clock.elapsed, told)
        self._notices = notices = Notices(log, clock.elapsed)
        here = Here(self._name, kind_of(settings.store), lambda: self._hub.joined, self._registry.sightings.online_here)
        self._worker = worker
        self._overview = Overview(self._store, metrics.pulse, here, clock.elapsed)
        self._jobs = Jobs(self._registry, self._overview, settings, clock, notices)
        self._webhooks = Webhooks(settings, self._store, self._registry, self._tail, metrics, notices, clock.elapsed)
        self._context = Context(
            settings,
            self._registry,
            TicketOffice(settings.authkeys, settings.ticket_lifetime),
            AuthKeys(settings.callers, clock.elapsed),
            edge_of(settings),
            metrics,
            notices,
            Describer(),
            Pages(self._registry),
            Rates(DEMO_BURST, DEMO_RATE),
            self._tail,
            self._webhooks,
            self._overview,
            ConsoleCookies(settings.authkeys, settings.callers),
            Guesses(clock.elapsed, admin.MAX_FAILURES),
            Signals(self._registry, self._store.subjects, clock.elapsed),
            Receivers(settings.signals, clock.elapsed),
        )
        for name in settings.signals:
            metrics.signals[name, "ended"]  # a series that begins at zero shows its first event as an increase
        self._descriptors = Descriptors()
        self._hub = Hub(self._registry, self._context.office, settings, metrics, self._context.pages, notices)
        places = Places(self._hub, settings, self._descriptors.for_sockets)
        self._handshakes = Handshakes(self._hub, places, notices, settings, self._context.edge, pace or Pace())
        self._app = _application(self._context, self._handshakes)
        self._connections = Connections(self._app, self._handshakes.admit, self._descriptors)
        self._opening: asyncio.Task[None] | None = None
        self.port = settings.port
        self.internal_port = settings.internal_port

    async def start(self) -> None:
        """Returns when it listens.

        Raises:
            StartError: the store or the port cannot be had; nothing is left behind.
        """
        try:
            # 1. The store, because a second process must not answer anybody beside the first. A store that is only away
            #    for now is waited for in the background: until then every call that needs it is 503.
            try:
                await self._take_over()
            except StoreUnavailable as e:
                log.warning("the store is away, trying again", extra={"error": str(e)})
                self._opening = asyncio.create_task(self._open_later())
            # 2. The ports.
            await self._connections.start()
            s = self._settings
            self.port = await self._listen(s.ipaddr, s.port, fast=s.internal is None)
            if s.internal is not None:
                self.internal_port = await self._listen(*s.internal, setting="internal_port")
            self._context.internal_port = self.internal_port
            # 3. What runs by itself.
            with contextlib.suppress(StoreUnavailable):  # else it is said with the next turn
                await self._overview.announce()
            asyncio.get_running_loop().set_exception_handler(self._unhandled)
            self._jobs.start()
            self._webhooks.start()
            self._loop_watch.start()
            wanted = "max_connections" in self._settings.model_fields_set
            if wanted and (few := descriptors.warning(self._settings.max_connections)) is not None:
                log.warning(few)
        except BaseException:
            await self.stop()
            raise

    def configure(self, settings: Settings) -> tuple[str, ...]:
        """Puts new settings into force without a restart; the names of those that differ and need one."""
        fixed = tuple(n for n in NEED_RESTART if getattr(settings, n) != getattr(self._settings, n))
        settings = settings.model_copy(update={n: getattr(self._settings, n) for n in NEED_RESTART})
        self._settings = settings
        self._registry.configure(settings.rules)
        self._context.configure(settings)
        self._hub.configure(self._context.office, settings)
        self._webhooks.configure(settings)
        self._handshakes.configure(settings, self._context.edge)
        return fixed

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop found that nobody handled: a bug, which may be met as often as somebody likes."""
        error = context.get("exception")
        if isinstance(error, ConnectionError):
            log.debug("a connection broke off: %s", context["message"])
        elif self._notices.warn(f"unhandled {type(error).__name__}", "an error that nobody handled; please report it"):
            log.error(context["message"], exc_info=error)

    async def drain(self) -> None:
        """Sends everybody elsewhere, little by little, before a stop; at once if no time is set for it.

        `drain_delay`: everything is served, while load balancers learn from `/readyz` that nobody new is to come here.
        `drain_window`: no new connections, streams end, and sockets are closed evenly.
        """
        self._context.draining = True
        await asyncio.sleep(self._settings.drain_delay)
        if self._settings.drain_window:
            self._connections.stop_listening()
            await self._tail.close()
            await drain(self._hub, self._settings.drain_window, others=kind_of(self._settings.store) == "redis")

    async def stop(self) -> None:
        """Ends in the reverse order of harm: nothing new, pages sent elsewhere, then what was noticed is written.

        May be called twice, and after a failed start.
        """
        # 1. No new connections; requests that run may finish.
        self._connections.stop_listening()
        # 2. Nothing moves by itself any more.
        if self._opening is not None:
            await cancelled([self._opening])
            self._opening = None
        self._loop_watch.stop()
        await self._jobs.stop()
        await self._webhooks.stop()
        await self._tail.close()
        await self._context.receivers.close()
        # 3. Pages reconnect, here after a restart or to another process.
        self._hub.close()
        await self._handshakes.close()
        await self._connections.close()
        self._descriptors.close()
        await self._overview.farewell()
        # 4. The last seen times and acks, then the store itself.
        try:
            await self._registry.sightings.flush()
        except StoreUnavailable as e:
            log.warning("what was noticed last is not written", extra={"error": str(e)})
        await self._store.close()
        asyncio.get_running_loop().set_exception_handler(None)

    def _name(self) -> str:
        """What operators know this process by."""
        return f"{socket.gethostname()}:{self.port}" + ("" if self._worker is None else f"#{self._worker}")

    async def _listen(self, host: str, port: int, *, fast: bool = True, setting: str = "port") -> int:
        """Opens a port, whose number it returns; raises StartError if it cannot be had."""
        try:
            with contextlib.ExitStack() as reserved:
                if not self._shares_port:  # else whoever has started us keeps it
                    port = reserved.enter_context(reserved_port(host, port)).getsockname()[1]
                await self._connections.listen(host, port, fast)
        except OSError as e:
            raise StartError(why_not_listening(host, port, e, setting)) from None
        return port

    async def _take_over(self) -> None:
        """Opens the store. One that another process has is waited for as long as that may take to stop, so that a new
        process can be started before the old one is told to go."""
        loop = asyncio.get_running_loop()
        patience = HAND_OVER + self._settings.drain_delay + self._settings.drain_window
        end, said = loop.time() + patience, False
        while True:
            try:
                return await self._open_store()
            except StoreInUse as e:
                if loop.time() >= end:
                    raise
                if not said:
                    log.info("waiting for the process that has the store", extra={"at_most": patience, "error": str(e)})
                    said = True
            await asyncio.sleep(LOOK_AGAIN)

    async def _open_store(self) -> None:
        await self._store.open()
        try:
            await self._registry.resume(self._settings.restart_grace)
            await self._webhooks.begin()
        except BaseException:
            await self._store.close()  # it is opened again when this is tried again
            raise

    async def _open_later(self) -> None:
        while True:
            await asyncio.sleep(OPEN_RETRY)
            try:
                await self._open_store()
            except StoreUnavailable:
                continue
            except StartError as e:
                log.error("the store cannot be used: %s", e)
                continue
            log.info("the store is there")
            return


def _application(context: Context, handshakes: Handshakes) -> web.Application:
    middlewares = [
        *(measure.measured, problems, bounded_head, internal_port, known_host),
        *(pages.cors, no_credentials_in_url, no_encoded_bodies),
    ]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY)
    app[CONTEXT] = context
    everything = (
        *(openapi, admin, admin_data, logs, stream, overview, sessions, pages, devices, seen),
        *(forward_auth, signals, webhooks, site, measure),
    )
    for routes in (part.ROUTES for part in everything):
        app.add_routes(routes)
    if context.settings.demo:
        app.add_routes(demo.ROUTES)
    handshakes.attach(app)
    return app
