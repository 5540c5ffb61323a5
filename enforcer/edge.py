"""What HTTP and sockets both judge of a request before anybody listens to it: where from, and with which secrets.

Pure functions of what the request shows.
"""

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import urlsplit

SECRET_PARAMETERS = frozenset({"key", "authkey", "ticket", "proxy_ticket", "token", "access_token", "authorization"})
"""Query parameters that would put a key or ticket into logs and histories."""


def credentials_in_url(names: Iterable[str], path_and_query: str, keys: Sequence[str]) -> bool:
    """Whether a URL carries a secret: a parameter with such a name, or a key of this server anywhere."""
    return any(n.lower() in SECRET_PARAMETERS for n in names) or any(key in path_and_query for key in keys)


def origin_allowed(origin: str | None, host: str, origins: str | Collection[str]) -> bool:
    """Whether pages of `origin` (RFC 6454) may talk to us.

    `origins` is `same-host` (the host of the origin is the host that was asked, whatever the ports) or an exact list.
    No origin at all is not a page of another site: native apps and same-origin GETs send none, and authority never
    comes from cookies here. So it is let through to the ticket check.
    """
    if origin is None:
        return True
    if origins != "same-host":
        return origin in origins
    try:
        theirs = urlsplit(origin)
        if theirs.scheme not in ("http", "https") or theirs.hostname is None:
            return False
        return theirs.hostname == urlsplit(f"//{host}").hostname
    except ValueError:
        return False


class Proxies:
    """The reverse proxies whose word about the client's address is taken."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(n, strict=False) for n in networks]

    def client_ip(self, peer: str | None, forwarded_for: Iterable[str]) -> str:
        """The client's address: the last one in `X-Forwarded-For` that is not a trusted proxy's own.

        Whatever stands before it was written by somebody we do not trust. Without trusted proxies it is the peer's.
        """
        address = peer or "unknown"
        if not self._networks:
            return address
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
        while self._trusts(address) and hops:
            try:
                address = str(ipaddress.ip_address(hops.pop()))
            except ValueError:
                break
        return address

    def _trusts(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)
