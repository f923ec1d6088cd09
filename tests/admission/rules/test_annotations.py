"""SPA009 and RO012: the keys under our prefixes on an object, and the warnings."""

from typing import Any

import pytest

from tests.admission.reviews import LOOP, PERSON, Wire, complete_spa, entry, lines, response_to, ro, verdict_on

RATIO = "rollout.knative.dev/over-consumption-ratio"
TIMEOUT = "rollout.knative.dev/stage-rollout-timeout-minutes"
ENABLED = "rollout.knative.dev/progressive-rollout-enabled"
STRATEGY = "rollout.knative.dev/progressive-rollout-strategy"
GOOD = {"targetRevisions": [entry("hello-00002", 100)], "rolloutStrategy": "availability"}


def rollout(annotations: Any = None, **metadata: Any) -> Wire:
    return ro(GOOD, annotations=annotations, **{"labels": {"serving.knative.dev/service": "hello"}, **metadata})


NO_NUMBER = 'Invalid value: "fifty": is not a whole number, so that it is ignored [RO012]; write for example "10"'
NO_MINUTES = 'Invalid value: "5m": is not a whole number of minutes without a unit, so that it is ignored [RO012];'
NO_BOOLEAN = 'Invalid value: "no": is not true or false, so that it is ignored [RO012]; write for example "false"'
NO_STRATEGY = 'Invalid value: "resource-util": is not availability or resourceutil, so that it is ignored [RO012];'
NO_SETTING = 'Invalid value: "5": is not a setting [RO012];'


@pytest.mark.parametrize(
    ("key", "value", "warning"),
    [
        (RATIO, "fifty", NO_NUMBER),
        (TIMEOUT, "5m", f'{NO_MINUTES} write for example "5"'),
        (ENABLED, "no", NO_BOOLEAN),
        (STRATEGY, "resource-util", f'{NO_STRATEGY} write for example "resourceutil"'),
        (f"{RATIO}n", "5", f"{NO_SETTING} did you mean {RATIO}?"),
        ("stagegate.dev/overide", "5", f"{NO_SETTING} did you mean stagegate.dev/override?"),
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_what_has_no_effect_on_a_rollout_is_a_warning(key: str, value: str, warning: str, path: str) -> None:
    response = response_to(rollout({key: value}), path=path)
    assert response["allowed"]
    assert response["warnings"] == [f"metadata.annotations[{key}]: {warning}"]
    assert response["auditAnnotations"] == {"warned": "RO012"}


@pytest.mark.parametrize("user", [PERSON, LOOP])
def test_a_label_is_no_annotation_and_enforcement_is_the_namespace_s(user: str) -> None:
    ours = {"stagegate.dev/override": "RO008", "stagegate.dev/enforce": "warn"}
    verdict = verdict_on(rollout(labels={"serving.knative.dev/service": "hello", **ours}), user=user)
    enforce = 'Invalid value: "warn": has no effect here [RO012]; label the namespace with it'
    override = 'Invalid value: "RO008": has no effect as a label [RO012]; make it an annotation'
    assert lines(verdict, "warned") == [
        f"metadata.labels[stagegate.dev/override]: {override}",
        f"metadata.labels[stagegate.dev/enforce]: {enforce}",
    ]


def test_on_an_spa_the_settings_of_a_rollout_have_no_effect() -> None:
    verdict = verdict_on(complete_spa(annotations={RATIO: "10", "stagegate.dev/override": "SPA002"}), user=LOOP)
    message = 'Invalid value: "10": has no effect on a StagePodAutoscaler [SPA009]; set it on the rollout'
    assert lines(verdict, "warned") == [f"metadata.annotations[{RATIO}]: {message}"]


@pytest.mark.parametrize(
    "annotations",
    [
        None,
        {},
        {RATIO: "250", TIMEOUT: "0", ENABLED: "True", STRATEGY: " ResourceUtil"},
        {"stagegate.dev/override": "RO008"},
        {"serving.knative.dev/rollout-duration": "x", "example.com/over-consumption-ratio": "x"},
    ],
)
def test_what_has_an_effect_and_what_is_of_others_is_no_warning(annotations: Any) -> None:
    assert verdict_on(rollout(annotations)).findings == ()


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_an_update_that_changes_nothing_but_a_setting_is_warned_and_never_patched_or_refused(path: str) -> None:
    bad = {"rolloutStrategy": "fast", "targetRevisions": []}
    response = response_to(ro(bad, annotations={RATIO: "fifty"}), old=ro(bad, annotations={RATIO: "50"}), path=path)
    assert response["allowed"]
    assert "patch" not in response
    assert [warning.partition(":")[0] for warning in response["warnings"]] == [f"metadata.annotations[{RATIO}]"]


def test_an_update_that_leaves_the_settings_alone_does_not_repeat_what_is_wrong_with_them() -> None:
    before = rollout({RATIO: "fifty"})
    verdict = verdict_on(rollout({RATIO: "fifty", "note": "x"}), old=before)
    assert (verdict.findings, verdict.skipped) == ((), "neither spec, labels nor owner references change")
    dying = rollout({RATIO: "sixty"}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert verdict_on(dying, old=before).findings == ()


def test_keys_that_no_server_lets_pass_are_shown_on_one_line() -> None:
    verdict = verdict_on(rollout({"stagegate.dev/\nä" + "x" * 5000: {"a": 1}}))
    (line,) = lines(verdict, "warned")
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 256
