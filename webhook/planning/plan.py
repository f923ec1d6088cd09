"""StagePlan: what planning answers."""

from dataclasses import dataclass

from webhook.api import InvalidRollout, MissingObservation, RolloutSpec
from webhook.planning.errors import PlanningError


@dataclass(frozen=True, slots=True)
class Note:
    """Something the people who watch a rollout should know: an Event of type Warning."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The spec after planning, a new object; the RO that was asked about is unchanged.

    ``spec`` equals the RO's own where there is nothing to plan. ``planned`` says whether a stage was planned for which
    ``spec.target_finish_time`` has been set anew.

    ``error`` is what stopped planning, or None. With one, the plan must not be stored: ``spec`` is then how upstream
    leaves its copy behind, kept only because that is recorded behaviour. InvalidRollout asks for the rollout to be
    marked failed; MissingObservation and PlanningError ask for another try.
    """

    spec: RolloutSpec
    planned: bool = False
    notes: tuple[Note, ...] = ()
    error: InvalidRollout | MissingObservation | PlanningError | None = None
