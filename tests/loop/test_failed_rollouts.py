"""Rollouts that fail: what marks them, what is said once, and the way out."""

import pytest
from prometheus_client import generate_latest

from tests.loop.world import World, entry, two_revisions
from webhook.loop.routing import Key
from webhook.planning.planned_targets import PLANNED_TARGETS


def test_a_rollout_that_cannot_go_on_says_so_once_and_starts_nothing() -> None:
    world = two_revisions(World())
    world.settle()
    world.forget()
    world.edit(
        stageTargetRevisions=[
            entry("hello-00001", 90, direction="down"),
            entry("hello-00002", None, 5, 9, direction="up", targetReplicas=1),
        ]
    )
    world.settle()
    assert world.condition("StageReady") == ("False", "StageRevisionRolloutFailed")
    assert world.condition("LastStageReady") == ("False", "RevisionRolloutFailed")
    assert world.condition("Ready")[0] == "False"
    assert world.reasons() == ["InvalidRollout"]
    assert [write for write in world.written() if "stagepodautoscalers " in write] == []
    world.forget().settle()
    world.scale("hello-00002", 3)
    world.settle()
    assert "rolloutorchestrators" not in " ".join(world.written())


def test_new_targets_are_the_way_out_of_a_failure() -> None:
    world = two_revisions(World())
    world.settle()
    world.edit(
        stageTargetRevisions=[
            entry("hello-00001", 90, direction="down"),
            entry("hello-00002", None, 5, direction="up", targetReplicas=1),
        ]
    )
    world.settle()
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.settle()
    assert world.condition("StageReady")[0] == "Unknown"
    assert "hello-00003" in world.stage()


def test_targets_without_percent_fail_the_rollout_with_the_path_of_the_field() -> None:
    world = two_revisions(World())
    world.settle()
    world.edit(targetRevisions=[entry("hello-00002", None, 1, 10)])
    world.settle()
    assert world.condition("StageReady") == ("False", "StageRevisionRolloutFailed")
    assert "spec.targetRevisions[0].percent" in world.emitted()[-1]
    assert world.ro()["status"]["annotations"][PLANNED_TARGETS] == '[["hello-00002",100]]'
    world.forget()
    world.loop.enqueue_everything()
    world.settle()
    assert (world.written(), world.emitted()) == ([], []), "it is reported once"


def test_a_fault_of_the_program_is_logged_whole_and_counted_as_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = two_revisions(World())
    monkeypatch.setattr(world.loop.reconciler.stages, "reconcile", lambda ro, strategy: ro["metadata"])
    world.observe()
    assert world.loop.workers.step()
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "default/hello" in record.getMessage()
    assert "Warning InternalError: TypeError in the loop: its log has the traceback" in world.emitted()
    assert b'stagegate_loop_reconciles_total{kind="rollout",result="crashed"} 1.0' in generate_latest(
        world.metrics.registry
    )
    assert world.loop.queue.failures(Key("rollout", "default", "hello")) == 1
