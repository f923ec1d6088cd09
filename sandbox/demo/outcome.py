"""Outcome: a rollout as it went, predicted or observed, and in what the two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.planning import Bounds, rollout_config
from webhook.planning.prediction import Prediction, Surroundings, predict


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

    @classmethod
    def of(cls, prediction: Prediction) -> "Outcome":
        """What is predicted."""
        stages = tuple(stage_of(stage.entries) for stage in prediction.stages)
        return cls(stages, prediction.peak, prediction.bounds, prediction.end.replicas)


def predicted(rollout: Mapping[str, Any], surroundings: Surroundings, now: datetime) -> Outcome:
    """The outcome that is predicted for an RO on the wire with its own settings. Raises Unpredictable."""
    ro = RolloutOrchestrator.from_dict(rollout)
    own = ro.metadata.annotations
    return Outcome.of(predict(ro, rollout_config({}, {}, own, own), surroundings, now))


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


def _say(stage: Stage) -> str:
    return ", ".join(
        f"{share.revision} {share.direction} {share.percent if share.percent is not None else '-'} %"
        f" ({share.target if share.target is not None else '-'} replicas)"
        for share in stage
    )
