"""What both steps do with one SPA: create it, update it, or leave it as it is."""

import pytest

from tests.objects import entry, revision, rollout, spa
from tests.vectors.fake_cluster import FakeCluster, Request, RequestRefused
from webhook.api import InvalidRollout
from webhook.strategies import BaseScaleStep, update_spa_for_rev_down, update_spa_for_rev_up

NAME = "hello-00002"
ENTRY = revision(NAME, 40, "up", minScale=2, maxScale=9)
RO = rollout([ENTRY.to_dict()])


@pytest.mark.parametrize(
    ("present", "writes"),
    [
        pytest.param([], [f"create stagepodautoscalers {NAME}"], id="absent: created"),
        pytest.param([spa(NAME, 1, 9)], [f"update stagepodautoscalers {NAME}"], id="other bounds: updated"),
        pytest.param([spa(NAME, 2)], [f"update stagepodautoscalers {NAME}"], id="a bound is absent: updated"),
        pytest.param([spa(NAME, 2, 9)], [], id="quiet-writes: these bounds: left alone"),
    ],
)
def test_the_spa_of_a_revision_is_made_what_it_should_be(present: list[dict[str, object]], writes: list[str]) -> None:
    world = FakeCluster()
    world.add(*present)
    stored = BaseScaleStep(world, world).create_or_update_spa_rev(RO, ENTRY, False, update_spa_for_rev_up)
    assert (world.writes(), world.bounds()) == (writes, {NAME: (2, 9)})
    assert stored == world.spa(NAME), "as stored, so that a later write is conditional on its version"


def test_a_new_spa_starts_from_its_entry() -> None:
    world = FakeCluster()
    BaseScaleStep(world, world).create_or_update_spa_rev(RO, ENTRY, False, update_spa_for_rev_down)
    assert world.bounds() == {NAME: (2, 9)}


def test_no_panic_names_the_entry_that_lacks_its_percent() -> None:
    bad = entry(NAME, None, "up", minScale=3, targetReplicas=2)
    ro, world = rollout([entry("hello-00001", 60, "down"), bad]), FakeCluster()
    with pytest.raises(InvalidRollout) as caught:
        BaseScaleStep(world, world).create_or_update_spa_rev(
            ro, ro.spec.stage_target_revisions[1], False, update_spa_for_rev_up
        )
    assert caught.value.field == "spec.stageTargetRevisions[1].percent"
    assert world.requests == []


def test_what_the_client_raises_is_passed_on() -> None:
    world = FakeCluster(failing=frozenset({Request("create", "stagepodautoscalers", NAME)}))
    with pytest.raises(RequestRefused):
        BaseScaleStep(world, world).create_or_update_spa_rev(RO, ENTRY, False, update_spa_for_rev_up)
