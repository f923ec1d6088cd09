"""A cluster as ``certs`` needs it: its protocols on our client, with our errors as its errors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from certs import errors
from certs.protocols import Kind, Wire
from certs.served_secret import served_members
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, Conflict, Forbidden, NotFound
from webhook.cluster.indexer import Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import MUTATING_WEBHOOKS, PODS, SECRETS, VALIDATING_WEBHOOKS, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import only

RESOURCES: Final[dict[Kind, Resource]] = {
    "Secret": SECRETS,
    "Pod": PODS,
    "MutatingWebhookConfiguration": MUTATING_WEBHOOKS,
    "ValidatingWebhookConfiguration": VALIDATING_WEBHOOKS,
}
_ERRORS: Final = {Conflict: errors.Conflict, NotFound: errors.NotFound, Forbidden: errors.Forbidden}


class ClusterClient:
    """certs.protocols.Cluster on a client."""

    def __init__(self, client: Client, clock: Clock, supervisor: Supervisor) -> None:
        self._client = client
        self._clock = clock
        self._supervisor = supervisor

    def get(self, kind: Kind, namespace: str | None, name: str) -> Wire | None:
        with _translated():
            try:
                return self._client.get(RESOURCES[kind], namespace, name)
            except NotFound:
                return None

    def list(self, kind: Kind, namespace: str | None, label_selector: str) -> Sequence[Wire]:
        with _translated():
            found = self._client.list(RESOURCES[kind], namespace, label_selector=label_selector)
        return tuple(found.get("items") or ())

    def create(self, kind: Kind, namespace: str | None, body: Wire) -> None:
        with _translated():
            self._client.create(RESOURCES[kind], namespace, body)

    def patch(self, kind: Kind, namespace: str | None, name: str, body: Wire) -> None:
        with _translated():
            self._client.patch(RESOURCES[kind], namespace, name, body)

    def apply(self, kind: Kind, namespace: str | None, name: str, body: Wire) -> None:
        with _translated():
            self._client.apply(RESOURCES[kind], namespace, name, body)

    def watch(self, kind: Kind, namespace: str | None, name: str, on_change: Callable[[], None]) -> Reflector:
        return Reflector(
            self._client,
            RESOURCES[kind],
            Indexer(self._clock.monotonic),
            self._clock,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            trim=only(),
            on_change=lambda change: on_change(),
            supervisor=self._supervisor,
        )

    def watch_secret(self, namespace: str, name: str, on_contact: Callable[[], None]) -> "WatchedSecret":
        """A local copy of what is served of one Secret; calls back whenever the API server has answered."""
        reflector = Reflector(
            self._client,
            SECRETS,
            Indexer(self._clock.monotonic),
            self._clock,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            trim=lambda secret: {**only()(secret), "data": served_members(secret)},
            on_contact=on_contact,
            supervisor=self._supervisor,
        )
        return WatchedSecret(reflector, namespace, name)


class WatchedSecret:
    """certs.protocols.SecretWatch on a reflector of one Secret."""

    def __init__(self, reflector: Reflector, namespace: str, name: str) -> None:
        self.reflector = reflector
        self._key = namespace, name

    def start(self) -> None:
        self.reflector.start()

    def stop(self) -> None:
        self.reflector.stop()

    @property
    def secret(self) -> Mapping[str, Any] | None:
        return self.reflector.store.get(*self._key)

    @property
    def synced(self) -> bool:
        return self.reflector.synced

    @property
    def last_error(self) -> Exception | None:
        return self.reflector.last_error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ApiError as problem:
        translated = next((to for ours, to in _ERRORS.items() if isinstance(problem, ours)), errors.ClusterError)
        raise translated(str(problem), problem.call.resource, type(problem).__name__) from problem
