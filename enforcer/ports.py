"""The port of one or several processes, and the queues in which new connections wait for it."""

import socket
import sys

QUEUES = 4 if sys.platform == "linux" else 1
"""Listening sockets of one process on its port. The kernel lets some 4,096 connections wait for each (`somaxconn`) and
drops the others, which come again after a second or more; after a restart ten thousand pages come at once. Only Linux
spreads them (`SO_REUSEPORT`)."""
QUEUE_LENGTH = 4096


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
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(address)
    except OSError:
        shared.close()
        raise
    return shared
