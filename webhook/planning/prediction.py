"""Prediction: the stages of a rollout and the replicas of each step, worked out without any cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.api.target_revision import entries_by_revision, one_per_revision
from webhook.planning.config import RolloutConfig, strategy_in_force
from webhook.planning.effective_bounds import Bounds, scale_bounds
from webhook.planning.measured import measured_while_held
from webhook.planning.next_stage import plan_stages
from webhook.strategies import (
    STRATEGIES,
    ScaleDownStep,
    ScaleUpStep,
    Strategy,
    create_base_stage_pod_autoscaler,
    is_stage_scale_down_ready,
    is_stage_scale_up_ready,
    update_spa_for_rev_down,
    update_spa_for_rev_up,
)
from webhook.strategies.stage import Stage, is_last_stage_complete

START: Final = "start"
BIRTH: Final = "birth"
UP: Final = "up"
TRAFFIC: Final = "traffic"
DOWN: Final = "down"
_MOST_STAGES: Final = 100
_WHOLE: Final = 100

Floor = Callable[[RolloutOrchestrator, str, Mapping[str, int]], int]
"""The replicas that a revision keeps for its share, whatever its bounds say; the mapping has those that run."""


class Unpredictable(Exception):
    """These inputs have no end that can be predicted; the message says where the rollout stops, and why."""


def no_floor(ro: RolloutOrchestrator, revision: str, scales: Mapping[str, int]) -> int:
    """The floor of a rollout whose Route is not held: none."""
    return 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a rollout. ``demand`` is the replicas that all of its traffic needs together.

    ``is_held``: the Route of a Knative Service is held for it, so that traffic moves in a step of its own. ``at_birth``
    is the replicas that a new revision has before its first stage, whatever its bounds say.

    ``scales``, ``traffic`` and ``bounds`` are those of a rollout on its way: replicas that run, percents, and the
    bounds of the SPAs that exist, by revision. Without ``scales`` the initial revisions run what their share and their
    bounds ask for.
    """

    demand: int
    is_held: bool = False
    at_birth: int = 0
    floor: Floor = no_floor
    scales: Mapping[str, int] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a stage once its replicas have settled: percents of traffic and replicas by revision."""

    step: str
    traffic: Mapping[str, int]
    replicas: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.replicas.values())


@dataclass(frozen=True, slots=True)
class PredictedStage:
    """The entries of a stage, and its steps in order."""

    entries: tuple[TargetRevision, ...]
    moments: tuple[Moment, ...]

    @property
    def end(self) -> Moment:
        return self.moments[-1]

    @property
    def peak(self) -> int:
        """The most replicas that run at a time, all revisions together."""
        return max(moment.total for moment in self.moments)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A rollout from ``start`` to its end. ``bounds`` are those of each SPA in the end."""

    start: Moment
    stages: tuple[PredictedStage, ...]
    bounds: Mapping[str, Bounds]

    @property
    def moments(self) -> Iterator[Moment]:
        yield self.start
        for stage in self.stages:
            yield from stage.moments

    @property
    def peak(self) -> int:
        """The most replicas that run at a time, all revisions together."""
        return max(moment.total for moment in self.moments)

    @property
    def end(self) -> Moment:
        return self.stages[-1].end if self.stages else self.start


def predict(ro: RolloutOrchestrator, config: RolloutConfig, surroundings: Surroundings, now: datetime) -> Prediction:
    """Carry a rollout from where it is through its stages, by the rules of planning and strategies alone.

    After every step each revision settles: it grows with its traffic, and shrinks when its bounds say so or its traffic
    is gone, else after the stable window. Passes, conflicts, pods and time are not modelled; every stage is
    reached before its time-out. A stage that has begun is the first of the result. Raises Unpredictable.
    """
    try:
        return _Run(replace(ro, spec=ro.spec.copy(), status=ro.status.copy()), config, surroundings, now).prediction()
    except InvalidRollout as problem:
        raise Unpredictable(f"{ro.name}: {problem}") from problem


class _Run:
    def __init__(
        self, ro: RolloutOrchestrator, config: RolloutConfig, surroundings: Surroundings, now: datetime
    ) -> None:
        self.ro, self.config, self.now = ro, config, now
        self.around = surroundings
        self.strategy: Strategy = STRATEGIES[strategy_in_force(ro, config)]
        self.spas = {
            entry.revision_name: create_base_stage_pod_autoscaler(ro, entry)
            for entry in one_per_revision(ro.spec.initial_revisions)
        }
        for name, (minimum, maximum) in surroundings.bounds.items():
            named = TargetRevision(revision_name=name, min_scale=minimum, max_scale=maximum)
            self.spas[name] = create_base_stage_pod_autoscaler(ro, named)
        self.scales = dict.fromkeys((entry.revision_name for entry in ro.spec.target_revisions), 0)
        self.shares = dict(surroundings.traffic) or _percents(ro.spec.initial_revisions)
        self.moments: list[Moment] = []

    def prediction(self) -> Prediction:
        ro, targets = self.ro, self.ro.spec.target_revisions
        if self.around.scales:
            self.scales |= self.around.scales
            self._record(START)
        else:
            self._settle(START)
        start = self.moments.pop()
        if self.around.at_birth and not self.around.scales:
            for entry in targets:
                self.scales[entry.revision_name] = max(self.scales[entry.revision_name], self.around.at_birth)
            self._record(BIRTH)
        stages: list[PredictedStage] = []
        has_begun = bool(ro.spec.stage_target_revisions) and not ro.status.conditions.is_true(STAGE_READY)
        if has_begun and not ro.has_failed:
            stages.append(self._carry_out(1))
        while not is_last_stage_complete(ro.status.stage_revision_status, targets):
            if len(stages) == _MOST_STAGES:
                raise Unpredictable(f"{ro.name} is not complete after {_MOST_STAGES} stages")
            self._plan(len(stages) + 1)
            stages.append(self._carry_out(len(stages) + 1))
        bounds = {name: (spa.stage_min_scale, spa.stage_max_scale) for name, spa in self.spas.items()}
        return Prediction(start, tuple(stages), bounds)

    def _plan(self, number: int) -> None:
        scales: Mapping[str, int | None] = dict(self.scales)
        spas = frozenset(self.spas)
        if self.around.is_held:
            scales, spas = measured_while_held(self.ro, scales, spas)
        plan = plan_stages(self.ro, self.config, scales, spas, self.now)
        if plan.error is not None:
            raise Unpredictable(f"{self.ro.name}: stage {number} cannot be planned: {plan.error}")
        self.ro.spec = plan.spec

    def _carry_out(self, number: int) -> PredictedStage:
        ro, stage = self.ro, Stage.of(self.ro.spec)
        if self.strategy.holds_at_zero:
            for name, entry in stage.up.items():
                self.spas.setdefault(name, create_base_stage_pod_autoscaler(ro, entry).with_bounds(0, 0))
        for step in self.strategy.steps:
            ro.mark_stage_in_progress(step.condition, self.now)
        if not self.around.is_held:
            self.shares = _percents(stage.entries)
        for step in self.strategy.steps:
            if step is ScaleUpStep:
                self._scale_up(stage, number)
            elif step is ScaleDownStep:
                if self.around.is_held and sum(entry.percent or 0 for entry in stage.up.values()) >= _WHOLE:
                    # Whatever the order of the steps: a revision does not go to nothing while it has a share.
                    self._move_traffic(stage)
                self._scale_down(stage, number)
            elif self.around.is_held:
                self._move_traffic(stage)
            ro.status.conditions.mark_true(step.condition, self.now)
        ro.status.stage_revision_status = list(stage.reached)
        ro.status.observed_generation = ro.metadata.generation
        ro.mark_stage_ready(self.now)
        ro.mark_last_stage_in_progress(self.now)
        moments, self.moments = tuple(self.moments), []
        return PredictedStage(stage.entries, moments)

    def _scale_up(self, stage: Stage, number: int) -> None:
        for name, entry in stage.up.items():
            self.spas[name] = update_spa_for_rev_up(self._spa(entry), entry, True)
        self._settle(UP)
        for name, entry in stage.up.items():
            if not is_stage_scale_up_ready(self._observed(entry), entry):
                raise Unpredictable(f"{self.ro.name}: stage {number}: {name} never reaches its target")

    def _scale_down(self, stage: Stage, number: int) -> None:
        downs = [*stage.down.values()] or [*stage.leaving]
        for entry in downs:
            self.spas[entry.revision_name] = update_spa_for_rev_down(self._spa(entry), entry, True)
        self._settle(DOWN)
        if not all(is_stage_scale_down_ready(self._observed(entry), entry) for entry in downs):
            self.moments.pop()
            self._settle(DOWN, calm=True)
        for entry in downs:
            # While its Route is held, what its share still needs is not waited for.
            if not self.around.is_held and not is_stage_scale_down_ready(self._observed(entry), entry):
                name = entry.revision_name
                raise Unpredictable(f"{self.ro.name}: stage {number}: {name} never comes down to its target")

    def _move_traffic(self, stage: Stage) -> None:
        shares = _percents(stage.entries)
        if shares != self.shares:
            self.shares = shares
            self._settle(TRAFFIC)

    def _settle(self, step: str, *, calm: bool = False) -> None:
        """``calm``: after the stable window, when less demand is believed."""
        listed = entries_by_revision(self.ro.spec.target_revisions, self.ro.spec.initial_revisions)
        demand, before = self.around.demand, dict(self.scales)
        # While its Route is held, a revision that does not go up keeps only what its share takes of its own minimum.
        shrinking = _shrinking(self.ro) if self.around.is_held else ()
        for name, spa in self.spas.items():
            own = listed.get(name, TargetRevision())
            # A maximum of 0 holds a revision in an SPA, and is no bound on a Revision.
            stage_max = (spa.stage_max_scale or None) if self.around.is_held else spa.stage_max_scale
            minimum, maximum = scale_bounds(own.min_scale, own.max_scale, spa.stage_min_scale, stage_max)
            percent = self.shares.get(name, 0)
            if name in shrinking and before.get(name, 0) <= (own.min_scale or 0):
                minimum = min(minimum, -(-(own.min_scale or 0) * percent // 100))
            minimum = max(minimum, self.around.floor(self.ro, name, before))
            kept = before.get(name, 0) if percent and not calm else 0
            wanted = max(-(-demand * percent // 100), kept, minimum)
            self.scales[name] = min(wanted, maximum) if maximum else wanted
        self._record(step)

    def _record(self, step: str) -> None:
        self.moments.append(Moment(step, dict(self.shares), dict(self.scales)))

    def _spa(self, entry: TargetRevision) -> StagePodAutoscaler:
        return self.spas.get(entry.revision_name) or create_base_stage_pod_autoscaler(self.ro, entry)

    def _observed(self, entry: TargetRevision) -> StagePodAutoscaler:
        scale = self.scales.get(entry.revision_name, 0)
        return replace(self._spa(entry), desired_scale=scale, actual_scale=scale, replicas_terminating=0)


def _shrinking(ro: RolloutOrchestrator) -> list[str]:
    """The revisions of the stage that do not go up."""
    return [entry.revision_name for entry in one_per_revision(ro.spec.stage_target_revisions) if not entry.goes_up]


def _percents(entries: Sequence[TargetRevision]) -> dict[str, int]:
    return {entry.revision_name: entry.percent or 0 for entry in one_per_revision(entries)}
