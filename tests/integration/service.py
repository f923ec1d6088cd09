"""A simulated service: its revisions, its rollout, and what is seen of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.integration.place import EVENTS, PODS, ROS, SERVICE_LABEL, SPAS, Place, entry, eventually
from tests.integration.user import User, Wire
from webhook.cli.demo.knative import Knative
from webhook.cli.demo.observer import Observer
from webhook.cli.demo.prediction import Outcome, predict
from webhook.cluster.client import Client

RATIO = "rollout.knative.dev/over-consumption-ratio"


class Service:
    """A service whose traffic needs ``demand`` replicas. Its first revision runs them all at first."""

    def __init__(self, client: Client, person: User, place: Place, name: str, demand: int) -> None:
        self.name = name
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
        """With revision 1 running; ``annotations`` tell the simulation about it, as ``hang="true"``."""
        for number in (1, 2):
            self._knative.make_revision(entry(self.revision(number), 100))
        self._knative.make_pod_autoscaler(
            entry(self.revision(1), 100),
            {f"sandbox.stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()},
        )
        with Observer(self._client, self.place.namespace, self.name) as observer:
            eventually(lambda: observer.scales == {self.revision(1): self._demand}, "revision 1 runs")
            yield observer

    def start(self, strategy: str, ratio: int) -> Wire:
        """Write the RO; answers it as stored."""
        rollout = self.place.rollout(self.name, strategy, annotations={RATIO: str(ratio)})
        answer = self._person.create(self.place.path(ROS), rollout)
        assert answer.done, answer.message
        return answer.body

    def retarget(self, number: int) -> None:
        """Another revision is to be the end."""
        name = self.revision(number)
        self._knative.make_revision(entry(name, 100))
        self._awaited.add(name)
        targets = [entry(name, 100, latestRevision=True)]
        answer = self._person.patch(self.path, {"spec": {"targetRevisions": targets}})
        assert answer.done, answer.message

    def carry(
        self, observer: Observer, what: str, done: Callable[[], object] | None = None, within: float = 60.0
    ) -> None:
        """Play Knative until ``done`` says so, by default until the rollout is complete."""

        def is_done() -> object:
            # With its SPA there, a new revision never runs free.
            for name in self._awaited & observer.spas.keys():
                self._knative.make_pod_autoscaler(entry(name, 100))
                self._awaited.discard(name)
            assert not observer.failure, observer.failure
            return done() if done is not None else observer.complete

        eventually(is_done, what, within)

    def predicted(self, rollout: Wire) -> Outcome:
        return predict(rollout, self._demand, datetime.now(UTC))

    def ending_pods(self) -> int:
        selector = f"{SERVICE_LABEL}={self.name}"
        pods = self._person.get(self.place.path(PODS), labelSelector=selector).body["items"]
        return sum("deletionTimestamp" in pod["metadata"] for pod in pods)

    def events(self, reason: str) -> list[Wire]:
        """The events of this reason about the rollout."""
        items: list[Wire] = self._person.get(self.place.path(EVENTS)).body["items"]
        return [event for event in items if (event["involvedObject"]["name"], event["reason"]) == (self.name, reason)]

    def remove(self) -> None:
        self._knative.remove_all()
