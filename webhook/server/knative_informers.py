"""Knative's objects in memory: what a pin is decided on, without a request."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from webhook.api.kinds import AUTOSCALER_SETTINGS_NAME, SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.indexer import Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import CONFIG_MAPS, KNATIVE_SERVICES, NAMESPACES, REVISIONS, ROUTES, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import Trim, identity, only
from webhook.knative.annotations import PROGRESSIVE, labels_of
from webhook.knative.bounds import Defaults
from webhook.knative.pin import NewRevision, Observation
from webhook.knative.settings import default_bounds, hold_settings
from webhook.server.metrics import ServerMetrics

_TRIMS: Final[Mapping[Resource, Trim]] = {
    KNATIVE_SERVICES: only("metadata.annotations", "spec.traffic", "spec.template.metadata.annotations"),
    ROUTES: only("metadata.annotations", "metadata.ownerReferences", "spec.traffic", "status.traffic"),
    REVISIONS: identity,
}


class KnativeInformers:
    """A reflector for each resource, each in its own thread once started. Nothing here writes to the cluster.

    ``by_default``: Services that say nothing are opted in. The ConfigMaps are read in ``settings_namespace``.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        metrics: ServerMetrics,
        supervisor: Supervisor | None = None,
        *,
        by_default: bool = False,
        settings_namespace: str = SETTINGS_NAMESPACE,
    ) -> None:
        self._by_default = by_default
        self._settings_namespace = settings_namespace

        def reflector(
            resource: Resource, trim: Trim, *, namespace: str | None = None, labels: str = "", name: str = ""
        ) -> Reflector:
            return Reflector(
                client,
                resource,
                Indexer(clock.monotonic),
                clock,
                namespace=namespace,
                label_selector=labels,
                field_selector=f"metadata.name={name}" if name else "",
                trim=trim,
                on_count=partial(metrics.reflected, resource.plural),
                supervisor=supervisor,
            )

        self._services, self._routes, self._revisions = (reflector(each, trim) for each, trim in _TRIMS.items())
        self._namespaces = reflector(NAMESPACES, only(), labels=PROGRESSIVE)
        self._settings, self._autoscaler = (
            reflector(CONFIG_MAPS, only("data"), namespace=settings_namespace, name=name)
            for name in (SETTINGS_NAME, AUTOSCALER_SETTINGS_NAME)
        )
        self.reflectors = (
            self._services,
            self._routes,
            self._revisions,
            self._namespaces,
            self._settings,
            self._autoscaler,
        )

    def start(self) -> None:
        """Start to list and watch."""
        for each in self.reflectors:
            each.start()

    def stop(self) -> None:
        """Stop the watches."""
        for each in self.reflectors:
            each.stop()

    def unsynced(self) -> str:
        """What is not read, with the last error of it; empty when all is. Until then nothing is pinned."""
        return "; ".join(each.unread() for each in self.reflectors if not each.synced)

    def observe(self, new: NewRevision) -> Observation:
        """What the pin for a new Revision is decided on."""
        namespace = self._namespaces.store.get("", new.namespace)
        return Observation(
            service=self._services.store.get(new.namespace, new.service),
            is_stored=self._revisions.store.get(new.namespace, new.name) is not None,
            namespace_labels=labels_of(namespace),
            by_default=self._by_default,
            settings=hold_settings(self._settings.store.get(self._settings_namespace, SETTINGS_NAME)),
        )

    def route(self, namespace: str, name: str) -> Wire:
        """The Route as last seen, empty for none."""
        return self._routes.store.get(namespace, name) or {}

    def defaults(self) -> Defaults:
        """The bounds of Revisions that state none."""
        return default_bounds(self._autoscaler.store.get(self._settings_namespace, AUTOSCALER_SETTINGS_NAME))

    def written(self, route: Wire) -> None:
        """A Route as this process has just stored it: it is seen at once."""
        self._routes.store.assume(_TRIMS[ROUTES](route))
