"""The controller: reconciles the certificates of a cluster while its process leads."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from certs.ca_injection import CaInjector, WebhookConfiguration, bundles_of, configurations_of
from certs.contents import Contents
from certs.errors import CertificateError, ClusterError, StoreError
from certs.key_pair import read_certificate
from certs.leaf import hosts_of
from certs.metrics import CertificateState
from certs.protocols import Clock, Cluster, Runnable, Supervisor
from certs.renewal import Served, renew
from certs.rotation import Action, Observed, RotationPolicy, Wait
from certs.secret_store import AUTHORITY_SUFFIX, SecretStore
from certs.serving_pods import PORT, SELECTOR, ServingPods, prober
from certs.status import describe_action

_LOG: Final = logging.getLogger("stagegate.certificates")
_LEAST_SECONDS: Final = 0.2
"""The least time between two reconciles, also when another client reverts each write."""
_SLEWED_SECONDS: Final = 30.0
"""A wall clock that is off by less, as after slewing, does not count as set."""


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """``selector`` matches the pods that serve, on ``port``. The last four are in seconds.

    ``again`` is waited after an error, ``at_most`` before the next reconcile when nothing changes, ``look`` between two
    looks at the clock, which may have been set, and ``finish`` for the reconcile that is under way at the end.
    """

    namespace: str
    selector: str = SELECTOR
    port: int = PORT
    policy: RotationPolicy = field(default_factory=RotationPolicy)
    again: float = 5.0
    at_most: float = 600.0
    look: float = 10.0
    finish: float = 5.0


class CertificateController:
    """Reconciles in a thread of its own between ``start`` and ``stop``, while ``leads`` answers True.

    ``wake`` starts a reconcile at once. ``on_state`` gets each new state, None while another process may lead.
    """

    def __init__(
        self,
        store: SecretStore,
        injector: CaInjector,
        servers: Callable[[], Served],
        clock: Clock,
        options: ControllerOptions,
        supervisor: Supervisor,
        leads: Callable[[], bool] = lambda: True,
        on_state: Callable[[CertificateState | None], None] = lambda state: None,
    ) -> None:
        self._store = store
        self._injector = injector
        self._servers = servers
        self._clock = clock
        self._options = options
        self._supervisor = supervisor
        self._leads = leads
        self._on_state = on_state
        self._clients = ApiServers(injector, clock, self._raise_if_stopped)
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._logged = ""
        self._read_at = clock.now(), clock.monotonic()
        self.watches: tuple[Runnable, ...] = ()
        self.state: CertificateState | None = None

    def start(self) -> None:
        for watch in self.watches:
            watch.start()
        self._thread = self._supervisor.start("certificates", self._turn, self._stopping.wait)

    def stop(self) -> None:
        """End the thread once the write under way is done; no other is begun."""
        self._stopping.set()
        self._awake.set()
        for watch in self.watches:
            watch.stop()
        if self._thread is not None:
            self._thread.join(self._options.finish)

    def wake(self) -> None:
        """Reconcile now: an object that the certificates depend on has changed."""
        self._awake.set()

    def reconcile(self) -> float:
        """Do what is due now; returns the seconds until the next reconcile. Raises Stopped."""
        now = self._clock.now()
        self._read_at = now, self._clock.monotonic()
        try:
            self._raise_if_stopped()
            if self._store.repair():
                _LOG.info(
                    "repaired an incomplete write: the authority's key is in %s only", self._store.authority_place
                )
            stored, _ = self._store.read()
            hosts = hosts_for(self._injector.read(), stored, self._options.namespace)
            taken, wait = renew(self._store, hosts, now, self._options.policy, self._clients, self._shown)
            stored, _ = self._store.read()
        except (CertificateError, StoreError, ClusterError) as problem:
            return self._failed(problem)
        self._log(taken, wait)
        self._set_state((self.state or CertificateState()).succeeded(stored))
        # The clock may have been set since, so the time that has passed is measured.
        seconds = (wait.until - now).total_seconds() - (self._clock.monotonic() - self._read_at[1])
        return min(max(seconds, 1.0), self._options.at_most)

    def _shown(self) -> Served:
        shown = self._servers()
        self._raise_if_stopped()
        return shown

    def _log(self, taken: list[Action], wait: Wait) -> None:
        for action in taken:
            _LOG.info("%s", describe_action(action))
        if wait.reason != self._logged or taken:
            _LOG.info("nothing to do before %s: %s", f"{wait.until:%FT%TZ}", wait.reason)
        self._logged = wait.reason

    def _failed(self, problem: Exception) -> float:
        """Record the error, and log it unless it was the last one too; returns the seconds until the next reconcile."""
        before = self.state or CertificateState()
        after = self._record(problem)
        if after.error != before.error:
            _LOG.warning("cannot reconcile the certificates in %s: %s", self._store.place, problem)
        return self._options.again

    def _stand_by(self) -> float:
        """Clear the state: another process may lead by now."""
        self._set_state(None)
        self._logged = ""
        return self._options.again

    def _record(self, problem: Exception) -> CertificateState:
        state = (self.state or CertificateState()).failed(problem, self._clock.now())
        self._set_state(state)
        return state

    def _set_state(self, state: CertificateState | None) -> None:
        self.state = state
        self._on_state(state)

    def _was_set(self) -> bool:
        """True if the wall clock was set since the last reconcile: its decision may be different now."""
        now, monotonic = self._read_at
        passed = (self._clock.now() - now).total_seconds()
        return abs(passed - (self._clock.monotonic() - monotonic)) > _SLEWED_SECONDS

    def _raise_if_stopped(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _turn(self) -> float | None:
        self._awake.clear()
        try:
            seconds = self.reconcile() if self._leads() else self._stand_by()
        except Stopped:
            return None
        except Exception as fault:
            self._record(fault)
            raise
        self._stopping.wait(_LEAST_SECONDS)
        while seconds > 0 and not self._awake.wait(min(seconds, self._options.look)):
            self._supervisor.beat()
            seconds = 0.0 if self._was_set() else seconds - self._options.look
        return None if self._stopping.is_set() else 0.0


class Stopped(Exception):
    """The controller was stopped: nothing more is done."""


class ApiServers:
    """The API servers as clients of the webhook: the caBundles that they trust, and since when.

    The time is measured with this process's clock, from the moment at which a bundle was first seen: the clock of
    another machine does not show how long ago that was. A new leader waits once more at worst.
    """

    def __init__(self, injector: CaInjector, clock: Clock, raise_if_stopped: Callable[[], None] = lambda: None) -> None:
        self._injector = injector
        self._clock = clock
        self._raise_if_stopped = raise_if_stopped
        self._configurations: tuple[WebhookConfiguration, ...] = ()
        self._seen: tuple[tuple[bytes, ...], float] = (), clock.monotonic()

    def observe(self, now: datetime) -> Observed:
        """The caBundles of the configurations. Raises ClusterError, and Stopped."""
        self._raise_if_stopped()
        self._configurations = self._injector.read()
        bundles = bundles_of(self._configurations)
        if bundles != self._seen[0]:
            self._seen = bundles, self._clock.monotonic()
        since = now - timedelta(seconds=self._clock.monotonic() - self._seen[1])
        return Observed(published=bundles, published_at=since if bundles else None)

    def publish(self, bundle: bytes) -> None:
        """Inject the bundle into the configurations as last observed. Raises ClusterError, StoreConflict."""
        self._injector.inject(self._configurations, bundle)


def make_controller(
    cluster: Cluster,
    clock: Clock,
    secret: str,
    configurations: Iterable[str],
    options: ControllerOptions,
    supervisor: Supervisor,
    leads: Callable[[], bool] = lambda: True,
    on_state: Callable[[CertificateState | None], None] = lambda state: None,
) -> CertificateController:
    """A controller of a Secret in the options' namespace, which watches both Secrets and the configurations.

    ``cluster`` writes with the field manager of CA injection.
    """
    names = tuple(configurations)
    controller = CertificateController(
        SecretStore(cluster, options.namespace, secret),
        CaInjector(cluster, names),
        ServingPods(cluster, options.namespace, options.selector, prober(options.port)).shown,
        clock,
        options,
        supervisor,
        leads,
        on_state,
    )
    controller.watches = (
        *(
            cluster.watch("Secret", options.namespace, name, controller.wake)
            for name in (secret, secret + AUTHORITY_SUFFIX)
        ),
        *(cluster.watch(kind, None, name, controller.wake) for kind, name in configurations_of(names)),
    )
    return controller


def hosts_for(configurations: Iterable[WebhookConfiguration], stored: Contents, namespace: str) -> frozenset[str]:
    """The hosts that the leaf has to be for: those that the API server connects to.

    Without a configuration, those of the stored leaf; without one, the Service of a plain install.
    """
    named = frozenset(host for one in configurations for host in one.hosts)
    if named:
        return named
    try:
        before = hosts_of(read_certificate(stored.certificate))
    except CertificateError:
        before = frozenset()
    return before or frozenset({f"stagegate-webhook.{namespace}.svc"})
