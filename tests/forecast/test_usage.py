"""What replicas take: rows of a pod's spec and its usage."""

from decimal import Decimal
from typing import Any

import pytest

from webhook.api.quantity import format_quantity
from webhook.forecast.usage import Usage, resource_name, usage_of_pod, usage_of_replicas, usage_of_template


def container(name: str = "a", **resources: Any) -> dict[str, Any]:
    return {"name": name, "resources": resources}


def texts(usage: Usage) -> dict[str, str]:
    return {key: format_quantity(number) for key, number in usage.items()}


GPU = {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        pytest.param({}, {"pods": "1"}, id="no requests: a pod all the same"),
        pytest.param(
            {"containers": [container(requests={"cpu": "250m"}), container("b", requests={"cpu": "1"})]},
            {"cpu": "1250m", "pods": "1"},
            id="containers add up",
        ),
        pytest.param(
            {"containers": [container(limits={**GPU, "memory": "1Gi"}, requests={"memory": "512Mi"})]},
            {
                "nvidia.com/gpu": "1",
                "limits.nvidia.com/gpu": "1",
                "memory": "512Mi",
                "limits.memory": "1Gi",
                "pods": "1",
            },
            id="a request that is absent is the limit",
        ),
        pytest.param(
            {
                "initContainers": [container("i", requests={"cpu": "2", "memory": "1Gi"})],
                "containers": [container(requests={"cpu": "1"}), container("b", requests={"cpu": "500m"})],
            },
            {"cpu": "2", "memory": "1Gi", "pods": "1"},
            id="an init container runs before the others",
        ),
        pytest.param(
            {
                "initContainers": [{**container("i", requests={"cpu": "2"}), "restartPolicy": "Always"}],
                "containers": [container(requests={"cpu": "1"})],
                "overhead": {"cpu": "100m"},
            },
            {"cpu": "3100m", "pods": "1"},
            id="one that goes on runs beside them; the overhead comes on top",
        ),
        pytest.param({"containers": [container(requests={"cpu": "much"})]}, {"pods": "1"}, id="no quantity"),
        pytest.param({"containers": "none", "initContainers": [1]}, {"pods": "1"}, id="not a spec"),
    ],
)
def test_the_usage_of_a_pod(spec: dict[str, Any], usage: dict[str, str]) -> None:
    assert texts(usage_of_pod(spec)) == usage


def test_knative_adds_its_proxy_to_a_template() -> None:
    template = {"containers": [container(requests={"cpu": "1"})]}
    assert texts(usage_of_template(template))["cpu"] == "1025m"
    assert texts(usage_of_template({"containers": [*template["containers"], container("queue-proxy")]}))["cpu"] == "1"


def test_replicas_of_several_revisions() -> None:
    each = {"old": {"cpu": Decimal(1), "pods": Decimal(1)}, "new": {"cpu": Decimal(2), "pods": Decimal(1)}}
    assert texts(usage_of_replicas({"old": 3, "new": 1, "unknown": 4}, each)) == {"cpu": "5", "pods": "4"}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("cpu", "cpu"),
        ("requests.cpu", "cpu"),
        ("requests.nvidia.com/gpu", "nvidia.com/gpu"),
        ("limits.memory", "limits.memory"),
        ("pods", "pods"),
        ("count/pods", "pods"),
        ("count/secrets", None),
        ("requests.storage", None),
        ("gold.storageclass.storage.k8s.io/requests.storage", None),
        ("services", None),
    ],
)
def test_the_resource_of_a_key_of_a_quota(key: str, name: str | None) -> None:
    assert resource_name(key) == name
