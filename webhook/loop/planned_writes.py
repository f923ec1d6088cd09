"""Planned writes: everything that a pass is going to write, in order, decided before any of it is sent."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.wire import Wire
from webhook.knative.stage_traffic import StageTraffic
from webhook.knative.traffic import held_traffic, shares
from webhook.strategies.protocols import PodClient, SPALister, TerminatingPod


@dataclass(frozen=True, slots=True)
class CreateSPA:
    spa: StagePodAutoscaler


@dataclass(frozen=True, slots=True)
class UpdateSPA:
    """Set the bounds of an SPA that exists."""

    spa: StagePodAutoscaler


@dataclass(frozen=True, slots=True)
class DeleteSPA:
    """Delete an SPA that has no Revision."""

    spa: StagePodAutoscaler


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete a terminating pod at once."""

    pod: TerminatingPod


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """Set the traffic of a held Route, as it was observed."""

    route: Wire
    entries: list[Wire]


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Emit an Event about the RO."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Reconcile the RO again after that many seconds."""

    seconds: float


PlannedWrite = CreateSPA | UpdateSPA | DeleteSPA | DeletePod | SetTraffic | EmitEvent | RequeueAfter


@dataclass(frozen=True, slots=True)
class StageWrite:
    """A planned write of the stage, and the RO's status when it was planned: what stands if it fails."""

    write: PlannedWrite
    status_before: RolloutStatus


@dataclass(frozen=True, slots=True)
class PassPlan:
    """The plan of a pass over a stage.

    ``stage`` is carried out in order, up to the first write that fails; each of ``cleanup`` is carried out even
    if another one fails. ``error`` says why the stage cannot be carried on; ``unfinished`` what was not seen.
    """

    stage: Sequence[StageWrite] = ()
    cleanup: Sequence[PlannedWrite] = ()
    error: Exception | None = None
    unfinished: Exception | None = None


class ReadYourWritesLister:
    """Shows what was written here in place of what the lister under it shows.

    An SPA that was read once stays as it was read, so that one pass decides on one state of it.
    """

    def __init__(self, lister: SPALister) -> None:
        self._lister = lister
        self._read: dict[tuple[str, str], StagePodAutoscaler | None] = {}
        self._written: dict[tuple[str, str], StagePodAutoscaler] = {}

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        key = (namespace, name)
        if key in self._written:
            return self._written[key]
        if key not in self._read:
            self._read[key] = self._lister.get(namespace, name)
        return self._read[key]

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        for spa in self._lister.list(namespace, labels):
            self._read.setdefault((namespace, spa.name), spa)
        found = [
            spa
            for spa in {**self._read, **self._written}.values()
            if spa is not None and spa.namespace == namespace and labels.items() <= spa.metadata.labels.items()
        ]
        return sorted(found, key=lambda spa: spa.name)

    def write(self, spa: StagePodAutoscaler) -> None:
        """Show this SPA from now on."""
        self._written[spa.namespace, spa.name] = spa


class Traffic(Protocol):
    """The traffic of held Routes."""

    def observe(self, ro: RolloutOrchestrator) -> StageTraffic | None:
        """The traffic of the stage of an RO; None if no Route is held for it."""
        ...

    def write(self, route: Wire, entries: list[Wire]) -> None:
        """Set the traffic of a Route, if it is still the one that was observed. Raises the client's error."""
        ...


class PlannedWrites(threading.local):
    """SPA, pod and traffic client, SPA lister and Event sink of the steps: records what they write, and sends nothing.

    Later reads show the writes that were planned. The steps are built once for all workers, so the plan is kept for
    each thread, which carries out one pass at a time.
    """

    def __init__(self, lister: SPALister, pods: PodClient, traffic: Traffic | None = None) -> None:
        """``traffic`` is that of held Routes, None where none is held."""
        self._lister = lister
        self._pods = pods
        self._traffic = traffic
        self.begin(RolloutOrchestrator())

    def begin(self, ro: RolloutOrchestrator, *, moves_traffic: bool = True) -> None:
        """Forget the plan of this thread, and plan for that RO; with ``moves_traffic`` False no move to its stage."""
        self.writes: list[StageWrite] = []
        self.pods_not_listed = False
        self._ro = ro
        self._moves_traffic = moves_traffic
        self._spas = ReadYourWritesLister(self._lister)
        self._observed: StageTraffic | None = None
        self._is_observed = False

    def to_send(self, revisions: frozenset[str] | None) -> list[StageWrite]:
        """The writes in order, without those to an SPA that this pass would create and delete again.

        It would because the SPA has no Revision (``revisions`` are those that exist, None if that cannot be seen).
        Upstream does so, and each such pass causes the next.
        """
        new = {planned.write.spa.name for planned in self.writes if isinstance(planned.write, CreateSPA)}
        short_lived = new - revisions if revisions is not None else set()
        return [
            planned
            for planned in self.writes
            if not (isinstance(planned.write, CreateSPA | UpdateSPA) and planned.write.spa.name in short_lived)
        ]

    def changed(self) -> set[str]:
        """Names of the SPAs that the plan creates or updates."""
        return {planned.write.spa.name for planned in self.writes if isinstance(planned.write, CreateSPA | UpdateSPA)}

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        return self._spas.get(namespace, name)

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        return self._spas.list(namespace, labels)

    def create(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._spas.write(spa)
        self._add(CreateSPA(spa))
        return spa

    def update(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._spas.write(spa)
        self._add(UpdateSPA(spa))
        return spa

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        pods = self._pods.list_terminating(namespace, revision)
        self.pods_not_listed |= pods is None
        return pods

    def delete_now(self, pod: TerminatingPod) -> None:
        self._add(DeletePod(pod))

    def is_held(self, ro: RolloutOrchestrator) -> bool:
        return self._stage_traffic(ro) is not None

    def move(self, ro: RolloutOrchestrator) -> None:
        found = self._stage_traffic(ro)
        if found is not None and found.entries is not None and self._moves_traffic:
            self._add(SetTraffic(found.route, found.entries))

    def keep_traffic(self, ro: RolloutOrchestrator, kept: Mapping[str, int]) -> None:
        """Plan that a held Route has these percents by revision, where another client has changed them."""
        found = self._stage_traffic(ro)
        if found is not None and shares((found.route.get("spec") or {}).get("traffic")) != kept:
            self._add(SetTraffic(found.route, held_traffic(kept, (), found.route["metadata"]["name"])))

    def waiting_for(self, ro: RolloutOrchestrator) -> str | None:
        found = self._stage_traffic(ro)
        return None if found is None else found.waiting

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        self._add(EmitEvent(type_, reason, message))

    def enqueue_after(self, ro: RolloutOrchestrator, seconds: float) -> None:
        self._add(RequeueAfter(seconds))

    def _stage_traffic(self, ro: RolloutOrchestrator) -> StageTraffic | None:
        """The traffic as it is observed once, so that one pass decides on one state of it."""
        if not self._is_observed and self._traffic is not None:
            self._observed = self._traffic.observe(ro)
        self._is_observed = True
        return self._observed

    def _add(self, write: PlannedWrite) -> None:
        self.writes.append(StageWrite(write, self._ro.status.copy()))
