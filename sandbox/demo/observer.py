"""Observer: watches one rollout and keeps every stage it went through and the most replicas it ran."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from sandbox.demo.outcome import Outcome, Stage, stage_of
from sandbox.demo.progress import Row, Snapshot
from webhook.api import RolloutOrchestrator
from webhook.api.conditions import (
    LAST_STAGE_READY,
    READY,
    STAGE_READY,
    STAGE_SCALE_DOWN_READY,
    STAGE_SCALE_UP_READY,
)
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.target_revision import one_per_revision
from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import POD_AUTOSCALERS, PODS, ROLLOUT_ORCHESTRATORS, ROUTES, STAGE_POD_AUTOSCALERS
from webhook.knative.traffic import shares
from webhook.strategies import STRATEGIES

_SYNC_SECONDS: Final = 15.0
_STEPS: Final = {STAGE_SCALE_UP_READY: "scaling up", STAGE_SCALE_DOWN_READY: "scaling down"}


class Observer:
    """Sees each change, none is polled: no stage is too short to be noticed. Use it in a ``with``."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._namespace, self._name = namespace, name
        self._stages: list[Stage] = []
        self._peak = 0
        self._changed = threading.Event()
        clock = SystemClock()
        self._stores = {
            resource: Indexer(clock.monotonic)
            for resource in (ROLLOUT_ORCHESTRATORS, ROUTES, STAGE_POD_AUTOSCALERS, POD_AUTOSCALERS, PODS)
        }
        self.traffic: list[dict[str, int]] = []
        """Each traffic that the Route has shown, if there is one: percents by revision, without those at 0."""
        actions = {
            ROLLOUT_ORCHESTRATORS: self._on_rollout,
            POD_AUTOSCALERS: self._on_pod_autoscaler,
            ROUTES: self._on_route,
        }
        self._reflectors = [
            Reflector(
                client,
                resource,
                store,
                clock,
                namespace=namespace,
                label_selector="" if resource is ROLLOUT_ORCHESTRATORS else f"{SERVICE_LABEL}={name}",
                field_selector=f"metadata.name={name}" if resource is ROLLOUT_ORCHESTRATORS else "",
                on_change=actions.get(resource, self._on_change),
            )
            for resource, store in self._stores.items()
        ]

    def __enter__(self) -> Self:
        for reflector in self._reflectors:
            reflector.start()
        for reflector in self._reflectors:
            reflector.wait_until_synced(_SYNC_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for reflector in self._reflectors:
            reflector.stop()

    def wait_for_change(self, seconds: float) -> bool:
        """Whether something changed since the last call, or does within so many seconds."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    @property
    def complete(self) -> bool:
        """Whether the rollout has reached its end, and says so about the spec it has now."""
        ro = self._rollout()
        if ro is None or ro.status.observed_generation != ro.metadata.generation:
            return False
        return ro.status.conditions.is_true(READY) and ro.status.conditions.is_true(LAST_STAGE_READY)

    @property
    def failure(self) -> str:
        """What the rollout says of its failure; empty while there is none."""
        ro = self._rollout()
        condition = ro.status.conditions.get(STAGE_READY) if ro is not None else None
        return condition.message if condition is not None and condition.status == "False" else ""

    @property
    def spas(self) -> Mapping[str, Mapping[str, Any]]:
        """The service's SPAs on the wire, by name."""
        return {spa["metadata"]["name"]: spa for spa in self._stores[STAGE_POD_AUTOSCALERS].objects()}

    @property
    def scales(self) -> dict[str, int]:
        """The replicas of each revision that is known, by name."""
        return {
            one["metadata"]["name"]: one.get("status", {}).get("actualScale") or 0
            for one in self._stores[POD_AUTOSCALERS].objects()
        }

    def outcome(self) -> Outcome:
        """What was seen so far."""
        bounds = {
            name: (spa.get("spec", {}).get("stageMinScale"), spa.get("spec", {}).get("stageMaxScale"))
            for name, spa in self.spas.items()
        }
        return Outcome(tuple(self._stages), self._peak, bounds, self.scales)

    def snapshot(self, strategy: str, stages: int) -> Snapshot:
        """The rollout as it is now; ``stages`` is the number that is expected."""
        ro = self._rollout()
        name = f"{self._namespace}/{self._name}"
        if ro is None:
            return Snapshot(name, strategy, 0, stages, ())
        entries = ro.spec.stage_target_revisions or ro.spec.initial_revisions
        percents = {entry.revision_name: entry.percent or 0 for entry in one_per_revision(entries)}
        route = self._stores[ROUTES].get(self._namespace, self._name)
        if route is not None:
            moved = shares((route.get("status") or {}).get("traffic"))
            percents = {revision: moved.get(revision, 0) for revision in percents}
        status = {one["metadata"]["name"]: one.get("status", {}) for one in self._stores[POD_AUTOSCALERS].objects()}
        rows = tuple(
            Row(
                revision,
                percents.get(revision, 0),
                wanted=status.get(revision, {}).get("desiredScale") or 0,
                running=status.get(revision, {}).get("actualScale") or 0,
                ending=self._ending(revision),
            )
            for revision in sorted({*percents, *status})
        )
        return Snapshot(name, strategy, len(self._stages), stages, rows, _state(ro, strategy, self.complete))

    def _rollout(self) -> RolloutOrchestrator | None:
        wire = self._stores[ROLLOUT_ORCHESTRATORS].get(self._namespace, self._name)
        return RolloutOrchestrator.from_dict(wire) if wire is not None else None

    def _ending(self, revision: str) -> int:
        return sum(
            "deletionTimestamp" in pod["metadata"] and pod["metadata"]["name"].startswith(f"{revision}-")
            for pod in self._stores[PODS].objects()
        )

    def _on_change(self, _: Change) -> None:
        self._changed.set()

    def _on_rollout(self, change: Change) -> None:
        if change.after is not None:
            stage = stage_of(RolloutOrchestrator.from_dict(change.after).spec.stage_target_revisions)
            if stage and stage != (self._stages[-1] if self._stages else ()):
                self._stages.append(stage)
        self._changed.set()

    def _on_route(self, change: Change) -> None:
        shown = shares(((change.after or {}).get("status") or {}).get("traffic"))
        if shown and shown != (self.traffic[-1] if self.traffic else {}):
            self.traffic.append(shown)
        self._changed.set()

    def _on_pod_autoscaler(self, _: Change) -> None:
        self._peak = max(self._peak, sum(self.scales.values()))
        self._changed.set()


def _state(ro: RolloutOrchestrator, strategy: str, complete: bool) -> str:
    """A few words on what the stage waits for."""
    if complete:
        return "complete"
    if not ro.spec.stage_target_revisions:
        return "not begun"
    steps = STRATEGIES[strategy].steps
    waits = [step.condition for step in steps if not ro.status.conditions.is_true(step.condition)]
    return next((_STEPS[condition] for condition in waits if condition in _STEPS), "stage done")
