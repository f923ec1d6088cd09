"""The protocols through which a step reads and writes."""

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
        """The SPAs of a namespace that have all these labels, sorted by name."""
        ...


class RevisionLister(Protocol):
    """Lists the Revisions that exist."""

    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        """The Revisions whose service and configuration labels are ``service``; None if they cannot be listed."""
        ...


@dataclass(frozen=True, slots=True)
class RevisionConditions:
    """Knative's conditions of a revision: two of its PodAutoscaler, and Ready of the Revision.

    A condition is None if it or its object does not exist.
    """

    scale_target_initialized: Condition | None = None
    pod_autoscaler_ready: Condition | None = None
    revision_ready: Condition | None = None


@dataclass(frozen=True, slots=True)
class ObservedRevision:
    """What the cluster shows of a revision.

    ``spa`` is None if there is none. ``absence`` says why the service has no Revision of that name, None if it has one
    or if that cannot be seen.
    """

    spa: StagePodAutoscaler | None = None
    conditions: RevisionConditions = RevisionConditions()
    absence: str | None = None


class RevisionConditionLister(Protocol):
    """Reads Knative's conditions of a revision."""

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        """The conditions that are known; none of an object that cannot be read."""
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
    """Lists terminating pods and deletes those that hang."""

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        """The pods labelled with this revision that have a deletion time, in the API's order (by name).

        None if they cannot be listed: the step is then not ready and nothing is deleted, as upstream. A client that
        watches pods need not send a request while its cache has no terminating pod.
        """
        ...

    def delete_now(self, pod: TerminatingPod) -> None:
        """Delete with a grace period of 0, if it is still the same pod. Raises the client's error."""
        ...


class TrafficClient(Protocol):
    """Moves the traffic of a rollout, if the Route of its Knative Service is held."""

    def is_held(self, ro: RolloutOrchestrator) -> bool:
        """True if the shares of the stage are ours to set."""
        ...

    def move(self, ro: RolloutOrchestrator) -> None:
        """Set the shares of the stage, if they are not set yet and every revision can take its share."""
        ...

    def waiting_for(self, ro: RolloutOrchestrator) -> str | None:
        """What the traffic waits for, as words that do not change meanwhile; None once requests follow the shares."""
        ...


class EventSink(Protocol):
    """Emits Events about a rollout."""

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        """``type_`` is Normal or Warning; ``reason`` one word in CamelCase."""
        ...
