"""Live loops: the Deployments of loops, watched in each namespace in which one may be."""

import threading
from collections.abc import Callable, Iterator

from webhook.api.kinds import LEASE_NAMESPACE
from webhook.api.wire import Wire
from webhook.cluster.errors import Forbidden
from webhook.cluster.indexer import Change, key_of
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import DEPLOYMENTS, VALIDATING_WEBHOOKS, Resource
from webhook.diagnosis.doctor.registration import VALIDATING
from webhook.diagnosis.installed_in import MOST_NAMESPACES, service_namespace
from webhook.diagnosis.reading import Selection
from webhook.diagnosis.world import LOOP_LABEL, LOOP_NAME, Reason, Unread

MakeReflector = Callable[[Resource, Selection, Callable[[Change], None]], Reflector]


class LiveLoops:
    """Watches the namespace of the manifests, that of the registered Service, and those in which a loop has a Lease.

    ``on_change`` is called, in the thread of a reflector, for every change of a Deployment.
    """

    def __init__(self, make: MakeReflector, on_change: Callable[[Change], None]) -> None:
        self._make = make
        self._on_change = on_change
        self._lock = threading.Lock()
        self._has_begun = False
        self._registered = ""
        self._registration = make(VALIDATING_WEBHOOKS, Selection(None, name=VALIDATING), self._changed_registration)
        self._watched: dict[str, Reflector] = {}
        self._watch(LEASE_NAMESPACE)

    @property
    def installed_in(self) -> str:
        """The namespace of Stagegate itself: the registered one, else one in which a loop has a Lease."""
        with self._lock:
            return self._registered or [*self._watched][-1]

    def begin(self) -> None:
        with self._lock:
            self._has_begun = True
            for reflector in (self._registration, *self._watched.values()):
                reflector.start()

    def end(self) -> list[Reflector]:
        """Start no further watch; the reflectors to stop."""
        with self._lock:
            self._has_begun = False
            return [self._registration, *self._watched.values()]

    def has_lease(self, lease: Wire) -> None:
        """Watch the namespace of a loop's Lease too."""
        self._watch(key_of(lease)[0])

    def reflectors(self) -> list[Reflector]:
        with self._lock:
            return [self._registration, *self._watched.values()]

    def objects(self) -> Iterator[Wire]:
        """The Deployments of loops."""
        for _, reflector in self._in_namespaces():
            yield from reflector.store.objects()

    def unread(self) -> Iterator[Unread]:
        """The namespaces in which they could not be read; that of the manifests only where no other is known."""
        watched = self._in_namespaces()
        for namespace, reflector in watched:
            if not reflector.synced and (namespace != LEASE_NAMESPACE or self.installed_in == LEASE_NAMESPACE):
                yield unread_of(reflector, namespace)

    def _in_namespaces(self) -> list[tuple[str, Reflector]]:
        with self._lock:
            return [*self._watched.items()]

    def _changed_registration(self, change: Change) -> None:
        namespace = service_namespace(change.after) if change.after is not None else ""
        with self._lock:
            self._registered = namespace
        if namespace:
            self._watch(namespace)

    def _watch(self, namespace: str) -> None:
        with self._lock:
            if namespace in self._watched or len(self._watched) == MOST_NAMESPACES:
                return
            chosen = Selection(namespace, f"{LOOP_LABEL}={LOOP_NAME}")
            reflector = self._watched[namespace] = self._make(DEPLOYMENTS, chosen, self._on_change)
            if self._has_begun:
                reflector.start()


def unread_of(reflector: Reflector, namespace: str = "") -> Unread:
    """What is said of a resource that is not read yet, or not any more."""
    error = reflector.last_error
    reason: Reason = "not served" if reflector.absent else "forbidden" if isinstance(error, Forbidden) else "failed"
    return Unread(reflector.resource, reason, str(error or "not read yet"), namespace)
