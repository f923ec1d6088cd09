"""Kinds that every API server has."""

from typing import Final

from tests.e2e.likeness.steps import (
    CORE,
    DEPLOYMENTS,
    LEASES,
    STRATEGIC,
    apply,
    core,
    get,
    patch,
    pod,
    post,
    put,
)

BUILT_IN: Final = [
    post(f"{CORE}/configmaps", core("ConfigMap", "c", {"data": {"a": "b"}})),
    post(f"{CORE}/configmaps", core("ConfigMap", "d", {"data": {"a": 1}})),
    post(f"{CORE}/configmaps", core("Secret", "d")),
    post(f"{CORE}/configmaps", core("ConfigMap", "e", {"foo": 1})),
    patch(f"{CORE}/configmaps/c", {"data": {"c": "d", "a": None}, "metadata": {"labels": {"x": "y"}}}, STRATEGIC),
    put(f"{CORE}/configmaps/c", core("ConfigMap", "c", {"data": {"z": "1"}})),
    apply(f"{CORE}/configmaps/s", core("ConfigMap", "s", {"data": {"z": "1"}})),
    apply(f"{CORE}/configmaps/s", core("ConfigMap", "s", {"data": {"z": "2"}}), "two"),
    apply(f"{CORE}/configmaps/s", core("ConfigMap", "s", {"data": {"y": "2"}}), "two"),
    apply(f"{CORE}/configmaps/s", core("ConfigMap", "s")),
    post(f"{CORE}/secrets", core("Secret", "s", {"stringData": {"a": "b"}, "data": {"c": "ZA=="}})),
    post(f"{CORE}/secrets", core("Secret", "t", {"data": {"c": "!!"}})),
    patch(f"{CORE}/secrets/s", {"type": "x"}),
    post(f"{CORE}/serviceaccounts", core("ServiceAccount", "sa")),
    post(f"{CORE}/pods", pod("p")),
    post(f"{CORE}/pods", core("Pod", "none")),
    patch(
        f"{CORE}/pods/p/status",
        {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}},
        STRATEGIC,
    ),
    patch(f"{CORE}/pods/p/status", {"status": {"conditions": [{"type": "Z", "status": "False"}]}}, STRATEGIC),
    get(f"{CORE}/pods?fieldSelector=status.phase=Running"),
    get(f"{CORE}/pods?fieldSelector=spec.foo=Running"),
    post(
        DEPLOYMENTS,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "x:1"}]},
                },
            },
        },
    ),
    patch(
        f"{DEPLOYMENTS}/d",
        {"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "e", "image": "z:1"}]}}}},
        STRATEGIC,
    ),
    patch(
        f"{DEPLOYMENTS}/d/status", {"status": {"replicas": 3, "conditions": [{"type": "Available", "status": "True"}]}}
    ),
    post(
        LEASES,
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "l"},
            "spec": {"holderIdentity": "me"},
        },
    ),
    put(f"{LEASES}/l", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}),
    put(f"{LEASES}/m", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "m"}}),
    post("/api/v1/namespaces", core("Namespace", "Bad_")),
    get("/api/v1/namespaces/{ns}"),
    post("/api/v1/pods", pod("p")),
    put(f"{CORE}/pods", pod("p")),
    get(f"{CORE}/configmaps?limit=1"),
    get(f"{CORE}/configmaps?fieldSelector=data.x=1"),
    get(f"{CORE}/configmaps?resourceVersion=abc"),
]
