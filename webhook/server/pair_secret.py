"""The served pair in the cluster: a Secret, watched."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from certs.contents import CERTIFICATE, KEY
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import SECRETS
from webhook.cluster.store import Store
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import only
from webhook.server.metrics import ServerMetrics
from webhook.server.secret_store import decoded
from webhook.server.served_pair import ServedPair


class PairSecret(ServedPair):
    """Reads the pair from the local picture of one Secret, which a watch keeps; reading sends nothing.

    Of its members no others are kept: a former install had the authority's key among them.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        name: str,
        live: LiveContext,
        metrics: ServerMetrics,
        now: Callable[[], datetime],
        supervisor: Supervisor | None = None,
    ) -> None:
        super().__init__(live, metrics, now)
        self._namespace = namespace
        self._name = name
        self.reflector = Reflector(
            client,
            SECRETS,
            Store(clock.monotonic),
            clock,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            trim=served_part,
            on_contact=self.wake,
            supervisor=supervisor,
        )

    @property
    def place(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    def start(self) -> None:
        self.reflector.start()

    def stop(self) -> None:
        self.reflector.stop()

    def read(self) -> KeyPair | None:
        """What the Secret held when it was last heard of. Raises CertificateError while it holds no pair."""
        secret = self.reflector.store.get(self._namespace, self._name)
        if secret is not None:
            return pair_of(self.place, secret["data"])
        if self.reflector.trouble is not None:
            raise CertificateError(f"cannot read {self.place}: {self.reflector.trouble}")
        if not self.reflector.synced:
            return None
        where = f"{self._namespace}/{self._name}"
        raise CertificateError(f"{self.place} does not exist; it is made by: stagegate loop --cert-secret {where}")


def served_part(secret: Mapping[str, Any]) -> Wire:
    """A Secret in wire form without what is not served."""
    data = secret.get("data") or {}
    return {**only()(secret), "data": {name: data[name] for name in (CERTIFICATE, KEY) if name in data}}


def pair_of(place: str, data: Mapping[str, Any]) -> KeyPair:
    """The pair among the members of a Secret. Raises CertificateError for one that is missing or empty."""
    for name in (CERTIFICATE, KEY):
        if not data.get(name):
            raise CertificateError(f"{place} has no {name}")
    return KeyPair(decoded(data[CERTIFICATE]), decoded(data[KEY]))
