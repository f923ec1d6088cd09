"""The bounds that the stage of a rollout gives the Revisions of its Service."""

from collections.abc import Iterable, Mapping

from webhook.api import RolloutOrchestrator
from webhook.api.target_revision import one_per_revision
from webhook.knative.annotations import annotations_of
from webhook.knative.bounds import bounds_of_stage, minimum_in_force
from webhook.knative.service_rollout import own_minimum, shares_of
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.service_writes import PatchRevision
from webhook.knative.stage_traffic import Scale, floor_of
from webhook.knative.traffic import is_moved, shares_in


def stage_bounds(seen: ServiceSeen, options: ServiceOptions) -> tuple[PatchRevision, ...]:
    """The writes that put the bounds of the stage in place of the Revisions' own.

    A revision that runs no more than its own minimum, and does not go up, keeps only what its share takes of it. It may
    run more when an edit replaced the stage that was about to lower it.
    """
    ro = seen.ro
    if ro is None:
        return ()
    lists = (*ro.spec.initial_revisions, *ro.spec.stage_target_revisions, *ro.spec.target_revisions)
    shrinking = [entry.revision_name for entry in one_per_revision(ro.spec.stage_target_revisions) if not entry.goes_up]
    writes = []
    for entry in one_per_revision(lists):
        name = entry.revision_name
        revision, stage = seen.revisions.get(name), seen.stage_bounds.get(name)
        if revision is None or stage is None:
            continue
        if name in shrinking:
            stage = _kept(seen, ro, name, stage)
        floor = floor_of(ro, name, seen.scales) if options.keeps_floor else 0
        patch = bounds_of_stage(annotations_of(revision), stage, seen.defaults, floor)
        if patch:
            writes.append(PatchRevision(revision, patch))
    return tuple(writes)


def _kept(
    seen: ServiceSeen, ro: RolloutOrchestrator, name: str, stage: tuple[int | None, int | None]
) -> tuple[int | None, int | None]:
    own, (minimum, maximum) = own_minimum(seen.revisions[name], seen.defaults) or 0, stage
    if (seen.scales.get(name, Scale()).actual or 0) > own:
        return stage
    route, written = seen.route or {}, minimum_in_force(annotations_of(seen.revisions[name]))
    shown = [shares_in(route, part) for part in ("spec", "status")]
    kept = _needed(own, shown, name)
    if not is_moved(route, shown[0]):
        # Requests may follow the shares of the stage before: the status shows the new ones earlier. Nothing is raised.
        before = map(shares_of, (ro.spec.initial_revisions, ro.status.stage_revision_status))
        kept = max(kept, min(own if written is None else written, _needed(own, before, name)))
    return kept if minimum is None else min(minimum, kept), maximum


def _needed(own: int, shares: Iterable[Mapping[str, int]], name: str) -> int:
    """The replicas of its own minimum that the greatest of these shares of a revision takes."""
    return -(-own * max(each.get(name, 0) for each in shares) // 100)
