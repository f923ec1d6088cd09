"""The informers of the loop: one cache for each resource, kept up to date by reflectors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from webhook.api.conditions import READY, SCALE_TARGET_INITIALIZED
from webhook.api.kinds import AUTOSCALER_SETTINGS_NAME, REVISION_LABEL, SERVICE_LABEL, SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import Forbidden
from webhook.cluster.indexer import Change, Indexer, IndexFunction, by_label, by_owner, key_of
from webhook.cluster.reflector import Pace, Reflector
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    NAMESPACES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import Trim, only, whole, with_managers
from webhook.knative.annotations import AUTOSCALING, HOLD, annotations_of

BY_SERVICE: Final = "service"
BY_REVISION: Final = "revision"
BY_OWNER: Final = "owner"


def _annotated(trim: Trim, prefix: str) -> Trim:
    """A trim that also keeps the annotations whose key begins with ``prefix``."""

    def trimmed(one: Mapping[str, Any]) -> Wire:
        result = trim(one)
        kept = {key: text for key, text in annotations_of(one).items() if key.startswith(prefix)}
        if kept:
            result["metadata"]["annotations"] = kept
        return result

    return trimmed


_TRIMS: Final[Mapping[Resource, Trim]] = {
    ROLLOUT_ORCHESTRATORS: whole,
    STAGE_POD_AUTOSCALERS: with_managers,
    POD_AUTOSCALERS: _annotated(
        only("status.desiredScale", "status.actualScale", conditions=(READY, SCALE_TARGET_INITIALIZED)), AUTOSCALING
    ),
    REVISIONS: _annotated(only("metadata.creationTimestamp", conditions=(READY,)), AUTOSCALING),
    PODS: only("metadata.deletionGracePeriodSeconds", "status.phase"),
    DEPLOYMENTS: only("spec.replicas", "status.availableReplicas", "status.conditions"),
    KNATIVE_SERVICES: only("metadata.annotations", "spec.template.metadata.annotations", "spec.traffic"),
    ROUTES: _annotated(
        only(
            "metadata.creationTimestamp",
            "metadata.generation",
            "spec.traffic",
            "status.traffic",
            "status.observedGeneration",
            conditions=(READY,),
        ),
        HOLD,
    ),
    CONFIG_MAPS: only("data"),
    NAMESPACES: only(),
}

RESOURCES: Final = tuple(_TRIMS)
"""Every resource that the loop watches."""

_REQUIRED_PACE: Final = Pace(absent=5.0)
_PACE: Final = Pace()


def revisions_named(ro: Mapping[str, Any]) -> list[str]:
    """Index of ROs: ``namespace/revision`` for each revision that one of their lists names.

    A list of another shape names none: one RO that cannot be read must not keep the others out of the cache.
    """
    namespace = (ro.get("metadata") or {}).get("namespace") or ""
    spec = ro.get("spec")
    names = {
        str(entry.get("revisionName"))
        for key in ("initialRevisions", "targetRevisions", "stageTargetRevisions")
        for entry in _list(spec.get(key) if isinstance(spec, dict) else None)
        if isinstance(entry, dict)
    }
    return [f"{namespace}/{name}" for name in sorted(names)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_INDEXES: Final[Mapping[Resource, Mapping[str, IndexFunction]]] = {
    ROLLOUT_ORCHESTRATORS: {BY_REVISION: revisions_named},
    STAGE_POD_AUTOSCALERS: {BY_SERVICE: by_label(SERVICE_LABEL), BY_OWNER: by_owner},
    REVISIONS: {BY_SERVICE: by_label(SERVICE_LABEL)},
    PODS: {BY_REVISION: by_label(REVISION_LABEL)},
    DEPLOYMENTS: {BY_SERVICE: by_label(SERVICE_LABEL)},
}


class Cache:
    """The objects of one resource, in all namespaces or in some, with a reflector for each."""

    def __init__(
        self, resource: Resource, store: Indexer, reflectors: Sequence[Reflector], *, optional: bool = False
    ) -> None:
        """``optional``: an account that may not read it is ready without."""
        self.resource = resource
        self.store = store
        self.reflectors = tuple(reflectors)
        self._optional = optional

    @property
    def synced(self) -> bool:
        """True once everything was listed. Before that, an object that is not in the cache may exist all the same."""
        return bool(self.reflectors) and all(reflector.synced for reflector in self.reflectors)

    @property
    def absent(self) -> bool:
        """True if the cluster does not serve the resource."""
        return any(reflector.absent for reflector in self.reflectors)

    @property
    def known(self) -> bool:
        """True if there is nothing to wait for: it is synced, is not served, is not watched, or may not be read."""
        return self.synced or self.absent or not self.reflectors or self._is_refused

    @property
    def _is_refused(self) -> bool:
        return self._optional and any(isinstance(one.last_error, Forbidden) for one in self.reflectors)

    def get(self, namespace: str, name: str) -> Wire | None:
        return self.store.get(namespace, name)

    def age(self) -> float:
        """Seconds since the last response or event of the server; 0 if it is not served or not watched."""
        return 0.0 if self.absent else max((reflector.age() for reflector in self.reflectors), default=0.0)


class Caches:
    """All caches. ``on_change`` is called for every change that another client made, with its resource."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        on_change: Callable[[Resource, Change], None],
        *,
        namespaces: Sequence[str] = (),
        settings_namespace: str = SETTINGS_NAMESPACE,
        resources: Iterable[Resource] = RESOURCES,
        on_count: Callable[[Resource, str], None] = lambda resource, what: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._on_change = on_change
        self._on_count = on_count
        self._supervisor = supervisor
        self._by_resource: dict[Resource, Cache] = {}
        self._resources = frozenset(resources)
        for resource in RESOURCES:
            where: Sequence[str | None] = namespaces or (None,)
            if resource is CONFIG_MAPS:
                where = (settings_namespace,)
            elif not resource.namespaced and namespaces:
                where = ()
            self._by_resource[resource] = self._cache(resource, where, SETTINGS_NAME if resource is CONFIG_MAPS else "")
        where = (settings_namespace,) if NAMESPACES in self._resources else ()
        self.autoscaler_settings = self._cache(CONFIG_MAPS, where, AUTOSCALER_SETTINGS_NAME)

    @property
    def rollouts(self) -> Cache:
        return self._by_resource[ROLLOUT_ORCHESTRATORS]

    @property
    def spas(self) -> Cache:
        return self._by_resource[STAGE_POD_AUTOSCALERS]

    @property
    def pod_autoscalers(self) -> Cache:
        return self._by_resource[POD_AUTOSCALERS]

    @property
    def revisions(self) -> Cache:
        return self._by_resource[REVISIONS]

    @property
    def pods(self) -> Cache:
        return self._by_resource[PODS]

    @property
    def deployments(self) -> Cache:
        return self._by_resource[DEPLOYMENTS]

    @property
    def services(self) -> Cache:
        return self._by_resource[KNATIVE_SERVICES]

    @property
    def routes(self) -> Cache:
        return self._by_resource[ROUTES]

    @property
    def namespaces(self) -> Cache:
        return self._by_resource[NAMESPACES]

    @property
    def settings(self) -> Cache:
        return self._by_resource[CONFIG_MAPS]

    def __iter__(self) -> Any:
        return iter((*self._by_resource.values(), self.autoscaler_settings))

    def start(self) -> None:
        for cache in self:
            for reflector in cache.reflectors:
                reflector.start()

    @property
    def outdated(self) -> bool:
        """True from ``list_again`` until everything has been listed."""
        return any(reflector.outdated for cache in self for reflector in cache.reflectors)

    def list_again(self) -> None:
        """List everything again: the server has lost data."""
        for cache in self:
            for reflector in cache.reflectors:
                reflector.list_again()

    def stop(self, seconds: float = 2.0) -> None:
        """End the informers; return when they have ended, or after so many seconds."""
        reflectors = [reflector for cache in self for reflector in cache.reflectors]
        for reflector in reflectors:
            reflector.end()
        until = self._clock.monotonic() + seconds
        for reflector in reflectors:
            reflector.stop(max(0.0, until - self._clock.monotonic()))

    def ready(self) -> bool:
        """True once ROs and SPAs are synced, and every other cache is synced, not served or not watched."""
        required = (self.rollouts, self.spas)
        return all(cache.synced for cache in required) and all(cache.known for cache in self)

    def unready(self) -> str:
        """The caches that are not ready, and why as far as it is known; empty if ``ready``."""
        waiting = []
        for cache in self:
            required = cache in (self.rollouts, self.spas)
            if cache.synced or (cache.known and not required):
                continue
            error = next((reflector.last_error for reflector in cache.reflectors if reflector.last_error), None)
            why = "the cluster does not serve it; apply the CRDs" if cache.absent else error or "not read yet"
            waiting.append(f"{cache.resource.full_name}: {why}")
        return "; ".join(waiting)

    def _cache(self, resource: Resource, namespaces: Sequence[str | None], name: str = "") -> Cache:
        store = Indexer(self._clock.monotonic, _INDEXES.get(resource))

        def changed(change: Change) -> None:
            if not name or key_of(change.object)[1] == name:
                self._on_change(resource, change)

        def counted(what: str) -> None:
            self._on_count(resource, what)

        required = resource in (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)
        reflectors = [
            Reflector(
                self._client,
                resource,
                store,
                self._clock,
                namespace=namespace,
                label_selector=REVISION_LABEL if resource is PODS else "",
                field_selector=f"metadata.name={name}" if name else "",
                trim=_TRIMS[resource],
                on_change=changed,
                on_count=counted,
                pace=_REQUIRED_PACE if required else _PACE,
                supervisor=self._supervisor,
                required=required,
            )
            for namespace in namespaces
            if resource in self._resources
        ]
        # Only rollouts on stock Knative read these two; an account of an earlier release may not.
        return Cache(resource, store, reflectors, optional=resource is NAMESPACES or name == AUTOSCALER_SETTINGS_NAME)


def trimmed(resource: Resource, one: Mapping[str, Any]) -> Wire:
    """An object as the caches hold it."""
    return _TRIMS[resource](one)
