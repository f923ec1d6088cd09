"""The draft of a pass: everything it wants to do, in order, decided before any of it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.loop.read_your_writes import Overlay
from webhook.strategies.protocols import PodClient, SPALister, TerminatingPod


@dataclass(frozen=True, slots=True)
class CreateSPA:
    spa: StagePodAutoscaler


@dataclass(frozen=True, slots=True)
class UpdateSPA:
    spa: StagePodAutoscaler


@dataclass(frozen=True, slots=True)
class DeletePod:
    pod: TerminatingPod


@dataclass(frozen=True, slots=True)
class Tell:
    """Emit an Event about the RO."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Look at the RO again after that many seconds."""

    seconds: float


Intent = CreateSPA | UpdateSPA | DeletePod | Tell | ComeBack


@dataclass(frozen=True, slots=True)
class Entry:
    """An intent, and the RO's status as it was when it was formed: what stands if it cannot be carried out."""

    intent: Intent
    status_before: RolloutStatus


class Draft:
    """SPA client, SPA lister, pod client and event sink of one pass. Reads see what was drafted; nothing is sent."""

    def __init__(self, ro: RolloutOrchestrator, lister: SPALister, pods: PodClient) -> None:
        self.entries: list[Entry] = []
        self.pods_unseen = False
        """Whether terminating pods could not be listed."""
        self._ro = ro
        self._pods = pods
        self._spas = Overlay(lister)

    def worth_sending(self, revisions: frozenset[str] | None) -> list[Entry]:
        """The entries in order, without the writes to an SPA that this pass would create and delete again.

        It would for want of a Revision (``revisions`` are those that exist, None if that cannot be seen). Upstream
        does, and each such pass gives rise to the next.
        """
        intents = [entry.intent for entry in self.entries]
        new = {intent.spa.name for intent in intents if isinstance(intent, CreateSPA)}
        fleeting = new - revisions if revisions is not None else set()
        return [
            entry
            for entry in self.entries
            if not (isinstance(entry.intent, CreateSPA | UpdateSPA) and entry.intent.spa.name in fleeting)
        ]

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        return self._spas.get(namespace, name)

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        return self._spas.list(namespace, labels)

    def create(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._spas.put(spa)
        self._add(CreateSPA(spa))
        return spa

    def update(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._spas.put(spa)
        self._add(UpdateSPA(spa))
        return spa

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        pods = self._pods.list_terminating(namespace, revision)
        self.pods_unseen |= pods is None
        return pods

    def delete_now(self, pod: TerminatingPod) -> None:
        self._add(DeletePod(pod))

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        self._add(Tell(type_, reason, message))

    def enqueue_after(self, ro: RolloutOrchestrator, seconds: float) -> None:
        self._add(ComeBack(seconds))

    def _add(self, intent: Intent) -> None:
        self.entries.append(Entry(intent, self._ro.status.copy()))
