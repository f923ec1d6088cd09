"""A simulated service in a namespace: its revisions, its rollout, and what is seen of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.integration.place import EVENTS, POD_AUTOSCALERS, PODS, ROS, Place, entry, eventually
from tests.integration.user import User, Wire
from webhook.cli.demo.knative import Knative
from webhook.cli.demo.observer import Observer
from webhook.cli.demo.prediction import Outcome, predict
from webhook.cluster.client import Client

RATIO = "rollout.knative.dev/over-consumption-ratio"


class Service:
    """The service hello, whose traffic needs ``demand`` replicas. Revision 1 runs them all at first."""

    def __init__(self, client: Client, person: User, place: Place, demand: int) -> None:
        self._client = client
        self._person = person
        self._place = place
        self._knative = Knative(client, place.namespace, "hello", demand)
        self._targets = {"hello-00002"}
        self._demand = demand

    @contextmanager
    def observed(self) -> Iterator[Observer]:
        """With revision 1 up and running."""
        for name in ("hello-00001", "hello-00002"):
            self._knative.make_revision(entry(name, 100))
        self._knative.make_pod_autoscaler(entry("hello-00001", 100))
        with Observer(self._client, self._place.namespace, "hello") as observer:
            eventually(lambda: observer.scales == {"hello-00001": self._demand}, "revision 1 runs")
            yield observer

    def start(self, strategy: str, ratio: int) -> Wire:
        """Write the RO; answers it as stored."""
        rollout = self._place.rollout(strategy=strategy, annotations={RATIO: str(ratio)})
        answer = self._person.create(self._place.path(ROS), rollout)
        assert answer.done, answer.message
        return answer.body

    def retarget(self, name: str) -> None:
        """Another revision is to be the end."""
        self._knative.make_revision(entry(name, 100))
        self._targets.add(name)
        targets = [entry(name, 100, latestRevision=True)]
        answer = self._person.patch(self._place.path(ROS, "hello"), {"spec": {"targetRevisions": targets}})
        assert answer.done, answer.message

    def carry(self, observer: Observer, what: str, done: Any = None, within: float = 60.0) -> None:
        """Play Knative until the rollout is complete, or until ``done`` says so."""

        def is_done() -> bool:
            # With its SPA there, a new revision never runs free.
            for name in self._targets & observer.spas.keys():
                self._knative.make_pod_autoscaler(entry(name, 100))
                self._targets.discard(name)
            assert not observer.failure, observer.failure
            return bool(done()) if done is not None else observer.complete

        eventually(is_done, what, within)

    def predicted(self, rollout: Wire) -> Outcome:
        return predict(rollout, self._demand, datetime.now(UTC))

    def annotate(self, revision: str, **annotations: str) -> None:
        """Tell the simulation something about a revision: ``hang``, ``grace_seconds``."""
        stated = {f"sandbox.stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        path = self._place.path(POD_AUTOSCALERS, revision)
        assert self._person.patch(path, {"metadata": {"annotations": stated}}).done

    def make_pod_autoscaler(self, revision: str) -> None:
        self._knative.make_revision(entry(revision, 100))
        self._knative.make_pod_autoscaler(entry(revision, 100))

    def pods(self) -> list[Wire]:
        found: list[Wire] = self._person.get(self._place.path(PODS)).body["items"]
        return found

    def events(self, reason: str) -> list[Wire]:
        """The events of this reason about the rollout."""
        items: list[Wire] = self._person.get(self._place.path(EVENTS)).body["items"]
        return [event for event in items if event["reason"] == reason]
