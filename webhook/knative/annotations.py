"""The annotations by which Stagegate and Knative Serving read each other."""

from collections.abc import Mapping
from typing import Any, Final

from webhook.api.wire import Wire

HOLD: Final = "stagegate.dev/hold"
"""On a Route: the rollout that holds its traffic."""
PROGRESSIVE: Final = "stagegate.dev/progressive"
"""Annotation of a Service, and label of a namespace: whether edits roll out in stages."""
ENABLED: Final = "rollout.knative.dev/progressive-rollout-enabled"
"""Upstream's annotation by which a Service opts out."""

AUTOSCALING: Final = "autoscaling.knative.dev/"
OWN: Final = f"{AUTOSCALING}stagegate-own"
"""On a Revision: its own scale annotations, while those of a stage stand in their place."""
CLASS: Final = f"{AUTOSCALING}class"
KPA: Final = f"kpa.{AUTOSCALING[:-1]}"
"""The class of Knative's own autoscaler, and the default."""

MIN_SCALE: Final = "min-scale"
MAX_SCALE: Final = "max-scale"
INITIAL_SCALE: Final = "initial-scale"
ACTIVATION_SCALE: Final = "activation-scale"

ALIASES: Final[Mapping[str, str]] = {
    MIN_SCALE: "minScale",
    MAX_SCALE: "maxScale",
    INITIAL_SCALE: "initialScale",
    ACTIVATION_SCALE: "activationScale",
}
"""The other spelling that Knative reads, where the first is absent. All keys stand without their prefix."""


def annotations_of(one: Mapping[str, Any] | None) -> dict[str, str]:
    """The annotations of an object on the wire; those that are no text are left out."""
    return texts((one or {}).get("metadata"), "annotations")


def labels_of(one: Mapping[str, Any] | None) -> dict[str, str]:
    """The labels of an object on the wire."""
    return texts((one or {}).get("metadata"), "labels")


def is_being_deleted(one: Mapping[str, Any]) -> bool:
    """True for an object on the wire that has a deletion time."""
    metadata = one.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("deletionTimestamp") is not None


def template_annotations_of(service: Mapping[str, Any]) -> dict[str, str]:
    """The annotations that the next Revision of a Service on the wire gets."""
    spec = service.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    return annotations_of(template if isinstance(template, Mapping) else None)


def texts(holder: Any, member: str) -> dict[str, str]:
    """The members of a map on the wire that are text; empty if there is no such map."""
    value = holder.get(member) if isinstance(holder, Mapping) else None
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, Mapping) else {}


def annotations_patch(annotations: Mapping[str, str | None], resource_version: str = "") -> Wire:
    """The merge patch that sets these annotations, None removing one; with a version, on condition of it."""
    metadata: Wire = {"annotations": dict(annotations)}
    if resource_version:
        metadata["resourceVersion"] = resource_version
    return {"metadata": metadata}
