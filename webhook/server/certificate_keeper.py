"""The keeper: sees to the certificates in a cluster, as long as its process leads."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Gauge

from certs.contents import Contents, signing_authority
from certs.errors import CertificateError, StoreError
from certs.pair import read_certificate
from certs.probe import probe
from certs.renewal import renew
from certs.rotation import Terms, World
from certs.store import Store
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import PODS, SECRETS, Resource
from webhook.cluster.store import Store as LocalStore
from webhook.cluster.trim import only
from webhook.server.registration import Registered, Registration, registrations_of
from webhook.server.secret_store import SecretStore

_LOG: Final = logging.getLogger("stagegate.certificates")
_PROBE_SECONDS: Final = 2.0

Probe = Callable[[str], bytes | None]
"""The certificate (PEM) that the server at an address shows, None when it shows none."""


class Watch(Protocol):
    """Something that calls back when what is kept here has changed."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class KeeperOptions:
    """``selector`` finds the pods that serve. The last two are in seconds.

    ``hosts`` are served besides those that the registration names; ``again`` is waited after an error, and
    ``at_most`` before everything is looked at again although nothing seems to have changed.
    """

    namespace: str
    selector: str = "app.kubernetes.io/name=stagegate-webhook"
    hosts: frozenset[str] = frozenset()
    terms: Terms = field(default_factory=Terms)
    again: float = 5.0
    at_most: float = 600.0


@dataclass(frozen=True, slots=True)
class KeeperState:
    """For metrics: when leaf and authority end, and the last error; empty when all is well."""

    leaf_not_after: datetime | None = None
    authority_not_after: datetime | None = None
    error: str = ""


class CertificateKeeper:
    """Decides and acts in a thread of its own between ``start`` and ``stop``; ``wake`` makes it look at once."""

    def __init__(
        self,
        client: Client,
        store: Store,
        registration: Registration,
        probe: Probe,
        clock: Clock,
        options: KeeperOptions,
    ) -> None:
        self._client = client
        self._store = store
        self._registration = registration
        self._probe = probe
        self._clock = clock
        self._options = options
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.watches: tuple[Watch, ...] = ()
        self.state = KeeperState()

    def start(self) -> None:
        for watch in self.watches:
            watch.start()
        self._thread = threading.Thread(target=self._run, name="certificates", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._awake.set()
        for watch in self.watches:
            watch.stop()
        if self._thread is not None:
            self._thread.join(5.0)

    def expose(self, registry: CollectorRegistry) -> None:
        """Add when leaf and authority end, and whether the last look failed, to these metrics."""
        ends = Gauge(
            "stagegate_certificates_not_after_seconds", "Unix time at which each ends", ["what"], registry=registry
        )
        ends.labels("leaf").set_function(lambda: _seconds(self.state.leaf_not_after))
        ends.labels("authority").set_function(lambda: _seconds(self.state.authority_not_after))
        failed = Gauge("stagegate_certificates_error", "1 while the certificates cannot be seen to", registry=registry)
        failed.set_function(lambda: float(bool(self.state.error)))

    def wake(self) -> None:
        """Something has changed that the certificates depend on."""
        self._awake.set()

    def step(self) -> float:
        """Do what is due now; answers the seconds until the next look."""
        try:
            registered = self._registration.read()
            taken, wait = renew(
                self._store,
                hosts_for(registered, self._options),
                self._clock.now(),
                self._options.terms,
                self._observe,
                self._registration.publish,
            )
            contents, _ = self._store.read()
        except (CertificateError, StoreError, ApiError) as problem:
            if str(problem) != self.state.error:
                _LOG.warning("%s", problem)
            self.state = KeeperState(self.state.leaf_not_after, self.state.authority_not_after, str(problem))
            return self._options.again
        for action in taken:
            _LOG.info("%s: %s", type(action).__name__, action.reason)
        self.state = state_of(contents)
        return min(max((wait.until - self._clock.now()).total_seconds(), 1.0), self._options.at_most)

    def _observe(self) -> World:
        pods = self._client.list(PODS, self._options.namespace, label_selector=self._options.selector)
        addresses = addresses_of(pods.get("items") or ())
        return world_of(self._registration.read(), {address: self._probe(address) for address in addresses})

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                seconds = self.step()
            except Exception:
                _LOG.exception("certificates were not seen to")
                seconds = self._options.again
            self._awake.wait(seconds)


def make_keeper(
    client: Client,
    clock: Clock,
    secret: str,
    configurations: Iterable[str],
    port: int,
    options: KeeperOptions,
) -> CertificateKeeper:
    """A keeper of a Secret in the options' namespace, woken when that or one of the configurations changes.

    ``client`` has the registration's field manager; ``port`` is the one that the pods serve on.
    """
    names = tuple(configurations)
    keeper = CertificateKeeper(
        client,
        SecretStore(client, options.namespace, secret),
        Registration(client, names),
        lambda address: shown_at(address, port),
        clock,
        options,
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
        )

    keeper.watches = (
        watch(SECRETS, options.namespace, secret),
        *(watch(resource, None, name) for resource, name in registrations_of(names)),
    )
    return keeper


def shown_at(address: str, port: int) -> bytes | None:
    """The certificate that a server shows, None when it shows none within two seconds."""
    try:
        return probe(address, port, _PROBE_SECONDS)
    except CertificateError:
        return None


def hosts_for(registered: Iterable[Registered], options: KeeperOptions) -> frozenset[str]:
    """Whom the leaf has to be for: all that the API server asks for, and all that were asked for here."""
    named = frozenset().union(*(one.hosts for one in registered), options.hosts)
    return named or frozenset({f"stagegate-webhook.{options.namespace}.svc"})


def addresses_of(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """The addresses of the pods that may answer calls: those that have one and have not ended."""
    statuses = [pod.get("status") or {} for pod in pods]
    ended = ("Succeeded", "Failed")
    return sorted({s["podIP"] for s in statuses if s.get("podIP") and s.get("phase") not in ended})


def world_of(registered: Iterable[Registered], served: Mapping[str, bytes | None]) -> World:
    """What the rotation has to know beyond the store."""
    registered = tuple(registered)
    times = [one.published_at for one in registered if one.published_at is not None]
    return World(
        published=tuple(bundle for one in registered for bundle in one.bundles.values()),
        published_at=max(times, default=None),
        served=served,
    )


def state_of(contents: Contents) -> KeeperState:
    """When what is stored ends."""
    authority = signing_authority(contents)
    return KeeperState(
        read_certificate(contents.certificate).not_valid_after_utc,
        read_certificate(authority.certificate).not_valid_after_utc if authority else None,
    )


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time is not None else 0.0
