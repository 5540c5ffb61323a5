"""What the handlers of one process share."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from enforcer.api.describing import Describer
from enforcer.configuration.settings import Settings
from enforcer.http.authkeys import AuthKeys
from enforcer.http.origins import Edge
from enforcer.http.rates import Rates
from enforcer.http.signals.receivers import Receivers
from enforcer.process.metrics import Metrics
from enforcer.process.notices import Notices
from enforcer.tickets import TicketOffice
from enforcer.usecases.overview import Overview
from enforcer.usecases.pages import Pages
from enforcer.usecases.registry import Registry
from enforcer.usecases.signals import Signals
from enforcer.usecases.tail import Tail
from enforcer.webhooks.hooks import Webhooks


@dataclass(slots=True)
class Context:
    """Everything a handler may need. `configure` puts new settings into force for the next request."""

    settings: Settings
    registry: Registry
    office: TicketOffice
    authkeys: AuthKeys
    edge: Edge
    metrics: Metrics
    notices: Notices
    describer: Describer
    pages: Pages
    demo_rates: Rates
    tail: Tail
    webhooks: Webhooks
    overview: Overview
    signals: Signals
    receivers: Receivers
    streams: set[asyncio.Transport] = field(default_factory=set)
    internal_port: int | None = None
    """The port that app servers have of their own, once it is known."""
    draining: bool = False
    """The process is about to end: it serves on, but nobody new is to be sent here."""

    def configure(self, settings: Settings) -> None:
        """New keys, origins, proxies and redirects."""
        self.settings = settings
        self.office = TicketOffice(settings.authkeys, settings.ticket_lifetime)
        self.authkeys.configure(settings.callers)
        self.edge = edge_of(settings)
        self.receivers.configure(settings.signals)

    def is_internal(self, request: web.Request) -> bool:
        """Whether a request came by the port of app servers; with one port for all, each did."""
        if self.internal_port is None or request.transport is None:
            return True
        name: tuple[str, int] = request.transport.get_extra_info("sockname")
        return name[1] == self.internal_port

    def client_ip(self, request: web.Request) -> str:
        """The client's address, as far as trusted proxies tell it."""
        return self.edge.address(request.remote, request.headers)


def edge_of(settings: Settings) -> Edge:
    """What these settings judge of a request."""
    return Edge(settings.hostnames, settings.origins, settings.trusted_proxies)


CONTEXT = web.AppKey("context", Context)
