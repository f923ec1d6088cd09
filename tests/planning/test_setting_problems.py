"""Settings as people write them: the key and the value before, the problems found after."""

import pytest

from webhook.planning import UnreadableSettings, rollout_config
from webhook.planning.setting_problems import (
    MOST_PROBLEMS,
    SETTINGS,
    config_map_problems,
    rollout_problems,
    spa_problems,
    template_problems,
)

PREFIX = "rollout.knative.dev/"
RATIO = f"{PREFIX}over-consumption-ratio"
KNOWN_KEYS = (
    "over-consumption-ratio, progressive-rollout-enabled, stage-rollout-timeout-minutes, progressive-rollout-strategy"
)
UNREADABLE = [
    ("over-consumption-ratio", "fifty", "'fifty' is not a whole number; write for example \"10\""),
    ("over-consumption-ratio", "", "'' is not a whole number; write for example \"10\""),
    (
        "stage-rollout-timeout-minutes",
        "5m",
        "'5m' is not a whole number of minutes without a unit; write for example \"5\"",
    ),
    ("progressive-rollout-enabled", "no", "'no' is not true or false; write for example \"false\""),
    (
        "progressive-rollout-strategy",
        "resource-util",
        "'resource-util' is not availability or resourceutil; write for example \"resourceutil\"",
    ),
]
READABLE = [
    ("over-consumption-ratio", "250"),
    ("stage-rollout-timeout-minutes", "-7"),
    ("progressive-rollout-enabled", "F"),
    ("progressive-rollout-strategy", " ResourceUtil "),
    ("progressive-rollout-strategy", ""),
]


def test_a_setting_of_the_cluster_stands_in_the_config_map_and_nowhere_else() -> None:
    assert (
        config_map_problems(
            {
                "hold-nothing-new": "true",
                "keep-service-waiting": "f",
                "keep-replicas-for-shares": "0",
                "give-failed-shares-back": "1",
            }
        )
        == []
    )
    assert [problem.text for problem in config_map_problems({"hold-nothing-new": "yes"})] == [
        "hold-nothing-new: 'yes' is not true or false; write for example \"true\""
    ]
    assert [problem.problem for problem in template_problems({f"{PREFIX}hold-nothing-new": "true"})] == [
        "is not a setting"
    ]


@pytest.mark.parametrize(("key", "value", "message"), UNREADABLE)
def test_an_unreadable_value_is_reported_wherever_it_stands(key: str, value: str, message: str) -> None:
    annotation = {PREFIX + key: value}
    for problems in (rollout_problems(annotation, {}), template_problems(annotation)):
        assert [(problem.text, problem.is_unknown) for problem in problems] == [(f"{PREFIX}{key}: {message}", False)]
    assert [problem.text for problem in config_map_problems({key: value})] == [f"{key}: {message}"]


@pytest.mark.parametrize(("key", "value"), READABLE)
def test_a_readable_value_is_not(key: str, value: str) -> None:
    annotation = {PREFIX + key: value}
    assert (rollout_problems(annotation, {}), template_problems(annotation), config_map_problems({key: value})) == (
        [],
        [],
        [],
    )


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, value, _ in UNREADABLE if "strategy" not in key])
def test_what_is_said_of_a_config_map_is_what_planning_refuses(key: str, value: str) -> None:
    with pytest.raises(UnreadableSettings):
        rollout_config({key: value}, {}, {}, {})


def test_every_setting_that_planning_reads_is_known() -> None:
    for key in SETTINGS:
        assert rollout_config({key: "7"} if "enabled" not in key else {key: "false"}, {}, {}, {}) != rollout_config(
            {}, {}, {}, {}
        )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (f"{PREFIX}over-consumption-ration", f"is not a setting; did you mean {RATIO}?"),
        (f"{PREFIX}OverConsumptionRatio", f"is not a setting; did you mean {RATIO}?"),
        (f"{PREFIX}progressive-rollout-mode", f"is not a setting; did you mean {PREFIX}progressive-rollout-enabled?"),
        ("stagegate.dev/overide", "is not a setting; did you mean stagegate.dev/override?"),
        ("stagegate.dev/enforce", "has no effect here; label the namespace with it"),
    ],
)
def test_an_unknown_key_on_a_rollout_is_reported_with_the_one_that_was_meant(key: str, message: str) -> None:
    for problems in (rollout_problems({key: "1"}, {}), rollout_problems({}, {key: "1"})):
        assert [(problem.text, problem.is_unknown) for problem in problems] == [(f"{key}: {message}", True)]


def test_an_unknown_key_that_is_like_no_other_is_reported_with_all_that_there_are() -> None:
    assert [problem.text for problem in config_map_problems({"zzz": "1"})] == [
        (
            f"zzz: is not a setting; known: {KNOWN_KEYS}, hold-nothing-new, keep-service-waiting,"
            " keep-replicas-for-shares, give-failed-shares-back"
        )
    ]
    on_rollout = rollout_problems({f"{PREFIX}zzz": "1", "stagegate.dev/zzz": "1"}, {})
    assert [problem.way_out for problem in on_rollout] == [
        f"known: {KNOWN_KEYS}",
        "known: override, pause, abort, retry",
    ]


def test_keys_of_others_and_text_for_people_are_none_of_our_business() -> None:
    others = {"serving.knative.dev/rollout-duration": "x", "example.com/over-consumption-ratio": "x", "note": "x"}
    assert rollout_problems(others, others) == []
    assert spa_problems(others, others) == []
    assert template_problems({**others, "stagegate.dev/x": "1"}) == []
    assert config_map_problems({"_example": "over-consumption-ratio: ten"}) == []


def test_an_override_is_an_annotation_and_no_label() -> None:
    override = {"stagegate.dev/override": "SPA002"}
    for problems_of in (rollout_problems, spa_problems):
        assert problems_of(override, {}) == []
        assert [problem.problem for problem in problems_of({}, override)] == ["has no effect as a label"]


def test_the_settings_of_a_rollout_have_no_effect_on_an_spa() -> None:
    (problem,) = spa_problems({RATIO: "10"}, {})
    assert problem.text == f"{RATIO}: has no effect on a StagePodAutoscaler; set it on the rollout"
    (problem,) = spa_problems({f"{PREFIX}over-consumption-ration": "10"}, {})
    assert problem.text.endswith(f"did you mean {RATIO}?")


def test_no_more_is_looked_for_than_anybody_reads() -> None:
    many = {f"stagegate.dev/{number}": "" for number in range(10_000)}
    for problems in (rollout_problems(many, many), spa_problems(many, many), config_map_problems(many)):
        assert len(problems) == MOST_PROBLEMS


def test_a_value_that_cannot_be_read_is_said_before_any_number_of_unknown_keys() -> None:
    many = {f"{PREFIX}a{number}": "" for number in range(100)} | {RATIO: "fifty"}
    for problems in (rollout_problems(many, {}), template_problems(many)):
        assert problems[0].key == RATIO
    assert (
        config_map_problems({"a": "", **{f"b{n}": "" for n in range(100)}, "over-consumption-ratio": "x"})[0].value
        == "x"
    )


def test_a_long_value_is_cut() -> None:
    (problem,) = rollout_problems({RATIO: "x" * 100_000}, {})
    assert len(problem.text) < 300
