"""RolloutConfig: the settings of one rollout, from ConfigMaps and annotations; and the strategy in force by them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from webhook.api import RolloutOrchestrator
from webhook.api.word import word_of
from webhook.planning.errors import UnreadableSettings
from webhook.planning.plan import Note
from webhook.strategies.table import DEFAULT_STRATEGY, RESOURCE_UTIL_STRATEGY, normalise_strategy

ROLLOUT_ANNOTATIONS: Final = "rollout.knative.dev/"
"""Prefix under which annotations carry the same keys as the ConfigMap."""

OVER_CONSUMPTION_RATIO: Final = "over-consumption-ratio"
PROGRESSIVE_ROLLOUT_ENABLED: Final = "progressive-rollout-enabled"
STAGE_ROLLOUT_TIMEOUT_MINUTES: Final = "stage-rollout-timeout-minutes"
PROGRESSIVE_ROLLOUT_STRATEGY: Final = "progressive-rollout-strategy"
HOLD_NOTHING_NEW: Final = "hold-nothing-new"
"""For the whole cluster: no rollout of a Knative Service begins in stages any more."""
KEEP_SERVICE_WAITING: Final = "keep-service-waiting"
"""For the whole cluster: a Knative Service is not Ready before its rollout is over."""
KEEP_REPLICAS_FOR_SHARES: Final = "keep-replicas-for-shares"
"""For the whole cluster: no share of the traffic is served by fewer replicas than its stage plans."""
GIVE_FAILED_SHARES_BACK: Final = "give-failed-shares-back"
"""For the whole cluster: a rollout is aborted once its new revision has failed although it has a share."""
STRATEGY_ANNOTATION: Final = ROLLOUT_ANNOTATIONS + PROGRESSIVE_ROLLOUT_STRATEGY
ROLLOUT_DURATION: Final = "rollout-duration"
ROLLOUT_DURATION_ANNOTATION: Final = "serving.knative.dev/rollout-duration"

MIN_RATIO: Final = 1
MAX_RATIO: Final = 100

_T = TypeVar("_T")

_WHOLE_NUMBER: Final = "a whole number"
_DIGITS_OF_64_BITS: Final = 19
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """Settings of one rollout. The ratio is in percent, the timeout in minutes; the strategy keeps its spelling.

    Numbers are not checked: the ratio may be 0 or 250, and the timeout negative.
    """

    over_consumption_ratio: int = 10
    progressive_rollout_enabled: bool = True
    stage_rollout_timeout_minutes: int = 2
    rollout_duration: str = "0"
    progressive_rollout_strategy: str = DEFAULT_STRATEGY


def rollout_config(
    config_map: Mapping[str, str],
    network_config_map: Mapping[str, str],
    template_annotations: Mapping[str, str],
    service_annotations: Mapping[str, str],
) -> RolloutConfig:
    """The settings of one rollout: those of both ConfigMaps, overridden by annotations.

    An unreadable annotation is ignored. Raises UnreadableSettings for an unreadable value in a ConfigMap, as upstream
    rejects the whole configuration then.
    """
    default = RolloutConfig()
    sources = config_map, template_annotations
    strategy = config_map.get(PROGRESSIVE_ROLLOUT_STRATEGY, default.progressive_rollout_strategy).strip()
    duration = network_config_map.get(ROLLOUT_DURATION, default.rollout_duration).strip()
    return RolloutConfig(
        over_consumption_ratio=_value(
            OVER_CONSUMPTION_RATIO, *sources, default.over_consumption_ratio, parse_integer, _WHOLE_NUMBER
        ),
        progressive_rollout_enabled=_value(
            PROGRESSIVE_ROLLOUT_ENABLED, *sources, default.progressive_rollout_enabled, parse_boolean, "true or false"
        ),
        stage_rollout_timeout_minutes=_value(
            STAGE_ROLLOUT_TIMEOUT_MINUTES, *sources, default.stage_rollout_timeout_minutes, parse_integer, _WHOLE_NUMBER
        ),
        rollout_duration=service_annotations.get(ROLLOUT_DURATION_ANNOTATION, duration),
        progressive_rollout_strategy=_strategy(strategy, template_annotations),
    )


def strategy_in_force(ro: RolloutOrchestrator, config: RolloutConfig) -> str:
    """The name of the strategy: from the RO's annotation, else its spec, else the settings; blank values are skipped.

    Upstream always takes that of the settings. The value is read by ``normalise_strategy``.
    """
    words = (
        str(ro.metadata.annotations.get(STRATEGY_ANNOTATION) or ""),
        ro.spec.rollout_strategy,
        config.progressive_rollout_strategy,
    )
    return normalise_strategy(next((word for word in words if word_of(word)), ""))


def _strategy(configured: str, annotations: Mapping[str, str]) -> str:
    """The annotation, else the configured strategy; a configured resourceutil cannot be overridden."""
    annotated = annotations.get(STRATEGY_ANNOTATION)
    if annotated is None or (
        configured.lower() == RESOURCE_UTIL_STRATEGY and annotated.lower() != RESOURCE_UTIL_STRATEGY
    ):
        return configured
    return annotated


def _value(
    key: str,
    config_map: Mapping[str, str],
    annotations: Mapping[str, str],
    default: _T,
    parse: Callable[[str], _T | None],
    wanted: str,
) -> _T:
    """The annotation if it can be read, else what the ConfigMap has, else the default. Raises UnreadableSettings."""
    if key in config_map:
        configured = parse(config_map[key])
        if configured is None:
            raise UnreadableSettings(key, config_map[key], wanted)
        default = configured
    annotated = parse(annotations.get(ROLLOUT_ANNOTATIONS + key, ""))
    return default if annotated is None else annotated


def parse_boolean(text: str) -> bool | None:
    """The value of a spelling that Go's ``strconv.ParseBool`` accepts; None for any other."""
    return _BOOLEANS.get(text)


def parse_integer(text: str, bits: int = 64) -> int | None:
    """An optional sign and ASCII digits within a signed range of ``bits`` bits, or None."""
    digits = text.lstrip("+-").lstrip("0")
    if _INTEGER.fullmatch(text) is None or len(digits) > _DIGITS_OF_64_BITS:
        return None
    value = int(digits or "0") * (-1 if text.startswith("-") else 1)
    return value if -(1 << (bits - 1)) <= value < 1 << (bits - 1) else None


def held_ratio(ratio: int) -> tuple[int, tuple[Note, ...]]:
    """The ratio, limited to 1 to 100, and a note if it was outside. Upstream accepts any number."""
    held = min(max(ratio, MIN_RATIO), MAX_RATIO)
    if held == ratio:
        return ratio, ()
    message = f"over-consumption-ratio: {ratio} is outside {MIN_RATIO} to {MAX_RATIO}; {held} is used instead"
    return held, (Note("RatioHeld", message),)
