"""What a step needs from the outside: small protocols, so that a test or a cluster can stand behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.conditions import Condition


class SPAClient(Protocol):
    """Writes SPAs; every update is conditional on the resource version the SPA was read with."""

    def create(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        """Store a new SPA and return it as stored. Raises the client's error, also when it exists already."""
        ...

    def update(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        """Store the bounds of an SPA that exists and return it as stored. Raises the client's error."""
        ...


class SPALister(Protocol):
    """Reads SPAs; a write made through the client beside it is seen by every later read of the same pass."""

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        """The SPA of that name, or None."""
        ...

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        """The SPAs of a namespace that carry all these labels, sorted by name."""
        ...


class RevisionLister(Protocol):
    """Knows which Revisions exist."""

    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        """The Revisions whose service and configuration labels are ``service``; None when none can be seen at all."""
        ...


@dataclass(frozen=True, slots=True)
class RevisionConditions:
    """What Knative says of a revision; None for a condition that does not exist, also for want of its object.

    ScaleTargetInitialized and Ready of the PodAutoscaler of that name, Ready of the Revision.
    """

    scale_target_initialized: Condition | None = None
    pod_autoscaler_ready: Condition | None = None
    revision_ready: Condition | None = None


class RevisionConditionLister(Protocol):
    """Reads what Knative says of a revision."""

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        """The conditions as they are known; nothing of an object that cannot be seen."""
        ...


@dataclass(frozen=True, slots=True)
class TerminatingPod:
    """A pod with a deletion time; grace period in seconds, None if it has none."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    deletion_time: datetime
    grace_period_seconds: int | None


class PodClient(Protocol):
    """Looks at terminating pods and removes those that hang."""

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        """The pods labelled with this revision that have a deletion time, in the API's order (by name).

        None when they cannot be listed: the step is then not ready and nothing is deleted, as upstream. A client that
        watches pods need not ask the API while its cache shows none that terminates.
        """
        ...

    def delete_now(self, pod: TerminatingPod) -> None:
        """Delete with a grace period of 0, on condition that it is still that very pod. Raises the client's error."""
        ...


class EventSink(Protocol):
    """Tells the people who watch a rollout what happens to it."""

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        """``type_`` is Normal or Warning; ``reason`` one word in CamelCase."""
        ...
