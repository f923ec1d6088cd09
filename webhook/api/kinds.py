"""Groups, versions, kinds, labels and annotations of the objects Stagegate reads and writes."""

from typing import Final

GROUP: Final = "serving.knative.dev"
VERSION: Final = "v1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

SPA_KIND: Final = "StagePodAutoscaler"
SPA_PLURAL: Final = "stagepodautoscalers"
RO_KIND: Final = "RolloutOrchestrator"
RO_PLURAL: Final = "rolloutorchestrators"

SERVICE_LABEL: Final = f"{GROUP}/service"
REVISION_LABEL: Final = f"{GROUP}/revision"
CONFIGURATION_LABEL: Final = f"{GROUP}/configuration"

OVERRIDE_ANNOTATION: Final = "stagegate.dev/override"
ENFORCE_LABEL: Final = "stagegate.dev/enforce"
"""Namespace label that chooses deny or warn for the objects of that namespace."""

MAX_REVISIONS: Final = 200
"""The most entries that one list of an RO may have; the CRD states the same bound."""

MAX_INT32: Final = 2**31 - 1
"""The largest replica count; upstream's stand-in for a maximum that is absent."""

MAX_LABEL_VALUE: Final = 63
"""The longest value of a label. Names may be longer; a label of one would have the whole write refused."""


def is_label_value(name: str) -> bool:
    """True if the name of an object can be the value of a label."""
    return len(name) <= MAX_LABEL_VALUE
