"""Laws of rollouts of Services on stock Knative: edits at any moment, with and without the webhook."""

from itertools import pairwise
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.loop.knative import PREFIX, Knative
from tests.loop.world import World

LONGEST = 400
"""Turns within which the last rollout has to be over."""


class Edit(NamedTuple):
    """An edit so many turns after the one before; without the webhook the new Revision starts with its own minimum."""

    turns: int
    has_webhook: bool


edits = st.lists(st.builds(Edit, st.integers(0, 12), st.booleans()), max_size=3)


def rolled_out(minimum: int, ratio: int, later: list[Edit], *, is_slow: bool, lags: int) -> Knative:
    """A Service whose pods are there because of its own minimum: its first edit is held, others follow."""
    world = World()
    world.settings(over_consumption_ratio=str(ratio))
    knative = Knative(world, lags=lags).start(min_scale=str(minimum))
    world.settle()
    lowered = {
        PREFIX + "min-scale": "1",
        PREFIX + "stagegate-own": f'{{"min-scale":"{minimum}","set":{{"min-scale":"1"}}}}',
    }

    def turn() -> None:
        if not is_slow or len(knative.path) % 2:
            world.settle()
        knative.turn()
        world.clock.advance(1)

    for number, edit in enumerate([Edit(0, True), *later], 2):
        for _ in range(edit.turns):
            turn()
        if edit.has_webhook and minimum > 1:
            knative.edit(number, born=lowered)
        else:
            knative.edit(number, pinned=edit.has_webhook, min_scale=str(minimum))
    for _ in range(LONGEST):
        turn()
        if not knative.is_held:
            return knative
    raise AssertionError(f"not over after {LONGEST} turns: {knative.path[-1]}, {world.emitted()[-3:]}")


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.sampled_from([10, 25, 34, 50]), edits, st.booleans(), st.integers(1, 3))
# The old revision keeps its pods while the one in the middle is replaced.
@example(4, 25, [Edit(0, has_webhook=True)], False, 1)
# The surplus of a revision that no webhook lowered is still about to go when its second stage begins.
@example(4, 25, [Edit(10, has_webhook=False)], False, 3)
@example(5, 34, [Edit(4, has_webhook=False)], False, 3)
def test_shares_have_their_pods_and_one_stage_is_the_most_above_the_own_minimum(
    minimum: int, ratio: int, later: list[Edit], is_slow: bool, lags: int
) -> None:
    knative = rolled_out(minimum, ratio, later, is_slow=is_slow, lags=lags)
    step = max(1, minimum * ratio // 100)
    for shares, pods in knative.path:
        assert sum(shares.values()) == 100
        for name, percent in shares.items():
            assert pods[name] >= max(1, minimum * percent // 100), f"{percent}% of {name} on {pods[name]} pods"
        assert max(pods.values()) <= minimum, "no revision runs more than its own minimum"
    for number, ((shares, before), (_, after)) in enumerate(pairwise(knative.path), 1):
        is_raised = sum(after.values()) > sum(before.values())
        if is_raised and not any(0 <= number - birth <= 2 * lags + 2 for birth in knative.births):
            needed = sum(-(-minimum * percent // 100) for percent in shares.values())
            assert sum(after.values()) <= needed + step, f"{before} became {after}"
    assert knative.path[-1][0] == {f"hello-{len(later) + 2:05d}": 100}
