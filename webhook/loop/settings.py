"""Settings of one rollout: the ConfigMap, and annotations over it."""

from collections.abc import Mapping
from typing import Any

from webhook.api import RolloutOrchestrator
from webhook.planning import RolloutConfig, rollout_config


def settings_of(
    ro: RolloutOrchestrator, config_map: Mapping[str, Any] | None, service: Mapping[str, Any] | None
) -> RolloutConfig:
    """The settings by upstream's names and rules.

    The annotations are those of the Knative Service of the RO's name; without one the RO's own stand for them. Raises
    UnreadableSettings for a value in the ConfigMap that cannot be read.
    """
    data = _texts((config_map or {}).get("data"))
    if service is None:
        own = _texts(ro.metadata.wire.get("annotations"))
        return rollout_config(data, {}, own, own)
    template = ((service.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return rollout_config(
        data, {}, _texts(template.get("annotations")), _texts((service.get("metadata") or {}).get("annotations"))
    )


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
