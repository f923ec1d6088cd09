"""StagePlan: the result of planning."""

from dataclasses import dataclass

from webhook.api import InvalidRollout, MissingObservation, RolloutSpec
from webhook.planning.errors import PlanningError


@dataclass(frozen=True, slots=True)
class Note:
    """Reason and message of an Event of type Warning."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The spec after planning, a new object; the RO is not changed.

    ``spec`` equals the RO's own if there is nothing to plan. ``planned`` is True if a stage was planned and
    ``spec.target_finish_time`` set.

    ``error`` is what stopped planning, or None. With an error the plan must not be stored: ``spec`` is then what
    upstream leaves in its copy, kept because the recorded rows have it. After InvalidRollout the rollout is to be
    marked failed; after MissingObservation and PlanningError planning is to be tried again.
    """

    spec: RolloutSpec
    planned: bool = False
    notes: tuple[Note, ...] = ()
    error: InvalidRollout | MissingObservation | PlanningError | None = None
