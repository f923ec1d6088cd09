"""Recorded passes and rollouts through the real loop over HTTP: the same as by the decisions alone."""

import itertools
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.workloads import NODE
from tests.loop.http_world import HttpWorld, names
from tests.loop.test_traces import LiveTrace
from tests.vectors.reconcile_suites import SUITES
from tests.vectors.rows import recorded_rows
from tests.vectors.trace_suite import answer_trace, our_planner
from webhook.api import RolloutOrchestrator
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.errors import Invalid
from webhook.cluster.merge_patch import merge_patch
from webhook.cluster.resource import PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.strategies import strategy_named

pytestmark = pytest.mark.integration

HOUR = 3600
STAGE = "stageTargetRevisions"
Row = dict[str, Any]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def new_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., HttpWorld]]:
    """A namespace of its own on one API server, and the loop in it; nothing else is there, not even the webhook."""
    worlds: list[HttpWorld] = []
    plane: Any
    if request.config.getoption("--control-plane") == "sandbox":
        from sandbox import Sandbox

        plane = Sandbox(tmp_path_factory.mktemp("recorded") / "sandbox")
    else:
        from tests.controlplane import ControlPlane, Unavailable

        try:
            plane = ControlPlane.start()
        except Unavailable as reason:
            pytest.exit(str(reason), returncode=3)
    with plane:

        def new_world(clock: Any = None) -> HttpWorld:
            admin = str(plane.kubeconfig)
            worlds.append(HttpWorld(admin, admin, f"recorded-{next(_numbers)}", clock))
            return worlds[-1]

        yield new_world
        for world in worlds:
            world.close()


class LaterClock(SystemClock):
    """An hour later than it is, so that pods can be past their time without anybody waiting."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=HOUR)


# Passes

FILES = {
    "rollout_reconcile": ("rollout_reconcile_1", "rollout_reconcile_2"),
    "rollout_reconcile_wrapped": ("rollout_reconcile_wrapped",),
}
EVERY = 20
SOME = 12
"""Of the rows that can be stored the sandbox takes every twentieth, a real API server the first twelve of those."""


def is_storable(given: Row) -> bool:
    """What has no grace period or no finalizer is gone once it is deleted, and a server fails at any time."""
    ending = [pod["metadata"] for pod in given.get("pods", []) if "deletionTimestamp" in pod["metadata"]]
    if "deletionTimestamp" in given["ro"]["metadata"] or not all(map(fits, given["ro"]["spec"].get(STAGE, []))):
        return False
    return not given.get("apiErrors") and all(one.get("deletionGracePeriodSeconds", 1) > 0 for one in ending)


def fits(entry: Row) -> bool:
    """Whether an SPA of these bounds is stored at all."""
    low, high = entry.get("minScale", 0), entry.get("maxScale", 0)
    return bool(high == 0 or low <= high)


def store(world: HttpWorld, given: Row) -> None:
    """Put everything of a row on the server. Raises Invalid for what no server stores."""
    api, ro = world.api, given["ro"]
    service = ro["metadata"]["name"]
    status = deepcopy(ro.get("status", {}))
    generation = ro["metadata"].get("generation", 0)
    # What is on a server for the first time has generation 1.
    status["observedGeneration"] = 1 if status.get("observedGeneration", 0) == generation else 0
    stored = api.put(ROLLOUT_ORCHESTRATORS, {"metadata": ro["metadata"], "spec": ro["spec"], "status": status})
    for name in given.get("revisions", []):
        labels = {SERVICE_LABEL: service, CONFIGURATION_LABEL: service}
        api.put(REVISIONS, {"metadata": {"name": name, "labels": labels}, "spec": {}})
    uids = json.dumps(given.get("spas", [])).replace(ro["metadata"]["uid"], stored["metadata"]["uid"])
    for spa in json.loads(uids):
        api.put(STAGE_POD_AUTOSCALERS, {"spec": {}, **spa})
    for pod in given.get("pods", []):
        put_pod(api.client, api.namespace, pod["metadata"])


def put_pod(client: Client, namespace: str, metadata: Row) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": metadata["name"], "labels": metadata.get("labels", {})},
        "spec": {
            "nodeName": NODE,
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "x.invalid/x"}],
        },
    }
    stored = client.create(PODS, namespace, body)
    grace = {"past": 30, "future": 2 * HOUR}.get(metadata.get("deletionTimestamp", ""))
    if grace is not None:
        uid = stored["metadata"]["uid"]
        client.delete(PODS, namespace, metadata["name"], uid=uid, grace_period_seconds=grace)


def carried(world: HttpWorld, given: Row, wrapped: bool) -> Row:
    """One pass of the loop, its status written and read again; what it left on the server."""
    api, reconciler = world.api, world.loop.reconciler
    name = given["ro"]["metadata"]["name"]
    before = {one["metadata"]["name"]: one.get("spec") or {} for one in api.all(STAGE_POD_AUTOSCALERS)}
    pods = names(one for one in api.all(PODS) if "deletionTimestamp" in one["metadata"])
    seen = world.loop.caches.rollouts.get(api.namespace, name)
    assert seen is not None
    ro = RolloutOrchestrator.from_dict(seen)
    was = ro.status.copy()
    strategy, stages = strategy_named(ro.spec.rollout_strategy), reconciler.stages
    result = stages.reconcile(ro, strategy) if wrapped else stages.reconcile_kind(ro, strategy)
    if patch := merge_patch(was.to_dict(), ro.status.to_dict()):
        reconciler.rollouts.patch(seen, {"status": patch}, "status")
    stored = api.get(ROLLOUT_ORCHESTRATORS, api.namespace, name)
    assert stored is not None
    after = {one["metadata"]["name"]: one.get("spec") or {} for one in api.all(STAGE_POD_AUTOSCALERS)}
    left = names(one for one in api.all(PODS) if "deletionTimestamp" in one["metadata"])
    status = RolloutOrchestrator.from_dict(stored).status
    conditions = [condition.to_dict() for condition in status.conditions]
    return {
        "error": result.error is not None,
        "spas": after,
        "createdSPAs": sorted(after.keys() - before.keys()),
        "deletedSPAs": sorted(before.keys() - after.keys()),
        "changedSPAs": sorted(one for one in before.keys() & after.keys() if before[one] != after[one]),
        "deletedPods": sorted(set(pods) - set(left)),
        "conditions": [{k: v for k, v in one.items() if k != "lastTransitionTime"} for one in conditions],
        "stageRevisionStatus": [revision.to_dict() for revision in status.stage_revision_status],
    }


@pytest.mark.parametrize("suite", SUITES, ids=[suite.stem for suite in SUITES])
def test_recorded_passes(suite: Any, new_world: Callable[..., HttpWorld], request: pytest.FixtureRequest) -> None:
    real = request.config.getoption("--control-plane") == "real"
    storable = [row for row in recorded_rows(*FILES[suite.stem]) if is_storable(row["input"])]
    recorded = storable[::EVERY][: SOME if real else None]
    done = 0
    for row in recorded:
        wanted = suite.answer(deepcopy(row["input"]))
        world = new_world(LaterClock())
        try:
            store(world, row["input"])
        except Invalid:
            continue
        world.observe()
        got = carried(world, row["input"], wrapped=suite.stem.endswith("wrapped"))
        world.close()
        flat = {**wanted, **wanted["status"]}
        # An SPA that was created and deleted again in one pass was never seen.
        flat["deletedSPAs"] = sorted(set(flat["deletedSPAs"]) - set(flat["createdSPAs"]))
        flat["createdSPAs"] = sorted(set(flat["createdSPAs"]) & flat["spas"].keys())
        assert got == {key: flat[key] for key in got}, row["id"]
        done += 1
    assert done >= min(len(recorded), 8), "most of the rows can be stored"


# Rollouts


class HttpTrace(LiveTrace):
    """A recorded rollout in a namespace of its own on an API server."""

    new_world: Callable[..., HttpWorld]

    def make_world(self) -> Any:
        world = self.new_world()
        self.given["namespace"] = world.api.namespace
        return world


TRACES = sorted(recorded_rows("rollout_traces"), key=lambda row: len(row["expected"]["stages"]))


@pytest.mark.parametrize("row", TRACES[:6], ids=[row["id"] for row in TRACES[:6]])
def test_a_recorded_rollout(row: Row, new_world: Callable[..., HttpWorld]) -> None:
    wanted = answer_trace(deepcopy(row["input"]))
    live = HttpTrace(deepcopy(row["input"]), our_planner())
    live.new_world = new_world
    recorded = live.start().run().recorded_part()
    for member in ("finished", "ticks", "errors", "peakReplicas", "stageRevisionStatus", "stages", "conditions"):
        assert recorded[member] == wanted[member], member
    assert live.log == wanted["allTicks"]
