"""The pods: whether enough are ready, whether each can be reached, and whether all have one version."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from webhook.diagnosis.doctor.installation import LOOP, WEBHOOK, Installation, Unread, is_one_of, is_ready, name_of
from webhook.diagnosis.doctor.registration import passes_without_webhook, server_outside
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result, listed
from webhook.diagnosis.pod_problem import pod_problem


def check(seen: Installation) -> Iterator[Result]:
    pods = seen.pods
    if isinstance(pods, Unread):
        yield Result("webhook-pods", UNKNOWN, f"the pods of {seen.namespace} cannot be read: {pods.why}")
        return
    living = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    webhooks = [pod for pod in living if is_one_of(pod, WEBHOOK)]
    loops = [pod for pod in living if is_one_of(pod, LOOP)]
    unjudged = "writes are not judged" if passes_without_webhook(seen) else "writes of people are refused"
    yield _readiness("webhook-pods", webhooks, _wanted(seen, WEBHOOK), seen, unjudged)
    yield _readiness("loop-pods", loops, _wanted(seen, LOOP), seen, "no rollout moves")
    # A pod without an address cannot be asked; why it has none is in the lines above.
    reached = [pod for pod in (*webhooks, *loops) if is_ready(pod) or (pod.get("status") or {}).get("podIP")]
    if reached:
        yield _reachability(seen, reached)
        yield _versions(seen, reached)


def _wanted(seen: Installation, deployment: str) -> int | None:
    if isinstance(seen.deployments, Unread):
        return None
    found = [one["spec"].get("replicas", 1) for one in seen.deployments if name_of(one) == deployment]
    return int(found[0]) if found else None


def _readiness(
    check: str, pods: Sequence[Mapping[str, Any]], wanted: int | None, seen: Installation, consequence: str
) -> Result:
    ready = sum(map(is_ready, pods))
    what = check.replace("-", " ")
    of = f"{ready} of {max(len(pods), wanted or 0)} {what} {'is' if ready == 1 else 'are'} ready"
    look = f"kubectl -n {seen.namespace} describe pods"
    why = _why(pods, seen.now)
    if ready == 0 and wanted:
        return Result(check, FAILED, f"{of}; {consequence}{why}", look)
    if ready == 0:
        return _absent(check, f"there are no {what} in {seen.namespace}", server_outside(seen))
    if ready < max(len(pods), wanted or 0):
        return Result(check, WARNING, f"{of}{why}", look)
    return Result(check, OK, of)


def _absent(check: str, says: str, server: str) -> Result:
    """Whoever runs Stagegate outside of this cluster, at the address of ``server``, has no pods and no Deployment."""
    if not server:
        way_out = "if Stagegate is installed in another namespace, name it with --stagegate-namespace, else install it"
        return Result(check, UNKNOWN, says, way_out)
    look = {
        "webhook-pods": "look at its log and its /readyz there; the check refuses says whether it answers",
        "loop-pods": "look at the log of the loop there; the check loop-leader says whether one leads",
    }
    return Result(check, UNKNOWN, f"{says}: the webhook runs outside of the cluster, at {server}", look[check])


def _why(pods: Sequence[Mapping[str, Any]], at: datetime) -> str:
    """What the first pod that is not ready says of itself, to be put behind a sentence; empty if it only starts."""
    problems = [problem for pod in sorted(pods, key=name_of) if (problem := pod_problem(dict(pod), at)) is not None]
    told = [f"{each.pod}: {each.says}" for each in problems if each.kind != "starting"]
    return f"; {told[0]}" if told else ""


def _reachability(seen: Installation, pods: Sequence[Mapping[str, Any]]) -> Result:
    failures = {
        name_of(pod): answer.failure for pod in pods if (answer := seen.answers.get(name_of(pod))) and answer.failure
    }
    unready = {name_of(pod) for pod in pods if not is_ready(pod)}
    if not failures:
        return Result("pods-reachable", OK, f"{len(pods)} of {len(pods)} pods answer")
    says = listed([f"{name}: {why}" for name, why in sorted(failures.items())], 3)
    if len(failures) == len(pods) and not unready:
        return Result(
            "pods-reachable",
            UNKNOWN,
            f"no pod can be reached from here: {says}",
            "run this where the pods can be reached, or with the right to get pods/proxy",
        )
    return Result("pods-reachable", FAILED, f"no answer: {says}", f"kubectl -n {seen.namespace} logs POD")


def _versions(seen: Installation, pods: Sequence[Mapping[str, Any]]) -> Result:
    versions: dict[str, list[str]] = {}
    for pod in pods:
        answer = seen.answers.get(name_of(pod))
        if answer is not None and answer.version:
            versions.setdefault(answer.version, []).append(name_of(pod))
    if not versions:
        return Result("versions", UNKNOWN, "no pod says which version it is")
    if len(versions) > 1:
        says = "; ".join(f"{version}: {listed(sorted(names))}" for version, names in sorted(versions.items()))
        return Result("versions", WARNING, f"the pods have several versions: {says}", "wait for the end of the update")
    (version,) = versions
    if version != seen.own_version:
        says = f"the pods have version {version}, this command has {seen.own_version}"
        return Result("versions", WARNING, says, "use the command of the same version")
    return Result("versions", OK, f"the pods and this command have version {version}")
