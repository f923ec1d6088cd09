"""The laws: what holds after every event, judged by going through the history again. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.chaos.history import Stored, Wire
from webhook.admission.rules.stage_pod_autoscaler import SPAFacts, bounds_of, denying_findings
from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision, wire
from webhook.api.conditions import LAST_STAGE_READY, STAGE_READY
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.planning import RolloutConfig, strategy_in_force
from webhook.strategies import AVAILABILITY_STRATEGY, RESOURCE_UTIL_STRATEGY, is_stage_scale_up_ready

Key = tuple[str, str]
_ENDED: Final = (0, 1)
_HELD: Final = (0, 0)
_SECOND: Final = timedelta(seconds=1)
"""What a time on the wire leaves out."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When the loop's writes arrived: by the version they were stored as, and by the uid of a pod it removed."""

    versions: Mapping[int, datetime] = field(default_factory=dict)
    removed: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """How far a rollout had come for the targets it has: percent of the target in the stage, and in the record."""

    targets: str
    settled: bool = False
    stage: str = ""
    planned: int = 0
    reached: int = 0
    complete: bool = False


@dataclass(slots=True)
class Judge:
    """Goes through the history; ``broken`` says what broke a law, in order. ``shifts`` counts late stages shifted."""

    sent: Sent = field(default_factory=Sent)
    ros: dict[Key, Wire] = field(default_factory=dict)
    spas: dict[Key, Wire] = field(default_factory=dict)
    revisions: set[Key] = field(default_factory=set)
    progress: dict[Key, Progress] = field(default_factory=dict)
    needless: dict[tuple[str, Key], int] = field(default_factory=dict)
    pods: dict[Key, Wire] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    shifts: int = 0

    def see(self, one: Stored) -> None:
        """Take the next event."""
        if one.resource is REVISIONS:
            (self.revisions.discard if one.gone else self.revisions.add)(one.key)
            return
        world = {ROLLOUT_ORCHESTRATORS: self.ros, STAGE_POD_AUTOSCALERS: self.spas, PODS: self.pods}[one.resource]
        before = world.get(one.key)
        problems = list(self._problems(one, before))
        where = f"{one.resource.plural} {'/'.join(one.key)} at version {one.version}"
        self.broken += [f"{where}: {problem}" for problem in problems]
        if one.gone:
            world.pop(one.key, None)
        else:
            world[one.key] = one.object

    def _problems(self, one: Stored, before: Wire | None) -> Iterator[str]:
        if one.resource is PODS:
            if one.gone:
                yield from self._hung(one, before)
            return
        if one.resource is STAGE_POD_AUTOSCALERS:
            yield from self._untouched(one, before)
            if not one.gone:
                yield from _refused(one.object)
                yield from self._available(one, before)
        elif not one.gone:
            yield from _whole(one.object)
            yield from self._forward(one)
            yield from self._shifted(one, before)
        if not one.gone:
            yield from self._needed(one, before)

    def _available(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """1: what goes down is not lowered for a stage before what goes up is ready."""
        ro = self._rollout_of(one)
        if before is None or ro is None or not is_lowered(before.get("spec") or {}, one.object.get("spec") or {}):
            return
        stage = ro.spec.stage_target_revisions
        if not any(entry.goes_down and entry.revision_name == one.key[1] for entry in stage):
            return
        if strategy_in_force(ro, RolloutConfig()) != AVAILABILITY_STRATEGY:
            return
        for entry in stage:
            wire = self.spas.get((one.key[0], entry.revision_name))
            if not entry.goes_up:
                continue
            if wire is None or not is_stage_scale_up_ready(StagePodAutoscaler.from_dict(wire), entry):
                yield f"lowered to {one.object.get('spec')} before {entry.revision_name} is ready"

    def _untouched(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """2: what the rollout does not name is let go, or deleted with its Revision, and nothing else."""
        if before is None:
            return
        if one.gone:
            if one.key in self.revisions:
                yield "deleted, and its Revision is there"
            return
        if before.get("spec") == one.object.get("spec"):
            return
        ro = self._rollout_of(one)
        if ro is None:
            yield "changed, and no rollout owns it"
        elif one.key[1] not in _named(ro) and bounds_of(one.object.get("spec")) != _ENDED:
            yield f"changed to {one.object.get('spec')}, and its rollout does not name it"

    def _forward(self, one: Stored) -> Iterator[str]:
        """4: for the same targets the percents only grow, in the stage and in the record, and what is done is done."""
        ro = RolloutOrchestrator.from_dict(one.object)
        name = ro.spec.target_revisions[0].revision_name if ro.spec.target_revisions else ""
        targets = json.dumps(one.object["spec"].get("targetRevisions"), sort_keys=True)
        stage = json.dumps(one.object["spec"].get("stageTargetRevisions"), sort_keys=True)
        known = self.progress.get(one.key)
        if known is None or known.targets != targets:
            self.progress[one.key] = Progress(targets, stage=stage)
            return
        if not known.settled:
            # The stage, the record and the conditions are still those of the way to the former targets.
            if stage != known.stage and ro.spec.stage_target_revisions:
                known.settled, known.stage = True, stage
                known.planned = _percent(ro.spec.stage_target_revisions, name)
            return
        planned = _percent(ro.spec.stage_target_revisions, name)
        if planned < known.planned:
            yield f"the stage goes back from {known.planned} to {planned} percent of {name}"
        reached = _percent(ro.status.stage_revision_status, name)
        if reached < known.reached:
            yield f"the record goes back from {known.reached} to {reached} percent of {name}"
        complete = ro.status.conditions.is_true(LAST_STAGE_READY) and reached == 100
        if known.complete and not complete:
            yield "it was complete, and is not any more"
        known.stage, known.planned, known.reached, known.complete = stage, planned, reached, complete

    def _shifted(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """6: the traffic of a stage moves only when the stage is late, and it is given another time."""
        if before is None:
            return
        ro = RolloutOrchestrator.from_dict(before)
        then, now = ro.spec, RolloutOrchestrator.from_dict(one.object).spec
        stages = then.stage_target_revisions, now.stage_target_revisions
        if stages[0] == stages[1] or not stages[0] or _moved(stages[0]) != _moved(stages[1]):
            return
        if ro.status.conditions.is_true(STAGE_READY):
            # The next stage, with the same targets.
            return
        self.shifts += 1
        finish, next_finish = (wire.parse_time(spec.target_finish_time or "") for spec in (then, now))
        at = self.sent.versions.get(one.version)
        if finish is None or next_finish is None or next_finish <= finish:
            yield f"shifted, and its time goes from {finish} to {next_finish}"
        elif at is not None and at < finish:
            yield f"shifted at {at}, and it has time until {finish}"

    def _hung(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """7: a pod is removed when it is past its time, or when a held revision waits for its room."""
        metadata = (before or one.object)["metadata"]
        at = self.sent.removed.get(str(metadata.get("uid")))
        if at is None:
            return
        ends = wire.parse_time(metadata.get("deletionTimestamp") or "")
        if ends is None:
            yield "removed, and nobody had told it to end"
        elif at + _SECOND < ends and not self._is_waited_for(one.key[0], (metadata.get("labels") or {})):
            yield f"removed at {at}, and it has time until {ends}"

    def _is_waited_for(self, namespace: str, labels: Mapping[str, str]) -> bool:
        found = self.ros.get((namespace, labels.get(SERVICE_LABEL, "")))
        if found is None:
            return False
        ro = RolloutOrchestrator.from_dict(found)
        up = [entry.revision_name for entry in ro.spec.stage_target_revisions if entry.goes_up]
        held = any(bounds_of(self.spas.get((namespace, name), {}).get("spec")) == _HELD for name in up)
        return held and strategy_in_force(ro, RolloutConfig()) == RESOURCE_UTIL_STRATEGY

    def _needed(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """5: no object is written without need twice in a row."""
        key = (one.resource.plural, one.key)
        if before is None or _meaning(before) != _meaning(one.object):
            self.needless[key] = 0
            return
        self.needless[key] = self.needless.get(key, 0) + 1
        if self.needless[key] == 2:
            yield "written twice in a row without need"

    def _rollout_of(self, one: Stored) -> RolloutOrchestrator | None:
        service = (one.object["metadata"].get("labels") or {}).get(SERVICE_LABEL, "")
        wire = self.ros.get((one.key[0], service))
        return RolloutOrchestrator.from_dict(wire) if wire is not None else None


def judge(history: Iterable[Stored], sent: Sent | None = None) -> Judge:
    """Go through the history, in order."""
    judge = Judge(sent or Sent())
    for one in history:
        judge.see(one)
    return judge


def broken_laws(history: Iterable[Stored], sent: Sent | None = None) -> list[str]:
    """What broke a law, in order; empty when all hold."""
    return judge(history, sent).broken


def is_lowered(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a revision may run fewer replicas than before: a lower maximum, or a lower minimum."""
    (low, high), (lower, higher) = bounds_of(before), bounds_of(after)
    ceiling = [float("inf") if not one else float(one) for one in (high, higher)]
    return ceiling[1] < ceiling[0] or (lower or 0) < (low or 0)


def _refused(spa: Wire) -> Iterator[str]:
    """2: no SPA is stored that a rule would refuse."""
    label = (spa["metadata"].get("labels") or {}).get(REVISION_LABEL)
    facts = SPAFacts(spa["metadata"]["name"], label, *bounds_of(spa.get("spec")), spa.get("spec"))
    yield from (f"a rule refuses it: {finding}" for finding in denying_findings(facts))


def _whole(ro: Wire) -> Iterator[str]:
    """3: the percents of the stage have the sum of the start list."""
    spec = ro["spec"]
    stage = spec.get("stageTargetRevisions")
    if stage:
        start, now = (sum(entry.get("percent") or 0 for entry in some) for some in (spec["initialRevisions"], stage))
        if start != now:
            yield f"the stage has {now} percent, the start {start}"


def _moved(stage: Sequence[TargetRevision]) -> list[tuple[str, str, int | None]]:
    return [(entry.revision_name, entry.direction, entry.target_replicas) for entry in stage]


def _named(ro: RolloutOrchestrator) -> set[str]:
    spec = ro.spec
    lists = (spec.initial_revisions, spec.target_revisions, spec.stage_target_revisions)
    return {entry.revision_name for entries in lists for entry in entries}


def _percent(entries: Iterable[Any], name: str) -> int:
    return sum(entry.percent or 0 for entry in entries if entry.revision_name == name)


def _meaning(one: Wire) -> str:
    """All of an object but its version and who wrote it."""
    metadata = {key: value for key, value in one["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    return json.dumps({**one, "metadata": metadata}, sort_keys=True)
