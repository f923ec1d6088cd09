"""Workloads: what the autoscaler computes of every revision, read from the objects of the API."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sandbox.autoscaler import Phase, Pod, Workload, age
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.knative.traffic import shares
from webhook.planning import revision_records, scale_bounds

Wire = Mapping[str, Any]

NODE: Final = "sandbox-node"
"""The node that every simulated pod says it runs on. Without one, an API server would drop the pod at once."""

CLASS_ANNOTATION: Final = "autoscaling.knative.dev/class"
CLASS: Final = "simulated.sandbox.stagegate.dev"
"""The autoscaler leaves a PodAutoscaler alone that names another class; one that names none is taken."""

INSTRUCTIONS: Final = "sandbox.stagegate.dev/"
"""What the annotations begin with by which a PodAutoscaler instructs the simulation."""
DEMAND_ANNOTATION: Final = f"{INSTRUCTIONS}demand"
"""On a PodAutoscaler: the replicas that all traffic of its service needs."""
HANG_ANNOTATION: Final = f"{INSTRUCTIONS}hang"
"""On a PodAutoscaler: ``true`` makes its pods hang when they are deleted."""
FAIL_ANNOTATION: Final = f"{INSTRUCTIONS}fail"
"""On a PodAutoscaler: ``true`` keeps its pods from starting."""
GRACE_ANNOTATION: Final = f"{INSTRUCTIONS}grace-seconds"
"""On a PodAutoscaler: the grace period of the pods it starts."""
UNREACHABLE: Final = "Unreachable"
INITIALIZED: Final = "ScaleTargetInitialized"
DEFAULT_GRACE_SECONDS: Final = 30


def workloads(
    pod_autoscalers: Iterable[Wire],
    spas: Iterable[Wire],
    rollouts: Iterable[Wire],
    routes: Iterable[Wire],
    pods: Iterable[Wire],
    before: Iterable[Workload],
    default_demand: int,
) -> list[Workload]:
    """A workload for every PodAutoscaler of our class that is not going away, and one for pods that outlived theirs.

    All objects are in their wire form; of the pods, those on our node count.
    ``before`` is the answer at the last tick. Traffic is what the service's Route shows; without a Route that of the
    stage of its RO, before the first stage that of the initial revisions; without an RO, all of it. A Route means that
    Knative is unmodified: it ignores SPAs, and keeps no replica of a revision that no Route leads to.
    """
    earlier = {(workload.namespace, workload.revision): workload for workload in before}
    seen = {pod.uid: pod for workload in earlier.values() for pod in workload.pods}
    bounds = {_key(spa): spa.get("spec", {}) for spa in spas}
    percents = {_key(ro): _percents(ro) for ro in rollouts}
    shown = {_key(route): shares((route.get("status") or {}).get("traffic")) for route in routes}
    percents |= shown
    pods_of: dict[tuple[str, str], list[Pod]] = {}
    for pod in pods:
        if pod.get("spec", {}).get("nodeName") == NODE:
            revision = _labels(pod).get(REVISION_LABEL, "")
            pods_of.setdefault((pod["metadata"]["namespace"], revision), []).append(_pod(pod, seen))

    found = []
    for autoscaler in pod_autoscalers:
        annotations, key = _annotations(autoscaler), _key(autoscaler)
        if annotations.get(CLASS_ANNOTATION, CLASS) != CLASS or "deletionTimestamp" in autoscaler["metadata"]:
            continue
        namespace, name = key
        record = revision_records([(name, annotations)])[name]
        service = _labels(autoscaler).get(SERVICE_LABEL, "")
        stage = bounds.get(key, {}) if (namespace, service) not in shown else {}
        minimum, maximum = scale_bounds(
            record.min_scale, record.max_scale, stage.get("stageMinScale"), stage.get("stageMaxScale")
        )
        status = autoscaler.get("status", {})
        if autoscaler.get("spec", {}).get("reachability") == UNREACHABLE:
            minimum = 0
        workload = Workload(
            namespace=namespace,
            revision=name,
            minimum=minimum,
            maximum=maximum,
            percent=percents.get((namespace, service), {name: 100}).get(name, 0),
            demand=_whole(annotations.get(DEMAND_ANNOTATION), default_demand),
            pods=tuple(pods_of.pop(key, ())),
            desired=status.get("desiredScale"),
            actual=status.get("actualScale"),
            initialized=any(
                (condition.get("type"), condition.get("status")) == (INITIALIZED, "True")
                for condition in status.get("conditions") or ()
            ),
            hangs=annotations.get(HANG_ANNOTATION) == "true",
            fails=annotations.get(FAIL_ANNOTATION) == "true",
        )
        calm = earlier[key].calm_ticks + 1 if key in earlier and workload.share < workload.running else 0
        found.append(replace(workload, calm_ticks=calm))
    return found + [_orphans(*key, rest) for key, rest in pods_of.items()]


def grace_seconds(pod_autoscaler: Wire) -> int:
    """The grace period of the pods that this PodAutoscaler starts."""
    return _whole(_annotations(pod_autoscaler).get(GRACE_ANNOTATION), DEFAULT_GRACE_SECONDS)


def _orphans(namespace: str, revision: str, pods: Iterable[Pod]) -> Workload:
    """Pods whose PodAutoscaler is gone: those that terminate must still end, and there is no status to report to."""
    ending = tuple(pod for pod in pods if pod.phase is Phase.TERMINATING)
    return Workload(namespace, revision, pods=ending, desired=0, actual=0)


def _percents(rollout: Wire) -> dict[str, int]:
    """The share of each revision; a tag is another entry of one."""
    spec = rollout.get("spec", {})
    percents: dict[str, int] = {}
    for entry in spec.get("stageTargetRevisions") or spec.get("initialRevisions") or ():
        name = entry.get("revisionName", "")
        percents[name] = percents.get(name, 0) + (entry.get("percent") or 0)
    return percents


def _pod(pod: Wire, seen: Mapping[str, Pod]) -> Pod:
    metadata = pod["metadata"]
    conditions = pod.get("status", {}).get("conditions") or ()
    if "deletionTimestamp" in metadata:
        phase = Phase.TERMINATING
    elif any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
        phase = Phase.READY
    else:
        phase = Phase.STARTING
    return Pod(metadata["name"], metadata["uid"], phase, age(seen, metadata["uid"], phase))


def _key(wire: Wire) -> tuple[str, str]:
    return wire["metadata"]["namespace"], wire["metadata"]["name"]


def _labels(wire: Wire) -> Mapping[str, str]:
    return wire["metadata"].get("labels") or {}


def _annotations(wire: Wire) -> Mapping[str, str]:
    return wire["metadata"].get("annotations") or {}


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else otherwise
