"""Completion: what an SPA lacks because its RO was not known when it was written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import controller_of, is_rollout, rollout_owner_reference
from webhook.api.wire import Wire

FindRollout = Callable[[str], Mapping[str, Any] | None]
"""An RO of the SPA's namespace by name, on the wire."""


def rollout_name_of(spa: Mapping[str, Any], find: FindRollout, listing: Sequence[Mapping[str, Any]]) -> str | None:
    """The RO an SPA belongs to: by its label, else its controller, else the only one that lists its revision.

    ``listing`` holds the ROs of the namespace that list a revision of the SPA's name. One that is being deleted, or
    does not exist, is none.
    """
    metadata = spa.get("metadata") or {}
    label = (metadata.get("labels") or {}).get(SERVICE_LABEL)
    if label:
        return str(label) if _is_alive(find(str(label))) else None
    controller = controller_of(metadata.get("ownerReferences") or [])
    if controller is not None and is_rollout(controller):
        name = str(controller.get("name") or "")
        return name if _is_alive(find(name)) else None
    alive = [one for one in listing if _is_alive(one)]
    return str(alive[0]["metadata"]["name"]) if len(alive) == 1 else None


def completion_patch(spa: StagePodAutoscaler, ro: RolloutOrchestrator) -> Wire:
    """The merge patch that fills in what is absent; empty when nothing is. What is stated is never changed.

    Both labels, the controller reference unless another controller owns the SPA, and the bounds that the RO's entry
    states; a pair of bounds that would contradict each other is left as it was.
    """
    patch: Wire = {}
    metadata: Wire = {}
    labels = {REVISION_LABEL: spa.name, SERVICE_LABEL: ro.name}
    if missing := {key: value for key, value in labels.items() if key not in spa.metadata.labels}:
        metadata["labels"] = missing
    owners = spa.metadata.owner_references
    if controller_of(owners) is None and ro.metadata.uid:
        others = [owner for owner in owners if owner.get("uid") != ro.metadata.uid]
        metadata["ownerReferences"] = [*others, rollout_owner_reference(ro.name, ro.metadata.uid)]
    if metadata:
        patch["metadata"] = metadata
    if bounds := _missing_bounds(spa, entry_of(ro, spa.name)):
        patch["spec"] = bounds
    return patch


def entry_of(ro: RolloutOrchestrator, revision: str) -> TargetRevision | None:
    """The entry of a revision: from the stage, else the targets, else the start."""
    lists: Iterable[Sequence[TargetRevision]] = (
        ro.spec.stage_target_revisions,
        ro.spec.target_revisions,
        ro.spec.initial_revisions,
    )
    return next((entry for entries in lists for entry in entries if entry.revision_name == revision), None)


def _missing_bounds(spa: StagePodAutoscaler, entry: TargetRevision | None) -> Wire:
    if entry is None:
        return {}
    minimum, maximum = spa.stage_min_scale, spa.stage_max_scale
    fill: Wire = {}
    if minimum is None and entry.min_scale is not None:
        minimum = fill["stageMinScale"] = entry.min_scale
    if maximum is None and entry.max_scale is not None:
        maximum = fill["stageMaxScale"] = entry.max_scale
    contradictory = minimum is not None and maximum is not None and 0 < maximum < minimum
    return {} if contradictory else fill


def _is_alive(ro: Mapping[str, Any] | None) -> bool:
    return ro is not None and not (ro.get("metadata") or {}).get("deletionTimestamp")
