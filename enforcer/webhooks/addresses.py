"""Which addresses a webhook may lead to: none inside (OWASP, Server-Side Request Forgery Prevention). Pure."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Behind it a translator finds an IPv4 address (RFC 6052)."""

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100:0:0:1::/64", "3fff::/20", "5f00::/16")
)
"""Of the registries of special addresses (RFC 6890), what not every version of Python's module knows."""


def is_public(text: str) -> bool:
    """Whether an IP address, as a socket takes it, is one of the Internet's, so that anybody may be sent there.

    Not public: loopback, private and shared (RFC 1918, RFC 6598), link-local, unique-local, unspecified, multicast,
    reserved and documentation addresses; and every IPv6 address that carries one of these within it.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_alone(one) for one in (address, *_within(address)))


def _alone(address: Address) -> bool:
    """What is told of an address by itself; one that carries another is judged by that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64:
            return True
        if address.is_site_local:
            return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address carries: mapped, by 6to4, Teredo or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(one for one in found if one is not None)
