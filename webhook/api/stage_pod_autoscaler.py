"""StagePodAutoscaler: the scale bounds of one revision during the current stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from webhook.api import wire
from webhook.api.conditions import POD_AUTOSCALER_STAGE_READY, TRUE, Condition, conditions_from
from webhook.api.errors import MalformedObject
from webhook.api.object_meta import ObjectMeta, rest_of


@dataclass(frozen=True, slots=True)
class StagePodAutoscaler:
    """An immutable view of an SPA. Numbers are replicas; an absent one is None."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    stage_min_scale: int | None = None
    stage_max_scale: int | None = None
    desired_scale: int | None = None
    actual_scale: int | None = None
    replicas_terminating: int | None = None
    conditions: tuple[Condition, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    extra_spec: Mapping[str, Any] = field(default_factory=dict)
    extra_status: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StagePodAutoscaler":
        """Read the wire form. Raises MalformedObject on a member of the wrong type or range."""
        if not isinstance(data, Mapping):
            raise MalformedObject("object", f"must be an object, not {wire.kind_of(data)}")
        spec, status = wire.mapping(data, "spec", ""), wire.mapping(data, "status", "")
        return cls(
            metadata=ObjectMeta(wire.copy_of(wire.mapping(data, "metadata", ""))),
            stage_min_scale=wire.integer(spec, "stageMinScale", "spec", 32),
            stage_max_scale=wire.integer(spec, "stageMaxScale", "spec", 32),
            desired_scale=wire.integer(status, "desiredScale", "status", 32),
            actual_scale=wire.integer(status, "actualScale", "status", 32),
            replicas_terminating=wire.integer(status, "replicasTerminating", "status", 32),
            conditions=tuple(conditions_from(status, "status")),
            extra=rest_of(data, "metadata", "spec", "status"),
            extra_spec=rest_of(spec, "stageMinScale", "stageMaxScale"),
            extra_status=rest_of(status, "desiredScale", "actualScale", "replicasTerminating", "conditions"),
        )

    def to_dict(self) -> wire.Wire:
        """The wire form; absent members and empty objects are left out."""
        data: wire.Wire = {**wire.copy_of(dict(self.extra)), "metadata": wire.copy_of(self.metadata.wire)}
        if spec := self.spec_dict():
            data["spec"] = spec
        if status := self.status_dict():
            data["status"] = status
        return data

    def spec_dict(self) -> wire.Wire:
        """The wire form of the spec; empty without bounds."""
        return {
            **wire.copy_of(dict(self.extra_spec)),
            **_present(stageMinScale=self.stage_min_scale, stageMaxScale=self.stage_max_scale),
        }

    def status_dict(self) -> wire.Wire:
        """The wire form of the status."""
        status: wire.Wire = {
            **wire.copy_of(dict(self.extra_status)),
            **_present(
                desiredScale=self.desired_scale,
                actualScale=self.actual_scale,
                replicasTerminating=self.replicas_terminating,
            ),
        }
        if self.conditions:
            status["conditions"] = [condition.to_dict() for condition in self.conditions]
        return status

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """Stage minimum and stage maximum."""
        return self.stage_min_scale, self.stage_max_scale

    @property
    def is_stage_ready(self) -> bool:
        """True if both scales are reported (condition PodAutoscalerStageReady is True)."""
        return any(c.type == POD_AUTOSCALER_STAGE_READY and c.status == TRUE for c in self.conditions)

    def with_bounds(self, minimum: int | None, maximum: int | None) -> "StagePodAutoscaler":
        """The same SPA with other stage bounds; None removes a bound."""
        return replace(self, stage_min_scale=minimum, stage_max_scale=maximum)


def _present(**members: int | None) -> dict[str, int]:
    return {key: value for key, value in members.items() if value is not None}
