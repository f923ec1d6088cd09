"""Story: what the demo shows, in order, and what has to come true for it to end well."""

import difflib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.autoscaler import Pace
from sandbox.controllers import is_ready
from sandbox.demo.applier import Applier
from sandbox.demo.knative import Knative
from sandbox.demo.manifest import SAMPLES, sample
from sandbox.demo.observer import Observer
from sandbox.demo.outcome import differences, predicted
from sandbox.demo.progress import Screen
from sandbox.demo.removal import Key, remove
from sandbox.demo.stack import Stack
from sandbox.sandbox import MANIFESTS
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import controller_of
from webhook.api.wire import Wire
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.knative.annotations import HOLD, OWN
from webhook.planning.prediction import Surroundings

NAMESPACE: Final = "default"
EDITED: Final = "shop"
"""The Service that is edited."""
SCALE: Final = 4
"""Its replicas, which its minimum asks for. Knative alone would run twice as many during the edit."""
SERVICE: Final = "hello"
"""The service whose rollout is written by hand."""
DEMAND: Final = 10
"""The replicas that all of its traffic needs."""
PACE: Final = Pace()
SECONDS_PER_TICK: Final = 0.4

_PATIENCE_SECONDS: Final = 30.0
_SERVERS_OWN: Final = frozenset({"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class StoryFailed(Exception):
    """Something did not come as it must; one line for each thing."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))


@dataclass(frozen=True, slots=True)
class Summary:
    """How the rollout of a service went."""

    service: str
    stages: int
    peak: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{NAMESPACE}/{self.service}: complete in {self.stages} stages, "
            f"peak {self.peak} replicas, {self.seconds:.1f} s"
        )


class Story:
    """Runs the story on a stack. Every step raises StoryFailed when it does not end as it must."""

    def __init__(self, stack: Stack, applier: Applier, screen: Screen, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._client = stack.client
        self._applier = applier
        self._screen = screen
        self._say = say
        self._knative = Knative(stack.client, NAMESPACE, SERVICE, DEMAND)

    def edit_service(self) -> Summary:
        """Edit a Service, and watch until it is released to Knative: with its traffic, and its own bounds."""
        with Observer(self._client, NAMESPACE, EDITED) as observer:
            self._write("apply", SAMPLES / "service.yaml")
            self._wait(f"{EDITED} did not become Ready", self._is_settled, observer)
            began = time.monotonic()
            self._write("apply", SAMPLES / "service-edited.yaml")
            self._wait("the loop made no rollout", lambda: self._found(ROLLOUT_ORCHESTRATORS) is not None, observer)
            rollout = self._client.get(ROLLOUT_ORCHESTRATORS, NAMESPACE, EDITED)
            expected = predicted(rollout, Surroundings(SCALE, is_held=True, at_birth=1), datetime.now(UTC))
            self._carry(observer, "availability", len(expected.stages))
            self._wait("the Service was not released", self._is_settled, observer)
            # The end does not wait for the last replica of the old revision.
            self._wait("the old revision still runs", lambda: observer.scales == expected.scales, observer)
            seconds = time.monotonic() - began
            observed = observer.outcome()
        reasons = differences(expected, observed)
        for revision in self._client.list(REVISIONS, NAMESPACE, label_selector=f"{SERVICE_LABEL}={EDITED}")["items"]:
            if OWN in revision["metadata"]["annotations"]:
                reasons.append(f"Revision {revision['metadata']['name']}: does not have its own bounds again")
        if reasons:
            raise StoryFailed(*reasons)
        return Summary(EDITED, len(observed.stages), observed.peak, seconds)

    def begin(self) -> None:
        """The service as it is before its rollout: its first revision runs what the traffic needs."""
        rollout = sample("rollout-resourceutil")["spec"]
        self._knative.make_node()
        for entry in (*rollout["initialRevisions"], *rollout["targetRevisions"]):
            self._knative.make_revision(entry)
        for entry in rollout["initialRevisions"]:
            self._knative.make_pod_autoscaler(entry)

    def filled_in(self) -> None:
        """An SPA with hardly a field, as written and as the webhook has completed it; deleted afterwards."""
        path = SAMPLES / "stagepodautoscaler.yaml"
        written = sample("stagepodautoscaler")
        name = written["metadata"]["name"]
        self._wait_until_filled_in(written)
        self._write("apply", path)
        stored = self._client.get(STAGE_POD_AUTOSCALERS, NAMESPACE, name)
        for line in diff(written, stored, str(path.relative_to(MANIFESTS.parent))):
            self._say(f"  {line}")
        faults = spa_faults(stored, self._rollout_uid())
        self._write("delete", path)
        if faults or "stageMaxScale" not in stored.get("spec", {}):
            raise StoryFailed(*faults or [f"{name} was stored without bounds"])

    def refused(self) -> None:
        """An SPA that breaks a rule: the message, and nothing stored."""
        path = SAMPLES / "stagepodautoscaler-bad.yaml"
        self._show("apply", path)
        answer = self._applier.apply(path)
        self._say(_indented(answer.text.replace(f"{MANIFESTS.parent}/", "")))
        if answer.done or "[SPA002]" not in answer.text:
            raise StoryFailed(f"{path.name} had to be refused with [SPA002]")

    def apply_rollout(self, name: str) -> None:
        """Write the RO of a sample."""
        self._write("apply", SAMPLES / f"{name}.yaml")

    def follow(self, strategy: str, start: Callable[[], None]) -> Summary:
        """Watch the rollout from ``start`` to its end, and hold it against what was predicted."""
        with Observer(self._client, NAMESPACE, SERVICE) as observer:
            self._wait("the first revision did not come up", lambda: sum(observer.scales.values()) == DEMAND, observer)
            began = time.monotonic()
            start()
            rollout = self._client.get(ROLLOUT_ORCHESTRATORS, NAMESPACE, SERVICE)
            expected = predicted(rollout, Surroundings(DEMAND), datetime.now(UTC))
            targets = {entry["revisionName"]: entry for entry in rollout["spec"]["targetRevisions"]}
            self._carry(observer, strategy, len(expected.stages), targets)
            seconds = time.monotonic() - began
            observed = observer.outcome()
            reasons = differences(expected, observed)
            for spa in observer.spas.values():
                reasons += spa_faults(spa, rollout["metadata"]["uid"])
        if reasons:
            raise StoryFailed(*reasons)
        return Summary(SERVICE, len(observed.stages), observed.peak, seconds)

    def end(self) -> None:
        """Remove everything of both services, once nothing writes for them any more. Raises CommandError."""
        remove(self._client, [Key(KNATIVE_SERVICES, NAMESPACE, EDITED)])
        Knative(self._client, NAMESPACE, EDITED, SCALE).remove_all()
        self._knative.remove_all()
        self._knative.remove_node()

    def _found(self, resource: Resource) -> Wire | None:
        """An object of the edited Service, which has its name."""
        try:
            return self._client.get(resource, NAMESPACE, EDITED)
        except NotFound:
            return None

    def _is_settled(self) -> bool:
        """True if the edited Service is Ready as it is now, and nothing holds its Route."""
        service, route = self._found(KNATIVE_SERVICES), self._found(ROUTES)
        if service is None or route is None or HOLD in route["metadata"].get("annotations", {}):
            return False
        seen = service.get("status", {}).get("observedGeneration")
        return is_ready(service) and seen == service["metadata"]["generation"]

    def _carry(
        self, observer: Observer, strategy: str, stages: int, targets: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Show the rollout until it is complete; ``targets`` are entries whose PodAutoscalers are made by hand."""
        awaited = dict(targets or {})
        moved = time.monotonic()
        while not observer.complete:
            if observer.wait_for_change(0.5):
                moved = time.monotonic()
            # Knative makes a revision's PodAutoscaler while the rollout begins; with the SPA there, it never runs free.
            for name in awaited.keys() & observer.spas.keys():
                self._knative.make_pod_autoscaler(awaited.pop(name))
            snapshot = observer.snapshot(strategy, stages)
            self._screen.show(snapshot)
            if failure := self._stack.failure() or observer.failure:
                raise StoryFailed(failure)
            if time.monotonic() - moved > _PATIENCE_SECONDS:
                raise StoryFailed(
                    f"stage {snapshot.stage} of {stages} has not moved for {_PATIENCE_SECONDS:.0f} s ({snapshot.state})"
                )
        self._screen.show(observer.snapshot(strategy, stages))
        self._screen.finish()

    def _wait(self, otherwise: str, condition: Callable[[], bool], observer: Observer) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            observer.wait_for_change(0.5)
            if time.monotonic() > deadline:
                raise StoryFailed(f"{otherwise} within {_PATIENCE_SECONDS:.0f} s")

    def _wait_until_filled_in(self, written: Wire) -> None:
        """Wait until the webhook has received the RO, a moment after it was written."""
        rehearsal = self._stack.rehearsal
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while "stageMaxScale" not in rehearsal.create(STAGE_POD_AUTOSCALERS, NAMESPACE, written).get("spec", {}):
            if time.monotonic() > deadline:
                raise StoryFailed("the webhook has not received the RolloutOrchestrator: nothing is filled in")
            time.sleep(0.1)

    def _write(self, verb: str, path: Path) -> None:
        self._show(verb, path)
        answer = self._applier.apply(path) if verb == "apply" else self._applier.delete(path)
        self._say(_indented(answer.text))
        if not answer.done:
            raise StoryFailed(f"{path.name} could not be written")

    def _show(self, verb: str, path: Path) -> None:
        self._say(f"  {self._applier.prompt} {verb} -f {path.relative_to(MANIFESTS.parent)}")

    def _rollout_uid(self) -> str:
        uid: str = self._client.get(ROLLOUT_ORCHESTRATORS, NAMESPACE, SERVICE)["metadata"]["uid"]
        return uid


def diff(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> list[str]:
    """What was added to an object, line by line, without what every API server adds."""
    written, stored = (yaml.safe_dump(_as_written(wire)).splitlines() for wire in (before, after))
    return list(difflib.unified_diff(written, stored, name, "as stored", lineterm="", n=2))


def spa_faults(spa: Mapping[str, Any], rollout_uid: str) -> list[str]:
    """What is wrong with the labels and the owner of a complete SPA; empty if nothing is."""
    metadata = spa["metadata"]
    labels, name = metadata.get("labels", {}), metadata["name"]
    faults = [
        f"SPA {name}: label {key} is {labels.get(key)}, not {value}"
        for key, value in ((REVISION_LABEL, name), (SERVICE_LABEL, SERVICE))
        if labels.get(key) != value
    ]
    owner = controller_of(metadata.get("ownerReferences", ()))
    if owner is None or owner["uid"] != rollout_uid:
        faults.append(f"SPA {name}: is not controlled by the RolloutOrchestrator {SERVICE}")
    return faults


def _as_written(wire: Mapping[str, Any]) -> Wire:
    metadata = {key: value for key, value in wire["metadata"].items() if key not in _SERVERS_OWN}
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != _LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    return {**wire, "metadata": metadata}


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
