"""New targets for a rollout that exists: where it starts from then."""

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.api import RolloutOrchestrator, RolloutSpec, TargetRevision


def targets_differ(current: Sequence[TargetRevision], final: Sequence[TargetRevision]) -> bool:
    """Whether the rollout has to go elsewhere: other names or percents, in order.

    Raises InvalidRollout when a current target that has to be compared has no percent.
    """
    raise NotImplementedError


def update_initial_final_targets(
    ro: RolloutOrchestrator,
    final: Sequence[TargetRevision],
    *,
    route_has_traffic: bool,
    deployments: Sequence[Mapping[str, Any]],
) -> RolloutSpec:
    """The spec for new targets, a new object; equal to the RO's own where the targets are those it has.

    Else the targets become ``final``, the stage and its time are removed, and the start becomes what was recorded, the
    stage, or nothing. ``deployments`` are those of the namespace on the wire. Raises InvalidRollout where upstream
    dereferences a null. Mirrors ``UpdateInitialFinalTargetRev``.
    """
    raise NotImplementedError


def restart(
    ro: RolloutOrchestrator, *, route_has_traffic: bool, deployments: Sequence[Mapping[str, Any]]
) -> RolloutSpec:
    """The same for an RO whose own ``spec.targetRevisions`` are already the new ones: the stage goes, the start is set."""
    raise NotImplementedError
