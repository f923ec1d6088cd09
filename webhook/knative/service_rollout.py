"""The RO of a Knative Service: its start and target lists, and what makes it belong to the Service."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.kinds import API_VERSION, RO_KIND, SERVICE_LABEL
from webhook.api.owner_reference import controller_of, controller_reference
from webhook.api.wire import Wire
from webhook.knative.annotations import MAX_SCALE, MIN_SCALE, annotations_of
from webhook.knative.bounds import Defaults, own_bounds
from webhook.planning import targets_differ

RELEASE: Final = "stagegate.dev/release"
"""Give a Service back to Knative. On its RO the value says who asks, or why.

On the Service itself it names the revision whose rollout is released, and means nothing to later ones: nobody but its
author removes it. It is for a Service whose RO cannot be written.
"""


def entries(
    shares: Mapping[str, int], revisions: Mapping[str, Mapping[str, Any]], defaults: Defaults, newest: str
) -> list[TargetRevision]:
    """The entries of a list, with each revision's own bounds; sorted by name, ``newest`` last."""
    return [
        TargetRevision(
            revision_name=name,
            percent=shares[name],
            latest_revision=name == newest,
            min_scale=own_minimum(revisions.get(name), defaults),
            max_scale=own_maximum(revisions.get(name), defaults),
        )
        for name in sorted(shares, key=lambda name: (name == newest, name))
    ]


def own_minimum(revision: Mapping[str, Any] | None, defaults: Defaults) -> int | None:
    """The least replicas of a Revision by its own bounds; None if neither it nor the cluster states them."""
    own = own_bounds(annotations_of(revision)).number(MIN_SCALE)
    return own if own is not None else defaults.min_scale or None


def own_maximum(revision: Mapping[str, Any] | None, defaults: Defaults) -> int | None:
    """The most replicas of a Revision by its own bounds; None if neither it nor the cluster states them.

    Where the Revision states one bound and the cluster the other, the minimum may be above the maximum. Knative keeps
    to the minimum then, which an RO cannot say.
    """
    own = own_bounds(annotations_of(revision)).number(MAX_SCALE)
    maximum = own if own is not None else defaults.max_scale or None
    return max(maximum, own_minimum(revision, defaults) or 0) if maximum else maximum


def new_rollout(
    service: Wire, initial: Sequence[TargetRevision], targets: Sequence[TargetRevision], strategy: str
) -> Wire:
    """The RO that a held Service gets, on the wire."""
    metadata = service["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": RO_KIND,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {SERVICE_LABEL: metadata["name"]},
            "ownerReferences": [_owner_reference(service)],
        },
        "spec": {
            "initialRevisions": [entry.to_dict() for entry in initial],
            "targetRevisions": [entry.to_dict() for entry in targets],
            "rolloutStrategy": strategy,
        },
    }


def rollout_patch(
    ro: RolloutOrchestrator,
    service: Wire,
    initial: Sequence[TargetRevision],
    targets: Sequence[TargetRevision],
    strategy: str,
) -> Wire:
    """The merge patch by which an RO leads from ``initial`` to ``targets``; empty if it leads there already.

    With other targets it gets the strategy that is configured now, and its stage is removed, so that the next one is
    planned from ``initial``. Where only the bounds of the targets differ, the stage goes on.
    """
    patch: Wire = {}
    if _leads_elsewhere(ro, targets):
        patch["spec"] = {
            "initialRevisions": [entry.to_dict() for entry in initial],
            "targetRevisions": [entry.to_dict() for entry in targets],
            "rolloutStrategy": strategy,
            "stageTargetRevisions": None,
            "targetFinishTime": None,
        }
    elif [_bounds(entry) for entry in ro.spec.target_revisions] != [_bounds(entry) for entry in targets]:
        patch["spec"] = {"targetRevisions": [entry.to_dict() for entry in targets]}
    metadata: Wire = {}
    if ro.metadata.labels.get(SERVICE_LABEL) != ro.name:
        metadata["labels"] = {SERVICE_LABEL: ro.name}
    if controller_of(ro.metadata.owner_references) is None:
        metadata["ownerReferences"] = [*ro.metadata.owner_references, _owner_reference(service)]
    return patch | ({"metadata": metadata} if metadata else {})


def settled_patch(ro: RolloutOrchestrator, live: Sequence[TargetRevision]) -> Wire:
    """The merge patch by which an RO starts and ends at ``live``; empty if it does already."""
    if shares_of(ro.spec.initial_revisions) == shares_of(ro.spec.target_revisions) == shares_of(live):
        return {}
    listed = [entry.to_dict() for entry in live]
    spec = {"initialRevisions": listed, "targetRevisions": listed}
    return {"spec": {**spec, "stageTargetRevisions": None, "targetFinishTime": None}}


def is_owned(ro: RolloutOrchestrator | None, service: Wire) -> bool:
    """True if a Service is the controller of an RO."""
    owner = controller_of(ro.metadata.owner_references) if ro is not None else None
    return owner is not None and owner.get("uid") == service["metadata"]["uid"]


def other_controller(ro: RolloutOrchestrator, service: Wire) -> str | None:
    """``Kind name`` of the controller of an RO if that is not this Service, else None."""
    controller = controller_of(ro.metadata.owner_references)
    if controller is None or controller.get("uid") == service["metadata"]["uid"]:
        return None
    return f"{controller.get('kind')} {controller.get('name')} (uid {controller.get('uid')})"


def shares_of(revisions: Sequence[TargetRevision]) -> dict[str, int]:
    """The percents above 0 by revision."""
    return {entry.revision_name: entry.percent for entry in revisions if entry.percent}


def _leads_elsewhere(ro: RolloutOrchestrator, targets: Sequence[TargetRevision]) -> bool:
    current = [replace(entry, percent=entry.percent or 0) for entry in ro.spec.target_revisions]
    return targets_differ(current, targets)


def _bounds(entry: TargetRevision) -> tuple[int | None, int | None]:
    return entry.min_scale, entry.max_scale


def _owner_reference(service: Wire) -> Wire:
    return controller_reference("Service", service["metadata"]["name"], service["metadata"]["uid"])
