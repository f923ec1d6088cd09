"""Causes in the loop: the Lease, --steps=off, and generations that were not observed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import ago, causes
from webhook.cluster.resource import DEPLOYMENTS, EVENTS, LEASES, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.snapshot import snapshot_of
from webhook.diagnosis.world import Unread

Wire = dict[str, Any]
QUIET = worlds.ro({type_: {"status": "Unknown", "lastTransitionTime": ago(600)} for type_ in worlds.BEGUN})


@pytest.mark.parametrize(
    ("leases", "said"),
    [
        pytest.param([worlds.lease()], [], id="one leads"),
        pytest.param([worlds.lease(renewed=14)], [], id="renewed in time"),
        pytest.param([worlds.lease(renewed=300), worlds.lease("loop-b")], [], id="one of two leads"),
        pytest.param(
            [worlds.lease(renewed=300)],
            [
                (
                    "loop-absent stops: no loop leads: loop-a renewed Lease stagegate-system/stagegate-loop 300 s ago,"
                    " which lasts 15 s"
                )
            ],
            id="stale",
        ),
        pytest.param([worlds.lease(renewed=-14)], [], id="by a clock that is ahead a little"),
        pytest.param(
            [worlds.lease(renewed=-3600)],
            [
                (
                    "loop-absent stops: no loop leads: loop-a renewed Lease stagegate-system/stagegate-loop 3600 s"
                    " in the future, which lasts 15 s"
                )
            ],
            id="renewed in the future",
        ),
        pytest.param(
            [worlds.lease(renewed=601, seconds=10**9)],
            [
                (
                    "loop-absent stops: no loop leads: loop-a renewed Lease stagegate-system/stagegate-loop 601 s ago,"
                    " which lasts 600 s"
                )
            ],
            id="a duration that no loop writes",
        ),
        pytest.param(
            [worlds.lease("", renewed=300)],
            ["loop-absent stops: no loop leads: nobody holds Lease stagegate-system/stagegate-loop"],
            id="released",
        ),
        pytest.param([], ["loop-absent stops: no loop leads: there is no Lease of a loop"], id="none"),
    ],
)
def test_a_loop_leads_or_does_not(leases: list[Wire], said: list[str]) -> None:
    assert causes({ROLLOUT_ORCHESTRATORS: [QUIET], LEASES: leases}) == said


@pytest.mark.parametrize("holder", ["loop-a", ""], ids=["stale", "released"])
def test_the_way_out_names_the_namespace_of_the_lease(holder: str) -> None:
    lease = worlds.lease(holder, renewed=300, namespace="rollouts")

    (cause,) = causes_of(worlds.snapshot({ROLLOUT_ORCHESTRATORS: [QUIET], LEASES: [lease]}))

    assert cause.way_out.startswith("start the loop: kubectl -n rollouts get pods")


def test_without_a_lease_the_way_out_names_the_namespace_of_the_installation() -> None:
    world = worlds.world({ROLLOUT_ORCHESTRATORS: [QUIET], LEASES: []})
    snapshot = snapshot_of(replace(world, installed_in="rollouts"), "default", "hello")
    assert snapshot is not None

    (cause,) = causes_of(snapshot)

    assert cause.way_out.startswith("start the loop: kubectl -n rollouts get pods")


def test_a_loop_without_leader_election_shows_by_what_it_writes() -> None:
    assert causes({LEASES: []}) == [], "a condition is 40 s old"
    event = worlds.event("RolloutOrchestrator", "hello", "Waiting", "scaling up", type_="Normal")
    event["source"] = {"component": "stagegate-loop"}
    assert causes({ROLLOUT_ORCHESTRATORS: [QUIET], LEASES: [], EVENTS: [event]}) == []


def test_leases_that_may_not_be_read_say_nothing() -> None:
    assert causes({ROLLOUT_ORCHESTRATORS: [QUIET], LEASES: []}, [Unread(LEASES, "forbidden", "no")]) == []


def loop(*args: str, namespace: str = "stagegate-system") -> Wire:
    metadata = {
        "name": "stagegate-loop",
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": "stagegate-loop"},
    }
    container = {"name": "loop", "args": ["loop", *args]}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize("args", [("--steps=off",), ("--steps", "off")])
def test_steps_off(args: tuple[str, ...]) -> None:
    off = "steps-off stops: the loop carries no rollout on: Deployment stagegate-system/stagegate-loop has --steps=off"
    deployments = worlds.base()[DEPLOYMENTS]
    assert causes({DEPLOYMENTS: [*deployments, loop(*args)]}) == [off]
    assert causes({DEPLOYMENTS: [*deployments, loop("--steps=on")]}) == []
    assert causes({DEPLOYMENTS: [*deployments, loop(*args), loop(namespace="ops")]}) == [], "the other may carry it"


@pytest.mark.parametrize(
    ("seconds", "effect"), [pytest.param(5, "delays", id="a moment ago"), pytest.param(60, "stops", id="long ago")]
)
def test_a_generation_that_nobody_has_observed(seconds: float, effect: str) -> None:
    managers = [{"manager": "kubectl", "time": ago(seconds)}, {"subresource": "status", "time": ago(0)}]
    ro = worlds.ro(metadata__generation=4, metadata__managedFields=managers)
    said = f"not-taken-up {effect}: no loop has taken up generation 4: the status is about generation 3"
    assert causes({ROLLOUT_ORCHESTRATORS: [ro]}) == [said]


@pytest.mark.parametrize("status", [{}, {"observedGeneration": -1}], ids=["without", "as the CRD fills it in"])
def test_a_new_rollout_that_nobody_has_observed(status: dict[str, Any]) -> None:
    ro = worlds.ro(metadata__generation=1, metadata__creationTimestamp=ago(90), spec__stageTargetRevisions=[])
    ro["status"] = status
    said = "not-taken-up stops: no loop has taken up generation 1: it has no status yet"
    assert causes({ROLLOUT_ORCHESTRATORS: [ro]}) == [said]
