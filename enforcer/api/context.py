"""What the handlers of one process share."""

from dataclasses import dataclass

from aiohttp import web

from enforcer.api.auth import AuthKeys
from enforcer.api.describing import Describer
from enforcer.edge import Proxies
from enforcer.metrics import Metrics
from enforcer.notices import Notices
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

    def configure(self, settings: Settings) -> None:
        """New keys, origins, proxies and redirects."""
        self.settings = settings
        self.office = TicketOffice(settings.authkeys, settings.ticket_lifetime)
        self.authkeys.configure(settings.authkeys, settings.all_keys)
        self.proxies = Proxies(settings.trusted_proxies)

    def client_ip(self, request: web.Request) -> str:
        """The client's address, as far as trusted proxies tell it."""
        return self.proxies.client_ip(request.remote, request.headers.getall("X-Forwarded-For", []))


CONTEXT = web.AppKey("context", Context)
