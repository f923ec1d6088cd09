"""The rules of an RO as a whole, each with its whole text."""

from typing import Any

import pytest

from tests.admission.reviews import entry
from tests.admission.rules.rollouts import DOWN, NEW, OLD, UP, lines_of, rollout
from webhook.admission.rules.rollout_orchestrator import findings_of, label_findings
from webhook.api.wire import Wire


@pytest.mark.parametrize(
    "spec",
    [
        {"targetRevisions": [NEW]},
        {"targetRevisions": [NEW], "stageTargetRevisions": [], "initialRevisions": []},
        {"targetRevisions": [NEW], "rolloutStrategy": None},
        rollout(),
        rollout(rolloutStrategy=""),
        rollout(rolloutStrategy=" ResourceUtil\n"),
        # Upstream's shapes: the last stage, and a revision at rest.
        rollout(stageTargetRevisions=[NEW, entry("hello-00001", None, "down", targetReplicas=0)]),
        rollout(stageTargetRevisions=[entry("hello-00000", 20, "stay"), {**DOWN, "percent": 50}, UP]),
        rollout(stageTargetRevisions=[DOWN, {**UP, "minScale": 5, "maxScale": 0, "targetReplicas": 7}]),
        rollout(stageTargetRevisions=[DOWN, {**UP, "percent": 30.0, "maxScale": 5.0}]),
        rollout(stageTargetRevisions=[DOWN, {**UP, "direction": ""}]),
    ],
)
def test_what_passes_without_a_word(spec: Any) -> None:
    assert lines_of(spec) == []


@pytest.mark.parametrize(
    ("spec", "severity", "text"),
    [
        (
            [],
            "deny",
            (
                "spec: Invalid value: a list: must be an object [RO001]; "
                "kubectl explain rolloutorchestrators.spec shows its fields"
            ),
        ),
        (
            rollout(stageTargetRevisions=[entry("hello-00001", 100, "down")]),
            "deny",
            (
                "spec.stageTargetRevisions: Required value: nothing goes up in this stage [RO005]; "
                'give one entry the direction "up", or remove the stage'
            ),
        ),
        (
            rollout(targetRevisions=[]),
            "deny",
            (
                "spec.targetRevisions: Required value: a stage needs the targets that it leads to [RO007]; "
                "set targetRevisions, or remove stageTargetRevisions"
            ),
        ),
        (
            rollout(targetRevisions=[entry("hello-00002"), entry("hello-00003", 100)]),
            "deny",
            (
                "spec.targetRevisions[0].percent: Required value: the first target needs its share of the traffic "
                "[RO007]; set percent, from 0 to 100"
            ),
        ),
        (
            rollout(rolloutStrategy="fast"),
            "deny",
            (
                'spec.rolloutStrategy: Unsupported value: "fast": supported values: "availability", "resourceutil" '
                '[RO009]; leave it out for "availability"'
            ),
        ),
        (
            rollout(rolloutStrategy=["availability"]),
            "deny",
            (
                'spec.rolloutStrategy: Unsupported value: a list: supported values: "availability", "resourceutil" '
                '[RO009]; leave it out for "availability"'
            ),
        ),
    ],
)
def test_what_is_found(spec: Any, severity: str, text: str) -> None:
    assert [one for one in lines_of(spec) if "[RO011]" not in one[1]] == [(severity, text)]


@pytest.mark.parametrize(
    "spec", [None, {}, {"rolloutStrategy": "resourceutil"}, {"targetRevisions": []}, {"initialRevisions": [OLD]}]
)
def test_a_rollout_without_targets_gets_a_warning(spec: Any) -> None:
    text = (
        "spec.targetRevisions: Required value: without targets there is nothing to roll out [RO013]; "
        "list the revision that is to run, with percent 100"
    )
    assert lines_of(spec) == [("warn", text)]


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        ([entry("hello-00002", 50), entry("hello-00003", 50)], 2),
        ([NEW, entry("hello-00003", 0, tag="next")], 2),
        ([NEW, entry("hello-00003", 0), entry("hello-00004", 0), entry("hello-00003", 0, tag="next")], 3),
        ([NEW, entry("hello-00002", 0, tag="next")], 0),
        ([NEW], 0),
        ([], 0),
    ],
)
def test_several_targets_are_said_to_have_no_stages(targets: list[Wire], count: int) -> None:
    found = [finding.text for finding in findings_of({"targetRevisions": targets}) if finding.id == "RO011"]
    text = (
        f"spec.targetRevisions: Invalid value: {count}: several revisions have no stages: all of them go up at once"
        " [RO011]; name one revision to have stages"
    )
    assert found == ([text] if count else [])


@pytest.mark.parametrize(
    ("name", "label", "is_found"),
    [
        ("hello", "hello", False),
        ("hello", None, False),
        ("", "hello", False),
        ("hello", "other", True),
        ("hello", "", True),
    ],
)
def test_the_service_label_is_the_name(name: str, label: str | None, is_found: bool) -> None:
    text = (
        f'metadata.labels[serving.knative.dev/service]: Invalid value: "{label}": should be the object\'s own name, '
        '"hello", which is also that of the Knative Service [RO014]; leave the label out to have it filled in'
    )
    assert [finding.text for finding in label_findings(name, label)] == ([text] if is_found else [])


def test_everything_is_found_at_once_in_the_order_of_the_ids() -> None:
    spec = {
        "rolloutStrategy": "fast",
        "targetRevisions": [entry("Hello", None)],
        "stageTargetRevisions": [entry("hello-00001", -1, "down", minScale=5, maxScale=3, targetReplicas=4)],
    }
    found = [(finding.id, finding.field) for finding in findings_of(spec)]
    assert found == [
        ("RO001", "spec.targetRevisions[0].revisionName"),
        ("RO002", "spec.stageTargetRevisions[0].percent"),
        ("RO003", "spec.stageTargetRevisions[0].minScale"),
        ("RO005", "spec.stageTargetRevisions"),
        ("RO007", "spec.targetRevisions[0].percent"),
        ("RO008", "spec.targetRevisions"),
        ("RO008", "spec.stageTargetRevisions"),
        ("RO009", "spec.rolloutStrategy"),
        ("RO010", "spec.stageTargetRevisions[0].targetReplicas"),
    ]
