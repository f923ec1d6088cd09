"""The SPA reconciler: defaults what an SPA leaves out, and keeps its status up to date."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webhook.api import ConditionSet, MalformedObject, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.conditions import POD_AUTOSCALER_STAGE_READY, conditions_from
from webhook.api.owner_reference import owning_rollout
from webhook.api.wire import Wire
from webhook.cluster.errors import ApiError
from webhook.cluster.indexer import uid_of
from webhook.cluster.merge_patch import merge_patch
from webhook.loop.caches import BY_OWNER, BY_REVISION, BY_SERVICE, Caches
from webhook.loop.event_messages import ClusterEvents
from webhook.loop.pods import ClusterPods
from webhook.loop.resource_writer import ResourceWriter
from webhook.loop.reverts import Reverts
from webhook.loop.spas import reported_scales
from webhook.strategies.defaulting import entry_of, spa_defaults

_LOG: Final = logging.getLogger(__name__)

NOT_READY: Final = "PodAutoscalerStageNotReady"

FindRollout = Callable[[str], Mapping[str, Any] | None]
"""An RO of the SPA's namespace by name, on the wire."""


@dataclass(slots=True)
class SPAReconciler:
    """With ``writes_status`` False it only defaults."""

    caches: Caches
    spas: ResourceWriter
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


def rollout_name_of(spa: Mapping[str, Any], find: FindRollout, listing: Sequence[Mapping[str, Any]]) -> str | None:
    """The name of the RO that an SPA on the wire belongs to, by the rule of ``owning_rollout``.

    ``listing`` holds the ROs of the namespace that list a revision of the SPA's name.
    """
    metadata = spa.get("metadata") or {}
    owner = owning_rollout(
        metadata.get("labels"),
        metadata.get("ownerReferences"),
        lambda name: _alive(find(name)),
        lambda: [one for one in listing if _alive(one)],
    )
    return str(owner["metadata"]["name"]) if owner is not None else None


def defaulting_patch(spa: StagePodAutoscaler, ro: RolloutOrchestrator) -> Wire:
    """The merge patch for what ``spa_defaults`` gives an SPA of this RO; empty when that is nothing."""
    owners = spa.metadata.owner_references
    labels, reference, low, high = spa_defaults(
        name=spa.name,
        labels=spa.metadata.labels,
        owner_references=owners,
        bounds=(spa.stage_min_scale, spa.stage_max_scale),
        service=ro.name,
        uid=ro.metadata.uid,
        entry=entry_of(ro, spa.name),
    )
    metadata: Wire = {"labels": labels} if labels else {}
    if reference is not None:
        metadata["ownerReferences"] = [*owners, reference]
    bounds = {"stageMinScale": low, "stageMaxScale": high}
    spec = {key: bound for key, bound in bounds.items() if bound is not None}
    return {key: members for key, members in (("metadata", metadata), ("spec", spec)) if members}


def _alive(ro: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if ro is None or (ro.get("metadata") or {}).get("deletionTimestamp") else ro


def spa_status(
    spa: StagePodAutoscaler, pod_autoscaler: Mapping[str, Any] | None, terminating: int, now: datetime
) -> Wire:
    """The status of an SPA on the wire, as upstream's reconciler of StagePodAutoscalers sets it.

    ``pod_autoscaler`` is the one of the same name, None when there is none; ``terminating`` counts the revision's pods.
    Scales are taken over only when both are there, else the last ones stay. ``observedGeneration`` is kept up to date
    where upstream has left one, and not added where there is none, since it would cost a write for each new bound.
    """
    status = spa.status_dict()
    before = ConditionSet(conditions_from(status, "status"), happy="Ready", dependents=(POD_AUTOSCALER_STAGE_READY,))
    conditions = before.copy()
    conditions.initialize(now)
    if "observedGeneration" in status:
        status["observedGeneration"] = spa.metadata.generation
    if pod_autoscaler is None:
        problem = f"The PodAutoscaler {spa.namespace}/{spa.name} was not found."
        _mark_not_ready(conditions, problem, now)
    else:
        status["replicasTerminating"] = terminating
        scales = reported_scales(pod_autoscaler)
        if scales is not None:
            status |= {"desiredScale": scales[0], "actualScale": scales[1]}
            conditions.mark_true(POD_AUTOSCALER_STAGE_READY, now)
        else:
            problem = f"The ActualScale or DesiredScale for the PodAutoscaler {spa.namespace}/{spa.name} was not ready."
            _mark_not_ready(conditions, problem, now)
    conditions.keep_times_of(before)
    status["conditions"] = [condition.to_dict() for condition in conditions]
    return status


def _mark_not_ready(conditions: ConditionSet, problem: str, now: datetime) -> None:
    # Upstream adds a full stop to a sentence that ends with one.
    conditions.mark_unknown(
        POD_AUTOSCALER_STAGE_READY, NOT_READY, f"The stage pod autoscaler is not ready: {problem}.", now
    )
