"""The entries of a stage: which go up, which go down, which have traffic, and whether it is the last stage."""

from collections.abc import Sequence
from dataclasses import replace

from webhook.api import InvalidRollout, TargetRevision
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, one_per_revision


def up_and_down(revisions: Sequence[TargetRevision]) -> tuple[dict[str, TargetRevision], dict[str, TargetRevision]]:
    """The revisions that go up and those that go down, by name, in order; entries of one revision count as one.

    A stage in which nothing goes up cannot be carried out: the caller reports that. Mirrors ``upDown``, in which the
    last of two entries with one name in one direction wins.
    """
    merged = one_per_revision(revisions)
    up = {revision.revision_name: revision for revision in merged if revision.goes_up}
    down = {revision.revision_name: revision for revision in merged if revision.goes_down}
    return up, down


def without_idle(revisions: Sequence[TargetRevision]) -> list[TargetRevision]:
    """The entries that carry traffic, and the latest revision even at percent 0. Mirrors ``removeNonTraffic``.

    If one was dropped, the last entry kept whose direction is literally ``stay`` is the next to go down.
    """
    kept = [r for r in revisions if r.percent is not None and (r.percent != 0 or r.latest_revision)]
    if len(kept) < len(revisions):
        for index in range(len(kept) - 1, -1, -1):
            if kept[index].direction == DIRECTION_STAY:
                kept[index] = replace(kept[index], direction=DIRECTION_DOWN)
                break
    return kept


def is_last_stage_complete(reached: Sequence[TargetRevision], final: Sequence[TargetRevision]) -> bool:
    """True if the recorded status is where the rollout ends. Mirrors ``lastStageComplete``.

    True for equal lists, or when the first final revision takes all traffic and was reached with all of it. A revision
    that is listed twice is one. Raises InvalidRollout where upstream indexes an empty list or dereferences an absent
    percent.
    """
    reached, final = one_per_revision(reached), one_per_revision(final)
    if reached == final:
        return True
    if not final:
        raise InvalidRollout("spec.targetRevisions", "must name the revision at which the rollout ends")
    if final[0].percent is None:
        raise InvalidRollout("spec.targetRevisions[0].percent", "is required")
    return final[0].percent == 100 and any(
        revision.revision_name == final[0].revision_name and revision.percent == 100 for revision in reached
    )
