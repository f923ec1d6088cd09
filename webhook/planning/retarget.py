"""New targets for an existing rollout, and where it starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from webhook.api import InvalidRollout, RolloutOrchestrator, RolloutSpec, TargetRevision, wire
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.target_revision import index_of, one_per_revision


def targets_differ(current: Sequence[TargetRevision], final: Sequence[TargetRevision]) -> bool:
    """True if names or percents differ, in order. Entries of one revision count as one.

    Raises InvalidRollout if a current target that has to be compared has no percent.
    """
    listed, current, final = current, one_per_revision(current), one_per_revision(final)
    if len(current) != len(final):
        return True
    for ours, theirs in zip(current, final, strict=True):
        if ours.revision_name != theirs.revision_name:
            return True
        if ours.percent is None:
            raise InvalidRollout(
                f"spec.targetRevisions[{index_of(ours.revision_name, listed)}].percent",
                f"missing; set the percent that {ours.revision_name} is to get",
            )
        if ours.percent != theirs.percent:
            return True
    return False


def update_initial_final_targets(
    ro: RolloutOrchestrator,
    final: Sequence[TargetRevision],
    *,
    route_has_traffic: bool | None,
    deployments: Sequence[Mapping[str, Any]],
) -> RolloutSpec:
    """The spec for these targets, a new object; equal to the RO's own if its targets are the same.

    Otherwise the targets become ``final``, and the rest is as in ``restart``. If only the entries of a revision differ,
    as with tags, the rest is unchanged. Raises InvalidRollout where upstream dereferences a null.
    Mirrors ``UpdateInitialFinalTargetRev``.
    """
    targets = ro.spec.target_revisions
    if not targets_differ(targets, final):
        is_listed_alike = _shares(targets) == _shares(final)
        return ro.spec.copy() if is_listed_alike else replace(ro.spec.copy(), target_revisions=list(final))
    spec = restart(ro, route_has_traffic=route_has_traffic, deployments=deployments)
    return replace(spec, target_revisions=list(final))


def restart(
    ro: RolloutOrchestrator, *, route_has_traffic: bool | None, deployments: Sequence[Mapping[str, Any]]
) -> RolloutSpec:
    """The spec for an RO that has new targets already: without stage and targetFinishTime, and with a new start.

    The start is the recorded status; or the current stage, if its new revision is available already; or empty, if there
    never was traffic. ``route_has_traffic`` is None if there is no Route: then the recorded status counts.
    ``deployments`` are those of the namespace, in the wire form. Raises InvalidRollout if the stage is needed and
    nothing goes up in it.
    """
    return replace(
        ro.spec.copy(),
        initial_revisions=_start(ro, route_has_traffic, deployments),
        stage_target_revisions=[],
        target_finish_time=None,
    )


def _start(
    ro: RolloutOrchestrator, route_has_traffic: bool | None, deployments: Sequence[Mapping[str, Any]]
) -> list[TargetRevision]:
    recorded, stage = list(ro.status.stage_revision_status), ro.spec.stage_target_revisions
    if not recorded:
        return [] if route_has_traffic is False else list(ro.spec.initial_revisions)
    conditions = ro.status.conditions
    if conditions.is_true(STAGE_READY) or conditions.is_true(READY) or route_has_traffic is None:
        return recorded
    if not route_has_traffic or not stage:
        return []
    rising = next((revision for revision in one_per_revision(stage) if revision.goes_up), None)
    if rising is None:
        raise InvalidRollout(
            "spec.stageTargetRevisions", "nothing goes up; remove the stage so that it is planned anew"
        )
    return list(stage) if _is_available(ro.name, rising.revision_name, deployments) else recorded


def _shares(revisions: Sequence[TargetRevision]) -> list[tuple[str, int | None]]:
    return [(revision.revision_name, revision.percent) for revision in revisions]


def _is_available(service: str, revision: str, deployments: Sequence[Mapping[str, Any]]) -> bool:
    """True if the Deployment of the revision has between one and all of its replicas available."""
    wanted = {SERVICE_LABEL: service, REVISION_LABEL: revision}
    for deployment in deployments:
        labels = wire.mapping(wire.mapping(deployment, "metadata", ""), "labels", "metadata")
        if wanted.items() <= labels.items():
            replicas = wire.integer(wire.mapping(deployment, "spec", ""), "replicas", "spec", 32)
            available = wire.integer(wire.mapping(deployment, "status", ""), "availableReplicas", "status", 32) or 0
            return replicas is not None and 1 <= available <= replicas
    return False
