"""The served pair in the cluster: a Secret, watched."""

from collections.abc import Callable
from datetime import datetime

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.pair import Pair
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import SECRETS
from webhook.cluster.store import Store
from webhook.server.secret_store import contents_of
from webhook.server.served_pair import ServedPair
from webhook.server.tally import Tally


class PairSecret(ServedPair):
    """Reads the pair from the local picture of one Secret, which a watch keeps; reading sends nothing."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        name: str,
        live: LiveContext,
        tally: Tally,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(live, tally, now)
        self._namespace = namespace
        self._name = name
        self._reflector = Reflector(
            client,
            SECRETS,
            Store(clock.monotonic),
            clock,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
        )

    @property
    def place(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    def start(self) -> None:
        self._reflector.start()

    def stop(self) -> None:
        self._reflector.stop()

    def read(self) -> Pair:
        """What the Secret held when it was last heard of. Raises CertificateError while there is none."""
        secret = self._reflector.store.get(self._namespace, self._name)
        if secret is None:
            trouble = self._reflector.trouble
            raise CertificateError(f"{self.place} is not there yet{f': {trouble}' if trouble else ''}")
        return contents_of(secret).leaf
