"""The service: everything one worker serves, wired together."""

import socket
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol

from certs.served import ServedKeyPair
from webhook.admission import EmptyLookup, Lookup, Settings
from webhook.cluster.supervisor import Supervisor
from webhook.server.clients import ANYBODY, Clients
from webhook.server.handler import AdmissionHandler
from webhook.server.knative_side import KnativeSide
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.state import State, readiness

KEY_PAIR_SECONDS = 1.0
"""The interval at which the stored key pair is read; reading it sends no request."""


class Informers(Protocol):
    """The source of the lookup's objects."""

    @property
    def rollouts(self) -> Lookup: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def unsynced(self) -> str: ...


class Service:
    """Made before the worker is forked, so that errors reach the command line; started in the worker.

    Without informers the service is standalone: its lookup is empty. ``pages`` is a listening socket, None for no
    pages. ``on_ready`` is called once, when readiness is first reached.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        key_pair: ServedKeyPair,
        metrics: ServerMetrics,
        informers: Informers | None = None,
        pages: socket.socket | None = None,
        on_ready: Callable[[], None] = lambda: None,
        supervisor: Supervisor | None = None,
        clients: Clients = ANYBODY,
        knative: KnativeSide | None = None,
    ) -> None:
        self.supervisor = supervisor or Supervisor(count=metrics.faulted)
        self.limits = limits
        self.clients = clients
        self.metrics = metrics
        self.draining = False
        self._key_pair = key_pair
        self._informers = informers
        self._knative = knative
        self._listener = pages
        self._pages: Any = None
        self._on_ready = on_ready
        self.handler = AdmissionHandler(
            informers.rollouts if informers else EmptyLookup(),
            settings,
            metrics,
            self.supervisor,
            knative=knative.handler if knative else None,
        )
        live = key_pair.live
        metrics.ask_certificate(
            lambda: live.certificate.not_valid_after_utc if live.certificate else None, lambda: not key_pair.last_error
        )
        metrics.ask_cache(
            lambda: not (informers and informers.unsynced()),
            lambda: informers.rollouts.age() if informers else None,
        )

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS context of the next handshake."""
        return self._key_pair.live.context

    def state(self) -> State:
        """The state now."""
        certificate = self._key_pair.live.certificate
        return State(
            certificate_not_after=certificate.not_valid_after_utc if certificate else None,
            last_error=self._key_pair.last_error,
            unsynced=self._informers.unsynced() if self._informers else "",
            standalone=self._informers is None,
            knative=self._knative.unsynced() if self._knative else None,
            draining=self.draining,
        )

    def health(self) -> tuple[bool, str]:
        """True if every thread and task is alive and takes its turns; else what is wrong."""
        return self.supervisor.health()

    def start(self) -> list[Coroutine[Any, Any, None]]:
        """Start the pages, the informers and the key pair; the worker runs the coroutines until it stops."""
        if self._listener is not None:
            # Flask is imported in the worker, and only where pages are served.
            from webhook.pages_server import PagesServer
            from webhook.server.pages import make_app

            enforced = "refuses a write" if self.handler.settings.enforce == "deny" else "only warns"
            app = make_app(
                f"The admission webhook; a finding {enforced}.",
                self.health,
                lambda now: readiness(self.state(), now),
                self.metrics.registry,
                supervisor=self.supervisor,
            )
            self._pages = PagesServer(app, self._listener, self.supervisor)
            self._pages.start()
        if self._informers is not None:
            self._informers.start()
        if self._knative is not None:
            self._knative.start()
        self._key_pair.start()
        return [self._key_pair.watch(KEY_PAIR_SECONDS, self.supervisor), self.supervisor.keep("ready", self._announce)]

    def stop(self) -> None:
        """Stop all of them."""
        self._key_pair.stop()
        if self._knative is not None:
            self._knative.stop()
        if self._informers is not None:
            self._informers.stop()
        if self._pages is not None:
            self._pages.stop()

    async def _announce(self) -> float | None:
        if not readiness(self.state(), datetime.now(UTC))[0]:
            return 0.05
        try:
            self._on_ready()
        except Exception:
            # A second attempt would not help.
            self.supervisor.fault("ready", "the announcement that the webhook is ready")
        return None
