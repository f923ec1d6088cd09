"""RolloutConfig: the settings of one rollout, from ConfigMaps and annotations."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """Settings of one rollout. The ratio is a percentage, the time-out in minutes; spellings are kept as written.

    Nothing is checked beyond being readable: a ratio of 0 or 250 and a negative time-out get this far.
    """

    over_consumption_ratio: int = 10
    progressive_rollout_enabled: bool = True
    stage_rollout_timeout_minutes: int = 2
    rollout_duration: str = "0"
    progressive_rollout_strategy: str = "availability"


def rollout_config(
    config_map: Mapping[str, str],
    network_config_map: Mapping[str, str],
    template_annotations: Mapping[str, str],
    service_annotations: Mapping[str, str],
) -> RolloutConfig:
    """The settings of one rollout: data of both ConfigMaps, then annotations over them.

    An unreadable annotation is ignored. Raises UnreadableSettings for an unreadable value in a ConfigMap, since one
    bad value makes upstream refuse the whole configuration.
    """
    raise NotImplementedError
