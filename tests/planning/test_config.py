"""Settings: what is read from where, and what is refused."""

import pytest

from webhook.planning import RolloutConfig, UnreadableSettings, rollout_config
from webhook.planning.config import parse_integer

PREFIX = "rollout.knative.dev/"


def test_defaults() -> None:
    assert rollout_config({}, {}, {}, {}) == RolloutConfig(10, True, 2, "0", "availability")


def test_a_config_map_sets_everything() -> None:
    config = rollout_config(
        {
            "_example": "ignored",
            "over-consumption-ratio": "25",
            "progressive-rollout-enabled": "F",
            "stage-rollout-timeout-minutes": "-7",
            "progressive-rollout-strategy": " ResourceUtil\n",
        },
        {"rollout-duration": " 380s "},
        {},
        {},
    )
    assert config == RolloutConfig(25, False, -7, "380s", "ResourceUtil")


def test_annotations_go_before_the_config_map() -> None:
    config = rollout_config(
        {"over-consumption-ratio": "25", "progressive-rollout-enabled": "true", "stage-rollout-timeout-minutes": "5"},
        {"rollout-duration": "380s"},
        {
            f"{PREFIX}over-consumption-ratio": "+30",
            f"{PREFIX}progressive-rollout-enabled": "0",
            f"{PREFIX}stage-rollout-timeout-minutes": "9",
            f"{PREFIX}progressive-rollout-strategy": " Canary ",
        },
        {"serving.knative.dev/rollout-duration": " 60 "},
    )
    assert config == RolloutConfig(30, False, 9, " 60 ", " Canary ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("over-consumption-ratio", "3.5"),
        ("over-consumption-ratio", " 4"),
        ("over-consumption-ratio", ""),
        ("stage-rollout-timeout-minutes", "1_0"),
        ("stage-rollout-timeout-minutes", "99999999999999999999"),
        ("progressive-rollout-enabled", "yes"),
        ("progressive-rollout-enabled", "tRue"),
        ("progressive-rollout-enabled", " true"),
    ],
)
def test_an_unreadable_value_in_a_config_map_refuses_all_and_in_an_annotation_counts_for_nothing(
    key: str, value: str
) -> None:
    with pytest.raises(UnreadableSettings) as caught:
        rollout_config({key: value}, {}, {}, {})
    assert (caught.value.key, caught.value.value) == (key, value)
    assert str(caught.value).startswith(f"{key}: {value!r} is not")
    assert rollout_config({}, {}, {PREFIX + key: value}, {}) == RolloutConfig()


@pytest.mark.parametrize(
    ("configured", "annotated", "strategy"),
    [
        ("availability", "resourceUtil", "resourceUtil"),
        ("availability", "", ""),
        ("resourceUtil", "availability", "resourceUtil"),
        ("resourceUtil", " resourceutil", "resourceUtil"),
        ("resourceUtil", "RESOURCEUTIL", "RESOURCEUTIL"),
    ],
)
def test_no_annotation_leads_out_of_resourceutil(configured: str, annotated: str, strategy: str) -> None:
    annotations = {f"{PREFIX}progressive-rollout-strategy": annotated}
    config = rollout_config({"progressive-rollout-strategy": configured}, {}, annotations, {})
    assert config.progressive_rollout_strategy == strategy


@pytest.mark.parametrize(
    ("text", "bits", "number"),
    [
        ("0", 32, 0),
        ("-0", 32, 0),
        ("+12", 32, 12),
        ("2147483647", 32, 2147483647),
        ("2147483648", 32, None),
        ("-2147483648", 32, -2147483648),
        ("-2147483649", 32, None),
        ("9223372036854775807", 64, 9223372036854775807),
        ("9223372036854775808", 64, None),
        ("0" * 5000 + "7", 64, 7),
        ("9" * 5000, 64, None),
        ("٣", 64, None),
        ("1 ", 64, None),
        ("--1", 64, None),
        ("", 64, None),
    ],
)
def test_integers(text: str, bits: int, number: int | None) -> None:
    assert parse_integer(text, bits) == number
