"""Causes in the pods of a revision: those that cannot be placed or started, and those that do not end."""

from collections.abc import Iterator, Sequence

from webhook.api.conditions import STAGE_SCALE_DOWN_READY
from webhook.diagnosis.cause import DELAYS, STOPS, Cause, Effect
from webhook.diagnosis.causes.lack import PATIENCE, by_need, effect_of, lack_of
from webhook.diagnosis.pod_problem import Kind, PodProblem, pod_problems
from webhook.diagnosis.snapshot import Snapshot
from webhook.strategies import ScaleDownStep
from webhook.strategies.waiting import pending_step


def unschedulable(snapshot: Snapshot) -> Iterator[Cause]:
    """No node has room for a pod."""
    for name, problems in _with_kind(snapshot, "unschedulable"):
        resources = sorted({resource for problem in problems for resource in problem.resources})
        short = f" for lack of {', '.join(resources)}" if resources else ""
        yield _cause(
            snapshot,
            "unschedulable",
            name,
            problems,
            says=f"{_pods(problems)} of {name} cannot be scheduled{short}: {problems[0].says}",
            way_out=(
                f"add {'nodes with ' + ', '.join(resources) if resources else 'a node that fits'}, or free some;"
                " or roll out with a smaller over-consumption-ratio or the strategy resourceutil"
            ),
            then="the scheduler tries again whenever a node changes; a cluster autoscaler may add one",
        )


def image(snapshot: Snapshot) -> Iterator[Cause]:
    """Kubelet cannot get an image."""
    for name, problems in _with_kind(snapshot, "image"):
        yield _cause(
            snapshot,
            "image",
            name,
            problems,
            says=(
                f"{_pods(problems)} of {name} {_have(problems)} no image (container {problems[0].container}):"
                f" {problems[0].says}"
            ),
            way_out="correct the image or its pull secret in the Service; the next edit replaces this revision",
            then="kubelet tries again, with growing delays of at most 5 minutes",
        )


def crash_loop(snapshot: Snapshot) -> Iterator[Cause]:
    """A container ends again and again."""
    for name, problems in _with_kind(snapshot, "crash-loop"):
        pod, container = problems[0].pod, problems[0].container
        yield _cause(
            snapshot,
            "crash-loop",
            name,
            problems,
            says=f"{_pods(problems)} of {name} {'crash' if len(problems) > 1 else 'crashes'}: {problems[0].says}",
            way_out=(
                f"kubectl -n {snapshot.namespace} logs {pod} -c {container} --previous; the next edit of the Service"
                " replaces this revision"
            ),
            then="kubelet starts the container again, with growing delays of at most 5 minutes",
        )


def container(snapshot: Snapshot) -> Iterator[Cause]:
    """Kubelet cannot make a container, mostly for a Secret or ConfigMap that is not there."""
    for name, problems in _with_kind(snapshot, "container"):
        yield _cause(
            snapshot,
            "container",
            name,
            problems,
            says=(
                f"the container {problems[0].container} of {_pods(problems)} of {name} cannot be made:"
                f" {problems[0].says}"
            ),
            way_out="make what the message names, or change the Service",
            then="kubelet tries again",
        )


def probe(snapshot: Snapshot) -> Iterator[Cause]:
    """A container runs, and its readiness probe fails."""
    for name, problems in _with_kind(snapshot, "probe"):
        pods = {problem.pod for problem in problems}
        failures = [one for one in snapshot.events_of("Unhealthy", "Pod") if one["involvedObject"]["name"] in pods]
        words = " ".join(str(failures[0].get("message")).split()) if failures else "its probe has not succeeded"
        yield _cause(
            snapshot,
            "probe",
            name,
            problems,
            says=(
                f"{_pods(problems)} of {name} {'run' if len(problems) > 1 else 'runs'} and"
                f" {'are' if len(problems) > 1 else 'is'} not ready: {words}"
            ),
            way_out=(
                f"kubectl -n {snapshot.namespace} logs {problems[0].pod} -c {problems[0].container}; see what the"
                " readiness probe of the Service asks"
            ),
            then="kubelet probes on; the pod counts as soon as a probe succeeds",
            patient=True,
        )


def starting(snapshot: Snapshot) -> Iterator[Cause]:
    """Pods take long to start, for no reason that their status gives."""
    for name, problems in _with_kind(snapshot, "starting"):
        late = [one for one in problems if one.since is not None and snapshot.at - one.since > PATIENCE]
        if not late:
            continue
        pods = {problem.pod for problem in late}
        mounts = [one for one in snapshot.events_of("FailedMount", "Pod") if one["involvedObject"]["name"] in pods]
        why = f": {' '.join(str(mounts[0].get('message')).split())}" if mounts else f": {late[0].says}"
        yield _cause(
            snapshot,
            "starting",
            name,
            late,
            says=f"{_pods(late)} of {name} {'have' if len(late) > 1 else 'has'} not started yet{why}",
            way_out=f"kubectl -n {snapshot.namespace} describe pod {late[0].pod}",
            then="kubelet goes on starting it",
            effect=DELAYS,
        )


def ending(snapshot: Snapshot) -> Iterator[Cause]:
    """The stage waits for pods that terminate."""
    if pending_step(snapshot.ro, snapshot.strategy) is not ScaleDownStep:
        return
    stage = snapshot.stage
    for name in stage.down or [entry.revision_name for entry in stage.leaving]:
        problems = [one for one in pod_problems(snapshot.of(name), snapshot.at) if one.kind == "ending"]
        seconds = [one.seconds for one in problems if one.seconds is not None]
        if not seconds:
            continue
        left, last = max(seconds), max(problems, key=lambda one: one.seconds or 0.0)
        is_over = min(seconds) < -PATIENCE.total_seconds()
        overdue = min(problems, key=lambda one: one.seconds or 0.0)
        shown = overdue if is_over else last
        yield Cause(
            "ending-pods",
            STOPS if is_over else DELAYS,
            says=f"{_pods(problems)} of {name} {'are' if len(problems) > 1 else 'is'} ending; {shown.pod} {shown.says}",
            about=f"Pod {shown.pod}",
            since=snapshot.ro.status.conditions.changed_at(STAGE_SCALE_DOWN_READY),
            way_out="see whether its node still answers; kubectl delete pod --force removes one whose node is gone"
            if is_over
            else "a shorter terminationGracePeriodSeconds (timeoutSeconds of the Service) ends pods sooner",
            next="the loop removes pods that are past their deletion time, unless it may not (--force-delete=off)"
            if is_over
            else f"the pods are gone in {max(left, 0.0):.0f} s at the latest",
        )


def _with_kind(snapshot: Snapshot, kind: Kind) -> Iterator[tuple[str, list[PodProblem]]]:
    for name, one in by_need(snapshot):
        problems = [problem for problem in pod_problems(one, snapshot.at) if problem.kind == kind]
        if problems:
            yield name, problems


def _cause(
    snapshot: Snapshot,
    id_: str,
    name: str,
    problems: Sequence[PodProblem],
    *,
    says: str,
    way_out: str,
    then: str,
    patient: bool = False,
    effect: Effect | None = None,
) -> Cause:
    """``patient``: it stops the rollout only once it has lasted for a while."""
    since = min((one.since for one in problems if one.since is not None), default=None)
    chosen = effect_of(snapshot, name)
    if effect is not None and chosen == STOPS:
        chosen = effect
    if patient and chosen == STOPS and since is not None and snapshot.at - since <= PATIENCE:
        chosen = DELAYS
    return Cause(
        id_,
        chosen,
        says=f"{says.rstrip('.')}; {lack_of(snapshot, name)}",
        about=f"Pod {problems[0].pod}",
        since=since,
        way_out=way_out,
        next=then,
    )


def _pods(problems: Sequence[PodProblem]) -> str:
    return "1 pod" if len(problems) == 1 else f"{len(problems)} pods"


def _have(problems: Sequence[PodProblem]) -> str:
    return "has" if len(problems) == 1 else "have"
