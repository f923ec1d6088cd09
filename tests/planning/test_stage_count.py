"""Stage count: at each stage of a predicted rollout, its number and how many there are."""

from dataclasses import replace

import pytest

from tests.planning.rollouts import NOON, down, plain, rollout, up
from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.planning import RolloutConfig
from webhook.planning.planned_targets import PLANNED_TARGETS
from webhook.planning.prediction import Surroundings, predict
from webhook.planning.stage_count import stage_count
from webhook.planning.stage_number import STAGES_DONE, stage_number, stages_done
from webhook.strategies.stage import without_idle


def ro(strategy: str, targets: list[TargetRevision] | None = None) -> RolloutOrchestrator:
    bounds = {"min_scale": 2, "max_scale": 40}
    targets = targets or [plain("new", latest_revision=True, **bounds)]
    return rollout(start=[plain("old", **bounds)], target=targets, strategy=strategy)


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
@pytest.mark.parametrize(
    ("demand", "ratio", "stages"),
    [(4, 25, 4), (10, 10, 10), (10, 50, 2), (10, 30, 4), (20, 5, 20), (7, 30, 4), (30, 20, 5), (2, 1, 2), (5, 100, 1)],
)
def test_every_stage_of_a_rollout(strategy: str, demand: int, ratio: int, stages: int) -> None:
    config = RolloutConfig(over_consumption_ratio=ratio)
    predicted = predict(ro(strategy), config, Surroundings(demand), NOON)
    assert len(predicted.stages) == stages

    present = ro(strategy)
    scales: dict[str, int | None] = dict(predicted.start.replicas)
    assert stage_count(present, config, scales, {"old"}) == (1, stages)
    for number, stage in enumerate(predicted.stages, 1):
        present.spec = replace(present.spec, stage_target_revisions=list(stage.entries))
        present.status.annotations[STAGES_DONE] = str(number - 1)
        assert stage_count(present, config, scales, {"old", "new"}) == (number, stages)
        present.status.stage_revision_status = without_idle(list(stage.entries))
        scales = dict(stage.end.replicas)


@pytest.mark.parametrize("running", [{"old": 4, "new": 0}, {"old": 4, "new": 2}, {"old": 9, "new": 1}, {}])
def test_within_a_stage_the_count_stays_while_replicas_move(running: dict[str, int | None]) -> None:
    present = ro("availability")
    present.spec = replace(present.spec, stage_target_revisions=[down("old", 50, 2), up("new", 50, 2)])
    present.status.stage_revision_status = [down("old", 75, 3), up("new", 25, 1)]
    assert stage_count(present, RolloutConfig(), running, {"old", "new"}) == (2, 4)


def test_new_targets_begin_with_the_first_stage_whatever_was_done_before() -> None:
    present = ro("availability", [plain("newer", latest_revision=True)])
    present.spec = replace(present.spec, stage_target_revisions=[up("new", 100, 4)])
    present.status.annotations.update({PLANNED_TARGETS: '[["new",100]]', STAGES_DONE: "4"})
    config = RolloutConfig(over_consumption_ratio=25)
    assert stage_count(present, config, {"old": 4}, {"old"}) == (1, 4)
    assert (stages_done(present), stage_number(present)) == (0, 1)


def test_without_a_record_the_number_is_that_of_what_was_reached() -> None:
    present = ro("availability")
    present.spec = replace(present.spec, stage_target_revisions=[down("old", 25, 1), up("new", 75, 3)])
    present.status.stage_revision_status = [down("old", 50, 2), up("new", 50, 2)]
    assert stage_count(present, RolloutConfig(), {}, {}) == (3, 4)


def test_several_targets_have_one_stage() -> None:
    two = [plain("new", 50), plain("newer", 50)]
    assert stage_count(ro("availability", two), RolloutConfig(), {"old": 4}, {"old"}) == (1, 1)
    begun = rollout(start=[plain("old")], target=two, stage=two)
    assert stage_count(begun, RolloutConfig(), {"old": 4}, {"old"}) == (1, 1)


def test_stages_that_are_off() -> None:
    off = RolloutConfig(progressive_rollout_enabled=False)
    assert stage_count(ro("availability"), off, {"old": 4}, {"old"}) == (1, 1)


@pytest.mark.parametrize("scales", [{}, {"old": None}])
def test_without_replicas_the_count_is_not_known(scales: dict[str, int | None]) -> None:
    assert stage_count(ro("availability"), RolloutConfig(), scales, {"old"}) is None


def test_a_revision_at_rest_has_one_stage() -> None:
    assert stage_count(ro("availability"), RolloutConfig(), {"old": 0}, {"old"}) == (1, 1)
