"""The autoscaler at work: the world before, one tick or a few, and the requests that were sent."""

import threading
from typing import Any

import pytest

from sandbox.autoscaler import Pace, ReportScale
from sandbox.simulation import Autoscaler, pod_manifest, reported_status
from tests.cluster.fake_api import FakeApi, status_error
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import POD_AUTOSCALERS, PODS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource
from webhook.cluster.transport import Request

ALL = (POD_AUTOSCALERS, PODS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)
PACE = Pace(starts_per_tick=2, startup_ticks=1, termination_ticks=1, stable_ticks=0)


RUNNING = {"status": reported_status(ReportScale("default", "hello-00001", 1, 1))}


def pod_autoscaler(name: str = "hello-00001", namespace: str = "default", **annotations: str) -> dict[str, Any]:
    named = {f"sandbox.stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    labels = {"serving.knative.dev/service": "hello"}
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": named}}


def server(*objects: tuple[Resource, dict[str, Any]], served: tuple[Resource, ...] = ALL) -> FakeApi:
    api = FakeApi()
    api.serve(*served)
    for resource, one in objects:
        api.put(resource, one)
    return api


def autoscaler(api: FakeApi, **options: Any) -> Autoscaler:
    return Autoscaler(Client(api, field_manager="autoscaler"), pace=PACE, **options)


def written(api: FakeApi) -> list[str]:
    """What was written since the last call."""
    found = api.written()
    api.writes.clear()
    return found


def test_a_replica_from_its_start_to_its_end() -> None:
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="1")))
    simulation = autoscaler(api)
    rows = []
    for _ in range(4):
        simulation.tick()
        rows.append(written(api))
    api.put(POD_AUTOSCALERS, pod_autoscaler(demand="0") | RUNNING)
    for _ in range(4):
        simulation.tick()
        rows.append(written(api))

    assert rows[:3] == [
        ["create pods default/hello-00001-0", "patch podautoscalers/status default/hello-00001"],
        [],
        ["patch pods/status default/hello-00001-0", "patch podautoscalers/status default/hello-00001"],
    ]
    assert rows[3] == []
    assert rows[4][0] == "delete pods default/hello-00001-0"
    scales = api.get(POD_AUTOSCALERS, "default", "hello-00001")
    assert scales is not None
    assert scales["status"]["desiredScale"] == scales["status"]["actualScale"] == 0


def test_what_is_sent_for_each_action() -> None:
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="1")))
    simulation = autoscaler(api)
    for _ in range(3):
        simulation.tick()

    create, _, ready, report = api.writes
    assert create.body["spec"]["nodeName"] == "sandbox-node"
    assert ready.body["status"]["phase"] == "Running"
    assert ready.body["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    assert [container["ready"] for container in ready.body["status"]["containerStatuses"]] == [True]
    assert report.body == {"status": reported_status(ReportScale("default", "hello-00001", 1, 1))}


@pytest.mark.parametrize(
    ("desired", "actual", "initialized", "fails", "ready"),
    [
        pytest.param(1, 1, True, False, ("True", None), id="runs"),
        pytest.param(1, 0, False, False, ("Unknown", "Queued"), id="starts"),
        pytest.param(1, 0, False, True, ("False", "ImagePullBackOff"), id="cannot start"),
        pytest.param(0, 0, True, False, ("False", "NoTraffic"), id="scaled to zero"),
    ],
)
def test_conditions_are_those_of_knative(
    desired: int, actual: int, initialized: bool, fails: bool, ready: tuple[str, str | None]
) -> None:
    status = reported_status(ReportScale("default", "hello-00001", desired, actual, initialized, fails))
    assert (status["desiredScale"], status["actualScale"]) == (desired, actual)
    shown = {condition["type"]: (condition["status"], condition.get("reason")) for condition in status["conditions"]}
    assert shown == {"Ready": ready, "ScaleTargetInitialized": ("True" if initialized else "Unknown", None)}


def test_pods_end_with_their_grace_period_and_are_gone_without_one() -> None:
    ending = {
        "metadata": {
            "name": "hello-00001-0",
            "labels": {"serving.knative.dev/revision": "hello-00001"},
            "deletionTimestamp": "2030-01-01T00:00:00Z",
        },
        "spec": {"nodeName": "sandbox-node"},
    }
    running = {
        "metadata": {"name": "hello-00001-1", "labels": {"serving.knative.dev/revision": "hello-00001"}},
        "spec": {"nodeName": "sandbox-node"},
    }
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="0") | RUNNING), (PODS, ending), (PODS, running))
    simulation = autoscaler(api)
    simulation.tick()
    simulation.tick()

    deletes = [(write.name, write.body.get("gracePeriodSeconds")) for write in api.writes if write.verb == "delete"]
    assert deletes == [("default/hello-00001-1", None), ("default/hello-00001-0", 0)]
    assert all("uid" in write.body["preconditions"] for write in api.writes if write.verb == "delete")


def test_a_namespace_alone() -> None:
    mine, others = pod_autoscaler(namespace="mine", demand="1"), pod_autoscaler(namespace="others", demand="1")
    api = server((POD_AUTOSCALERS, mine), (POD_AUTOSCALERS, others))

    autoscaler(api, namespace="mine").tick()

    assert {name.split()[-1].split("/")[0] for name in written(api)} == {"mine"}


def test_a_refusal_in_one_namespace_does_not_stop_the_others() -> None:
    api = server(
        (POD_AUTOSCALERS, pod_autoscaler(namespace="doomed", demand="1")),
        (POD_AUTOSCALERS, pod_autoscaler(namespace="well", demand="1")),
    )

    def refuse(request: Request) -> ApiError | None:
        if request.call.namespace == "doomed" and request.call.verb == "create":
            return status_error(request, 403, "Forbidden", "namespace doomed is being terminated")
        return None

    api.fail = refuse
    autoscaler(api).tick()

    assert "create pods well/hello-00001-0" in written(api)


@pytest.mark.parametrize("code", [404, 409, 422])
def test_a_write_that_was_overtaken_is_dropped(code: int) -> None:
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="1")))
    api.fail = lambda request: (
        status_error(request, code, "Overtaken", "by another") if request.call.verb == "create" else None
    )

    autoscaler(api).tick()

    assert written(api) == ["patch podautoscalers/status default/hello-00001"]


def test_a_server_without_the_kinds_of_knative_is_left_alone() -> None:
    api = server(served=(PODS,))

    assert autoscaler(api).tick() == []


def test_a_list_that_cannot_be_read_is_told_and_nothing_is_written() -> None:
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="1")))
    api.fail = lambda request: status_error(request, 500, "InternalError", "out of order")

    with pytest.raises(ApiError, match="out of order"):
        autoscaler(api).tick()


def test_it_goes_on_after_an_error_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    api = server((POD_AUTOSCALERS, pod_autoscaler(demand="1")))
    done = threading.Event()
    problems = iter([503, 503])

    def fail(request: Request) -> ApiError | None:
        code = next(problems, None)
        if code is not None:
            return status_error(request, code, "ServiceUnavailable", "not now")
        if request.call.verb == "create":
            done.set()
        return None

    api.fail = fail
    with autoscaler(api, seconds_per_tick=0.001):
        assert done.wait(20.0)

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "not now; trying again at the next tick" in warnings[0]


def test_a_pod_is_one_that_a_real_server_keeps_and_ends_in_its_own_time() -> None:
    wire = pod_autoscaler(grace_seconds="7")
    wire["metadata"]["uid"] = "uid-1"

    pod = pod_manifest("hello-00001-0", wire)

    assert pod["metadata"]["labels"] == {
        "serving.knative.dev/revision": "hello-00001",
        "serving.knative.dev/service": "hello",
    }
    assert pod["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
            "kind": "PodAutoscaler",
            "name": "hello-00001",
            "uid": "uid-1",
            "controller": True,
        }
    ]
    assert (pod["spec"]["nodeName"], pod["spec"]["terminationGracePeriodSeconds"]) == ("sandbox-node", 7)
    assert pod["spec"]["containers"]
