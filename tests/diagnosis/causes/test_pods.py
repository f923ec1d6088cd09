"""Causes in the pods: each as scheduler, kubelet and ReplicaSet controller write it."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, ago, causes, condition
from webhook.cluster.resource import EVENTS, PODS, REPLICA_SETS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

Wire = dict[str, Any]
NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available."
QUOTA = (
    'pods "hello-00002-x" is forbidden: exceeded quota: gpu, requested: requests.nvidia.com/gpu=1,'
    " used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4"
)


def pending(*containers: Wire, since: float = 20, **conditions: Any) -> Wire:
    """The status of a pod that is not ready for so many seconds."""
    not_ready = {"status": "False", "lastTransitionTime": ago(since)}
    listed = {"PodScheduled": "True", "Ready": not_ready, **conditions}
    return {
        "phase": "Pending",
        "conditions": [condition(type_, one) for type_, one in listed.items()],
        "containerStatuses": list(containers),
    }


def container(state: Wire, last: Wire | None = None, restarts: int = 0) -> Wire:
    return {
        "name": "user-container",
        "image": "registry.example/hello:2",
        "ready": False,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def new_pods(*statuses: Wire) -> list[Wire]:
    old = [worlds.pod(OLD, number) for number in range(4)]
    return [*old, *(worlds.pod(NEW, number, status=status) for number, status in enumerate(statuses))]


UNSCHEDULABLE = pending(
    PodScheduled={"status": "False", "reason": "Unschedulable", "message": NO_GPU, "lastTransitionTime": ago(20)}
)
PULLING = container({"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}})
CONFIG = container({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "key" not found'}})
ENDED = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(15)}}
CRASHING = container({"waiting": {"reason": "CrashLoopBackOff"}}, ENDED, restarts=4)
RUNNING = container({"running": {"startedAt": ago(100)}})
CREATING = container({"waiting": {"reason": "ContainerCreating"}})
RUNS = "it runs 0 of 1 replica"


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        pytest.param(
            [UNSCHEDULABLE],
            f"unschedulable stops: 1 pod of {NEW} cannot be scheduled for lack of nvidia.com/gpu: Unschedulable:"
            f" {NO_GPU.rstrip('.')}; {RUNS}",
            id="unschedulable",
        ),
        pytest.param(
            [pending(PULLING)],
            f"image stops: 1 pod of {NEW} has no image (container user-container): ImagePullBackOff: Back-off pulling"
            f' image "x"; {RUNS}',
            id="image",
        ),
        pytest.param(
            [pending(CONFIG)],
            f"container stops: the container user-container of 1 pod of {NEW} cannot be made:"
            f' CreateContainerConfigError: secret "key" not found; {RUNS}',
            id="container",
        ),
        pytest.param(
            [pending(CRASHING), pending(CRASHING)],
            f"crash-loop stops: 2 pods of {NEW} crash: container user-container ends with exit code 137, OOMKilled;"
            f" restarted 4 times; {RUNS}",
            id="crash loop",
        ),
        pytest.param(
            [pending(RUNNING, since=20)],
            f"probe delays: 1 pod of {NEW} runs and is not ready: its probe has not succeeded; {RUNS}",
            id="probe, for a moment",
        ),
        pytest.param(
            [pending(RUNNING, since=90)],
            f"probe stops: 1 pod of {NEW} runs and is not ready: its probe has not succeeded; {RUNS}",
            id="probe, for long",
        ),
        pytest.param([pending(CREATING, since=50)], None, id="starting"),
        pytest.param(
            [pending(CREATING, since=90)],
            f"starting delays: 1 pod of {NEW} has not started yet: starts (ContainerCreating); {RUNS}",
            id="starting, for long",
        ),
    ],
)
def test_pods_that_are_not_ready(statuses: list[Wire], said: str | None) -> None:
    assert causes({PODS: new_pods(*statuses)}) == ([] if said is None else [said])


def test_a_probe_is_quoted_from_the_event_of_kubelet() -> None:
    event = worlds.event("Pod", f"{NEW}-pod-0", "Unhealthy", "Readiness probe failed: HTTP probe failed: 503")
    assert causes({PODS: new_pods(pending(RUNNING, since=90)), EVENTS: [event]}) == [
        f"probe stops: 1 pod of {NEW} runs and is not ready: Readiness probe failed: HTTP probe failed: 503; {RUNS}"
    ]


def test_a_volume_is_quoted_from_the_event_of_kubelet() -> None:
    event = worlds.event("Pod", f"{NEW}-pod-0", "FailedMount", 'configmap "model" not found')
    assert causes({PODS: new_pods(pending(CREATING, since=90)), EVENTS: [event]}) == [
        f'starting delays: 1 pod of {NEW} has not started yet: configmap "model" not found; {RUNS}'
    ]


def test_a_pod_that_the_stage_does_not_wait_for_only_informs() -> None:
    crashing = worlds.pod(OLD, 9, status=pending(CRASHING))
    assert causes({PODS: [*new_pods(worlds.STARTING), crashing]}) == [
        (
            f"crash-loop informs: 1 pod of {OLD} crashes: container user-container ends with exit code 137, OOMKilled;"
            " restarted 4 times; it runs 4 of 4 replicas"
        )
    ]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        pytest.param(
            QUOTA,
            "quota stops: ResourceQuota gpu allows requests.nvidia.com/gpu=4, of which requests.nvidia.com/gpu=4 is"
            f" used; a pod of {NEW} needs requests.nvidia.com/gpu=1; {RUNS}",
            id="exceeded",
        ),
        pytest.param(
            'pods "x" is forbidden: failed quota: mem: must specify limits.memory',
            f"quota stops: ResourceQuota mem refuses the pods of {NEW}: must specify limits.memory; {RUNS}",
            id="without a limit",
        ),
        pytest.param(
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            f'pod-refused stops: the pods of {NEW} cannot be made: pods "x" is forbidden: violates PodSecurity'
            f' "restricted:latest": runAsNonRoot != true; {RUNS}',
            id="something else",
        ),
    ],
)
def test_pods_that_cannot_be_made(message: str, said: str) -> None:
    failure = condition("ReplicaFailure", {"status": "True", "reason": "FailedCreate", "message": message})
    replica_sets = [worlds.replica_set(OLD, 4, 4), worlds.replica_set(NEW, 1, 0, failure)]
    assert causes({REPLICA_SETS: replica_sets, PODS: new_pods()}) == [said]


GOING_DOWN = {"StageScaleUpReady": "True", "StageScaleDownReady": "Unknown"}


@pytest.mark.parametrize(
    ("left", "said"),
    [
        pytest.param(
            25,
            "ending-pods delays: 1 pod of hello-00001 is ending; hello-00001-pod-9 terminates; 25 s of its grace"
            " period of 30 s are left",
            id="within its grace period",
        ),
        pytest.param(
            -10,
            "ending-pods delays: 1 pod of hello-00001 is ending; hello-00001-pod-9 terminates and is 10 s past its"
            " deletion time",
            id="just past it",
        ),
        pytest.param(
            -90,
            "ending-pods stops: 1 pod of hello-00001 is ending; hello-00001-pod-9 terminates and is 90 s past its"
            " deletion time",
            id="long past it",
        ),
    ],
)
def test_pods_that_end(left: float, said: str) -> None:
    ends = worlds.pod(OLD, 9, deletionTimestamp=ago(-left), deletionGracePeriodSeconds=30)
    spas = [worlds.spa(OLD, 3, 3, desired=3, actual=3, ending=1), worlds.spa(NEW, 1, 1, desired=1, actual=1)]
    world = {
        ROLLOUT_ORCHESTRATORS: [worlds.ro(GOING_DOWN)],
        STAGE_POD_AUTOSCALERS: spas,
        PODS: [worlds.pod(NEW), worlds.pod(OLD), ends],
    }
    assert said in causes(world)
    assert not any("ending-pods" in line for line in causes({PODS: world[PODS]})), "the stage scales up"
