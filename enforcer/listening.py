"""Where a server listens: what to print, whether it can be had, and why not."""

import errno
import socket
from ipaddress import ip_address
from urllib.parse import quote


def local_url(ipaddr: str, port: int) -> str:
    """An address that answers on this machine, for a server that listens on `ipaddr`."""
    try:
        address = ip_address(ipaddr)
    except ValueError:
        return f"http://{ipaddr or '127.0.0.1'}:{port}"
    if address.is_unspecified:
        return f"http://127.0.0.1:{port}" if address.version == 4 else f"http://[::1]:{port}"
    return f"http://{ipaddr}:{port}" if address.version == 4 else f"http://[{quote(ipaddr, safe=':')}]:{port}"


def try_to_listen(ipaddr: str, port: int) -> None:
    """Listens for a moment, as a server would.

    Raises:
        OSError: it cannot be had.
    """
    places = socket.getaddrinfo(ipaddr or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in places:
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind(address)
            trial.listen(1)


def why_not_listening(ipaddr: str, port: int, error: OSError) -> str:
    """One line for the operator."""
    where = f"{ipaddr} port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use; stop the other process, or change `port`"
        case errno.EACCES:
            return f"{where} needs more rights than this user has; take a port above 1023"
        case errno.EADDRNOTAVAIL:
            return f"{ipaddr} is not an address of this machine; change `ipaddr`"
        case _:
            return f"cannot listen on {where}: {error.strerror or error}"
