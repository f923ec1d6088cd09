"""New targets for a rollout that exists: where it starts from then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from webhook.api import InvalidRollout, RolloutOrchestrator, RolloutSpec, TargetRevision, wire
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.target_revision import index_of, one_per_revision


def targets_differ(current: Sequence[TargetRevision], final: Sequence[TargetRevision]) -> bool:
    """Whether the rollout has to go elsewhere: other names or percents, in order; a revision listed twice is one.

    Raises InvalidRollout when a current target that has to be compared has no percent.
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
                f"missing; state the share that {ours.revision_name} is to get",
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
    """The spec for new targets, a new object; equal to the RO's own where the targets are those it has.

    Else the targets become ``final``, and the rest is as in ``restart``; it stays as it is where only the entries
    differ in which a revision is listed, as tags make them. Raises InvalidRollout where upstream dereferences a null.
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
    """The spec for an RO whose own targets are already new ones: stage and time are removed, the start is set.

    It starts from what was recorded; from the stage that was on its way, if its new revision is available already; or
    from nothing, if there never was traffic. ``route_has_traffic`` is None where there is no Route at all: then what
    was recorded counts. ``deployments`` are those of the namespace on the wire. Raises InvalidRollout when nothing goes
    up in a stage that has to be looked at.
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
    """Whether the revision's Deployment runs, and not more than it should."""
    wanted = {SERVICE_LABEL: service, REVISION_LABEL: revision}
    for deployment in deployments:
        labels = wire.mapping(wire.mapping(deployment, "metadata", ""), "labels", "metadata")
        if wanted.items() <= labels.items():
            replicas = wire.integer(wire.mapping(deployment, "spec", ""), "replicas", "spec", 32)
            available = wire.integer(wire.mapping(deployment, "status", ""), "availableReplicas", "status", 32) or 0
            return replicas is not None and 1 <= available <= replicas
    return False
