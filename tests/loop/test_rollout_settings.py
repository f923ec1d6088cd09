"""Settings: ConfigMap and annotations in, one configuration out; and the Events about those without effect."""

import logging
from typing import Any

import pytest

from tests.loop.world import World, autoscale, entry, two_revisions
from webhook.api import RolloutOrchestrator
from webhook.cluster.resource import CONFIG_MAPS, KNATIVE_SERVICES, ROLLOUT_ORCHESTRATORS
from webhook.knative.rollout_config import settings_of
from webhook.loop.rollout_settings import ConfigMapSettings, ignored_annotations, settings_after
from webhook.planning import RolloutConfig, UnreadableSettings

PREFIX = "rollout.knative.dev/"
RATIO = f"{PREFIX}over-consumption-ratio"
STRATEGY = f"{PREFIX}progressive-rollout-strategy"
DURATION = "serving.knative.dev/rollout-duration"
OVERRULED = "has no effect, since availability is set elsewhere; annotate RolloutOrchestrator hello with it"
TEMPLATE = "spec.template.metadata.annotations"


def ro(*, strategy: str = "", **annotations: str) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict(
        {"metadata": {"name": "hello", "annotations": annotations}, "spec": {"rolloutStrategy": strategy}}
    )


def service(template: dict[str, str], own: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"annotations": own or {}}, "spec": {"template": {"metadata": {"annotations": template}}}}


@pytest.mark.parametrize(
    ("data", "rollout", "knative", "config"),
    [
        ({}, ro(), None, RolloutConfig()),
        ({"over-consumption-ratio": "20"}, ro(), None, RolloutConfig(20)),
        ({"over-consumption-ratio": "20"}, ro(**{RATIO: "30"}), None, RolloutConfig(30)),
        ({}, ro(**{RATIO: "30"}), service({RATIO: "40"}), RolloutConfig(40)),
        ({}, ro(**{RATIO: "30"}), service({}), RolloutConfig()),
        ({}, ro(), service({}, {DURATION: "90"}), RolloutConfig(rollout_duration="90")),
        ({}, ro(), service({DURATION: "90"}), RolloutConfig()),
        ({}, ro(**{DURATION: "90"}), None, RolloutConfig(rollout_duration="90")),
        ({}, ro(), {}, RolloutConfig()),
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
    data: dict[str, str], rollout: RolloutOrchestrator, knative: dict[str, Any] | None, config: RolloutConfig
) -> None:
    assert settings_of(rollout, data, knative) == config


def test_an_unreadable_value_in_the_config_map_is_named() -> None:
    with pytest.raises(UnreadableSettings, match="over-consumption-ratio: 'ten'"):
        settings_of(ro(), {"over-consumption-ratio": "ten"}, None)


# The ConfigMap


def config_map(**data: str) -> dict[str, Any]:
    renamed = {key.replace("_", "-"): value for key, value in data.items()}
    return {"metadata": {"namespace": "knative-serving", "name": "config-rolloutorchestrator"}, "data": renamed}


GOOD, BAD = config_map(over_consumption_ratio="50"), config_map(over_consumption_ratio="plenty")
NAME = "ConfigMap knative-serving/config-rolloutorchestrator"
FAST = "'fast' is not availability or resourceutil; write for example \"resourceutil\""
BEFORE, DEFAULTS = "the settings read before", "the defaults"
PLENTY = "over-consumption-ratio: 'plenty' is not a whole number; write for example \"10\""


def unreadable(in_force: str) -> list[str]:
    return [f"SettingsUnreadable {NAME} is not used, {in_force} stay in force: {PLENTY}"]


def ignored(problem: str) -> list[str]:
    return [f"SettingIgnored {NAME}: {problem}"]


def seen(*config_maps: dict[str, Any] | None) -> ConfigMapSettings:
    """One ConfigMap after the other."""
    settings = ConfigMapSettings()
    for one in config_maps:
        settings = settings_after(settings, one)
    return settings


@pytest.mark.parametrize(
    ("config_maps", "ratio", "events"),
    [
        ([None], None, []),
        ([GOOD], "50", []),
        ([GOOD, BAD], "50", unreadable(BEFORE)),
        ([GOOD, BAD, BAD], "50", unreadable(BEFORE)),
        ([BAD], None, unreadable(DEFAULTS)),
        ([GOOD, BAD, GOOD], "50", []),
        ([GOOD, BAD, None], None, []),
        ([GOOD, None, BAD], None, unreadable(DEFAULTS)),
        (
            [config_map(over_consumption_ratio="50", stage_rollout_timeout_minute="5")],
            "50",
            ignored("stage-rollout-timeout-minute: is not a setting; did you mean stage-rollout-timeout-minutes?"),
        ),
        (
            [config_map(over_consumption_ratio="50", progressive_rollout_strategy="fast")],
            "50",
            ignored(f"progressive-rollout-strategy: {FAST}"),
        ),
        (
            [config_map(progressive_rollout_mode="normal", progressive_rollout_strategy="fast")],
            None,
            ignored(
                f"progressive-rollout-strategy: {FAST}; "
                "progressive-rollout-mode: is not a setting; did you mean progressive-rollout-enabled?"
            ),
        ),
        ([{"metadata": {"name": "config-rolloutorchestrator"}, "data": {"_example": "text"}}], None, []),
    ],
)
def test_the_last_config_map_that_could_be_read_counts(
    config_maps: list[Any], ratio: str | None, events: list[str]
) -> None:
    settings = seen(*config_maps)
    assert settings.data.get("over-consumption-ratio") == ratio
    assert [f"{event.reason} {event.message}" for event in settings.events] == events


# Annotations


@pytest.mark.parametrize(
    ("rollout", "knative", "messages"),
    [
        (ro(), None, []),
        (ro(**{RATIO: "30", STRATEGY: "resourceutil"}), None, []),
        (ro(**{RATIO: "fifty"}), None, [f"{RATIO}: 'fifty' is not a whole number; write for example \"10\""]),
        (
            ro(),
            service({RATIO: "fifty"}),
            [f"Knative Service hello, {TEMPLATE}: {RATIO}: 'fifty' is not a whole number; write for example \"10\""],
        ),
        (
            ro(),
            service({f"{PREFIX}over-consumption-ration": "5"}),
            [f"Knative Service hello, {TEMPLATE}: {RATIO}n: is not a setting; did you mean {RATIO}?"],
        ),
        (
            ro(),
            service({}, {RATIO: "5"}),
            [f"Knative Service hello: {RATIO} has no effect in metadata.annotations; set it in {TEMPLATE}"],
        ),
        (
            ro(**{RATIO: "30"}),
            service({}),
            [f"{RATIO}: '30' has no effect, since Knative Service hello exists; set it in its {TEMPLATE}"],
        ),
        (ro(**{RATIO: "30"}), service({RATIO: "30"}), []),
        (ro(strategy="availability", **{STRATEGY: "resourceutil"}), service({STRATEGY: "resourceutil"}), []),
        (
            ro(strategy="availability"),
            service({STRATEGY: "resourceutil"}),
            [f"Knative Service hello, {TEMPLATE}: {STRATEGY}: 'resourceutil' {OVERRULED}"],
        ),
        (ro(), service({STRATEGY: "ResourceUtil"}), []),
    ],
)
def test_annotations_without_effect_are_said(
    rollout: RolloutOrchestrator, knative: dict[str, Any] | None, messages: list[str]
) -> None:
    events = ignored_annotations(rollout, settings_of(rollout, {}, knative), knative)
    assert [event.message for event in events] == messages
    assert {event.reason for event in events} <= {"SettingIgnored"}


# In the loop


def annotate(world: World, **annotations: str) -> None:
    one = world.ro()
    world.api.put(ROLLOUT_ORCHESTRATORS, {**one, "metadata": {**one["metadata"], "annotations": annotations}})


def metric(world: World, name: str) -> float | None:
    return world.metrics.registry.get_sample_value(f"stagegate_loop_settings_{name}")


def test_an_unreadable_config_map_stops_nothing_and_event_log_and_metrics_say_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = two_revisions(World(), replicas=10, high=20)
    world.settings(over_consumption_ratio="50")
    world.observe()
    world.settings(over_consumption_ratio="plenty", foo="1")
    with caplog.at_level(logging.WARNING):
        world.settle()
    assert world.stage() == {"hello-00001": (50, 5), "hello-00002": (50, 5)}, "the last that could be read"
    message = f"{NAME} is not used, the settings read before stay in force: {PLENTY}; foo: is not a setting"
    on = {event.regarding["kind"] for event in world.events if event.message.startswith(message)}
    assert on == {"ConfigMap", "RolloutOrchestrator"}
    assert [record.levelname for record in caplog.records if message in record.message] == ["WARNING"], "once"
    assert (metric(world, "unreadable"), metric(world, "ignored")) == (1.0, 2.0)
    world.forget().settings(over_consumption_ratio="50")
    world.settle()
    assert "SettingsUnreadable" not in world.reasons()
    assert (metric(world, "unreadable"), metric(world, "ignored")) == (0.0, 0.0)


def test_a_loop_that_starts_with_an_unreadable_config_map_goes_by_the_defaults_and_says_so() -> None:
    world = World()
    world.settings(over_consumption_ratio="plenty")
    two_revisions(world, replicas=10, high=20).settle()
    assert world.stage() == {"hello-00001": (90, 9), "hello-00002": (10, 1)}
    assert f"Warning SettingsUnreadable: {NAME} is not used, the defaults stay in force: {PLENTY}" in world.emitted()


def test_a_loop_without_rollouts_says_it_too() -> None:
    world = World().settle()
    world.settings(over_consumption_ratio="plenty")
    world.settle()
    assert [event.regarding["kind"] for event in world.events] == ["ConfigMap"]


def test_a_loop_that_stands_by_learns_the_settings_and_says_nothing() -> None:
    world = World()
    for cache in world.loop.caches:
        for reflector in cache.reflectors:
            reflector.step()
    for ratio in ("50", "plenty"):
        world.settings(over_consumption_ratio=ratio)
        for cache in world.loop.caches:
            for reflector in cache.reflectors:
                reflector.step()
    assert world.events == []
    two_revisions(world, replicas=10, high=20).settle()
    assert world.stage() == {"hello-00001": (50, 5), "hello-00002": (50, 5)}


def test_a_complete_rollout_does_not_repeat_what_is_wrong_with_the_config_map() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    for _ in range(20):
        world.settle()
        autoscale(world, 1)
        world.clock.advance(1)
    assert world.condition("Ready")[0] == "True"
    world.forget().settings(over_consumption_ratio="plenty")
    world.settle()
    assert {event.regarding["kind"] for event in world.events} == {"ConfigMap"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("over-consumption-ratio", "fifty"),
        ("stage-rollout-timeout-minutes", "5m"),
        ("progressive-rollout-enabled", "no"),
        ("progressive-rollout-strategy", "resource-util"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_said_in_an_event(name: str, value: str) -> None:
    for on_service in (False, True):
        world = two_revisions(World())
        if on_service:
            world.api.put(KNATIVE_SERVICES, {**service({PREFIX + name: value}), "metadata": {"name": "hello"}})
        else:
            annotate(world, **{PREFIX + name: value})
        world.settle()
        (message,) = (line for line in world.emitted() if "SettingIgnored" in line)
        assert f"{PREFIX}{name}: {value!r} is not " in message
        assert world.stage() != {}, "the rollout goes on"


def test_an_unknown_key_is_said_in_an_event_also_on_a_complete_rollout() -> None:
    world = World()
    world.rollout(targetRevisions=[entry("hello-00001", 100)])
    annotate(world, **{"stagegate.dev/overide": "RO008"})
    world.settle()
    assert world.emitted().count(
        "Warning SettingIgnored: stagegate.dev/overide: is not a setting; did you mean stagegate.dev/override?"
    ) == 1  # fmt: skip


def test_settings_that_all_count_are_worth_no_event() -> None:
    world = two_revisions(World())
    world.settings(over_consumption_ratio="50")
    annotate(world, **{RATIO: "20", "stagegate.dev/override": "RO008", "example.com/note": "x"})
    world.settle()
    assert not {"SettingIgnored", "SettingsUnreadable"} & set(world.reasons())
    assert world.api.get(CONFIG_MAPS, "knative-serving", "config-rolloutorchestrator") is not None
