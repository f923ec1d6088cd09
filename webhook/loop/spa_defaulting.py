"""Defaulting of SPAs by the loop: what the webhook could not fill in because it did not know the RO."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.owner_reference import owning_rollout
from webhook.api.target_revision import entries_by_revision
from webhook.api.wire import Wire
from webhook.strategies.defaulting import spa_defaults

FindRollout = Callable[[str], Mapping[str, Any] | None]
"""An RO of the SPA's namespace by name, on the wire."""


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


def entry_of(ro: RolloutOrchestrator, revision: str) -> TargetRevision | None:
    """The entry of a revision: from the stage, else the targets, else the start."""
    spec = ro.spec
    lists = spec.stage_target_revisions, spec.target_revisions, spec.initial_revisions
    return entries_by_revision(*lists).get(revision)


def _alive(ro: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if ro is None or (ro.get("metadata") or {}).get("deletionTimestamp") else ro
