"""The pass: one look at a rollout, from its spec and its SPAs to the writes that differ and its new status."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.strategies.protocols import EventSink, PodClient, RevisionLister, SPAClient, SPALister


class SPADeleter(Protocol):
    """Deletes SPAs, on condition that uid and resource version are still those it was read with."""

    def delete(self, spa: StagePodAutoscaler) -> None:
        """Raises the client's error."""
        ...


@dataclass(frozen=True, slots=True)
class PassResult:
    """What the caller has to do after a pass; the RO given to it carries the new status."""

    error: Exception | None = None
    """None, or why the pass did not go through; ``InvalidRollout`` when the spec can never be carried out."""
    retry: bool = False
    """Whether to come back with backoff. False for an error that only another spec can mend."""
    enqueue_after: tuple[float, ...] = ()
    """Delays in seconds, sorted, one per request to come back later; the shortest is enough for a work queue."""
    status_changed: bool = False
    """Whether the RO's status has to be written: it differs from the one given, times of conditions ignored."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class RolloutReconciler:
    """Carries out one pass over an RO that was read from a cache or the API, and whose copy the caller owns.

    Only ``ro.status`` is changed; the caller writes it, conditional on ``ro.metadata.resource_version``, when
    ``status_changed`` says so. SPAs and pods are written through the clients given here, each on condition of the
    version that was read, and only where something differs. The SPA lister may be a cache: what a pass wrote is seen
    by its own later reads.
    """

    def __init__(
        self,
        spas: SPAClient,
        lister: SPALister,
        pods: PodClient,
        revisions: RevisionLister,
        deleter: SPADeleter,
        events: EventSink,
        *,
        clock: Callable[[], datetime] = utc_now,
        force_delete: bool = True,
    ) -> None:
        """``force_delete`` False never deletes a pod that hangs in termination."""
        self._spas = spas
        self._lister = lister
        self._pods = pods
        self._revisions = revisions
        self._deleter = deleter
        self._events = events
        self._clock = clock
        self._force_delete = force_delete

    def reconcile_kind(self, ro: RolloutOrchestrator) -> PassResult:
        """The pass alone, as upstream's ReconcileKind: no preparation, no events of its own, no generation observed."""
        raise NotImplementedError

    def reconcile(self, ro: RolloutOrchestrator) -> PassResult:
        """The pass as upstream's generated controller wraps it; an RO with a deletion time is not touched at all.

        Before: missing conditions are added, and a new generation makes Ready Unknown. After, also after an error: the
        generation is observed, a condition that says what it said keeps its time, an error is told in an Event.
        """
        raise NotImplementedError
