"""Person: somebody with one Service after the other, each of which is edited, steered and deleted."""

import contextlib
import io
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.soak.world import World
from webhook.cli import main
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import KNATIVE_SERVICES

REPLICAS: Final = 4
MIN_SCALE: Final = "autoscaling.knative.dev/min-scale"
THROUGH, CHANGED, PAUSED, RETRIED, EDITED = "carried through", "changed", "paused", "retried", "edited after an abort"
_PLOTS: Final = {THROUGH: 2, CHANGED: 2, PAUSED: 2, RETRIED: 1, EDITED: 1}
_LONGEST: Final = 4
"""Rollouts of one Service."""
_PAUSE_SECONDS: Final = 2.0
_WITHIN_SECONDS: Final = 180.0
"""In which everything that is waited for happens, on a machine that is busy."""
Wire = dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """What has to be true before the next step."""

    what: str
    condition: Callable[[World], bool]


class Person:
    """``step`` goes on as far as the world allows. With ``enough`` no other rollout begins, and ``done`` comes.

    ``problem`` says what did not happen in time. ``plots`` counts the rollouts that have ended, by how they went.
    """

    def __init__(self, client: Client, kubeconfig: Path, namespace: str, base: str, chance: random.Random) -> None:
        self._client, self._kubeconfig, self._namespace = client, kubeconfig, namespace
        self._base, self._chance = base, chance
        self.service = ""
        self._number = 0
        self._life = self._lives()
        self._wait: Wait | None = None
        self._since = 0.0
        self._now = 0.0
        self.begun = 0
        self.deleted = 0
        self.plots: Counter[str] = Counter()
        self.enough = self.done = False
        self.problem = ""

    @property
    def revision(self) -> str:
        """The newest."""
        return f"{self.service}-{self._number:05}"

    def step(self, world: World, now: float) -> None:
        """``now`` is in seconds of a clock that never goes back."""
        self._now = now
        if self.done or self.problem:
            return
        if self._wait is not None and not self._wait.condition(world):
            if now - self._since > _WITHIN_SECONDS:
                self.problem = f"not within {_WITHIN_SECONDS:.0f} s: {self._wait.what}; {self._state(world)}"
            return
        try:
            self._wait, self._since = next(self._life, None), now
            self.done = self._wait is None
        except ApiError as problem:
            self.problem = f"a write of {self.service} failed: {problem}"

    def _lives(self) -> Iterator[Wait]:
        for number in range(1, 1_000_000):
            self.service, self._number = f"{self._base}-{number}", 1
            self._create()
            yield self._complete()
            for _ in range(self._chance.randint(1, _LONGEST)):
                if self.enough:
                    return
                plot = self._chance.choices(list(_PLOTS), list(_PLOTS.values()))[0]
                yield from self._rollout(plot)
                self.plots[plot] += 1
            if self.enough:
                return
            self._delete()
            yield Wait("everything is gone with the Service", lambda world: not world.of(self.service))
            self.deleted += 1

    def _rollout(self, plot: str) -> Iterator[Wait]:
        old = self.revision
        self._edit()
        if plot == THROUGH:
            yield self._complete()
            return
        yield Wait("the first share has moved", lambda world: self.revision in world.shares(self.service))
        if plot == CHANGED:
            self._edit()
        elif plot == PAUSED:
            self._command("pause", "--reason", "soak")
            yield Wait("it is paused", lambda world: world.condition(self.service, "Paused").get("status") == "True")
            until = self._now + _PAUSE_SECONDS
            yield Wait("the pause is over", lambda world: self._now > until)
            self._command("resume")
        elif self._command("abort", "--reason", "soak", "--yes"):
            yield Wait("it is back", lambda world: self._is_back(world, old))
            self._command("retry") if plot == RETRIED else self._edit()
        yield self._complete()

    def _is_back(self, world: World, old: str) -> bool:
        is_aborted = world.condition(self.service, "Ready").get("reason") == "Aborted"
        return is_aborted and world.shares(self.service) == {old: 100}

    def _complete(self) -> Wait:
        revision = self.revision
        return Wait(
            f"{revision} has all of the traffic and replicas",
            lambda world: (
                world.is_complete(self.service, revision) and world.running(self.service) == {revision: REPLICAS}
            ),
        )

    def _create(self) -> None:
        annotations = {"stagegate.dev/progressive": "true", "rollout.knative.dev/over-consumption-ratio": "25"}
        template = {"metadata": {"annotations": {MIN_SCALE: str(REPLICAS)}}, **self._template()}
        body = {"apiVersion": KNATIVE_SERVICES.api_version, "kind": KNATIVE_SERVICES.kind}
        metadata = {"name": self.service, "annotations": annotations}
        self._client.create(
            KNATIVE_SERVICES, self._namespace, {**body, "metadata": metadata, "spec": {"template": template}}
        )

    def _edit(self) -> None:
        self._number += 1
        self.begun += 1
        self._client.patch(KNATIVE_SERVICES, self._namespace, self.service, {"spec": {"template": self._template()}})

    def _delete(self) -> None:
        uid = self._client.get(KNATIVE_SERVICES, self._namespace, self.service)["metadata"]["uid"]
        self._client.delete(KNATIVE_SERVICES, self._namespace, self.service, uid=uid)

    def _template(self) -> Wire:
        return {"spec": {"containers": [{"image": f"a:{self._number}"}]}}

    def _command(self, *words: str) -> bool:
        """Run one of the commands; True if it went well."""
        name, *options = words
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            arguments = [name, self.service, *options, "-n", self._namespace, "--kubeconfig", str(self._kubeconfig)]
            return main(arguments) == 0

    def _state(self, world: World) -> str:
        conditions = {
            name: world.condition(self.service, name) for name in ("Ready", "StageReady", "Paused", "Aborted")
        }
        shown = {name: one.get("reason") or one.get("status") for name, one in conditions.items() if one}
        return (
            f"{self.revision}: {shown}, traffic {world.shares(self.service)}, replicas {world.running(self.service)},"
            f" {'held' if world.is_held(self.service) else 'not held'}; {', '.join(world.of(self.service))}"
        )
