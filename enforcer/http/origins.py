"""What HTTP and sockets both judge of a request before anybody listens to it: where from, and with which secrets.

Pure functions of what the request shows.
"""

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TICKET_PARAMETERS = frozenset({"ticket", "proxy_ticket"})
SECRET_PARAMETERS = TICKET_PARAMETERS | frozenset({"key", "authkey", "token", "access_token", "authorization"})
"""Query parameters that would put a key or ticket into logs and histories."""


def secret_in_url(names: Iterable[str]) -> str | None:
    """The first of the query's parameters, in lower case, that is called as a secret is.

    Whether it *is* one of ours is not asked: the answer would tell those who guess.
    """
    return next((name for n in names if (name := n.lower()) in SECRET_PARAMETERS), None)


def host_allowed(host: str, hostnames: Collection[str] | None) -> bool:
    """Whether a request's `Host` (RFC 9110 §7.2), whatever its port, is one of ours; `None` takes any."""
    return hostnames is None or _hostname(host) in hostnames


@lru_cache(maxsize=256)
def _hostname(host: str) -> str:
    name, bracket, _ = host.rpartition("]")
    return (name + bracket if bracket else host.partition(":")[0]).lower()


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


@lru_cache(maxsize=4096)
def block_of(address: str) -> str:
    """Whose limits an address counts for: itself, or its /64 for IPv6, of which one machine has all (RFC 4291 §2.5.1).

    What is no address (`unknown`) is returned as it is.
    """
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        return address


@lru_cache(maxsize=4096)
def _parsed(hop: str) -> Address | None:
    """An address as proxies write one (RFC 7239 §6): alone, with a port, in brackets, in quotes; None if it is none."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip  # a socket for both families has 203.0.113.7 as ::ffff:203.0.113.7


def _forwarded(lines: Iterable[str]) -> list[str]:
    """The `for` of each hop in `Forwarded` (RFC 7239 §4), the client's first. A hop without one is an unknown one."""
    hops = []
    for hop in ",".join(lines).split(","):
        pairs = (pair.partition("=") for pair in hop.split(";"))
        hops.append(next((value.strip() for name, _, value in pairs if name.strip().lower() == "for"), ""))
    return hops


class Proxies:
    """The reverse proxies whose word about the client's address is taken."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(n, strict=False) for n in networks]

    def client_ip(self, peer: str | None, x_forwarded_for: Sequence[str], forwarded: Sequence[str] = ()) -> str:
        """The client's address: the last one in `X-Forwarded-For` that is not a trusted proxy's own.

        Whatever stands before it was written by somebody we do not trust. Without trusted proxies it is the peer's.
        `Forwarded` counts where the other is missing.
        """
        if not self._networks:
            return _as_text(peer)
        address = None if peer is None else _parsed(peer)
        if address is not None and self._trusts(address):
            hops = [hop for line in x_forwarded_for for hop in line.split(",")] or _forwarded(forwarded)
            while self._trusts(address) and hops:
                if (hop := _parsed(hops.pop())) is None:
                    break
                address = hop
        return _as_text(peer) if address is None else str(address)

    def trusts(self, peer: str | None) -> bool:
        """Whether whoever is connected is one of them."""
        address = None if peer is None else _parsed(peer)
        return address is not None and self._trusts(address)

    def known(self, address: str) -> bool:
        """Whether it is a client's own, and not the one that a proxy hides all of them behind, as far as can be told:
        a proxy has named it, or it is a public one."""
        return bool(self._networks) or _is_public(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def _as_text(peer: str | None) -> str:
    address = None if peer is None else _parsed(peer)
    return peer or "unknown" if address is None else str(address)


@lru_cache(maxsize=4096)
def _is_public(address: str) -> bool:
    ip = _parsed(address)
    return ip is not None and ip.is_global


class Fields(Protocol):
    """Header fields, each of which may come several times."""

    def getall(self, key: str, default: tuple[str, ...]) -> Sequence[str]:
        """The values of a field."""
        ...


class Edge:
    """The judgement of one set of settings, the same for HTTP and sockets."""

    def __init__(
        self, hostnames: Collection[str] | None, origins: str | Collection[str], trusted_proxies: Iterable[str]
    ) -> None:
        self._hostnames = hostnames
        self._origins = origins
        self._proxies = Proxies(trusted_proxies)

    def host_allowed(self, host: str) -> bool:
        """See `host_allowed`."""
        return host_allowed(host, self._hostnames)

    def origin_allowed(self, origin: str | None, host: str) -> bool:
        """See `origin_allowed`."""
        return origin_allowed(origin, host, self._origins)

    def address(self, peer: str | None, fields: Fields) -> str:
        """The address of the client that sent these header fields from `peer`; see `Proxies.client_ip`."""
        return self._proxies.client_ip(peer, fields.getall("X-Forwarded-For", ()), fields.getall("Forwarded", ()))

    def address_of(self, peer: str | None, x_forwarded_for: str | None, forwarded: str | None) -> str:
        """The same, where each field comes once at most."""
        return self._proxies.client_ip(
            peer, () if x_forwarded_for is None else (x_forwarded_for,), () if forwarded is None else (forwarded,)
        )

    def is_trusted(self, peer: str | None) -> bool:
        """Whether whoever is connected is a reverse proxy of ours; see `Proxies.trusts`."""
        return self._proxies.trusts(peer)

    def is_own(self, address: str) -> bool:
        """Whether an address is one client's; see `Proxies.known`."""
        return self._proxies.known(address)
