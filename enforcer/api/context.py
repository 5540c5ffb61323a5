"""What the handlers of one process share."""

from dataclasses import dataclass

from aiohttp import web

from enforcer.api.describing import Describer
from enforcer.authkeys import AuthKeys
from enforcer.edge import Proxies
from enforcer.metrics import Metrics
from enforcer.notices import Notices
from enforcer.rates import Rates
from enforcer.registry import Registry
from enforcer.settings import Settings
from enforcer.tickets import TicketOffice


@dataclass(slots=True)
class Context:
    """Everything a handler may need. `configure` puts new settings into force for the next request."""

    settings: Settings
    registry: Registry
    office: TicketOffice
    authkeys: AuthKeys
    proxies: Proxies
    metrics: Metrics
    notices: Notices
    describer: Describer
    page_rates: Rates
    demo_rates: Rates

    def configure(self, settings: Settings) -> None:
        """New keys, origins, proxies and redirects."""
        self.settings = settings
        self.office = TicketOffice(settings.authkeys, settings.ticket_lifetime)
        self.authkeys.configure(settings.authkeys, settings.all_keys)
        self.proxies = Proxies(settings.trusted_proxies)

    def client_ip(self, request: web.Request) -> str:
        """The client's address, as far as trusted proxies tell it."""
        headers = request.headers
        return self.proxies.client_ip(
            request.remote, headers.getall("X-Forwarded-For", ()), headers.getall("Forwarded", ())
        )


CONTEXT = web.AppKey("context", Context)
