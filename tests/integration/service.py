"""A simulated service: its revisions, its rollout, and what is seen of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sandbox.demo.knative import Knative
from sandbox.demo.observer import Observer
from sandbox.demo.outcome import Outcome, predicted
from sandbox.workloads import FAIL_ANNOTATION
from tests.integration.place import EVENTS, PODS, ROS, SERVICE_LABEL, SPAS, Place
from tests.integration.user import User, Wire
from tests.waiting import eventually
from webhook.cluster.client import Client
from webhook.cluster.resource import POD_AUTOSCALERS
from webhook.planning.prediction import Surroundings

RATIO = "rollout.knative.dev/over-consumption-ratio"


class Service:
    """A service whose traffic needs ``demand`` replicas. Its first revision runs them all at first."""

    def __init__(
        self, client: Client, person: User, place: Place, name: str, demand: int, bounds: Wire | None = None
    ) -> None:
        """``bounds`` are those of each revision; at least 2 and at most 10 replicas when absent."""
        self.name = name
        self._bounds = {"minScale": 2, "maxScale": 10} if bounds is None else bounds
        self.place = place
        self.path = place.path(ROS, name)
        self._client = client
        self._person = person
        self._knative = Knative(client, place.namespace, name, demand)
        self._demand = demand
        self._awaited = {self.revision(2)}

    def revision(self, number: int) -> str:
        return f"{self.name}-{number:05}"

    def spa_path(self, number: int) -> str:
        return self.place.path(SPAS, self.revision(number))

    @contextmanager
    def observed(self, **annotations: str) -> Iterator[Observer]:
        """With revision 1 running; ``annotations`` configure its simulation, as ``hang="true"``."""
        for number in (1, 2):
            self._knative.make_revision(self._entry(number))
        self._knative.make_pod_autoscaler(
            self._entry(1),
            {f"sandbox.stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()},
        )
        with Observer(self._client, self.place.namespace, self.name) as observer:
            eventually(lambda: observer.scales == {self.revision(1): self._demand}, "revision 1 runs")
            yield observer

    def start(self, strategy: str, ratio: int, tag: str = "") -> Wire:
        """Write the RO, with a tag for its target if one is given; answers it as stored."""
        rollout = self.place.rollout(self.name, strategy, annotations={RATIO: str(ratio)})
        rollout["spec"] |= {
            "initialRevisions": [self._entry(1, latestRevision=False)],
            "targetRevisions": [self._entry(2, latestRevision=True)],
        }
        if tag:
            rollout["spec"]["targetRevisions"].append({"revisionName": self.revision(2), "percent": 0, "tag": tag})
        answer = self._person.create(self.place.path(ROS), rollout)
        assert answer.done, answer.message
        found: Wire = answer.body
        return found

    def retarget(self, number: int) -> None:
        """Another revision is to be the end."""
        self._knative.make_revision(self._entry(number))
        self._awaited.add(self.revision(number))
        targets = [self._entry(number, latestRevision=True)]
        answer = self._person.patch(self.path, {"spec": {"targetRevisions": targets}})
        assert answer.done, answer.message

    def carry(
        self, observer: Observer, what: str, done: Callable[[], object] | None = None, within: float = 60.0
    ) -> None:
        """Play Knative until ``done`` says so, by default until the rollout is complete."""

        def is_done() -> object:
            # With its SPA there, a new revision never runs free.
            for name in self._awaited & observer.spas.keys():
                self._knative.make_pod_autoscaler({"revisionName": name, **self._bounds})
                self._awaited.discard(name)
            assert not observer.failure, observer.failure
            return done() if done is not None else observer.complete

        eventually(is_done, what, within)

    def predicted(self, rollout: Wire) -> Outcome:
        return predicted(rollout, Surroundings(self._demand), datetime.now(UTC))

    def ending_pods(self) -> int:
        selector = f"{SERVICE_LABEL}={self.name}"
        pods = self._person.get(self.place.path(PODS), labelSelector=selector).body["items"]
        return sum("deletionTimestamp" in pod["metadata"] for pod in pods)

    def events(self, reason: str) -> list[Wire]:
        """The events of this reason about the rollout."""
        items: list[Wire] = self._person.get(self.place.path(EVENTS)).body["items"]
        return [event for event in items if (event["involvedObject"]["name"], event["reason"]) == (self.name, reason)]

    def waits(self) -> list[str]:
        """What the rollout says that it waits for."""
        return [event["message"] for event in self.events("Waiting")]

    def fail(self, number: int, fails: bool = True) -> None:
        """The pods of a revision cannot start, or can again."""
        annotations = {FAIL_ANNOTATION: str(fails).lower()}
        name = self.revision(number)
        self._knative.make_pod_autoscaler(self._entry(number), annotations)
        self._client.patch(POD_AUTOSCALERS, self.place.namespace, name, {"metadata": {"annotations": annotations}})
        self._awaited.discard(name)

    def remove(self) -> None:
        self._knative.remove_all()

    def _entry(self, number: int, **members: Any) -> Wire:
        return {"revisionName": self.revision(number), "percent": 100, **self._bounds, **members}
