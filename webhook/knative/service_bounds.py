"""The bounds that the stage of a rollout gives the Revisions of its Service."""

from webhook.api.target_revision import one_per_revision
from webhook.knative.annotations import annotations_of
from webhook.knative.bounds import bounds_of_stage
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.service_writes import PatchRevision
from webhook.knative.stage_traffic import floor_of


def stage_bounds(seen: ServiceSeen, options: ServiceOptions) -> tuple[PatchRevision, ...]:
    """The writes that put the bounds of the stage in place of the Revisions' own."""
    ro = seen.ro
    if ro is None:
        return ()
    lists = (*ro.spec.initial_revisions, *ro.spec.stage_target_revisions, *ro.spec.target_revisions)
    writes = []
    for entry in one_per_revision(lists):
        revision, stage = seen.revisions.get(entry.revision_name), seen.stage_bounds.get(entry.revision_name)
        if revision is None or stage is None:
            continue
        floor = floor_of(ro, entry.revision_name, seen.scales) if options.keeps_floor else 0
        patch = bounds_of_stage(annotations_of(revision), stage, seen.defaults, floor)
        if patch:
            writes.append(PatchRevision(revision, patch))
    return tuple(writes)
