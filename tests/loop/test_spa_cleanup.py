"""Early SPAs: when they were made, by whom, and since when their Revision is missing; what becomes of them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cluster.fake_clock import START
from tests.loop.world import World, two_revisions
from webhook.api import StagePodAutoscaler
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire, format_time
from webhook.cluster.resource import REVISIONS, STAGE_POD_AUTOSCALERS
from webhook.cluster.trim import with_managers
from webhook.loop.spa_cleanup import MissingSince, is_foreign, spared_until

OURS = {"manager": "stagegate-loop", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
STATUS = {"manager": "controller", "operation": "Update", "subresource": "status"}
GIT = {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
EARLY = "hello-00003"


def spa(created: datetime | None = None, managers: Any = None) -> StagePodAutoscaler:
    metadata: Wire = {"name": EARLY, "namespace": "default"}
    if created is not None:
        metadata["creationTimestamp"] = format_time(created)
    if managers is not None:
        metadata["managedFields"] = managers
    return StagePodAutoscaler.from_dict(with_managers({"metadata": metadata}))


@pytest.mark.parametrize(
    ("managers", "foreign"),
    [
        (None, False),
        ([], False),
        ([OURS], False),
        ([OURS, STATUS], False),
        ([GIT], True),
        ([OURS, GIT, STATUS], True),
        ([{"manager": "kubectl-client-side-apply", "operation": "Update"}], True),
    ],
)
def test_somebody_else_wrote_it_if_another_manager_has_more_than_its_status(managers: Any, foreign: bool) -> None:
    assert is_foreign(spa(managers=managers)) is foreign


HOUR, FIVE, TWO = timedelta(hours=1), timedelta(minutes=5), timedelta(minutes=2)


@pytest.mark.parametrize(
    ("created", "managers", "missing", "until"),
    [
        (None, None, START, None),
        (START, None, START, START + FIVE),
        (START - HOUR, [OURS], START, START - HOUR + FIVE),
        (START - HOUR, [GIT], START, START + FIVE),
        (None, [GIT], START, START + FIVE),
        (START, [GIT], START + TWO, START + TWO + FIVE),
    ],
)
def test_the_grace_period_counts_from_the_creation_and_for_others_from_when_the_revision_was_missing(
    created: datetime | None, managers: Any, missing: datetime, until: datetime | None
) -> None:
    assert spared_until(spa(created, managers), missing, FIVE) == until


def test_it_is_missing_since_it_was_first_seen_without_a_revision() -> None:
    times, one = MissingSince(), spa()
    assert times.of("default", "hello", [one], START) == {EARLY: START}
    assert times.of("default", "hello", [one], START + TWO) == {EARLY: START}
    assert times.of("default", "hello", [], START + TWO) == {}
    assert times.of("default", "hello", [one], START + HOUR) == {EARLY: START + HOUR}, "it had one in between"


def test_only_so_many_services_are_remembered() -> None:
    times = MissingSince(most=2)
    for name in ("a", "b", "c"):
        times.of("default", name, [spa()], START)
    assert times.of("default", "a", [spa()], START + HOUR) == {EARLY: START + HOUR}
    assert times.of("default", "c", [spa()], START + HOUR) == {EARLY: START}


# In the loop


def sync(world: World, managers: Any = (GIT,), **labels: str) -> None:
    """What a Git sync does: make the SPA where it is not."""
    if not world.has_spa(EARLY):
        metadata = {
            "name": EARLY,
            "uid": f"uid-{world.clock.elapsed}",
            "labels": {SERVICE_LABEL: "hello", REVISION_LABEL: EARLY, **labels},
            "creationTimestamp": format_time(world.clock.now()),
            "managedFields": list(managers),
        }
        world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": metadata, "spec": {"stageMinScale": 1}})


def deletions(world: World) -> int:
    return world.written().count(f"delete stagepodautoscalers default/{EARLY}")


def test_an_spa_that_is_applied_before_its_revision_is_there_when_that_comes() -> None:
    world = two_revisions(World()).settle()
    sync(world)
    for _ in range(4):
        world.clock.advance(60)
        world.settle()
    world.revision(EARLY)
    world.settle()
    world.clock.advance(3600)
    world.settle()
    assert world.has_spa(EARLY)
    assert deletions(world) == 0


@pytest.mark.parametrize("managers", [(GIT,), (OURS,)], ids=["made by a sync", "made by the loop"])
def test_without_a_revision_it_is_deleted_when_the_grace_period_is_over_and_both_are_told(managers: Any) -> None:
    world = two_revisions(World()).settle().forget()
    sync(world, managers)
    world.settle()
    until = format_time(world.clock.now() + FIVE)
    awaited = f"StagePodAutoscaler {EARLY} is deleted after {until}: no Revision {EARLY}"
    assert f"Normal RevisionAwaited: {awaited}" in world.emitted()
    world.clock.advance(299)
    world.settle()
    assert deletions(world) == 0
    world.clock.advance(2)
    world.settle()
    assert deletions(world) == 1
    deleted = f"StagePodAutoscalerDeleted: StagePodAutoscaler {EARLY} was deleted: no Revision {EARLY}"
    assert any(deleted in line for line in world.emitted())


def test_a_sync_that_makes_it_again_and_again_costs_one_deletion_a_grace_period() -> None:
    world = two_revisions(World()).settle().forget()
    for _ in range(60):
        sync(world)
        world.settle()
        world.clock.advance(15)
    assert deletions(world) == 2
    warnings = [line for line in world.emitted() if "StagePodAutoscalerDeleted" in line]
    message = f"StagePodAutoscaler {EARLY} was deleted: no Revision {EARLY}"
    way_out = "apply it with its Revision, or leave it out: the loop makes it"
    assert warnings == [f"Warning StagePodAutoscalerDeleted: {message}; {way_out}"]


def test_an_old_spa_of_others_whose_revision_goes_is_spared_for_a_while_and_one_of_the_loop_is_not() -> None:
    for managers, spared in (((GIT,), True), ((OURS,), False)):
        world = two_revisions(World())
        world.revision(EARLY)
        sync(world, managers)
        world.settle()
        world.clock.advance(3600)
        world.api.remove(REVISIONS, "default", EARLY)
        world.settle()
        assert world.has_spa(EARLY) is spared
        world.clock.advance(301)
        world.settle()
        assert not world.has_spa(EARLY)


def test_a_spared_spa_costs_nothing_while_it_waits() -> None:
    world = two_revisions(World())
    world.settle()
    sync(world)
    world.settle().forget()
    world.clock.advance(100)
    assert world.settle().written() == []


def test_how_long_is_an_option() -> None:
    world = two_revisions(World(spa_grace=20.0)).settle()
    sync(world)
    world.settle()
    assert world.has_spa(EARLY)
    world.clock.advance(21)
    world.settle()
    assert not world.has_spa(EARLY)


# One notion of what exists


def test_a_revision_that_lacks_a_label_is_missing_for_pass_and_event_alike_until_it_has_it() -> None:
    world = two_revisions(World())
    world.revision("hello-00002", **{CONFIGURATION_LABEL: ""})
    world.settle()
    assert not world.has_spa("hello-00002")
    lacks = "the stage cannot be done: Revision hello-00002 lacks the label serving.knative.dev/configuration=hello"
    assert f"Warning RevisionMissing: {lacks}" in world.emitted()
    assert "Waiting" not in world.reasons(), "what does not exist is not waited for"
    world.revision("hello-00002")
    world.settle()
    assert world.has_spa("hello-00002")
    world.clock.advance(10)
    world.settle()
    assert "Waiting" in world.reasons()


def test_a_revision_that_gets_or_loses_the_service_label_concerns_the_rollouts_that_name_it() -> None:
    world = two_revisions(World())
    world.revision("hello-00002", **{SERVICE_LABEL: ""})
    world.settle()
    assert not world.has_spa("hello-00002")
    world.revision("hello-00002")
    world.settle()
    assert world.has_spa("hello-00002")
    world.revision("hello-00002", **{SERVICE_LABEL: "other"})
    world.settle()
    assert not world.has_spa("hello-00002")
