"""The keeper: sees to the certificates in a cluster, as long as its process leads."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from prometheus_client import CollectorRegistry

from certs.contents import Contents
from certs.errors import CertificateError, StoreError
from certs.key_pair import read_certificate
from certs.leaf import hosts_of
from certs.renewal import Served, renew
from certs.rotation import Action, Observed, RotationPolicy, Wait
from certs.status import describe_action
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import SECRETS, Resource
from webhook.cluster.store import Store as LocalStore
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import only
from webhook.server.keeper_metrics import KeeperCollector, KeeperState
from webhook.server.registration import Registered, Registration, registrations_of
from webhook.server.secret_store import AUTHORITY_SUFFIX, SecretStore
from webhook.server.serving_pods import PORT, SELECTOR, ServingPods, prober

_LOG: Final = logging.getLogger("stagegate.certificates")
_BREATH_SECONDS: Final = 0.2
"""The least time between two looks: somebody who undoes what is written here is not answered faster than that."""
_LONGEST_SLEEP: Final = 60.0
"""A longer sleep is taken in parts, so that a thread that sleeps is told from one that hangs."""


class Watch(Protocol):
    """Something that calls back when what is kept here has changed."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class KeeperOptions:
    """``selector`` finds the pods that serve, on ``port``. The last three are in seconds.

    ``again`` is waited after an error, ``at_most`` before everything is looked at again although nothing seems to have
    changed, and ``finish`` at the end for what is under way.
    """

    namespace: str
    selector: str = SELECTOR
    port: int = PORT
    policy: RotationPolicy = field(default_factory=RotationPolicy)
    again: float = 5.0
    at_most: float = 600.0
    finish: float = 5.0


class CertificateKeeper:
    """Decides and acts in a thread of its own between ``start`` and ``stop``; ``wake`` makes it look at once."""

    def __init__(
        self,
        store: SecretStore,
        registration: Registration,
        servers: Callable[[], Served],
        clock: Clock,
        options: KeeperOptions,
        supervisor: Supervisor | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._leads = leads
        self._supervisor = supervisor or Supervisor(clock.monotonic)
        self._store = store
        self._registration = registration
        self._servers = servers
        self._clock = clock
        self._options = options
        self._clients = RegisteredClients(registration, clock, self._go_on)
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._said = ""
        self.watches: tuple[Watch, ...] = ()
        self.state: KeeperState | None = None

    def start(self) -> None:
        for watch in self.watches:
            watch.start()
        self._thread = self._supervisor.start("certificates", self._turn, self._stopping.wait)

    def stop(self) -> None:
        """End the thread, once what it is writing is written; nothing more is begun."""
        self._stopping.set()
        self._awake.set()
        for watch in self.watches:
            watch.stop()
        if self._thread is not None:
            self._thread.join(self._options.finish)

    def expose(self, registry: CollectorRegistry) -> None:
        """Add the state to these metrics."""
        registry.register(KeeperCollector(lambda: self.state))

    def wake(self) -> None:
        """Something has changed that the certificates depend on."""
        self._awake.set()

    def step(self) -> float:
        """Do what is due now; answers the seconds until the next look."""
        now = self._clock.now()
        try:
            self._go_on()
            if self._store.put_in_order():
                _LOG.info("put in order: the authority's key is in %s alone", self._store.authority_place)
            stored, _ = self._store.read()
            hosts = hosts_for(self._registration.read(), stored, self._options.namespace)
            taken, wait = renew(self._store, hosts, now, self._options.policy, self._clients, self._shown)
            stored, _ = self._store.read()
        except (CertificateError, StoreError, ApiError) as problem:
            return self._failed(problem)
        self._tell(taken, wait)
        self.state = (self.state or KeeperState()).after(stored)
        return min(max((wait.until - self._clock.now()).total_seconds(), 1.0), self._options.at_most)

    def _shown(self) -> Served:
        shown = self._servers()
        self._go_on()
        return shown

    def _tell(self, taken: list[Action], wait: Wait) -> None:
        for action in taken:
            _LOG.info("%s", describe_action(action))
        if wait.reason != self._said or taken:
            _LOG.info("nothing to do before %s: %s", f"{wait.until:%FT%TZ}", wait.reason)
        self._said = wait.reason

    def _failed(self, problem: Exception) -> float:
        """Note the problem, log it unless it was the last one too; answers the seconds until the next look."""
        before = self.state or KeeperState()
        self._note(problem)
        if self.state is not None and self.state.error != before.error:
            _LOG.warning("cannot reconcile the certificates in %s: %s", self._store.place, problem)
        return self._options.again

    def _stand_by(self) -> float:
        """Another process may lead by now: what this one knew is nobody's business."""
        self.state, self._said = None, ""
        return self._options.again

    def _note(self, problem: Exception) -> None:
        self.state = (self.state or KeeperState()).failed(problem, self._clock.now())

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _turn(self) -> float | None:
        self._awake.clear()
        try:
            seconds = self.step() if self._leads() else self._stand_by()
        except Stopped:
            return None
        except Exception as fault:
            self._note(fault)
            raise
        self._stopping.wait(_BREATH_SECONDS)
        while seconds > 0 and not self._awake.wait(min(seconds, _LONGEST_SLEEP)):
            self._supervisor.beat()
            seconds -= _LONGEST_SLEEP
        return None if self._stopping.is_set() else 0.0


class Stopped(Exception):
    """The keeper is to do nothing more."""


class RegisteredClients:
    """The API servers as clients: what the configurations tell them to trust, and since when.

    Since when is measured by our own clock, from the moment at which it was first seen: another machine's clock says
    nothing about how long ago something was, and a leader that has just begun waits once more at worst.
    """

    def __init__(self, registration: Registration, clock: Clock, go_on: Callable[[], None] = lambda: None) -> None:
        self._registration = registration
        self._clock = clock
        self._go_on = go_on
        self._registered: tuple[Registered, ...] = ()
        self._seen: tuple[tuple[bytes, ...], float] = (), clock.monotonic()

    def look(self, now: datetime) -> Observed:
        """What the configurations hold. Raises ApiError, and Stopped when nothing more is to be done."""
        self._go_on()
        self._registered = self._registration.read()
        bundles = bundles_of(self._registered)
        if bundles != self._seen[0]:
            self._seen = bundles, self._clock.monotonic()
        since = now - timedelta(seconds=self._clock.monotonic() - self._seen[1])
        return Observed(published=bundles, published_at=since if bundles else None)

    def publish(self, bundle: bytes) -> None:
        """Write it into those that were seen last. Raises ApiError, StoreConflict."""
        self._registration.publish(self._registered, bundle)


def make_keeper(
    client: Client,
    clock: Clock,
    secret: str,
    configurations: Iterable[str],
    options: KeeperOptions,
    supervisor: Supervisor | None = None,
    leads: Callable[[], bool] = lambda: True,
) -> CertificateKeeper:
    """A keeper of a Secret in the options' namespace, woken when that, the authority's or a configuration changes.

    ``client`` has the registration's field manager. Nothing is done while ``leads`` answers False.
    """
    names = tuple(configurations)
    keeper = CertificateKeeper(
        SecretStore(client, options.namespace, secret),
        Registration(client, names),
        ServingPods(client, options.namespace, options.selector, prober(options.port)).shown,
        clock,
        options,
        supervisor,
        leads,
    )

    def watch(resource: Resource, namespace: str | None, name: str) -> Reflector:
        return Reflector(
            client,
            resource,
            LocalStore(clock.monotonic),
            clock,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            trim=only(),
            on_change=lambda change: keeper.wake(),
            supervisor=supervisor,
        )

    keeper.watches = (
        *(watch(SECRETS, options.namespace, name) for name in (secret, secret + AUTHORITY_SUFFIX)),
        *(watch(resource, None, name) for resource, name in registrations_of(names)),
    )
    return keeper


def bundles_of(registered: Iterable[Registered]) -> tuple[bytes, ...]:
    """What each webhook of each configuration is told to trust."""
    return tuple(bundle for one in registered for bundle in one.bundles.values())


def hosts_for(registered: Iterable[Registered], stored: Contents, namespace: str) -> frozenset[str]:
    """Whom the leaf has to be for: whom the API server asks for.

    While no configuration is there to say so, whom the stored leaf is for; without one, the Service of a plain install.
    """
    named = frozenset(host for one in registered for host in one.hosts)
    if named:
        return named
    try:
        before = hosts_of(read_certificate(stored.certificate))
    except CertificateError:
        before = frozenset()
    return before or frozenset({f"stagegate-webhook.{namespace}.svc"})
