"""The chain: what stands under what, what is well, and what is not known."""

from typing import Any

from tests.diagnosis import worlds
from tests.diagnosis.causes.test_pods import UNSCHEDULABLE, new_pods
from tests.diagnosis.worlds import NEW, OLD, snapshot
from webhook.cluster.resource import (
    DEPLOYMENTS,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
)
from webhook.diagnosis.chain import Link, chain_of
from webhook.diagnosis.summary import summarise
from webhook.diagnosis.world import Unread

MARKS = {True: "+", False: "x", None: "."}


def lines(link: Link, depth: int = 0) -> list[str]:
    head = f"{'  ' * depth}{MARKS[link.is_well]} {link.kind} {link.name}{f': {link.says}' if link.says else ''}"
    return [head, *(line for one in link.under for line in lines(one, depth + 1))]


def chain(changes: dict[Any, Any] | None = None, *unread: Unread) -> list[str]:
    found = snapshot(changes, unread)
    return lines(chain_of(found, summarise(found)))


def test_from_the_ro_to_the_pods() -> None:
    assert chain({PODS: new_pods(UNSCHEDULABLE), ROUTES: [worlds.route({OLD: 100})]}) == [
        (
            "x RolloutOrchestrator hello: hello-00001 75% of traffic, to run 3 replicas; hello-00002 25% of traffic, to"
            " run 1 replica"
        ),
        "  + Route hello: traffic hello-00001 100%",
        "  + Revision hello-00001: Ready True",
        "    . StagePodAutoscaler hello-00001: bounds 4..10, wants 4, runs 4",
        "      . PodAutoscaler hello-00001: wants 4, runs 4",
        "        + Deployment hello-00001-deployment: 4 of 4 replicas available",
        "          + ReplicaSet hello-00001-deployment-abc: 4 of 4 pods made",
        "            + Pod 4 ready",
        "  . Revision hello-00002: Ready Unknown",
        "    . StagePodAutoscaler hello-00002: bounds 1..1, wants 1, runs 0",
        "      . PodAutoscaler hello-00002: wants 1, runs 0",
        "        x Deployment hello-00002-deployment: 0 of 1 replicas available",
        "          + ReplicaSet hello-00002-deployment-abc: 1 of 1 pods made",
        (
            "            x Pod hello-00002-pod-0: Unschedulable: 0/3 nodes are available: 3 Insufficient"
            " nvidia.com/gpu. preemption: 0/3 nodes are available."
        ),
    ]


def test_a_deployment_that_is_not_there_is_said_only_where_it_is_missed() -> None:
    without: dict[Any, Any] = {DEPLOYMENTS: [], REPLICA_SETS: []}
    assert "        + Pod 4 ready" in chain(without)
    assert not any("Deployment" in line for line in chain(without)), "whatever else made the pods, they are there"
    assert f"        x Deployment {NEW}-deployment: does not exist" in chain({**without, PODS: []})


def test_what_may_not_be_read_is_not_said_to_be_missing() -> None:
    hidden = chain({REVISIONS: [], PODS: []}, Unread(REVISIONS, "forbidden"), Unread(PODS, "forbidden"))
    assert "  . Revision hello-00002: not seen" in hidden
    assert "            . Pod hello-00002-...: not seen" in hidden


def test_a_rollout_on_its_way_is_not_marked_as_held_up() -> None:
    going_back = worlds.ro({"Aborted": {"status": "True", "reason": "Aborted"}})
    assert chain({ROLLOUT_ORCHESTRATORS: [going_back]})[0].startswith(". RolloutOrchestrator hello")
    silent = {POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 4, 4), worlds.pod_autoscaler(NEW, -1, 0)]}
    assert chain(silent)[0].startswith(". RolloutOrchestrator hello")


def test_many_pods_are_counted() -> None:
    many = chain({PODS: new_pods(*[UNSCHEDULABLE] * 14)})
    assert sum(f"Pod {NEW}-pod-" in line for line in many) == 10
    assert "            . Pod 4 more: not ready" in many
