"""Routing: which rollouts a change of an object concerns."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.indexer import Change, key_of
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
from webhook.knative.annotations import HOLD, annotations_of
from webhook.knative.bounds import has_record
from webhook.loop.caches import BY_REVISION, Caches, revisions_named
from webhook.strategies.terminating_pod import is_terminating

ROLLOUT: Final = "rollout"
SPA: Final = "spa"


class Key(NamedTuple):
    """The key of a reconcile: a rollout with its SPAs, or an SPA that belongs to no rollout."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Router:
    """``rollout_of`` gives the name of the RO that an SPA on the wire belongs to, None for none.

    ``concerns`` is True for the Knative Services, by namespace and name, that have to do with a rollout; by default
    those with an RO.
    """

    def __init__(
        self,
        caches: Caches,
        rollout_of: Callable[[Wire], str | None],
        concerns: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._caches = caches
        self._rollout_of = rollout_of
        self._concerns = concerns or (lambda namespace, name: caches.rollouts.get(namespace, name) is not None)

    def keys(self, resource: Resource, change: Change) -> set[Key]:
        """The keys to reconcile after a change; none where nothing that is read has changed."""
        one = change.object
        namespace, name = key_of(one)
        if resource is ROLLOUT_ORCHESTRATORS:
            return {Key(ROLLOUT, namespace, name)} | self._of_lists(change)
        if resource is STAGE_POD_AUTOSCALERS:
            before = self._of_spa(change.before) if change.before else set()
            return self._of_spa(one) | before | self._naming([f"{namespace}/{name}"])
        if _is_the_same(change):
            return set()
        if resource is PODS:
            return self._of_pod(change)
        if resource is POD_AUTOSCALERS:
            # A release waits for the replicas of revisions that no RO has to name.
            return self._of_revision(namespace, name) | self._known(namespace, self._services_of(change))
        if resource is CONFIG_MAPS:
            return set(self.every_rollout())
        if resource is NAMESPACES:
            return {key for key in self.every_service() if key.namespace == name}
        if resource is ROUTES and HOLD in annotations_of(change.before):
            return {Key(ROLLOUT, namespace, name)}
        if resource in (KNATIVE_SERVICES, ROUTES):
            return self._known(namespace, [name])
        if resource is REVISIONS:
            # A Revision exists for a rollout by its labels, so that a change of them concerns all that name it.
            return self._known(namespace, self._services_of(change)) | self._naming([f"{namespace}/{name}"])
        if resource is DEPLOYMENTS:
            return self._known(namespace, self._services_of(change))
        return set()

    def every_rollout(self) -> Iterable[Key]:
        for one in self._caches.rollouts.store.objects():
            yield Key(ROLLOUT, *key_of(one))

    def every_service(self) -> Iterable[Key]:
        """Every Knative Service that has to do with a rollout."""
        names = {key_of(route) for route in self._caches.routes.store.objects()}
        names |= {
            (key_of(one)[0], service)
            for one in self._caches.revisions.store.objects()
            if has_record(annotations_of(one)) and (service := service_of(one))
        }
        return (Key(ROLLOUT, *name) for name in sorted(names) if self._concerns(*name))

    def _of_spa(self, spa: Wire) -> set[Key]:
        namespace, name = key_of(spa)
        rollout = self._rollout_of(spa)
        return {Key(SPA, namespace, name) if rollout is None else Key(ROLLOUT, namespace, rollout)}

    def _of_lists(self, change: Change) -> set[Key]:
        """If the revisions that this RO names have changed, all ROs that name one of them."""
        before, after = (set(revisions_named(one)) if one else set() for one in (change.before, change.after))
        return self._naming(before | after) if before != after else set()

    def _naming(self, revisions: Iterable[str]) -> set[Key]:
        store = self._caches.rollouts.store
        return {Key(ROLLOUT, *key_of(one)) for name in revisions for one in store.by_index(BY_REVISION, name)}

    def _of_revision(self, namespace: str, revision: str) -> set[Key]:
        """The owner of the SPA of that name, and every RO that names the revision."""
        keys = self._naming([f"{namespace}/{revision}"])
        spa = self._caches.spas.get(namespace, revision)
        return keys | (self._of_spa(spa) if spa is not None else set())

    def _of_pod(self, change: Change) -> set[Key]:
        """Only terminating pods are counted, so that a starting one concerns no rollout."""
        if not any(one is not None and is_terminating(one) for one in (change.before, change.after)):
            return set()
        namespace, _ = key_of(change.object)
        labels = change.object["metadata"].get("labels") or {}
        revision = labels.get(REVISION_LABEL)
        return self._of_revision(namespace, revision) if revision else set()

    @staticmethod
    def _services_of(change: Change) -> list[str | None]:
        return [service_of(one) for one in (change.before, change.after) if one is not None]

    def _known(self, namespace: str, names: Iterable[str | None]) -> set[Key]:
        return {Key(ROLLOUT, namespace, name) for name in names if name and self._concerns(namespace, name)}


def service_of(one: Wire) -> str | None:
    """The service label of an object."""
    label = ((one.get("metadata") or {}).get("labels") or {}).get(SERVICE_LABEL)
    return str(label) if label else None


def _is_the_same(change: Change) -> bool:
    """True if an update changed nothing but the resource version."""
    if change.before is None or change.after is None:
        return False
    return _without_version(change.before) == _without_version(change.after)


def _without_version(one: Wire) -> Wire:
    metadata = {key: value for key, value in one["metadata"].items() if key != "resourceVersion"}
    return {**one, "metadata": metadata}
