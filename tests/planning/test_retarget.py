"""New targets: where a rollout starts from then."""

from dataclasses import replace
from typing import Any

import pytest

from tests.planning.rollouts import FAILED, IN_PROGRESS, REACHED, down, plain, rollout, stay, up
from webhook.api import InvalidRollout, RolloutSpec
from webhook.api import TargetRevision as Revision
from webhook.planning import restart, targets_differ, update_initial_final_targets

OLD, NEW, NEXT = "hello-00001", "hello-00002", "hello-00003"
STAGE = [down(OLD, 70, 7), up(NEW, 30, 3)]
RECORDED = [down(OLD, 80, 8), up(NEW, 20, 2)]
START = [plain(OLD)]


def deployment(revision: str, replicas: int | None = 3, available: int = 3, service: str = "hello") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"serving.knative.dev/service": service, "serving.knative.dev/revision": revision}},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {"availableReplicas": available},
    }


def update(
    *,
    conditions: dict[str, str] | None = None,
    recorded: list[Revision] | None = None,
    stage: list[Revision] | None = None,
    traffic: bool | None = True,
    deployments: list[dict[str, Any]] | None = None,
) -> RolloutSpec:
    ro = rollout(
        start=START,
        target=[plain(NEW)],
        stage=STAGE if stage is None else stage,
        recorded=RECORDED if recorded is None else recorded,
        conditions=IN_PROGRESS if conditions is None else conditions,
        finish_time="2024-05-01T12:00:00Z",
    )
    return update_initial_final_targets(ro, [plain(NEXT)], route_has_traffic=traffic, deployments=deployments or [])


def test_new_targets_replace_the_old_ones_and_the_stage_and_its_time_go() -> None:
    spec = update()
    assert (spec.target_revisions, spec.stage_target_revisions, spec.target_finish_time) == ([plain(NEXT)], [], None)


@pytest.mark.parametrize("final", [[plain(NEW)], [plain(NEW, max_scale=5, tag="blue", latest_revision=True)]])
def test_nothing_changes_for_the_same_names_and_percents(final: list[Revision]) -> None:
    ro = rollout(start=START, target=[plain(NEW)], stage=STAGE, finish_time="2024-05-01T12:00:00Z")
    assert update_initial_final_targets(ro, final, route_has_traffic=True, deployments=[]) == ro.spec


def test_tag_entries_that_come_or_go_change_the_targets_alone() -> None:
    """Difference tag-entries."""
    tagged = [plain(NEW), plain(NEW, 0, tag="next")]
    for before, after in (([plain(NEW)], tagged), (tagged, [plain(NEW)])):
        ro = rollout(start=START, target=before, stage=STAGE, finish_time="2024-05-01T12:00:00Z")
        spec = update_initial_final_targets(ro, after, route_has_traffic=True, deployments=[])
        assert spec == replace(ro.spec, target_revisions=after)


@pytest.mark.parametrize(
    ("final", "differ"),
    [
        ([plain(OLD, 50), plain(NEW, 50)], False),
        ([plain(NEW, 50), plain(OLD, 50)], True),
        ([plain(OLD, 40), plain(NEW, 60)], True),
        ([plain(OLD, 50)], True),
    ],
)
def test_targets_differ_by_names_and_percents_in_order(final: list[Revision], differ: bool) -> None:
    assert targets_differ([plain(OLD, 50), plain(NEW, 50)], final) is differ


@pytest.mark.parametrize(
    ("given", "start"),
    [
        # A stage that was reached is where it starts from.
        ({"conditions": REACHED, "deployments": [deployment(NEW)]}, RECORDED),
        ({"conditions": {"Ready": "True"}, "deployments": [deployment(NEW)]}, RECORDED),
        # One on its way counts once its new revision is available, and no more than that.
        ({"deployments": [deployment(NEW)]}, STAGE),
        ({"deployments": [deployment(NEW, 3, 1)]}, STAGE),
        ({"deployments": [deployment(NEW, 3, 0)]}, RECORDED),
        ({"deployments": [deployment(NEW, 3, 4)]}, RECORDED),
        ({"deployments": [deployment(NEW, None, 1)]}, RECORDED),
        ({"deployments": [deployment(NEW, service="other"), deployment(OLD)]}, RECORDED),
        ({}, RECORDED),
        ({"conditions": FAILED}, RECORDED),
        # Without traffic, or without a stage, there is nothing to start from.
        ({"traffic": False}, []),
        ({"stage": []}, []),
        # Unless nothing was ever recorded.
        ({"recorded": []}, START),
        ({"recorded": [], "traffic": False}, []),
        # Without a Route at all, what was recorded counts.
        ({"traffic": None}, RECORDED),
        ({"traffic": None, "recorded": []}, START),
    ],
)
def test_where_a_rollout_starts_from_after_new_targets(given: dict[str, Any], start: list[Revision]) -> None:
    assert update(**given).initial_revisions == start


def test_a_restart_keeps_targets_that_are_new_already() -> None:
    ro = rollout(start=START, target=[plain(NEXT)], stage=STAGE, recorded=RECORDED, conditions=REACHED)
    spec = restart(ro, route_has_traffic=True, deployments=[])
    assert (spec.initial_revisions, spec.target_revisions) == (RECORDED, [plain(NEXT)])
    assert spec.stage_target_revisions == []
    assert ro.spec.stage_target_revisions == STAGE


def test_no_panic_over_a_stage_in_which_nothing_goes_up() -> None:
    with pytest.raises(InvalidRollout) as caught:
        update(stage=[down(OLD, 70), stay(NEW, 30)])
    assert caught.value.field == "spec.stageTargetRevisions"


def test_no_panic_over_a_target_without_percent() -> None:
    ro = rollout(start=START, target=[plain(OLD, 50), plain(NEW, None)])
    with pytest.raises(InvalidRollout) as caught:
        update_initial_final_targets(ro, [plain(OLD, 50), plain(NEW, 50)], route_has_traffic=True, deployments=[])
    assert caught.value.field == "spec.targetRevisions[1].percent"


def test_no_panic_where_the_names_decide_already() -> None:
    assert targets_differ([plain(OLD, None)], [plain(NEW, 100)])
