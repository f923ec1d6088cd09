"""Ports that a command listens on: the options of the pages' port, and listening sockets."""

import argparse
import errno
import socket
from collections.abc import Callable

from webhook.cli.arguments import any_port, filled
from webhook.cli.errors import MISSING, USAGE, CommandError
from webhook.listening import LOOPBACK, joined, listen, reachable


def add_pages_options(add: Callable[..., object]) -> None:
    """Add --pages-port and --pages-host; ``add`` is the ``add_argument`` of a parser or of a group."""
    add(
        "--pages-port",
        type=any_port,
        metavar="P",
        help="serve /healthz, /readyz and /metrics there, over HTTP; 0 for any free one",
    )
    add(
        "--pages-host",
        type=filled,
        default=LOOPBACK,
        metavar="H",
        help="address for them (%(default)s); :: is every address, IPv6 and IPv4",
    )


def pages_listener(arguments: argparse.Namespace) -> socket.socket | None:
    """A listening socket for the pages; None without --pages-port. Raises CommandError."""
    if arguments.pages_port is None:
        return None
    return listener("--pages-port", arguments.pages_host, arguments.pages_port)


def listener(option: str, host: str, port: int) -> socket.socket:
    """A listening socket. Raises CommandError."""
    where = joined(host, port)
    try:
        return listen(host, port, backlog=2048)
    except socket.gaierror as problem:
        raise CommandError(f"{option.replace('port', 'host')} {host}: {problem.strerror}", USAGE) from problem
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            message = f"{where} is in use; choose another {option}, or 0 for any free one"
            raise CommandError(message, MISSING) from problem
        raise CommandError(f"cannot listen on {where}: {problem.strerror}", MISSING) from problem


def url(scheme: str, host: str, listening: socket.socket) -> str:
    """The URL by which this machine reaches a socket that listens on ``host``."""
    return f"{scheme}://{joined(reachable(host), listening.getsockname()[1])}"
