"""Where a server listens: the port, the queues before it, what to print, and why it cannot be had."""

import errno
import socket
import sys
from ipaddress import ip_address
from urllib.parse import quote

QUEUES = 4 if sys.platform == "linux" else 1
"""Listening sockets of one process on its port. The kernel lets some 4,096 connections wait for each (`somaxconn`) and
drops the others, which come again after a second or more; after a restart ten thousand pages come at once. Only Linux
spreads them (`SO_REUSEPORT`)."""
QUEUE_LENGTH = 4096


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


def why_not_listening(ipaddr: str, port: int, error: OSError, setting: str = "port") -> str:
    """One line for the operator; `setting` is the one of the port."""
    where = f"{ipaddr} port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use; stop the other process, or change `{setting}`"
        case errno.EACCES:
            return f"{where} needs more rights than this user has; take a port above 1023"
        case errno.EADDRNOTAVAIL:
            return f"{ipaddr} is not an address of this machine; change `{setting.replace('port', 'ipaddr')}`"
        case _:
            return f"cannot listen on {where}: {error.strerror or error}"


def reserved_port(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for the workers; it does not listen, so no connection goes to it.

    Raises:
        OSError: the port cannot be had; somebody else has it, say.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as alone:  # without SO_REUSEPORT, so that other servers are seen
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
        address = alone.getsockname()
    shared = socket.socket(family, kind, protocol)
    try:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of another server may linger
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(address)
    except OSError:
        shared.close()
        raise
    return shared
