"""Connection host: what a connection needs from the worker that accepted it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from webhook.server.clients import Clients
from webhook.server.handler import AdmissionHandler
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics

if TYPE_CHECKING:
    from webhook.server.protocol import Connection


class Host(Protocol):
    """``date`` is the header Date of a response. ``draining`` is True once shutdown has begun.

    ``monotonic`` is exact, while the time of the event loop stands still within one turn of it.
    """

    loop: asyncio.AbstractEventLoop
    limits: Limits
    clients: Clients
    handler: AdmissionHandler
    metrics: ServerMetrics
    large_bodies: LargeBodies
    monotonic: Callable[[], float]

    @property
    def draining(self) -> bool: ...
    @property
    def date(self) -> bytes: ...
    def forget(self, connection: "Connection") -> None:
        """The connection is closed."""
