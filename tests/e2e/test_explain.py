"""Each cause of ``stagegate explain`` on a real API server, with the real loop and Kubernetes' own controllers.

Made for real: what the API server, its quota and pod security, the controllers of Deployments and ReplicaSets, and the
loop do. Patched in, as there is neither scheduler nor kubelet nor Knative here: the status of pods, PodAutoscalers,
Revisions and Routes. Real Knative stands behind a Route that does not move in ``test_knative_edges.py``, and behind a
newcomer without an image in ``test_knative_rollout.py``.
"""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo.stack import LOOP, Stack
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.standing import NEW, OLD, Standing, eventually, now
from webhook.cluster.resource import (
    DEPLOYMENTS,
    PODS,
    RESOURCE_QUOTAS,
    REVISIONS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.diagnosis.causes import CAUSES

Wire = dict[str, Any]
Make = Callable[..., Standing]

CONTROLLERS = ("deployment-controller", "replicaset-controller", "clusterrole-aggregation-controller")
VIEWER = "system:serviceaccount:default:viewer"
ELSEWHERE = "elsewhere"
"""A namespace that the loop does not work in."""
POLICIES = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
BINDINGS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")

NOT_PRODUCED = {
    "bounds-altered": "a mutating webhook of the cluster would be needed: tests/loop/test_writes.py",
    "route-not-moving": "a Route that does not move needs Knative's ingress: tests/e2e/test_knative_edges.py",
    "spa-missing": "the loop makes the SPA in the same pass as the stage",
    "starting": "takes a minute; the status of the pod would be patched in all the same",
}
"""Causes that this file does not name by itself, each with the reason."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stack(binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        ControlPlane.start(
            binaries=binaries_with_controller_manager, manifests=False, knative=False, controllers=CONTROLLERS
        ) as plane,
        Stack(plane, folder) as stack,
    ):
        stack.install()
        names = ",".join(f"standing-{number}" for number in range(1, 60))
        stack.start_loop(["--namespaces", names, "--spa-grace", "1"])
        yield stack


@pytest.fixture
def make(stack: Stack) -> Make:
    """A namespace with a rollout that stands."""

    def make(name: str = "", labels: dict[str, str] | None = None) -> Standing:
        return Standing(stack.client, stack.plane.kubeconfig, name or f"standing-{next(_numbers)}", labels)

    return make


NOT_READY = {"type": "Ready", "status": "False"}
SCHEDULED = {"type": "PodScheduled", "status": "True"}


def container(**state: Any) -> Wire:
    """A container of a pod as kubelet reports it."""
    members = {"name": "user-container", "image": "image.invalid/hello", "imageID": "", "ready": False}
    return {**members, "restartCount": state.pop("restarts", 0), "state": state, "lastState": state.pop("last", {})}


def test_quota(make: Make) -> None:
    standing = make()
    quota = {"hard": {"pods": "1"}}
    standing.create(RESOURCE_QUOTAS, "few", spec=quota)
    standing.client.patch(
        RESOURCE_QUOTAS, standing.namespace, "few", {"status": {**quota, "used": {"pods": "1"}}}, "status"
    )
    standing.begin()
    standing.deploy(NEW)
    code, cause = standing.awaited("quota")
    assert code == 1
    assert (
        "ResourceQuota few allows pods=1, of which pods=1 is used; a pod of hello-00002 needs pods=1" in cause["says"]
    )


def test_pod_refused_by_pod_security(make: Make) -> None:
    standing = make(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    standing.begin()
    standing.deploy(NEW)
    _, cause = standing.awaited("pod-refused")
    assert "violates PodSecurity" in cause["says"]


@pytest.mark.parametrize(
    ("cause", "effect", "status", "says"),
    [
        (
            "unschedulable",
            "stops",
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                    }
                ]
            },
            "for lack of nvidia.com/gpu",
        ),
        (
            "image",
            "stops",
            {"containerStatuses": [container(waiting={"reason": "ErrImagePull", "message": "not found"})]},
            "ErrImagePull: not found",
        ),
        (
            "container",
            "stops",
            {"containerStatuses": [container(waiting={"reason": "CreateContainerConfigError", "message": "no key"})]},
            "CreateContainerConfigError: no key",
        ),
        (
            "crash-loop",
            "stops",
            {
                "containerStatuses": [
                    container(
                        waiting={"reason": "CrashLoopBackOff"},
                        restarts=3,
                        last={"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:00Z"}},
                    )
                ]
            },
            "exit code 1; restarted 3 times",
        ),
        (
            "probe",
            "delays",
            {"phase": "Running", "containerStatuses": [container(running={"startedAt": "2026-01-01T00:00:00Z"})]},
            "its probe has not succeeded",
        ),
    ],
)
def test_pods_with_a_status_as_scheduler_and_kubelet_write_it(
    cause: str, effect: str, status: Wire, says: str, make: Make
) -> None:
    standing = make()
    standing.begin()
    standing.deploy(NEW)
    given = status.get("conditions", [SCHEDULED])
    not_ready = {**NOT_READY, "lastTransitionTime": now()}
    standing.pod_status(NEW, **{**status, "conditions": [*given, not_ready]})
    code, found = standing.awaited(cause, effect)
    assert says in found["says"]
    assert code == (1 if effect == "stops" else 0)


def test_ending_pods(make: Make) -> None:
    standing = make()
    standing.begin()
    standing.deploy(OLD, 3, terminationGracePeriodSeconds=300)
    eventually(lambda: len(standing.pods(OLD)) == 3, "the old pods")
    pod = standing.pods(OLD)[0]["metadata"]
    # On a node a pod that is deleted stays until its kubelet says that it has ended.
    standing.client.patch(PODS, standing.namespace, pod["name"], {"metadata": {"labels": {"on": "node"}}})
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["name"]}}
    path = Resource("", "v1", f"pods/{pod['name']}/binding", "Binding")
    standing.client.create(path, standing.namespace, {**body, "target": {"kind": "Node", "name": "here"}})
    standing.client.patch(PODS, standing.namespace, pod["name"], {"status": {"phase": "Running"}}, "status")
    standing.client.delete(PODS, standing.namespace, pod["name"], uid=pod["uid"])
    standing.scale(NEW, 1, 1)
    standing.scale(OLD, 3, 3)
    code, cause = standing.awaited("ending-pods", "delays")
    assert code == 0
    assert "of its grace period of 300 s are left" in cause["says"]


def test_failed(make: Make) -> None:
    standing = make(labels={"stagegate.dev/enforce": "warn"})
    standing.begin(targetRevisions=[{"revisionName": NEW, "latestRevision": True}])
    code, cause = standing.awaited("failed")
    assert code == 1
    assert "spec.targetRevisions" in cause["says"]


def test_revision_missing(make: Make) -> None:
    standing = make()
    standing.begin(new=False)
    _, cause = standing.awaited("revision-missing")
    assert cause["says"] == f"no Revision {NEW}, so the stage cannot be done"


def test_revision_shared(make: Make) -> None:
    standing = make()
    standing.begin()
    eventually(lambda: _has_spa(standing, NEW), "the SPA of the new revision")
    standing.client.patch(
        STAGE_POD_AUTOSCALERS,
        standing.namespace,
        NEW,
        {"metadata": {"labels": {"serving.knative.dev/service": "other"}, "ownerReferences": []}},
    )
    standing.rollout("other")
    _, cause = standing.awaited("revision-shared")
    assert f"{NEW} belongs to RolloutOrchestrator other" in cause["says"]


def test_not_planned(make: Make) -> None:
    standing = make()
    standing.revision(OLD)
    standing.revision(NEW)
    standing.rollout()
    _, cause = standing.awaited("not-planned")
    assert f"PodAutoscaler {OLD} does not exist yet" in cause["says"]


def test_autoscaler_silent(make: Make) -> None:
    standing = make()
    standing.begin(autoscaler=False)
    _, cause = standing.awaited("autoscaler-silent", "delays")
    assert f"there is no PodAutoscaler {NEW}" in cause["says"]
    standing.scale(NEW, -1, 0)
    eventually(lambda: "has no metrics" in standing.explain()[1]["causes"][0]["says"], "no metrics")


def test_write_refused_and_a_bound_below_the_target(stack: Stack, make: Make) -> None:
    standing = make(labels={"spas": "refused"})
    name = f"no-spas-{standing.namespace}"
    rule = {"apiGroups": ["serving.knative.dev"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resources": ["stagepodautoscalers"]}]},
        "validations": [{"expression": f"request.userInfo.username != '{LOOP}'", "message": "not you"}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {"spas": "refused"}}},
    }
    client = stack.client
    for resource, spec in ((POLICIES, policy), (BINDINGS, binding)):
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
        client.create(resource, None, body)
    standing.create(STAGE_POD_AUTOSCALERS, NEW, spec={"stageMinScale": 0, "stageMaxScale": 10})
    eventually(lambda: _is_refused(stack, standing), "the policy is in force")
    standing.begin()
    code, cause = standing.awaited("write-refused")
    assert code == 1
    assert cause["says"].startswith(f"the ValidatingAdmissionPolicy {name} refuses a write of the loop")


def test_a_bound_below_the_target(make: Make) -> None:
    standing = make(ELSEWHERE)
    stage = [
        {"revisionName": OLD, "percent": 50, "direction": "down", "targetReplicas": 2, "minScale": 4, "maxScale": 10},
        {"revisionName": NEW, "percent": 50, "direction": "up", "targetReplicas": 2, "minScale": 4, "maxScale": 10},
    ]
    standing.begin(stageTargetRevisions=stage, rolloutStrategy="availability")
    standing.create(STAGE_POD_AUTOSCALERS, NEW, spec={"stageMinScale": 1, "stageMaxScale": 1})
    _, cause = standing.awaited("bound-below-target", first=False)
    assert "allows at most 1 replica (spec.stageMaxScale); the stage needs 2" in cause["says"]
    # No loop works in this namespace.
    standing.awaited("not-taken-up", first=False)


def test_paused_and_aborted(make: Make) -> None:
    standing = make()
    standing.begin()
    eventually(lambda: _has_spa(standing, NEW), "the first stage")
    standing.annotate(pause="a look at the log", pause_after_stage="1")
    _, cause = standing.awaited("pause-ahead", "informs", first=False)
    assert cause["says"] == "pauses after stage 1 (by: not known): a look at the log"
    standing.annotate(pause_after_stage=None)
    code, cause = standing.awaited("paused", "pauses")
    assert code == 5
    assert "a look at the log" in cause["says"]
    standing.annotate(pause=None, abort=f"{NEW}=100", abort_reason="errors")
    _, cause = standing.awaited("aborted", "informs", first=False)
    assert "errors" in cause["says"]


def test_timed_out(make: Make) -> None:
    standing = make()
    standing.begin()
    standing.deploy(OLD, 4)
    standing.deploy(NEW)
    eventually(lambda: _has_spa(standing, NEW), "the first stage")
    standing.spec(targetFinishTime="2026-01-01T00:00:00Z")
    code, cause = standing.awaited("timed-out", first=False)
    assert code == 1
    assert "has 0 of" in cause["says"]


def test_newcomer_not_ready(make: Make) -> None:
    standing = make()
    standing.begin()
    failed = {"type": "Ready", "status": "False", "reason": "ContainerMissing", "message": "image not found"}
    standing.client.patch(REVISIONS, standing.namespace, NEW, {"status": {"conditions": [failed]}}, "status")
    _, cause = standing.awaited("newcomer-not-ready")
    assert "ContainerMissing: image not found" in cause["says"]


def test_autoscaler_lags(make: Make) -> None:
    standing = make()
    standing.begin()
    standing.scale(NEW, 0, 0)
    _, cause = standing.awaited("autoscaler-lags", "delays")
    assert cause["says"] == f"PodAutoscaler {NEW} wants 0 replicas, the stage needs 1"


def test_traffic_not_carried_and_traffic_without_pods(make: Make) -> None:
    standing = make()
    standing.route({OLD: 100})
    standing.begin()
    _, cause = standing.awaited("traffic-not-carried", "informs", first=False)
    assert f"shows {OLD} 100%, the stage wants {OLD} 75%, {NEW} 25%" in cause["says"]
    standing.scale(OLD, 4, 0)
    _, cause = standing.awaited("traffic-without-pods", first=False)
    assert cause["says"].startswith(f"100% of the traffic goes to {OLD}, which runs none of the 4 replicas")


def test_hold_without_rollout(make: Make) -> None:
    standing = make(f"{ELSEWHERE}-held")
    hold = '{"initial":{"hello-00001":100},"new":"hello-00002","phase":"held","since":"uid"}'
    standing.route({OLD: 100}, **{"stagegate.dev/hold": hold})
    code, cause = standing.awaited("hold-without-rollout")
    assert code == 1
    assert f"Route hello is held for {NEW} at {OLD} 100%" in cause["says"]


def test_steps_off(make: Make, stack: Stack) -> None:
    standing = make()
    standing.begin()
    container = {"name": "loop", "image": "stagegate", "args": ["loop", "--steps=off"]}
    labels = {"app.kubernetes.io/name": "stagegate-loop"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "off", "labels": labels}, "spec": spec}
    made = stack.client.create(DEPLOYMENTS, "stagegate-system", body)
    try:
        others = stack.client.list(DEPLOYMENTS, "stagegate-system")["items"]
        for one in others:
            if one["metadata"]["name"] != "off":
                meta = one["metadata"]
                stack.client.delete(DEPLOYMENTS, "stagegate-system", meta["name"], uid=meta["uid"])
        _, cause = standing.awaited("steps-off")
        assert "Deployment stagegate-system/off has --steps=off" in cause["says"]
    finally:
        stack.client.delete(DEPLOYMENTS, "stagegate-system", "off", uid=made["metadata"]["uid"])


def test_a_reader_with_the_role_view_sees_the_pods_and_is_told_what_it_does_not_see(make: Make, stack: Stack) -> None:
    standing = make()
    standing.begin()
    standing.deploy(NEW)
    pulling = container(waiting={"reason": "ErrImagePull", "message": "not found"})
    standing.pod_status(
        NEW, conditions=[SCHEDULED, {**NOT_READY, "lastTransitionTime": now()}], containerStatuses=[pulling]
    )
    standing.awaited("image")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    viewer = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": VIEWER}
    standing.create(ROLE_BINDINGS, "viewer", roleRef=role, subjects=[viewer])
    kubeconfig = stack.plane.kubeconfig_for(VIEWER)
    explained: list[Any] = []

    def is_seen() -> bool:
        explained[:] = standing.explain(kubeconfig)
        return bool(explained[0] == 1)

    eventually(is_seen, "the role is in force", lambda: explained)
    assert explained[1]["causes"][0]["id"] == "image"
    hidden = {one["resource"] for one in explained[1]["notSeen"] if one["reason"] == "forbidden"}
    # Knative aggregates its own kinds to view, and is not here.
    knative = {f"{kind}.serving.knative.dev" for kind in ("services", "routes", "revisions")}
    assert hidden == {"leases.coordination.k8s.io", "configmaps", "deployments.apps", *knative} | {
        "podautoscalers.autoscaling.internal.knative.dev"
    }


def test_loop_absent(make: Make, stack: Stack) -> None:
    """Last, since it ends the loop: killed, it leaves a Lease that nobody renews."""
    standing = make()
    standing.begin()
    eventually(lambda: _has_spa(standing, NEW), "the first stage")
    assert stack.loop is not None
    os.kill(stack.loop.pid, signal.SIGKILL)
    code, cause = standing.awaited("loop-absent")
    assert code == 1
    assert "renewed Lease stagegate-system/stagegate-loop" in cause["says"]


def test_every_cause_is_named_here_or_listed_with_the_reason() -> None:
    text = Path(__file__).read_text()
    named = {row.id for row in CAUSES if f'awaited("{row.id}"' in text or f'        (\n            "{row.id}",' in text}
    assert {row.id for row in CAUSES} - named == NOT_PRODUCED.keys()


def _has_spa(standing: Standing, name: str) -> bool:
    items = standing.client.list(STAGE_POD_AUTOSCALERS, standing.namespace)["items"]
    return any(one["metadata"]["name"] == name for one in items)


def _is_refused(stack: Stack, standing: Standing) -> bool:
    from sandbox.demo.control_plane import client_of
    from webhook.cluster.errors import ApiError

    client = client_of(stack.plane.kubeconfig_for(LOOP), dry_run=True)
    try:
        client.patch(STAGE_POD_AUTOSCALERS, standing.namespace, NEW, {"spec": {"stageMaxScale": 9}})
    except ApiError as problem:
        return bool(problem.is_refusal)
    return False
