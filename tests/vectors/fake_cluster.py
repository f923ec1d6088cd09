"""A cluster in memory: SPAs, pods and Revisions, with a record of every request and requests that fail on demand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from webhook.api import ObjectMeta, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.kinds import REVISION_LABEL, SPA_PLURAL
from webhook.cluster.errors import ApiError, Call
from webhook.strategies import RevisionConditions, TerminatingPod

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class RequestRefused(ApiError):
    """The API server did not do what it was asked to; nothing was stored."""

    def __init__(self, request: "Request", message: str) -> None:
        super().__init__(Call(request.verb, request.resource, None, request.name), message)


@dataclass(frozen=True)
class Request:
    """One request: ``verb`` create, update, delete or list."""

    verb: str
    resource: str
    name: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name}"


@dataclass
class Pod:
    """A pod: its revision, and when it has to be gone if it terminates; grace period in seconds."""

    namespace: str
    name: str
    revision: str
    deletion_time: datetime | None = None
    grace_period_seconds: int | None = None


@dataclass
class FakeCluster:
    """Everything a pass reads and writes, behind every protocol it asks for. Writes are visible at once.

    ``revisions`` are those of each service, by namespace and service; None stands for a cluster that serves none.
    ``failing`` are requests that are refused; the name ``*`` stands for any. ``seen`` is what Knative says of each
    revision, by name.
    """

    pods: list[Pod] = field(default_factory=list)
    revisions: Mapping[tuple[str, str], frozenset[str]] | None = field(default_factory=dict)
    failing: frozenset[Request] = frozenset()
    seen: Mapping[str, RevisionConditions] = field(default_factory=dict)
    now: datetime = NOON
    requests: list[Request] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    spas: dict[tuple[str, str], StagePodAutoscaler] = field(default_factory=dict)
    _version: int = 0

    def clock(self) -> datetime:
        return self.now

    def add(self, *spas: Mapping[str, Any]) -> None:
        """Put SPAs into the world without a request."""
        for spa in spas:
            self._store(StagePodAutoscaler.from_dict(spa))

    def spa(self, name: str, namespace: str = "default") -> StagePodAutoscaler:
        return self.spas[namespace, name]

    def bounds(self, namespace: str = "default") -> dict[str, tuple[int | None, int | None]]:
        """Minimum and maximum of every SPA of a namespace, by name."""
        return {
            name: (spa.stage_min_scale, spa.stage_max_scale)
            for (where, name), spa in self.spas.items()
            if where == namespace
        }

    def writes(self) -> list[str]:
        """The requests other than reads, in order."""
        return [str(request) for request in self.requests if request.verb != "list"]

    # SPALister

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        return self.spas.get((namespace, name))

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        return [
            spa
            for (where, _), spa in sorted(self.spas.items())
            if where == namespace and labels.items() <= spa.metadata.labels.items()
        ]

    # SPAClient and SPADeleter

    def create(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._ask("create", SPA_PLURAL, spa.name)
        if (spa.namespace, spa.name) in self.spas:
            raise RequestRefused(Request("create", SPA_PLURAL, spa.name), "exists already")
        return self._store(spa)

    def update(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._ask("update", SPA_PLURAL, spa.name)
        self._expect_version(spa)
        return self._store(spa)

    def delete(self, spa: StagePodAutoscaler) -> str | None:
        self._ask("delete", SPA_PLURAL, spa.name)
        self._expect_version(spa)
        del self.spas[spa.namespace, spa.name]
        return f"no Revision {spa.name}"

    # PodClient

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        try:
            self._ask("list", "pods", revision)
        except RequestRefused:
            return None
        return [
            TerminatingPod(namespace, pod.name, f"uid-{pod.name}", "1", pod.deletion_time, pod.grace_period_seconds)
            for pod in sorted(self.pods, key=lambda pod: pod.name)
            if (pod.namespace, pod.revision) == (namespace, revision) and pod.deletion_time is not None
        ]

    def delete_now(self, pod: TerminatingPod) -> None:
        self._ask("delete", "pods", pod.name)
        self.pods = [p for p in self.pods if (p.namespace, p.name) != (pod.namespace, pod.name)]

    # RevisionLister, RevisionConditionLister and EventSink

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        return self.seen.get(revision, RevisionConditions())

    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        return None if self.revisions is None else self.revisions.get((namespace, service), frozenset())

    def absence(self, namespace: str, name: str, service: str) -> str | None:
        names = self.names(namespace, service)
        return None if names is None or name in names else f"no Revision {name}"

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        self.events.append((type_, reason))

    def _ask(self, verb: str, resource: str, name: str) -> None:
        request = Request(verb, resource, name)
        self.requests.append(request)
        if not self.failing.isdisjoint({request, replace(request, name="*")}):
            raise RequestRefused(request, "refused")

    def _expect_version(self, spa: StagePodAutoscaler) -> None:
        present = self.spas.get((spa.namespace, spa.name))
        request = self.requests[-1]
        if present is None or not spa.metadata.resource_version:
            raise RequestRefused(request, "does not exist, or was written without a version")
        if present.metadata.resource_version != spa.metadata.resource_version:
            raise RequestRefused(request, "has changed since it was read")

    def _store(self, spa: StagePodAutoscaler) -> StagePodAutoscaler:
        self._version += 1
        stored = replace(spa, metadata=ObjectMeta({**spa.metadata.wire, "resourceVersion": str(self._version)}))
        self.spas[spa.namespace, spa.name] = stored
        return stored


def failing(errors: Iterable[Mapping[str, str]]) -> frozenset[Request]:
    """The requests that a row says are refused."""
    return frozenset(Request(error["verb"], error["resource"], error["name"]) for error in errors)


def pod_from(data: Mapping[str, Any], deletion_times: Mapping[str, datetime]) -> Pod:
    """A pod of a row; ``deletion_times`` says when ``past`` and ``future`` are."""
    metadata = data["metadata"]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        revision=metadata.get("labels", {}).get(REVISION_LABEL, ""),
        deletion_time=deletion_times.get(metadata.get("deletionTimestamp", "")),
        grace_period_seconds=metadata.get("deletionGracePeriodSeconds"),
    )
