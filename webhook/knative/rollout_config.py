"""The settings of one rollout: the ConfigMap, and annotations of its Knative Service or of the RO over it."""

from collections.abc import Mapping
from typing import Any

from webhook.api import RolloutOrchestrator
from webhook.knative.annotations import annotations_of, template_annotations_of
from webhook.planning import RolloutConfig, rollout_config


def settings_of(ro: RolloutOrchestrator, data: Mapping[str, str], service: Mapping[str, Any] | None) -> RolloutConfig:
    """The settings by upstream's names and rules.

    ``data`` is that of the ConfigMap. The annotations are those of the Knative Service of the RO's name; without one
    the RO's own stand for them. Raises UnreadableSettings for a value in the ConfigMap that cannot be read.
    """
    if service is None:
        own = annotations_of({"metadata": ro.metadata.wire})
        return rollout_config(data, {}, own, own)
    return rollout_config(data, {}, template_annotations_of(service), annotations_of(service))
