"""Two rollouts that name one revision.

Upstream knows one service of a Revision, its label, and takes an SPA for that of the service its own label names: that
rollout moves it. Upstream's pass sets the SPA of every revision of its stage all the same, so that two rollouts set one
SPA back and forth for ever. Here the one that it does not belong to moves nothing at all, and says so.
"""

import pytest

from tests.loop.world import World, autoscale, entry
from webhook.api import RolloutOrchestrator
from webhook.api.reasons import OWNERSHIP_CONFLICT
from webhook.api.wire import Wire
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.loop.observation import owners_in_conflict, revisions_moved_by

SHARED = "hello-00002"
MESSAGE = f"The rollout moves nothing: {SHARED} belongs to RolloutOrchestrator hello; let only one of them name it."
CONFLICT = f"Warning {OWNERSHIP_CONFLICT}: {MESSAGE}"


def pulled_apart(world: World) -> World:
    """``hello`` goes from its first revision to its second; ``other`` goes from that one to one of its own."""
    for name, service, actual in (("hello-00001", "hello", 4), (SHARED, "hello", 0), ("other-00001", "other", 0)):
        world.revision(name, service=service)
        world.scale(name, actual, service=service)
    world.spa_object(SHARED, stageMinScale=1, stageMaxScale=10)
    world.rollout(initialRevisions=[entry("hello-00001", 100, 1, 10)], targetRevisions=[up(SHARED)])
    world.rollout("other", initialRevisions=[entry(SHARED, 100, 1, 10)], targetRevisions=[up("other-00001")])
    return world


def up(name: str) -> Wire:
    return entry(name, 100, 1, 10, latestRevision=True)


def carry_both(world: World, turns: int = 60) -> World:
    for _ in range(turns):
        world.loop.enqueue_everything()
        world.settle()
        autoscale(world, 4)
        autoscale(world, 4, "other")
        world.clock.advance(10)
    return world.settle()


def test_the_one_it_belongs_to_goes_to_its_end_and_the_other_says_why_it_stands_still() -> None:
    world = carry_both(pulled_apart(World()))
    assert world.condition("LastStageReady") == ("True", "")
    assert world.bounds(SHARED) == (1, 10)
    assert world.stage("other") == {}, "it starts nothing"
    assert world.condition("StageReady", "other") == ("Unknown", OWNERSHIP_CONFLICT)
    assert world.condition("Ready", "other") == ("Unknown", OWNERSHIP_CONFLICT)
    assert CONFLICT in world.emitted()


def test_nothing_is_written_without_end() -> None:
    world = carry_both(pulled_apart(World()))
    specs = [one for one in world.written() if one.endswith(f"stagepodautoscalers default/{SHARED}")]
    assert len(specs) <= 4, "once for each stage, and no more"
    assert world.written().count("patch rolloutorchestrators/status default/other") == 1
    assert "patch rolloutorchestrators default/other" not in world.written()
    assert carry_both(world.forget(), turns=20).written() == [], "it is reported once"


def test_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    carry_both(pulled_apart(World()), turns=20)
    assert caplog.text.count(f"RolloutOrchestrator default/other: {OWNERSHIP_CONFLICT}: {MESSAGE}") == 1


def test_a_stage_on_its_way_stands_still_too() -> None:
    world = pulled_apart(World())
    stage = [entry(SHARED, 50, 1, 10, direction="down", targetReplicas=1), up("other-00001")]
    world.edit("other", stageTargetRevisions=stage)
    world.settle()
    assert world.condition("StageReady", "other") == ("Unknown", OWNERSHIP_CONFLICT)
    assert not world.has_spa("other-00001")


@pytest.mark.parametrize("how", ["the SPA is given over", "its rollout is gone"])
def test_it_goes_on_as_soon_as_the_revision_is_its_own(how: str) -> None:
    world = carry_both(pulled_apart(World()))
    if how == "the SPA is given over":
        spa = world.spa(SHARED)
        labels = {**spa["metadata"]["labels"], "serving.knative.dev/service": "other"}
        world.api.put(STAGE_POD_AUTOSCALERS, {**spa, "metadata": {**spa["metadata"], "labels": labels}})
        world.revision(SHARED, service="other")
    else:
        world.api.remove(ROLLOUT_ORCHESTRATORS, "default", "hello")
    world.settle()
    assert world.stage("other") != {}
    assert world.condition("StageReady", "other")[1] != OWNERSHIP_CONFLICT


def test_a_rollout_that_is_complete_moves_nothing_and_says_nothing() -> None:
    world = pulled_apart(World())
    true = [{"type": type_, "status": "True"} for type_ in ("Ready", "StageReady", "LastStageReady")]
    reached = [up("other-00001")]
    other = world.edit("other", stageTargetRevisions=reached)
    generation = other["metadata"]["generation"]
    status = {"conditions": true, "observedGeneration": generation, "stageRevisionStatus": reached}
    world.api.put(ROLLOUT_ORCHESTRATORS, {**other, "status": status})
    world.settle()
    assert world.condition("StageReady", "other") == ("True", "")
    assert CONFLICT not in world.emitted()


def ro(spec: Wire) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict({"metadata": {"name": "other", "generation": 1}, "spec": spec})


START: Wire = {"initialRevisions": [entry("a", 100)], "targetRevisions": [entry("b", 100)]}
STAGE: Wire = {"stageTargetRevisions": [entry("a", 50, direction="stay"), entry("b", 50, direction="up")]}
BOTH: dict[str, list[Wire]] = {"a": [{"metadata": {"name": "hello"}}, {"metadata": {"name": "other"}}]}
DYING: dict[str, list[Wire]] = {"a": [{"metadata": {"name": "hello", "deletionTimestamp": "2026-01-01T00:00:00Z"}}]}


@pytest.mark.parametrize(
    ("spec", "owners", "listing", "shared"),
    [
        pytest.param(START, {"a": "other", "b": "other"}, {}, {}, id="its own"),
        pytest.param(START, {"a": "hello"}, {}, {"a": "hello"}, id="another's"),
        pytest.param(START, {}, BOTH, {}, id="without an SPA, whoever comes first has it"),
        pytest.param(START, {"a": None}, BOTH, {"a": "hello"}, id="nobody's while two name it"),
        pytest.param(START, {"a": None}, DYING, {}, id="the other one is going away"),
        pytest.param({**START, **STAGE}, {"a": "hello"}, {}, {}, id="it stays as it is in this stage"),
        pytest.param({**START, **STAGE}, {"b": "hello"}, {}, {"b": "hello"}, id="it moves in this stage"),
    ],
)
def test_what_a_rollout_shares(
    spec: Wire, owners: dict[str, str | None], listing: dict[str, list[Wire]], shared: dict[str, str]
) -> None:
    assert owners_in_conflict(ro(spec), owners, listing) == shared


def test_what_a_rollout_moves() -> None:
    assert revisions_moved_by(ro(START)) == ["a", "b"]
    assert revisions_moved_by(ro({**START, **STAGE})) == ["b"]
