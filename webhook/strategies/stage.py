"""Stage: what the stage of a rollout moves, worked out once, and how it is put in words."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.api import InvalidRollout, RolloutSpec, TargetRevision
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, one_per_revision

Entries = Mapping[str, TargetRevision]
"""Entries of a stage by revision name."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage of an RO: one entry for each revision, in order.

    ``up`` and ``down`` hold those that go up and down, by name. ``leaving`` is what goes down to nothing where no entry
    does, see the function of that name. ``named`` are the revisions that stage and start name. ``reached`` is what is
    recorded of the stage when it is done: its entries as they are listed, tags included, without idle ones.
    """

    entries: tuple[TargetRevision, ...]
    up: Entries
    down: Entries
    leaving: tuple[TargetRevision, ...]
    named: frozenset[str]
    reached: tuple[TargetRevision, ...]

    @classmethod
    def of(cls, spec: RolloutSpec) -> "Stage":
        listed = spec.stage_target_revisions
        entries = one_per_revision(listed)
        up, down = up_and_down(entries)
        is_longer = len(entries) > len(one_per_revision(spec.target_revisions))
        return cls(
            entries=tuple(entries),
            up=up,
            down=down,
            leaving=tuple(leaving(spec.initial_revisions, up)),
            named=frozenset(entry.revision_name for entry in (*entries, *spec.initial_revisions)),
            reached=tuple(without_idle(listed) if is_longer else listed),
        )

    @property
    def moved(self) -> list[str]:
        """The revisions that go up or down, in the order of the stage."""
        return [name for entry in self.entries if (name := entry.revision_name) in self.up or name in self.down]


def up_and_down(revisions: Sequence[TargetRevision]) -> tuple[dict[str, TargetRevision], dict[str, TargetRevision]]:
    """The revisions that go up and those that go down, by name, in order; entries of one revision count as one.

    A stage in which nothing goes up cannot be carried out: the caller reports that. Mirrors ``upDown``, in which the
    last of two entries with one name in one direction wins.
    """
    merged = one_per_revision(revisions)
    up = {revision.revision_name: revision for revision in merged if revision.goes_up}
    down = {revision.revision_name: revision for revision in merged if revision.goes_down}
    return up, down


def leaving(start: Sequence[TargetRevision], up: Container[str]) -> list[TargetRevision]:
    """The revisions that the rollout started from and that do not go up, each without traffic and replicas."""
    return [
        replace(revision, percent=None, target_replicas=0)
        for revision in one_per_revision(start)
        if revision.revision_name not in up
    ]


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


def described(stage: Iterable[TargetRevision]) -> str:
    """``hello-00001 90% of traffic, to run 2 replicas; hello-00002 ...``."""
    return "; ".join(
        traffic_of(entry) if entry.target_replicas is None else f"{traffic_of(entry)}, to run {_goal(entry)}"
        for entry in one_per_revision(stage)
    )


def described_as_wanted(entries: Iterable[TargetRevision]) -> str:
    """What a step waits for: ``hello-00001 to run 2 replicas, hello-00002 ...``; empty without entries."""
    return ", ".join(f"{entry.revision_name} to run {_goal(entry)}" for entry in entries)


def described_as_running(entries: Iterable[TargetRevision], running: Mapping[str, int | None]) -> str:
    """What a step has reached: ``hello-00001 runs 2 replicas, ...``; a revision of unknown replicas by its name."""
    shown = [(entry.revision_name, running.get(entry.revision_name)) for entry in entries]
    parts = (name if count is None else f"{name} runs {replicas(count)}" for name, count in shown)
    return ", ".join(parts) or "nothing to do"


def described_traffic(entries: Iterable[TargetRevision]) -> str:
    """``hello-00001 90% of traffic, hello-00002 ...``."""
    return ", ".join(map(traffic_of, entries))


def traffic_of(entry: TargetRevision) -> str:
    percent = "no traffic" if entry.percent is None else f"{entry.percent}% of traffic"
    return f"{entry.revision_name} {percent}"


def replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"


def _goal(entry: TargetRevision) -> str:
    if entry.target_replicas is None:
        return "within its bounds"
    return replicas(entry.target_replicas)
