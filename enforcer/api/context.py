"""What the handlers of one process share."""

from dataclasses import dataclass

from aiohttp import web

from enforcer.api.auth import AuthKeys
from enforcer.edge import Proxies
from enforcer.registry import Registry
from enforcer.settings import Settings
from enforcer.tickets import TicketOffice


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a handler may need."""

    settings: Settings
    registry: Registry
    office: TicketOffice
    authkeys: AuthKeys
    proxies: Proxies

    def client_ip(self, request: web.Request) -> str:
        """The client's address, as far as trusted proxies tell it."""
        return self.proxies.client_ip(request.remote, request.headers.getall("X-Forwarded-For", []))


CONTEXT = web.AppKey("context", Context)
