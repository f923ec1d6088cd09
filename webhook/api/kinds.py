"""Groups, versions, kinds, labels and annotations of the objects that Stagegate reads and writes."""

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
"""The label that sets deny or warn for the objects of a namespace."""

LOOP_MANAGER: Final = "stagegate-loop"
"""The field manager under which the loop writes."""
LEASE_NAME: Final = "stagegate-loop"
"""The Lease that the leading loop holds."""
LEASE_NAMESPACE: Final = "stagegate-system"
"""Where the loop keeps it by default."""
SETTINGS_NAMESPACE: Final = "knative-serving"
SETTINGS_NAME: Final = "config-rolloutorchestrator"
"""The ConfigMap with the settings of rollouts."""
AUTOSCALER_SETTINGS_NAME: Final = "config-autoscaler"
"""Knative's ConfigMap beside it, with the bounds of Revisions that state none."""

MAX_REVISIONS: Final = 200
"""The most entries in a list of an RO; the CRD has the same bound."""

MAX_INT32: Final = 2**31 - 1
"""The largest number of replicas; upstream uses it in place of an absent maximum."""

MAX_LABEL_VALUE: Final = 63
"""The longest value of a label. Names may be longer; a label with such a name makes a write invalid."""


def is_label_value(name: str) -> bool:
    """True if the name of an object can be the value of a label."""
    return len(name) <= MAX_LABEL_VALUE
