"""Settings: ConfigMap and annotations in, one configuration out."""

from typing import Any

import pytest

from webhook.api import RolloutOrchestrator
from webhook.loop.settings import settings_of
from webhook.planning import RolloutConfig, UnreadableSettings

RATIO = "rollout.knative.dev/over-consumption-ratio"
DURATION = "serving.knative.dev/rollout-duration"


def ro(**annotations: str) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict({"metadata": {"name": "hello", "annotations": annotations}})


def service(template: dict[str, str], own: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"annotations": own or {}}, "spec": {"template": {"metadata": {"annotations": template}}}}


@pytest.mark.parametrize(
    ("data", "rollout", "knative", "config"),
    [
        (None, ro(), None, RolloutConfig()),
        ({"over-consumption-ratio": "20"}, ro(), None, RolloutConfig(20)),
        ({"over-consumption-ratio": "20"}, ro(**{RATIO: "30"}), None, RolloutConfig(30)),
        (None, ro(**{RATIO: "30"}), service({RATIO: "40"}), RolloutConfig(40)),
        (None, ro(**{RATIO: "30"}), service({}), RolloutConfig()),
        (None, ro(), service({}, {DURATION: "90"}), RolloutConfig(rollout_duration="90")),
        (None, ro(), service({DURATION: "90"}), RolloutConfig()),
        (None, ro(**{DURATION: "90"}), None, RolloutConfig(rollout_duration="90")),
        (None, ro(), {}, RolloutConfig()),
    ],
    ids=[
        "defaults",
        "ConfigMap",
        "the RO's own annotation",
        "a Service's annotation",
        "with a Service the RO's do not count",
        "duration on the Service",
        "not on its template",
        "duration on the RO",
        "a Service without a template",
    ],
)
def test_rows(
    data: dict[str, str] | None, rollout: RolloutOrchestrator, knative: dict[str, Any] | None, config: RolloutConfig
) -> None:
    assert settings_of(rollout, None if data is None else {"data": data}, knative) == config


def test_an_unreadable_value_in_the_config_map_is_named() -> None:
    with pytest.raises(UnreadableSettings, match="over-consumption-ratio: 'ten'"):
        settings_of(ro(), {"data": {"over-consumption-ratio": "ten"}}, None)
