"""The laws: what holds after every event, judged by going through the history again. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tests.chaos import recorded
from tests.chaos.course import Course, is_shift
from tests.chaos.entry import SILENCE_SECONDS
from tests.chaos.history import Stored, Wire
from tests.chaos.recorded import Target, is_lowered, percent_of, record_of, runs_enough, scales_of, stage_of
from tests.chaos.unnamed import ENDED, Unnamed, left_at_the_end
from webhook.cluster.resource import PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

Key = tuple[str, str]
_HELD: Final = (0, 0)
_SECOND: Final = timedelta(seconds=1)
"""What a time on the wire leaves out."""
_UNKNOWN_SECONDS: Final = SILENCE_SECONDS + 18.0
"""So long a loop may not know what has happened: a watch is silent, is opened again, and the machine is busy."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When the loop's writes arrived: by the version they were stored as, and by the uid of a pod it removed.

    The times are those of the clock of the process that sent them. ``former`` are the versions that a former release
    stored: it knows neither pauses nor aborts.
    """

    versions: Mapping[int, datetime] = field(default_factory=dict)
    removed: Mapping[str, datetime] = field(default_factory=dict)
    former: Set[int] = frozenset()


@dataclass(slots=True)
class Judge:
    """Goes through the history; ``broken`` says what broke a law, in order. ``shifts`` counts late stages shifted."""

    sent: Sent = field(default_factory=Sent)
    ros: dict[Key, Wire] = field(default_factory=dict)
    spas: dict[Key, Wire] = field(default_factory=dict)
    revisions: set[Key] = field(default_factory=set)
    course: Course = field(default_factory=Course)
    needless: dict[tuple[str, Key], int] = field(default_factory=dict)
    pods: dict[Key, Wire] = field(default_factory=dict)
    with_pods: set[Key] = field(default_factory=set)
    """Revisions that have had a pod: of these the pods are counted, the others are judged by their scales alone."""
    unnamed: Unnamed = field(default_factory=Unnamed)
    ended: dict[Key, float] = field(default_factory=dict)
    """When a pod of a revision was seen ready last."""
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
        if one.resource is ROLLOUT_ORCHESTRATORS and before is not None:
            self.unnamed.see_rollout(one, before)
        if one.resource is STAGE_POD_AUTOSCALERS:
            self.unnamed.see_spa(one)
        if one.gone:
            world.pop(one.key, None)
        else:
            world[one.key] = one.object

    def _problems(self, one: Stored, before: Wire | None) -> Iterator[str]:
        if one.resource is PODS:
            revision = (one.key[0], _revision_of(one.object))
            self.with_pods.add(revision)
            if before is not None and recorded.is_ready_pod(before):
                self.ended[revision] = one.seen
            if one.gone:
                yield from self._hung(one, before)
            return
        if one.resource is STAGE_POD_AUTOSCALERS:
            yield from self._untouched(one, before)
            if not one.gone:
                yield from (f"a rule refuses it: {problem}" for problem in recorded.refusals(one.object))
                yield from self._available(one, before)
        elif not one.gone:
            yield from _whole(one.object)
            yield from self.course.forward(one, before, by_former=one.version in self.sent.former)
            yield from self._shifted(one, before)
            yield from self._reached(one, before)
            if recorded.is_true(one.object, "StageReady") and not recorded.is_true(before or {}, "StageReady"):
                yield from self.unnamed.left(one, self.spas, _UNKNOWN_SECONDS)
            if one.version not in self.sent.former:
                yield from _stood(one, before)
                yield from _honest(one, before)
                yield from self.course.back(one, before, self.spas)
        if not one.gone:
            yield from self._needed(one, before)

    def end(self) -> None:
        """Nothing follows: all rollouts are complete, or back where they began, and nothing moves any more."""
        self.broken += left_at_the_end(self.ros, self.spas)

    def _available(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """1: what goes down is not lowered for a stage before what goes up runs."""
        ro = self._rollout_of(one)
        if before is None or ro is None or not is_lowered(scales_of(before), scales_of(one.object)):
            return
        stage = stage_of(ro)
        if not any(entry.goes_down and entry.name == one.key[1] for entry in stage):
            return
        if recorded.strategy_of(ro) == recorded.RESOURCE_UTIL:
            return
        for entry in stage:
            if entry.goes_up and not self._runs(one, entry):
                yield f"lowered to {one.object.get('spec')} before {entry.name} is ready"

    def _reached(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """8: a stage is recorded as done only when what goes up in it, and gets traffic, runs."""
        record = record_of(one.object)
        if before is None or record == record_of(before):
            return
        for entry in stage_of(one.object):
            has_traffic = entry.goes_up and entry.percent and percent_of(record, entry.name) == entry.percent
            if has_traffic and not self._runs(one, entry):
                yield f"recorded with {entry.percent} percent for {entry.name}, which does not run"

    def _runs(self, one: Stored, entry: Target) -> bool:
        """By what was recorded of its scales; and of what has pods, one at least that is ready.

        One that ended a moment ago counts: whoever decided may not know yet, as with a silent watch. For a former
        release one that ended at any time does.
        """
        key = (one.key[0], entry.name)
        scales = scales_of(self.spas.get(key))
        if not runs_enough(entry, scales):
            return False
        if not entry.percent or not scales.desired or key not in self.with_pods:
            return True
        if key in self.ended and (one.version in self.sent.former or one.seen - self.ended[key] < _UNKNOWN_SECONDS):
            return True
        mine = (pod for (place, _), pod in self.pods.items() if place == key[0] and _revision_of(pod) == entry.name)
        return any(map(recorded.is_ready_pod, mine))

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
        elif not self._is_named(one, ro) and scales_of(one.object).bounds != ENDED:
            yield f"changed to {one.object.get('spec')}, and its rollout does not name it"

    def _is_named(self, one: Stored, ro: Wire) -> bool:
        """Also by a rollout that named it a moment ago: whoever decided may not know the new targets yet."""
        last = self.unnamed.named.get(one.key)
        return one.key[1] in recorded.named_by(ro) or (last is not None and one.seen - last < _UNKNOWN_SECONDS)

    def _shifted(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """6: the traffic of a stage moves only when the stage is late, and it is given another time."""
        if before is None or not is_shift(before, one.object):
            return
        self.shifts += 1
        finish, next_finish = (_time(some["spec"].get("targetFinishTime")) for some in (before, one.object))
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
        ends = _time(metadata.get("deletionTimestamp"))
        if ends is None:
            yield "removed, and nobody had deleted it"
        elif at + _SECOND < ends and not self._is_waited_for(one.key[0], (metadata.get("labels") or {})):
            yield f"removed at {at}, and it has time until {ends}"

    def _is_waited_for(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """A held revision waits for room; one whose SPA is not stored yet, as its Revision is new, counts as held."""
        ro = self.ros.get((namespace, labels.get(recorded.SERVICE_LABEL, "")))
        if ro is None:
            return False
        up = [entry.name for entry in stage_of(ro) if entry.goes_up]
        spas = [self.spas.get((namespace, name)) for name in up]
        held = any(spa is None or scales_of(spa).bounds == _HELD for spa in spas)
        return held and recorded.strategy_of(ro) == recorded.RESOURCE_UTIL

    def _needed(self, one: Stored, before: Wire | None) -> Iterator[str]:
        """5: no object is written without need twice in a row."""
        key = (one.resource.plural, one.key)
        if before is None or _meaning(before) != _meaning(one.object):
            self.needless[key] = 0
            return
        self.needless[key] = self.needless.get(key, 0) + 1
        if self.needless[key] == 2:
            yield "written twice in a row without need"

    def _rollout_of(self, one: Stored) -> Wire | None:
        service = (one.object["metadata"].get("labels") or {}).get(recorded.SERVICE_LABEL, "")
        return self.ros.get((one.key[0], service))


def judge(history: Iterable[Stored], sent: Sent | None = None) -> Judge:
    """Go through the history, in order."""
    judge = Judge(sent or Sent())
    for one in history:
        judge.see(one)
    return judge


def broken_laws(history: Iterable[Stored], sent: Sent | None = None) -> list[str]:
    """What broke a law, in order; empty when all hold."""
    return judge(history, sent).broken


def _stood(one: Stored, before: Wire | None) -> Iterator[str]:
    """9: while a rollout is paused no percent of its stage changes."""
    if before is None or not recorded.is_held(before):
        return
    was, now = ({entry.name: entry.percent or 0 for entry in stage_of(ro)} for ro in (before, one.object))
    if was != now:
        yield f"paused, and the stage goes from {was} to {now}"


def _honest(one: Stored, before: Wire | None) -> Iterator[str]:
    """11: a rollout is Ready as its spec is now only when the targets are recorded with their traffic."""
    ro = one.object
    status = ro.get("status") or {}
    is_said = before is not None and status != before.get("status")
    if not is_said or status.get("observedGeneration") != ro["metadata"].get("generation"):
        return
    wanted, reached = (
        {entry.name: percent_of(some, entry.name) for entry in some if entry.percent}
        for some in (recorded.entries(ro["spec"].get("targetRevisions")), record_of(ro))
    )
    if recorded.is_true(ro, "Ready") and reached != wanted:
        yield f"Ready with {reached}, and its targets are {wanted}"


def _whole(ro: Wire) -> Iterator[str]:
    """3: the percents of the stage have the sum of the start list."""
    spec = ro["spec"]
    stage = spec.get("stageTargetRevisions")
    if stage:
        start, now = (sum(entry.get("percent") or 0 for entry in some) for some in (spec["initialRevisions"], stage))
        if start != now:
            yield f"the stage has {now} percent, the start {start}"


def _revision_of(pod: Wire) -> str:
    return str((pod["metadata"].get("labels") or {}).get(recorded.REVISION_LABEL, ""))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _meaning(one: Wire) -> str:
    """All of an object but its version and who wrote it."""
    metadata = {key: value for key, value in one["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    return json.dumps({**one, "metadata": metadata}, sort_keys=True)
