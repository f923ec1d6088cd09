"""Rollouts that come and go: each has stages, is complete, and is deleted with all that belongs to it."""

import gc
from collections import deque
from collections.abc import Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from tests.loop.world import World, autoscale, entry
from webhook.cluster.events import EventRecorder
from webhook.cluster.resource import POD_AUTOSCALERS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

_AT_ONCE: Final = 10
_NOT_OURS: Final = (type, ModuleType, FakeApi, FakeClock)


class Succession:
    """A loop in whose cluster ten rollouts after the other take place. Its Events are sent too."""

    def __init__(self) -> None:
        self.world = World()
        names = iter(range(10**9))
        self.recorder = EventRecorder(
            self.world.loop.reconciler.rollouts._client, "test", self.world.clock, lambda: f"{next(names):x}"
        )
        self.replaced = 0

    def replace(self) -> None:
        """Ten rollouts from their begin to their end, and the deletion of all that they had."""
        names = [f"r{self.replaced + number}" for number in range(_AT_ONCE)]
        for name in names:
            self._begin(name)
        for _ in range(8):
            self.world.settle()
            for name in names:
                autoscale(self.world, 4, service=name)
            self.world.clock.advance(15.0)
        self.world.settle()
        assert all(self.world.condition("Ready", name)[0] == "True" for name in names), "each is complete"
        for name in names:
            self._end(name)
        self.world.settle()
        # Late events of what was deleted are waited for, and Events are repeated within a while.
        for event in self.world.events:
            self.recorder.send(event)
        self.world.clock.advance(7200.0)
        self.world.settle()
        self.replaced += len(names)
        self._forget_the_cluster()

    def _begin(self, name: str) -> None:
        for revision, replicas in ((f"{name}-1", 4), (f"{name}-2", 0)):
            self.world.revision(revision, service=name)
            self.world.scale(revision, replicas, service=name)
        self.world.rollout(
            name,
            initialRevisions=[entry(f"{name}-1", 100, 1, 10)],
            targetRevisions=[entry(f"{name}-2", 100, 1, 10)],
        )
        self.world.settings(**{"over-consumption-ratio": "50"})

    def _end(self, name: str) -> None:
        self.world.api.remove(ROLLOUT_ORCHESTRATORS, "default", name)
        for revision in (f"{name}-1", f"{name}-2"):
            for resource in (STAGE_POD_AUTOSCALERS, POD_AUTOSCALERS, REVISIONS):
                if self.world.api.get(resource, "default", revision) is not None:
                    self.world.api.remove(resource, "default", revision)

    def _forget_the_cluster(self) -> None:
        """What the API server of the tests keeps of the past."""
        api = self.world.api
        for kept in (api.history, api.requests, api.writes, api.reads, api.streams, self.world.events):
            kept.clear()
        for key in [key for key in api.objects if key[0].endswith("/events")]:
            del api.objects[key]

    def items(self) -> int:
        """How many items all containers of the loop have together."""
        return sum(map(len, containers(self.world.loop, self.world.metrics, self.recorder)))


def containers(*roots: object) -> Iterator[Any]:
    """Every container that can be reached, without what belongs to the test, to modules and to classes."""
    seen: set[int] = set()
    left: list[object] = list(roots)
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, _NOT_OURS):
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | set | deque):
            yield one
        if isinstance(one, FunctionType):
            left += one.__closure__ or ()
        elif isinstance(one, CellType):
            left.append(one.cell_contents)
        else:
            left += gc.get_referents(one)
