"""The number of a stage, from what the loop recorded."""

import pytest

from tests.objects import entry, rollout
from webhook.planning.planned_targets import PLANNED_TARGETS
from webhook.planning.stage_number import STAGES_DONE, stage_number, stages_done


@pytest.mark.parametrize(
    ("recorded", "stage_ready", "done", "number"),
    [
        pytest.param(None, "Unknown", None, None, id="never recorded"),
        pytest.param("some", "Unknown", None, None, id="not a number"),
        pytest.param("0", "Unknown", 0, 1, id="the first stage"),
        pytest.param("0", "True", 0, 1, id="new targets, and the first stage is not begun"),
        pytest.param("2", "True", 2, 2, id="between the second and the third"),
        pytest.param("2", "Unknown", 2, 3, id="in the third"),
        pytest.param("2", "False", 2, 3, id="failed in the third"),
    ],
)
def test_the_number_of_the_stage(recorded: str | None, stage_ready: str, done: int | None, number: int | None) -> None:
    ro = rollout([], target=[entry("hello-00002", 100)], conditions={"StageReady": stage_ready})
    ro.status.annotations[PLANNED_TARGETS] = '[["hello-00002",100]]'
    if recorded is not None:
        ro.status.annotations[STAGES_DONE] = recorded
    assert (stages_done(ro), stage_number(ro)) == (done, number)


def test_stages_of_former_targets_do_not_count() -> None:
    ro = rollout([], target=[entry("hello-00003", 100)], conditions={"StageReady": "True"})
    ro.status.annotations |= {PLANNED_TARGETS: '[["hello-00002",100]]', STAGES_DONE: "4"}
    assert (stages_done(ro), stage_number(ro)) == (0, 1)
