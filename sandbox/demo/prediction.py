"""Prediction: the stages, the peak and the final bounds of a rollout, worked out without any cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.target_revision import entries_by_revision, one_per_revision
from webhook.planning import plan_stages, rollout_config, scale_bounds, strategy_in_force
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
from webhook.strategies.stage import is_last_stage_complete, without_idle

Bounds = tuple[int | None, int | None]
_MOST_STAGES = 100


class Unpredictable(Exception):
    """These inputs have no end that can be predicted; the message says where it stops."""


@dataclass(frozen=True, slots=True)
class Share:
    """What an entry of a stage asks of its revision: traffic in percent, where it goes, and replicas."""

    revision: str
    percent: int | None
    direction: str
    target: int | None

    @classmethod
    def of(cls, entry: TargetRevision) -> "Share":
        return cls(entry.revision_name, entry.percent, entry.normalised_direction, entry.target_replicas)


Stage = tuple[Share, ...]


def stage_of(entries: Sequence[TargetRevision]) -> Stage:
    """What can be compared of a stage's entries."""
    return tuple(Share.of(entry) for entry in entries)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rollout from its start to its end, predicted or observed.

    ``peak`` is the highest number of replicas that ran at a time, all revisions together; ``bounds`` the minimum and
    maximum of each SPA in the end; ``scales`` the replicas of each revision in the end.
    """

    stages: tuple[Stage, ...]
    peak: int
    bounds: Mapping[str, Bounds]
    scales: Mapping[str, int]


def differences(predicted: Outcome, observed: Outcome) -> list[str]:
    """What did not come as predicted, one line each; empty if all did."""
    found = []
    if len(predicted.stages) != len(observed.stages):
        found.append(f"{len(predicted.stages)} stages were predicted, there were {len(observed.stages)}")
    for number, (wanted, got) in enumerate(zip(predicted.stages, observed.stages, strict=False), 1):
        if wanted != got:
            found.append(f"stage {number} should have been {_say(wanted)}, and was {_say(got)}")
    if predicted.peak != observed.peak:
        found.append(f"a peak of {predicted.peak} replicas was predicted, it was {observed.peak}")
    for what, wanted_map, got_map in (
        ("bounds of SPA", predicted.bounds, observed.bounds),
        ("replicas of", predicted.scales, observed.scales),
    ):
        found += [
            f"{what} {name}: predicted {wanted_map.get(name)}, found {got_map.get(name)}"
            for name in sorted({*wanted_map, *got_map})
            if wanted_map.get(name) != got_map.get(name)
        ]
    return found


def predict(rollout: Mapping[str, Any], demand: int, now: datetime) -> Outcome:
    """Carry the RO (on the wire) through its stages by the rules of planning and strategies alone.

    The initial revisions run what ``demand`` and their bounds ask for. After every step each revision settles: it
    grows with its traffic, and shrinks when its bounds say so or its traffic is gone, else after the stable window.
    So this knows nothing of passes, conflicts, pods or time. Raises Unpredictable.
    """
    try:
        return _Simulation(RolloutOrchestrator.from_dict(rollout), demand, now).outcome()
    except InvalidRollout as problem:
        raise Unpredictable(str(problem)) from problem


@dataclass(slots=True)
class _Simulation:
    ro: RolloutOrchestrator
    demand: int
    now: datetime
    spas: dict[str, StagePodAutoscaler] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    peak: int = 0

    def outcome(self) -> Outcome:
        annotations = self.ro.metadata.annotations
        config = rollout_config({}, {}, annotations, annotations)
        status, targets = self.ro.status, self.ro.spec.target_revisions
        for entry in one_per_revision(self.ro.spec.initial_revisions):
            self.spas[entry.revision_name] = create_base_stage_pod_autoscaler(self.ro, entry)
        self.scales = dict.fromkeys((entry.revision_name for entry in targets), 0)
        self._settle(self.ro.spec.initial_revisions)

        stages: list[Stage] = []
        while not is_last_stage_complete(status.stage_revision_status, targets):
            if len(stages) == _MOST_STAGES:
                raise Unpredictable(f"{self.ro.name} is not complete after {_MOST_STAGES} stages")
            plan = plan_stages(self.ro, config, dict(self.scales), self.spas.keys(), self.now)
            if plan.error is not None:
                raise Unpredictable(f"{self.ro.name}: stage {len(stages) + 1} cannot be planned: {plan.error}")
            self.ro.spec = plan.spec
            stages.append(stage_of(plan.spec.stage_target_revisions))
            self._carry_out(STRATEGIES[strategy_in_force(self.ro, config)], len(stages))
        bounds = {name: (spa.stage_min_scale, spa.stage_max_scale) for name, spa in self.spas.items()}
        return Outcome(tuple(stages), self.peak, bounds, dict(self.scales))

    def _carry_out(self, strategy: Strategy, number: int) -> None:
        stage = self.ro.spec.stage_target_revisions
        ups = [entry for entry in stage if entry.goes_up]
        downs = [entry for entry in stage if entry.goes_down]
        if strategy.holds_at_zero:
            for entry in ups:
                held = create_base_stage_pod_autoscaler(self.ro, entry).with_bounds(0, 0)
                self.spas.setdefault(entry.revision_name, held)
        for step in strategy.steps:
            if step is ScaleUpStep:
                self._scale_up(ups, number)
            elif step is ScaleDownStep:
                self._scale_down(downs, number)
        targets = self.ro.spec.target_revisions
        self.ro.status.stage_revision_status = without_idle(stage) if len(stage) > len(targets) else stage
        self.ro.status.observed_generation = self.ro.metadata.generation
        self.ro.mark_stage_ready(self.now)
        self.ro.mark_last_stage_in_progress(self.now)

    def _scale_up(self, ups: Sequence[TargetRevision], number: int) -> None:
        for entry in ups:
            self.spas[entry.revision_name] = update_spa_for_rev_up(self._spa(entry), entry, True)
        self._settle(self.ro.spec.stage_target_revisions)
        for entry in ups:
            if not is_stage_scale_up_ready(self._observed(entry), entry):
                raise Unpredictable(f"stage {number}: {entry.revision_name} never reaches its target")

    def _scale_down(self, downs: Sequence[TargetRevision], number: int) -> None:
        for entry in downs:
            self.spas[entry.revision_name] = update_spa_for_rev_down(self._spa(entry), entry, True)
        self._settle(self.ro.spec.stage_target_revisions)
        if not all(is_stage_scale_down_ready(self._observed(entry), entry) for entry in downs):
            self._settle(self.ro.spec.stage_target_revisions, calm=True)
        for entry in downs:
            if not is_stage_scale_down_ready(self._observed(entry), entry):
                raise Unpredictable(f"stage {number}: {entry.revision_name} never comes down to its target")

    def _settle(self, shares: Sequence[TargetRevision], *, calm: bool = False) -> None:
        """``calm``: after the stable window, when less demand is believed."""
        percents = {entry.revision_name: entry.percent or 0 for entry in one_per_revision(shares)}
        listed = entries_by_revision(self.ro.spec.target_revisions, self.ro.spec.initial_revisions)
        own = {name: (entry.min_scale, entry.max_scale) for name, entry in listed.items()}
        for name, spa in self.spas.items():
            minimum, maximum = scale_bounds(*own[name], spa.stage_min_scale, spa.stage_max_scale)
            percent = percents.get(name, 0)
            kept = self.scales.get(name, 0) if percent and not calm else 0
            wanted = max(-(-self.demand * percent // 100), kept, minimum)
            self.scales[name] = min(wanted, maximum) if maximum else wanted
        self.peak = max(self.peak, sum(self.scales.values()))

    def _spa(self, entry: TargetRevision) -> StagePodAutoscaler:
        return self.spas.get(entry.revision_name) or create_base_stage_pod_autoscaler(self.ro, entry)

    def _observed(self, entry: TargetRevision) -> StagePodAutoscaler:
        scale = self.scales[entry.revision_name]
        return replace(self.spas[entry.revision_name], desired_scale=scale, actual_scale=scale, replicas_terminating=0)


def _say(stage: Stage) -> str:
    return ", ".join(
        f"{share.revision} {share.direction} {share.percent if share.percent is not None else '-'} %"
        f" ({share.target if share.target is not None else '-'} replicas)"
        for share in stage
    )
