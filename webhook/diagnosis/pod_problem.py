"""Pod problems: why a pod is not ready, by its status as scheduler and kubelet write it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from webhook.api import wire
from webhook.api.wire import Wire
from webhook.diagnosis.snapshot import RevisionSnapshot
from webhook.strategies.terminating_pod import is_terminating

Kind = Literal["unschedulable", "image", "crash-loop", "container", "probe", "evicted", "starting", "ending"]

IMAGE_REASONS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Why kubelet has no image."""
CONTAINER_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"}
)
"""Why kubelet cannot make a container of its image."""

_LONGEST: Final = 300
_SHORT_OF: Final = re.compile(r"Insufficient ([A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?)")


@dataclass(frozen=True, slots=True)
class PodProblem:
    """Why one pod is not ready. ``says`` is one line; ``resources`` are those that no node has enough of.

    ``seconds`` is what is left of the grace period of a pod that terminates, negative once it is past; None without.
    """

    pod: str
    kind: Kind
    says: str
    _: KW_ONLY
    since: datetime | None = None
    container: str = ""
    restarts: int = 0
    resources: tuple[str, ...] = ()
    seconds: float | None = None


def pod_problems(revision: RevisionSnapshot, at: datetime) -> Iterator[PodProblem]:
    """The problem of each pod of a revision that is not ready, those that terminate last."""
    for pod in sorted(revision.pods, key=lambda one: (is_terminating(one), _name(one))):
        problem = pod_problem(pod, at)
        if problem is not None:
            yield problem


def pod_problem(pod: Wire, at: datetime) -> PodProblem | None:
    """Why a pod on the wire is not ready; None if it is, or if it has ended as it should."""
    name, status = _name(pod), _mapping(pod, "status")
    if is_terminating(pod):
        return _ending(pod, at)
    phase = status.get("phase")
    if phase == "Succeeded" or (ready := _condition(status, "Ready")).get("status") == "True":
        return None
    if phase == "Failed":
        return PodProblem(
            name, "evicted", _line(status.get("reason") or "Failed", status.get("message")), since=_time(ready)
        )
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        message = str(scheduled.get("message") or "")
        return PodProblem(
            name,
            "unschedulable",
            _line(scheduled.get("reason"), message),
            since=_time(scheduled),
            resources=tuple(dict.fromkeys(_SHORT_OF.findall(message))),
        )
    containers = [*_listed(status, "initContainerStatuses"), *_listed(status, "containerStatuses")]
    for container in containers:
        problem = _container_problem(name, container, ready)
        if problem is not None:
            return problem
    for container in _listed(status, "containerStatuses"):
        if "running" in _mapping(container, "state") and container.get("ready") is not True:
            started = _mapping(_mapping(container, "state"), "running").get("startedAt")
            since = _time(ready) or wire.parse_time(started)
            says = f"container {container.get('name')} runs and is not ready"
            return PodProblem(
                name, "probe", says, since=since, container=str(container.get("name")), restarts=_restarts(container)
            )
    return PodProblem(name, "starting", _starting(containers), since=_time(ready) or _created(pod))


def _container_problem(pod: str, container: Mapping[str, Any], ready: Mapping[str, Any]) -> PodProblem | None:
    name, restarts = str(container.get("name") or ""), _restarts(container)
    waiting = _mapping(_mapping(container, "state"), "waiting")
    reason, message = str(waiting.get("reason") or ""), waiting.get("message")
    ended = _mapping(_mapping(container, "lastState"), "terminated") or _mapping(
        _mapping(container, "state"), "terminated"
    )
    if reason in IMAGE_REASONS:
        says = _line(reason, message or f"image {container.get('image')}")
        return PodProblem(pod, "image", says, since=_time(ready), container=name, restarts=restarts)
    if reason in CONTAINER_REASONS:
        return PodProblem(
            pod, "container", _line(reason, message), since=_time(ready), container=name, restarts=restarts
        )
    if reason == "CrashLoopBackOff" or (ended.get("exitCode") and not container.get("ready")):
        why = f", {ended['reason']}" if ended.get("reason") not in (None, "", "Error") else ""
        code = f"exit code {ended['exitCode']}{why}" if "exitCode" in ended else "no exit code known"
        often = "once" if restarts == 1 else f"{restarts} times"
        says = f"container {name} ends with {code}; restarted {often}"
        return PodProblem(
            pod,
            "crash-loop",
            says,
            since=wire.parse_time(ended.get("finishedAt")) or _time(ready),
            container=name,
            restarts=restarts,
        )
    return None


def _ending(pod: Wire, at: datetime) -> PodProblem:
    metadata = _mapping(pod, "metadata")
    deadline = wire.parse_time(metadata.get("deletionTimestamp"))
    grace = metadata.get("deletionGracePeriodSeconds")
    seconds = (deadline - at).total_seconds() if deadline is not None else None
    if seconds is None:
        says = "terminates"
    elif seconds >= 0:
        says = f"terminates; {seconds:.0f} s of its grace period of {grace} s are left"
    else:
        says = f"terminates and is {-seconds:.0f} s past its deletion time"
    finalizers = [str(one) for one in metadata.get("finalizers") or ()]
    if finalizers:
        says += f"; finalizers keep it: {', '.join(finalizers)}"
    return PodProblem(_name(pod), "ending", says, since=deadline, seconds=seconds)


def _starting(containers: list[Mapping[str, Any]]) -> str:
    reasons = [_mapping(_mapping(one, "state"), "waiting").get("reason") for one in containers]
    known = [str(reason) for reason in reasons if reason]
    return f"starts ({known[0]})" if known else "starts"


def _line(*parts: Any) -> str:
    words = ": ".join(" ".join(str(part).split()) for part in parts if part)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 4]} ..."


def _name(one: Mapping[str, Any]) -> str:
    return str(_mapping(one, "metadata").get("name") or "")


def _restarts(container: Mapping[str, Any]) -> int:
    count = container.get("restartCount")
    return count if type(count) is int else 0


def _condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    return next((one for one in _listed(status, "conditions") if one.get("type") == type_), {})


def _created(pod: Mapping[str, Any]) -> datetime | None:
    return wire.parse_time(_mapping(pod, "metadata").get("creationTimestamp"))


def _time(condition: Mapping[str, Any]) -> datetime | None:
    return wire.parse_time(condition.get("lastTransitionTime"))


def _mapping(one: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = one.get(key)
    return value if isinstance(value, Mapping) else {}


def _listed(one: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = one.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
