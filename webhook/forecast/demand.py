"""Demand: the replicas that all of the traffic needs together, and where that number comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.target_revision import one_per_revision

_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Demand:
    """``why`` says where the number of replicas comes from, and how to give another."""

    replicas: int
    why: str

    def __str__(self) -> str:
        """The assumption, as a sentence for people."""
        noun = "replica" if self.replicas == 1 else "replicas"
        return f"all of the traffic needs {self.replicas} {noun} ({self.why})"


def demand_of(ro: RolloutOrchestrator, running: Mapping[str, int], given: int | None) -> Demand:
    """The demand that is given, else that of the present stage, else what runs of the start, else its minimum.

    ``running`` is the number of replicas by revision.
    """
    if given is not None:
        return Demand(given, "as given")
    initial = [entry for entry in one_per_revision(ro.spec.initial_revisions) if entry.percent]
    if planned := _planned_for(ro.spec.stage_target_revisions):
        return Demand(planned, "as the present stage counts on; --demand gives another number")
    if counted := sum(running.get(entry.revision_name, 0) for entry in initial):
        return Demand(counted, "as many as run now; --demand gives another number")
    if minimum := max((entry.min_scale or 0 for entry in ro.spec.initial_revisions if entry.percent), default=0):
        return Demand(minimum, "the minimum; --demand says what the traffic needs")
    return Demand(1, "nothing is known of the traffic; give what it needs with --demand")


def _planned_for(stage: Sequence[TargetRevision]) -> int:
    """The replicas that a stage counts on for all of the traffic; 0 without a stage."""
    planned = [(one.target_replicas, one.percent) for one in one_per_revision(stage)]
    return max((replicas * _WHOLE // percent for replicas, percent in planned if replicas and percent), default=0)
