"""Ports that a command listens on: the options of the pages' port, and listening sockets."""

import errno
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from webhook.cli.arguments import any_port, filled
from webhook.cli.command import Options
from webhook.cli.errors import MISSING, USAGE, CommandError
from webhook.listening import LOOPBACK, joined, listen, reachable

_F = TypeVar("_F", bound=Callable[..., Any])


def pages_options(option: Callable[..., Any]) -> Callable[[_F], _F]:
    """Add --pages-port and --pages-host, by this decorator of options."""

    def decorated(command: _F) -> _F:
        added = option(
            "--pages-host",
            type=filled,
            default=LOOPBACK,
            metavar="H",
            help="Address for them; :: is every address, IPv6 and IPv4.",
        )(command)
        result: _F = option(
            "--pages-port",
            type=any_port,
            metavar="P",
            help="Serve /healthz, /readyz and /metrics there, over HTTP; 0 for any free one.",
        )(added)
        return result

    return decorated


def pages_listener(arguments: Options) -> socket.socket | None:
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
