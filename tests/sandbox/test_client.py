"""The Kubernetes client of Python against the sandbox."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.watch import Watch as _Watch

from sandbox import Sandbox
from tests.sandbox.wire import Place, pod, spa

Watch: Any = _Watch
GROUP, VERSION, PLURAL = "serving.knative.dev", "v1", "stagepodautoscalers"


@pytest.fixture(scope="module")
def connection(sandbox: Sandbox) -> Iterator[Any]:
    connect: Any = config.new_client_from_config
    with connect(str(sandbox.kubeconfig)) as made:
        yield made


def test_custom_objects(connection: Any, place: Place) -> None:
    objects: Any = client.CustomObjectsApi(connection)
    where = (GROUP, VERSION, place.name, PLURAL)
    created = objects.create_namespaced_custom_object(*where, spa("a", {"stageMinScale": 1}))
    assert created["metadata"]["generation"] == 1
    objects.patch_namespaced_custom_object(*where, "a", {"spec": {"stageMaxScale": 3}})
    objects.patch_namespaced_custom_object_status(*where, "a", {"status": {"actualScale": 1}})
    found = objects.get_namespaced_custom_object(*where, "a")
    assert (found["spec"], found["status"]) == ({"stageMinScale": 1, "stageMaxScale": 3}, {"actualScale": 1})
    assert [item["metadata"]["name"] for item in objects.list_namespaced_custom_object(*where)["items"]] == ["a"]
    with pytest.raises(client.ApiException) as conflict:
        objects.replace_namespaced_custom_object(*where, "a", spa("a", {}, resourceVersion="1"))
    assert conflict.value.status == 409
    objects.delete_namespaced_custom_object(*where, "a")


def test_a_watch(connection: Any, place: Place) -> None:
    objects: Any = client.CustomObjectsApi(connection)
    where = (GROUP, VERSION, place.name, PLURAL)
    version = objects.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    later = threading.Timer(0.1, lambda: objects.create_namespaced_custom_object(*where, spa("a")))
    later.start()
    stream = Watch().stream(objects.list_namespaced_custom_object, *where, resource_version=version, timeout_seconds=10)
    event = next(iter(stream))
    later.join()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")


def test_a_watch_from_too_long_ago(connection: Any, place: Place) -> None:
    objects: Any = client.CustomObjectsApi(connection)
    stream = Watch().stream(
        objects.list_namespaced_custom_object,
        *(GROUP, VERSION, place.name, PLURAL),
        resource_version="1",
        timeout_seconds=5,
    )
    with pytest.raises(client.ApiException) as expired:
        next(iter(stream))
    assert expired.value.status == 410


def test_built_in_kinds_are_what_the_models_expect(connection: Any, place: Place) -> None:
    core: Any = client.CoreV1Api(connection)
    core.create_namespaced_pod(place.name, pod("a", nodeName="n"))
    listed = core.list_namespaced_pod(place.name, field_selector="spec.nodeName=n").items
    assert [(item.metadata.name, item.status.phase) for item in listed] == [("a", "Pending")]
    core.delete_namespaced_pod("a", place.name, grace_period_seconds=0)
    assert core.list_namespaced_pod(place.name).items == []
    leases: Any = client.CoordinationV1Api(connection)
    lease = client.V1Lease(metadata=client.V1ObjectMeta(name="l"), spec=client.V1LeaseSpec(holder_identity="me"))
    made = leases.create_namespaced_lease(place.name, lease)
    made.spec.lease_duration_seconds = 15
    assert leases.replace_namespaced_lease("l", place.name, made).spec.lease_duration_seconds == 15
    with pytest.raises(client.ApiException) as conflict:
        leases.replace_namespaced_lease("l", place.name, made)
    assert conflict.value.status == 409


def test_discovery(connection: Any) -> None:
    groups = {group.name for group in client.ApisApi(connection).get_api_versions().groups}
    assert groups >= {GROUP, "apps", "coordination.k8s.io", "apiextensions.k8s.io"}
    found = client.CustomObjectsApi(connection).get_api_resources(GROUP, VERSION)
    names = {resource.name for resource in found.resources}
    assert names >= {PLURAL, f"{PLURAL}/status", "rolloutorchestrators", "revisions"}
    assert client.VersionApi(connection).get_code().git_version.endswith("sandbox")
