"""The service: everything one worker serves, wired together."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol

from webhook.admission import EmptyLookup, Lookup, Settings
from webhook.server.gate import Gate
from webhook.server.limits import Limits
from webhook.server.served_pair import ServedPair
from webhook.server.state import State, readiness
from webhook.server.tally import Tally

PAIR_SECONDS = 1.0
"""How often the place that keeps the certificate is read; none of the places asks anybody for that."""


class Feed(Protocol):
    """Where the lookup's objects come from."""

    @property
    def rollouts(self) -> Lookup: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def unsynced(self) -> str: ...


class Service:
    """Made before the worker is forked, so that what is wrong is told at the command line; started in the worker.

    Without a feed the service stands alone: its lookup is empty and never fresh. ``on_ready`` is called once, when
    readiness is first reached.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        pair: ServedPair,
        tally: Tally,
        feed: Feed | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits
        self.tally = tally
        self.draining = False
        self._pair = pair
        self._feed = feed
        self._on_ready = on_ready
        self.gate = Gate(feed.rollouts if feed else EmptyLookup(), settings, tally)

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS context of the next handshake."""
        return self._pair.live.context

    def state(self) -> State:
        """How things stand now."""
        certificate = self._pair.live.certificate
        return State(
            certificate_not_after=certificate.not_valid_after_utc if certificate else None,
            trouble=self._pair.trouble,
            unsynced=self._feed.unsynced() if self._feed else "",
            cache_age=self._feed.rollouts.age() if self._feed else None,
            standalone=self._feed is None,
            draining=self.draining,
        )

    def application(self) -> Any:
        """The ASGI application; flask and the metrics library are imported here, in the worker."""
        from webhook.server.entry import Entry
        from webhook.server.lane import Lane
        from webhook.server.pages import make_app

        return Entry(Lane(self.gate, self.limits), make_app(self.gate, self.limits, self.state))

    def start(self) -> list[Coroutine[Any, Any, None]]:
        """Start the feed and the pair's; the coroutines are the worker's to run until it stops."""
        if self._feed is not None:
            self._feed.start()
        self._pair.start()
        return [self._pair.watch(PAIR_SECONDS), self._announce()]

    def stop(self) -> None:
        """Stop both."""
        self._pair.stop()
        if self._feed is not None:
            self._feed.stop()

    async def _announce(self) -> None:
        while not readiness(self.state(), datetime.now(UTC))[0]:
            await asyncio.sleep(0.05)
        self._on_ready()
