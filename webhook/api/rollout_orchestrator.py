"""RolloutOrchestrator: the start, the end and the present stage of a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from webhook.api import wire
from webhook.api.conditions import (
    LAST_STAGE_READY,
    READY,
    STAGE_READY,
    ConditionSet,
    conditions_from,
)
from webhook.api.errors import MalformedObject
from webhook.api.object_meta import ObjectMeta, rest_of
from webhook.api.target_revision import TargetRevision, revisions_from

_LISTS = ("initialRevisions", "targetRevisions", "stageTargetRevisions")
_ROLLING = "Rolling out a new stage"


@dataclass(slots=True)
class RolloutSpec:
    """The three lists, the strategy as written, and the time (RFC 3339) by which the stage should be complete."""

    initial_revisions: list[TargetRevision] = field(default_factory=list)
    target_revisions: list[TargetRevision] = field(default_factory=list)
    stage_target_revisions: list[TargetRevision] = field(default_factory=list)
    rollout_strategy: str = ""
    target_finish_time: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RolloutSpec":
        """Read the wire form of a spec. Raises MalformedObject."""
        initial, target, stage = (revisions_from(data, key, "spec") for key in _LISTS)
        return cls(
            initial_revisions=initial,
            target_revisions=target,
            stage_target_revisions=stage,
            rollout_strategy=wire.text(data, "rolloutStrategy", "spec"),
            target_finish_time=wire.text(data, "targetFinishTime", "spec") or None,
            extra=rest_of(data, *_LISTS, "rolloutStrategy", "targetFinishTime"),
        )

    def to_dict(self) -> wire.Wire:
        """The wire form; empty lists and absent members are left out."""
        data: wire.Wire = wire.copy_of(dict(self.extra))
        for key, revisions in zip(
            _LISTS, (self.initial_revisions, self.target_revisions, self.stage_target_revisions), strict=True
        ):
            if revisions:
                data[key] = [revision.to_dict() for revision in revisions]
        if self.rollout_strategy:
            data["rolloutStrategy"] = self.rollout_strategy
        if self.target_finish_time is not None:
            data["targetFinishTime"] = self.target_finish_time
        return data

    def copy(self) -> "RolloutSpec":
        """A spec with lists of its own; the entries are immutable."""
        return replace(
            self,
            initial_revisions=list(self.initial_revisions),
            target_revisions=list(self.target_revisions),
            stage_target_revisions=list(self.stage_target_revisions),
        )


@dataclass(slots=True)
class RolloutStatus:
    """The recorded stage, the conditions, and the generation that they are about."""

    conditions: ConditionSet = field(default_factory=ConditionSet)
    stage_revision_status: list[TargetRevision] = field(default_factory=list)
    observed_generation: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RolloutStatus":
        """Read the wire form of a status. Raises MalformedObject."""
        return cls(
            conditions=ConditionSet(conditions_from(data, "status")),
            stage_revision_status=revisions_from(data, "stageRevisionStatus", "status"),
            observed_generation=wire.integer(data, "observedGeneration", "status", 64) or 0,
            annotations=dict(wire.mapping(data, "annotations", "status")),
            extra=rest_of(data, "conditions", "stageRevisionStatus", "observedGeneration", "annotations"),
        )

    def to_dict(self) -> wire.Wire:
        """The wire form; empty lists, empty objects and a generation of 0 are left out."""
        data: wire.Wire = wire.copy_of(dict(self.extra))
        if len(self.conditions):
            data["conditions"] = [condition.to_dict() for condition in self.conditions]
        if self.stage_revision_status:
            data["stageRevisionStatus"] = [revision.to_dict() for revision in self.stage_revision_status]
        if self.observed_generation:
            data["observedGeneration"] = self.observed_generation
        if self.annotations:
            data["annotations"] = dict(self.annotations)
        return data

    def copy(self) -> "RolloutStatus":
        return replace(
            self,
            conditions=self.conditions.copy(),
            stage_revision_status=list(self.stage_revision_status),
            annotations=dict(self.annotations),
        )

    def equals_except_times(self, other: "RolloutStatus") -> bool:
        """Equality except for the conditions' transition times."""
        return self.conditions.equals_except_times(other.conditions) and all(
            getattr(self, name) == getattr(other, name)
            for name in ("stage_revision_status", "observed_generation", "annotations", "extra")
        )


@dataclass(slots=True)
class RolloutOrchestrator:
    """A view of an RO. Spec and status are mutable; ``copy`` before changing an object that is shared."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: RolloutSpec = field(default_factory=RolloutSpec)
    status: RolloutStatus = field(default_factory=RolloutStatus)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RolloutOrchestrator":
        """Read the wire form. Raises MalformedObject on a member of the wrong type or range."""
        if not isinstance(data, Mapping):
            raise MalformedObject("object", f"must be an object, not {wire.kind_of(data)}")
        return cls(
            metadata=ObjectMeta(wire.copy_of(wire.mapping(data, "metadata", ""))),
            spec=RolloutSpec.from_dict(wire.mapping(data, "spec", "")),
            status=RolloutStatus.from_dict(wire.mapping(data, "status", "")),
            extra=rest_of(data, "metadata", "spec", "status"),
        )

    def to_dict(self) -> wire.Wire:
        """The wire form; absent members and empty objects are left out."""
        data: wire.Wire = {**wire.copy_of(dict(self.extra)), "metadata": wire.copy_of(self.metadata.wire)}
        if spec := self.spec.to_dict():
            data["spec"] = spec
        if status := self.status.to_dict():
            data["status"] = status
        return data

    def copy(self) -> "RolloutOrchestrator":
        """An RO with a spec and status of its own."""
        return replace(self, spec=self.spec.copy(), status=self.status.copy())

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def has_failed(self) -> bool:
        """True if the rollout was marked failed for its present spec; only a new generation continues it."""
        return self.status.conditions.is_false(STAGE_READY) and self._is_observed

    @property
    def is_complete(self) -> bool:
        """True if the rollout has reached the targets of its present spec."""
        return self.status.conditions.is_true(READY) and self._is_observed and not self.has_failed

    @property
    def _is_observed(self) -> bool:
        return self.metadata.generation == self.status.observed_generation

    # Users and other tools read these messages and reasons; they are exactly upstream's.

    def mark_stage_ready(self, now: datetime) -> None:
        self.status.conditions.mark_true(STAGE_READY, now)

    def mark_last_stage_ready(self, now: datetime) -> None:
        self.status.conditions.mark_true(LAST_STAGE_READY, now)

    def mark_stage_in_progress(self, type_: str, now: datetime, detail: str = "") -> None:
        """Mark StageReady or a scale condition: the stage has begun and is not complete; ``detail`` is the reason."""
        message = f"{_ROLLING}: {detail}." if detail else f"{_ROLLING}."
        self.status.conditions.mark_unknown(type_, "StageRevisionStart", message, now)

    def stage_in_progress_detail(self, type_: str) -> str:
        """The detail of ``mark_stage_in_progress`` in a condition; empty if there is none."""
        condition = self.status.conditions.get(type_)
        if condition is None or not condition.message.startswith(f"{_ROLLING}: "):
            return ""
        return condition.message.removeprefix(f"{_ROLLING}: ").removesuffix(".")

    def mark_last_stage_in_progress(self, now: datetime) -> None:
        self.status.conditions.mark_unknown(
            LAST_STAGE_READY,
            "RevisionRollingInProgress",
            "Still in the progress of rolling the new revision.",
            now,
        )

    def mark_stage_revision_failed(self, text: str, now: datetime) -> None:
        """The rollout cannot continue: set StageReady and LastStageReady to False."""
        message = f"The rollout of the current stage failed with message: {text}."
        self.status.conditions.mark_false(STAGE_READY, "StageRevisionRolloutFailed", message, now)
        self.status.conditions.mark_false(LAST_STAGE_READY, "RevisionRolloutFailed", message, now)

    def mark_new_generation(self, now: datetime, type_: str = READY) -> None:
        """The spec is newer than the generation of the conditions."""
        self.status.conditions.mark_unknown(
            type_, "NewObservedGenFailure", "unsuccessfully observed a new generation", now
        )
