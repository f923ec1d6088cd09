"""Listening sockets: at one address, or at every IPv6 and IPv4 address of this machine."""

import errno
import socket
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
"""The host that only this machine reaches."""

EVERYWHERE: Final = "::"
"""The host that stands for every address of both families."""


def listen(host: str, port: int, backlog: int = 128) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    EVERYWHERE is IPv4 alone where the kernel has no IPv6. Raises OSError, socket.gaierror for an unknown host.
    """
    if host != EVERYWHERE:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except UnicodeError as problem:
            # From the encoding of names: an empty part, or one of more than 63 characters.
            raise socket.gaierror(socket.EAI_NONAME, "not a host name") from problem
        family, _, _, _, address = found[0]
        return _bound(family, address, backlog)
    if socket.has_dualstack_ipv6():
        try:
            return _bound(socket.AF_INET6, (EVERYWHERE, port), backlog)
        except OSError as problem:
            if problem.errno != errno.EADDRNOTAVAIL:
                raise
    return _bound(socket.AF_INET, ("", port), backlog)


def joined(host: str, port: int) -> str:
    """Host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """A host by which this machine reaches a socket that listens on ``host``."""
    return "localhost" if host == EVERYWHERE else host


def _bound(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address[0] == EVERYWHERE:
            # The default depends on a setting of the machine.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
