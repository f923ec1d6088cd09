"""The course of each rollout: how far it has come for its targets, and where an aborted one leads back to. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos import recorded
from tests.chaos.history import Stored, Wire
from tests.chaos.recorded import Target, percent_of, record_of, scales_of, stage_of
from tests.chaos.unnamed import ENDED, Key


@dataclass(slots=True)
class Progress:
    """How far a rollout had come for the targets it has: percent of the target in the stage, and in the record.

    ``former`` is the record of the way to the former targets, which stays until the first stage to these is done.
    """

    targets: str
    former: str = ""
    settled: bool = False
    stage: str = ""
    planned: int = 0
    reached: int = 0
    complete: bool = False


@dataclass(slots=True)
class Course:
    """Follows rollouts; ``ends`` is where aborted ones lead back to."""

    progress: dict[Key, Progress] = field(default_factory=dict)
    ends: dict[Key, list[Target]] = field(default_factory=dict)

    def forward(self, one: Stored, before: Wire | None, *, by_former: bool) -> Iterator[str]:
        """4: for the same targets the percents only grow, in the stage and in the record, and what is done is done.

        Those of an aborted rollout are where it began.
        """
        spec, stages, is_aborted = one.object["spec"], stage_of(one.object), recorded.is_aborted(one.object)
        if is_aborted and by_former:
            # It goes on to the targets, and whoever comes next turns back.
            self.progress.pop(one.key, None)
            return
        final = recorded.entries(spec.get("initialRevisions" if is_aborted else "targetRevisions"))
        name = final[0].name if final else ""
        targets = json.dumps([spec.get("targetRevisions"), is_aborted], sort_keys=True)
        stage = json.dumps(spec.get("stageTargetRevisions"), sort_keys=True)
        known = self.progress.get(one.key)
        if known is None or known.targets != targets:
            self.progress[one.key] = Progress(targets, former=_text_of(record_of(one.object)), stage=stage)
            return
        if not known.settled:
            # The stage, the record and the conditions are still those of the way to the former targets, also while that
            # stage is late, and is shifted.
            if stage != known.stage and stages and not (before and is_shift(before, one.object)):
                known.settled, known.planned = True, percent_of(stages, name)
            known.stage = stage if stages else known.stage
            return
        planned = percent_of(stages, name)
        if planned < known.planned:
            yield f"the stage goes back from {known.planned} to {planned} percent of {name}"
        record = record_of(one.object)
        reached = percent_of(record, name) if _text_of(record) != known.former else known.reached
        if reached < known.reached:
            yield f"the record goes back from {known.reached} to {reached} percent of {name}"
        complete = recorded.is_true(one.object, "LastStageReady") and reached == 100
        if known.complete and not complete:
            yield "it was complete, and is not any more"
        known.stage, known.planned, known.reached, known.complete = stage, planned, reached, complete

    def back(self, one: Stored, before: Wire | None, spas: Mapping[Key, Wire]) -> Iterator[str]:
        """10: after an abort the revisions with traffic end as they began, and the others run nothing."""
        if before is None or not recorded.is_aborted(one.object):
            return
        if not recorded.is_aborted(before):
            # Where the rollout to the present targets had not begun, nothing is to change.
            has_begun = not recorded.is_true(before, "LastStageReady")
            initial = recorded.entries(one.object["spec"].get("initialRevisions"))
            self.ends[one.key] = [entry for entry in (initial if has_begun else record_of(before)) if entry.percent]
            return
        if not recorded.is_back(one.object) or recorded.is_back(before):
            return
        stages, ends = stage_of(one.object), self.ends.get(one.key, [])
        for entry in ends:
            if percent_of(stages, entry.name) != entry.percent:
                yield f"back with {percent_of(stages, entry.name)} percent of {entry.name}, which had {entry.percent}"
            bounds = scales_of(spas.get((one.key[0], entry.name))).bounds
            if bounds != (entry.minimum, entry.maximum):
                yield f"back with {bounds} for {entry.name}, which had {(entry.minimum, entry.maximum)}"
        for name in recorded.named_by(one.object) - {entry.name for entry in ends}:
            scales = scales_of(spas.get((one.key[0], name)))
            if percent_of(stages, name) or (scales.bounds != ENDED and (scales.desired or scales.actual)):
                yield f"back with {percent_of(stages, name)} percent and {scales.bounds} for {name}"


def is_shift(before: Wire, after: Wire) -> bool:
    """Whether a stage that was not done is another one with the same replicas: only its traffic has changed."""
    was, now = stage_of(before), stage_of(after)
    if was == now or not was or _moved(was) != _moved(now):
        return False
    # Else it is the next stage, with the same targets.
    return not recorded.is_true(before, "StageReady")


def _moved(stage: Sequence[Target]) -> list[tuple[str, str, int | None]]:
    return [(entry.name, entry.direction, entry.target) for entry in stage]


def _text_of(record: Sequence[Target]) -> str:
    return repr(list(record))
