"""Forecast: what one setting makes of a rollout: stages, peak, resources, and whether they fit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.forecast.room import Fit, Room, fit
from webhook.forecast.subject import Subject
from webhook.forecast.usage import Usage, usage_of_replicas
from webhook.knative.stage_traffic import floor_when_settled
from webhook.planning import STRATEGY_ANNOTATION, RolloutConfig, strategy_in_force
from webhook.planning.prediction import Moment, Prediction, Surroundings, no_floor, predict
from webhook.planning.stage_number import stages_done

_AT_BIRTH: Final = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """The ratio in percent and the strategy; None where the rollout's own stays."""

    ratio: int | None = None
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """``first`` is the number of the first stage to come. ``now``, ``peak`` and the usages are amounts by resource, the
    peak of each resource by itself. ``fits`` is empty without a room.
    """

    strategy: str
    ratio: int
    demand: int
    first: int
    prediction: Prediction
    now: Usage
    usage_at_start: Usage
    usage_of_stages: tuple[Usage, ...]
    peak: Usage
    fits: tuple[Fit, ...]

    @property
    def beyond(self) -> Usage:
        """What the rollout takes more than today, at its peak."""
        return {key: max(value - self.now.get(key, Decimal()), Decimal()) for key, value in self.peak.items()}

    @property
    def fitting(self) -> bool:
        return all(one.fits for one in self.fits)


def forecasts(subject: Subject, settings: Sequence[Setting], rooms: Sequence[Room], now: datetime) -> list[Forecast]:
    """A forecast for each setting. Raises Unpredictable."""
    return [_forecast(subject, setting, rooms, now) for setting in settings]


def _forecast(subject: Subject, setting: Setting, rooms: Iterable[Room], now: datetime) -> Forecast:
    ro, config = _with(subject.ro, subject.config, setting)
    surroundings = Surroundings(
        demand=subject.demand,
        is_held=subject.is_held,
        at_birth=_AT_BIRTH if subject.is_held else 0,
        floor=floor_when_settled if subject.is_held and subject.keeps_floor else no_floor,
        scales=subject.scales,
        traffic=subject.traffic,
        bounds=subject.bounds,
    )
    prediction = predict(ro, config, surroundings, now)
    here = usage_of_replicas(subject.running or prediction.start.replicas, subject.replica)
    at_start = _peak([prediction.start], subject.replica)
    of_stages = tuple(_peak(stage.moments, subject.replica) for stage in prediction.stages)
    peak = _highest([at_start, *of_stages])
    return Forecast(
        strategy=strategy_in_force(ro, config),
        ratio=config.over_consumption_ratio,
        demand=subject.demand,
        prediction=prediction,
        first=_first(ro),
        now=here,
        usage_at_start=at_start,
        usage_of_stages=of_stages,
        peak=peak,
        fits=tuple(fit(room, here, peak) for room in rooms),
    )


def _with(
    ro: RolloutOrchestrator, config: RolloutConfig, setting: Setting
) -> tuple[RolloutOrchestrator, RolloutConfig]:
    if setting.ratio is not None:
        config = replace(config, over_consumption_ratio=setting.ratio)
    if setting.strategy is None:
        return ro, config
    own = {key: text for key, text in ro.metadata.annotations.items() if key != STRATEGY_ANNOTATION}
    metadata = replace(ro.metadata, wire={**ro.metadata.wire, "annotations": own})
    return replace(ro, metadata=metadata, spec=replace(ro.spec.copy(), rollout_strategy=setting.strategy)), config


def _first(ro: RolloutOrchestrator) -> int:
    """The number of the first stage that is predicted: the present one, if it is not done."""
    done = stages_done(ro)
    return (done or 0) + 1


def _peak(moments: Iterable[Moment], replica: Mapping[str, Usage]) -> dict[str, Decimal]:
    return _highest(usage_of_replicas(moment.replicas, replica) for moment in moments)


def _highest(usages: Iterable[Usage]) -> dict[str, Decimal]:
    highest: dict[str, Decimal] = {}
    for usage in usages:
        for key, number in usage.items():
            highest[key] = max(highest.get(key, Decimal()), number)
    return highest
