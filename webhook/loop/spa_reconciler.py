"""The SPA reconciler: defaults what an SPA leaves out, and keeps its status up to date."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhook.api import MalformedObject, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.wire import Wire
from webhook.cluster.errors import ApiError
from webhook.cluster.indexer import uid_of
from webhook.cluster.merge_patch import merge_patch
from webhook.loop.caches import BY_OWNER, BY_REVISION, BY_SERVICE, Caches
from webhook.loop.event_sink import ClusterEvents
from webhook.loop.pods import ClusterPods
from webhook.loop.reverts import Reverts
from webhook.loop.spa_defaulting import defaulting_patch, rollout_name_of
from webhook.loop.spa_status import spa_status
from webhook.loop.writer import Writer

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class SPAReconciler:
    """With ``writes_status`` False it only defaults."""

    caches: Caches
    spas: Writer
    pods: ClusterPods
    reverts: Reverts
    events: ClusterEvents
    now: Callable[[], datetime]
    writes_status: bool = True

    def reconcile_all(self, ro: RolloutOrchestrator) -> Exception | None:
        """Default the SPAs of an RO and update their status; returns the first error. One error does not stop it."""
        error: Exception | None = None
        for spa in self._spas_of(ro):
            try:
                defaulted = self._default(spa, ro)
                if self.writes_status:
                    self._update_status(defaulted)
            except (ApiError, MalformedObject) as problem:
                self.events.emit_refusal(ro, problem)
                if error is not None:
                    _LOG.warning("RolloutOrchestrator %s/%s: %s", ro.namespace, ro.name, problem)
                error = error or problem
        return error

    def reconcile(self, namespace: str, name: str) -> None:
        """Update the status of an SPA that belongs to no rollout. Raises ApiError."""
        seen = self.caches.spas.get(namespace, name)
        if seen is None or not self.writes_status:
            return
        try:
            self._update_status(seen)
        except ApiError as problem:
            self.events.emit_refusal(StagePodAutoscaler.from_dict(seen), problem)
            raise

    def rollout_of(self, spa: Wire) -> str | None:
        """The name of the RO that an SPA belongs to."""
        metadata = spa.get("metadata") or {}
        namespace = metadata.get("namespace") or ""
        listing = self.caches.rollouts.store.by_index(BY_REVISION, f"{namespace}/{metadata.get('name')}")
        return rollout_name_of(spa, lambda name: self.caches.rollouts.get(namespace, name), listing)

    def _spas_of(self, ro: RolloutOrchestrator) -> Iterable[Wire]:
        store = self.caches.spas.store
        found = {one["metadata"]["name"]: one for one in store.by_index(BY_SERVICE, f"{ro.namespace}/{ro.name}")}
        found |= {one["metadata"]["name"]: one for one in store.by_index(BY_OWNER, ro.metadata.uid)}
        lists = (ro.spec.stage_target_revisions, ro.spec.target_revisions, ro.spec.initial_revisions)
        for revision in {entry.revision_name for entries in lists for entry in entries} - found.keys():
            one = self.caches.spas.get(ro.namespace, revision)
            if one is not None:
                found[revision] = one
        return [found[key] for key in sorted(found) if self.rollout_of(found[key]) == ro.name]

    def _default(self, seen: Wire, ro: RolloutOrchestrator) -> Wire:
        if (seen.get("metadata") or {}).get("deletionTimestamp"):
            return seen
        patch = defaulting_patch(StagePodAutoscaler.from_dict(seen), ro)
        if self.reverts.knows(ro.namespace, seen["metadata"]["name"], uid_of(seen)):
            # Somebody removed a bound. Defaulting it here would set it back, unnoticed and again and again.
            patch.pop("spec", None)
        if not patch:
            return seen
        defaulted = self.spas.patch(seen, patch)
        _LOG.info("defaulted StagePodAutoscaler %s/%s: %s", ro.namespace, seen["metadata"]["name"], _members(patch))
        return defaulted

    def _update_status(self, seen: Wire) -> None:
        """Write the status of an SPA if its PodAutoscaler and pods show another; nothing where those are not seen."""
        spa = StagePodAutoscaler.from_dict(seen)
        if not self.caches.pod_autoscalers.synced:
            return
        terminating = self.pods.count_terminating(spa.namespace, spa.name)
        if terminating is None:
            return
        pod_autoscaler = self.caches.pod_autoscalers.get(spa.namespace, spa.name)
        patch = merge_patch(spa.status_dict(), spa_status(spa, pod_autoscaler, terminating, self.now()))
        if patch:
            self.spas.patch(seen, {"status": patch}, "status")


def _members(patch: Wire) -> str:
    return ", ".join(f"{parent}.{name}" for parent, members in patch.items() for name in members)
