"""The traffic of a Knative Service during a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from webhook.api import InvalidRollout, RolloutOrchestrator, TargetRevision, wire
from webhook.api.conditions import LAST_STAGE_READY
from webhook.api.target_revision import one_per_revision
from webhook.planning.config import RolloutConfig, strategy_in_force
from webhook.strategies.table import STRATEGIES

_NO_GRADUAL_SHIFT: Final = "0"


@dataclass(frozen=True, slots=True)
class RouteTraffic:
    """Traffic entries in the wire form, and the recorded status of the RO, which upstream changes along with them."""

    traffic: list[dict[str, Any]]
    stage_revision_status: list[TargetRevision]


def route_traffic(
    service: Mapping[str, Any], ro: RolloutOrchestrator, config: RolloutConfig, spas: Mapping[str, int | None]
) -> RouteTraffic:
    """The traffic that each revision gets now.

    ``service`` is the Knative Service in the wire form; ``spas`` maps SPA names to actual scales, None if it has none
    yet. If the Service itself has several traffic entries they are returned unchanged, unless all targets are entries
    of one revision: then the stages apply, and the tags are included from the first stage on. Raises InvalidRollout
    without target revisions, or without a stage if its last entry is needed. Mirrors ``TransformService``.
    """
    own = wire.sequence(wire.mapping(service, "spec", ""), "traffic", "spec")
    recorded = list(ro.status.stage_revision_status)
    listed, targets = ro.spec.target_revisions, one_per_revision(ro.spec.target_revisions)
    has_tag_entries = len(targets) == 1 < len(listed)
    if len(own) > 1 and not has_tag_entries:
        return RouteTraffic(wire.copy_of(own), recorded)
    if not targets:
        raise InvalidRollout("spec.targetRevisions", "missing; name the revision that is to get the traffic")
    target = targets[0]
    entries = list(ro.spec.stage_target_revisions)
    if len(targets) == 1 and recorded and _holds_back(ro, config) and not _has_arrived(ro, target, spas):
        recorded = [
            entry if entry.revision_name == target.revision_name else replace(entry, latest_revision=False)
            for entry in recorded
        ]
        entries = list(recorded)
        if all(entry.revision_name != target.revision_name for entry in recorded):
            entries.append(replace(_last_of_stage(ro), percent=0))
    if has_tag_entries:
        entries = _with_tags(entries, listed)
    gradual = config.rollout_duration != _NO_GRADUAL_SHIFT
    silent = gradual or ro.status.conditions.is_true(LAST_STAGE_READY)
    name = wire.text(wire.mapping(service, "metadata", ""), "name", "metadata")
    return RouteTraffic([_entry(e, name) for e in entries if e.percent is not None or not silent], recorded)


def _holds_back(ro: RolloutOrchestrator, config: RolloutConfig) -> bool:
    """True if traffic waits for replicas in this rollout."""
    return (
        config.progressive_rollout_enabled
        and STRATEGIES[strategy_in_force(ro, config)].goes_up_first
        and config.rollout_duration == _NO_GRADUAL_SHIFT
    )


def _last_of_stage(ro: RolloutOrchestrator) -> TargetRevision:
    if not ro.spec.stage_target_revisions:
        raise InvalidRollout("spec.stageTargetRevisions", "missing, although a stage has been recorded")
    return ro.spec.stage_target_revisions[-1]


def _has_arrived(ro: RolloutOrchestrator, target: TargetRevision, spas: Mapping[str, int | None]) -> bool:
    """True if the target runs the replicas that the stage wants; only up to its minScale does traffic wait for them."""
    actual = spas.get(target.revision_name)
    if actual is None:
        return False
    stage = one_per_revision(ro.spec.stage_target_revisions)
    wanted = next((r.target_replicas for r in stage if r.revision_name == target.revision_name), None)
    if wanted is None:
        wanted = target.min_scale
    return wanted is None or target.min_scale is None or wanted > target.min_scale or actual >= wanted


def _with_tags(entries: list[TargetRevision], targets: list[TargetRevision]) -> list[TargetRevision]:
    """The entries with those of the target as listed in the spec, once the target has all of their percent.

    Until then each tag that the entries lack is appended with a percent of 0.
    """
    name = targets[0].revision_name
    own = [entry for entry in entries if entry.revision_name == name]
    if sum(entry.percent or 0 for entry in own) == sum(target.percent or 0 for target in targets):
        return [*(entry for entry in entries if entry.revision_name != name), *targets]
    tags = {entry.tag for entry in own}
    return [*entries, *(replace(target, percent=0) for target in targets if target.tag and target.tag not in tags)]


def _entry(revision: TargetRevision, service: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"percent": revision.percent or 0}
    if revision.latest_revision:
        entry["configurationName"] = revision.configuration_name if revision.configuration_name.strip() else service
    elif revision.revision_name:
        entry["revisionName"] = revision.revision_name
    if revision.latest_revision is not None:
        entry["latestRevision"] = revision.latest_revision
    return entry | {key: value for key in ("tag", "url") if (value := getattr(revision, key))}
