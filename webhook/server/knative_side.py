"""The Knative side of the server: what it reads of Knative, and what it pins, wired together."""

from collections.abc import Callable

from webhook.admission.knative_objects import KnativeSettings
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.supervisor import Supervisor
from webhook.server.knative_handler import KnativeHandler
from webhook.server.knative_informers import KnativeInformers
from webhook.server.metrics import ServerMetrics
from webhook.server.pinner import Pinner


class KnativeSide:
    """Made before the worker is forked, started in it. It needs no Knative: without it, it waits, and pins nothing.

    ``client_within`` makes a client whose requests take at most so many seconds.
    """

    def __init__(
        self,
        settings: KnativeSettings,
        client: Client,
        client_within: Callable[[float], Client],
        clock: Clock,
        metrics: ServerMetrics,
        supervisor: Supervisor,
        settings_namespace: str,
    ) -> None:
        self._informers = KnativeInformers(
            client,
            clock,
            metrics,
            supervisor,
            by_default=settings.by_default,
            settings_namespace=settings_namespace,
        )
        self._pinner = Pinner(client_within, clock.monotonic, supervisor)
        self.handler = KnativeHandler(
            settings, metrics, clock.monotonic, self._informers, self._pinner, supervisor=supervisor
        )
        metrics.ask_knative(lambda: not self._informers.unsynced())

    def start(self) -> None:
        """Start to list and watch."""
        self._informers.start()

    def stop(self) -> None:
        """Stop the watches, and begin no more pins."""
        self._informers.stop()
        self._pinner.stop()

    def unsynced(self) -> str:
        """What is not read yet, so that nothing is pinned; empty when all is."""
        return self._informers.unsynced()
