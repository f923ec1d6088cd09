"""Evidence that a revision can run, row by row, and the text for missing evidence."""

import pytest

from tests.objects import Json, revision, spa_view
from webhook.api.conditions import Condition
from webhook.strategies import RevisionConditions
from webhook.strategies.readiness import can_run, missing_evidence

NAME = "p-2"
NOTHING = RevisionConditions()
STARTED = RevisionConditions(scale_target_initialized=Condition("ScaleTargetInitialized", "True"))
NOT_STARTED = RevisionConditions(scale_target_initialized=Condition("ScaleTargetInitialized", "Unknown"))
REVISION_READY = RevisionConditions(revision_ready=Condition("Ready", "True"))
REVISION_FAILED = RevisionConditions(revision_ready=Condition("Ready", "False", reason="ImagePullBackOff"))
EITHER = RevisionConditions(
    scale_target_initialized=Condition("ScaleTargetInitialized", "Unknown"), revision_ready=Condition("Ready", "True")
)


@pytest.mark.parametrize(
    ("desired", "actual", "seen", "can"),
    [
        pytest.param(1, 1, NOTHING, True, id="runs"),
        pytest.param(0, 1, NOT_STARTED, True, id="still runs"),
        pytest.param(3, 1, REVISION_FAILED, True, id="runs fewer than it wants"),
        pytest.param(1, 0, NOTHING, False, id="wants one and runs none"),
        pytest.param(1, 0, STARTED, False, id="wants one and runs none, although it once ran"),
        pytest.param(1, 0, REVISION_READY, False, id="wants one and runs none, although its Revision is ready"),
        pytest.param(0, 0, NOTHING, True, id="at zero, and nothing is known: as upstream"),
        pytest.param(0, 0, STARTED, True, id="scaled to zero"),
        pytest.param(0, 0, REVISION_READY, True, id="scaled to zero, by its Revision"),
        pytest.param(0, 0, EITHER, True, id="scaled to zero, by one of the two"),
        pytest.param(0, 0, NOT_STARTED, False, id="at zero, and never ran"),
        pytest.param(0, 0, REVISION_FAILED, False, id="at zero, and its Revision failed"),
        pytest.param(-1, 0, STARTED, True, id="Knative does not know yet what it wants, and it once ran"),
        pytest.param(-1, 0, NOT_STARTED, False, id="Knative does not know yet what it wants, and it never ran"),
        pytest.param(None, 1, STARTED, False, id="no desired scale"),
        pytest.param(1, None, STARTED, False, id="no actual scale"),
    ],
)
def test_a_revision_that_is_to_get_traffic(
    desired: int | None, actual: int | None, seen: RevisionConditions, can: bool
) -> None:
    assert can_run(spa_view(NAME, desired=desired, actual=actual), revision(NAME, 10, "up"), seen) is can


def test_one_without_an_spa_has_shown_nothing() -> None:
    assert not can_run(None, revision(NAME, 10, "up"), STARTED)


@pytest.mark.parametrize("percent", [0, None])
def test_one_that_gets_no_traffic_need_not_run(percent: int | None) -> None:
    waits = spa_view(NAME, desired=1, actual=0)
    assert can_run(waits, revision(NAME, percent, "up"), REVISION_FAILED)
    assert missing_evidence(waits, revision(NAME, percent, "up"), REVISION_FAILED) is None


def ready(status: str, reason: str = "", message: str = "") -> Condition:
    return Condition("Ready", status, reason=reason, message=message)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({}, "p-2 runs no replica yet"),
        ({"pod_autoscaler_ready": ready("Unknown")}, "p-2 runs no replica yet"),
        ({"pod_autoscaler_ready": ready("True", "x", "y")}, "p-2 runs no replica yet"),
        (
            {"pod_autoscaler_ready": ready("False", "NotFound", "no\n image.")},
            "p-2 runs no replica yet (PodAutoscaler: NotFound: no image)",
        ),
        (
            {"scale_target_initialized": Condition("ScaleTargetInitialized", "Unknown", message="starting")},
            "p-2 runs no replica yet (PodAutoscaler: starting)",
        ),
        ({"revision_ready": ready("Unknown", "Deploying")}, "p-2 runs no replica yet (Revision: Deploying)"),
        (
            {"pod_autoscaler_ready": ready("Unknown", "Queued"), "revision_ready": ready("Unknown", "Deploying")},
            "p-2 runs no replica yet (PodAutoscaler: Queued)",
        ),
        (
            {"pod_autoscaler_ready": ready("Unknown", "Queued"), "revision_ready": ready("False", "ErrImagePull")},
            "p-2 runs no replica yet (PodAutoscaler: Queued; Revision: ErrImagePull)",
        ),
    ],
    ids=["silent", "no reason", "ready", "failed", "starting", "revision", "queued", "both"],
)
def test_the_words_for_what_is_missing_are_those_of_knative(seen: dict[str, Json], words: str) -> None:
    waits = spa_view(NAME, desired=1, actual=0)
    assert missing_evidence(waits, revision(NAME, 10, "up"), RevisionConditions(**seen)) == words


def test_a_long_message_is_cut() -> None:
    seen = RevisionConditions(pod_autoscaler_ready=ready("False", "Failed", "x" * 2000))
    words = missing_evidence(spa_view(NAME, desired=1, actual=0), revision(NAME, 10, "up"), seen)
    assert words is not None
    assert len(words) < 400
    assert words.endswith("x ...)")


@pytest.mark.parametrize(
    ("seen", "words"),
    [(NOTHING, None), (STARTED, None), (NOT_STARTED, "p-2 runs no replica yet")],
    ids=["nothing is known", "it once ran", "it never ran"],
)
def test_before_it_has_scales_only_its_conditions_speak(seen: RevisionConditions, words: str | None) -> None:
    assert missing_evidence(None, revision(NAME, 10, "up"), seen) == words
    assert missing_evidence(spa_view(NAME), revision(NAME, 10, "up"), seen) == words


def test_what_can_run_lacks_nothing() -> None:
    assert missing_evidence(spa_view(NAME, desired=0, actual=0), revision(NAME, 10, "up"), STARTED) is None
