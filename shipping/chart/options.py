"""What people set in values.yaml, and where in the manifests it takes effect."""

from typing import Final, NamedTuple

NAMESPACE: Final = "stagegate-system"
"""The namespace in the manifests; in the chart, that of the release."""

KNATIVE: Final = "system:serviceaccount:knative-serving:controller"
"""The exempt account in the manifests; in the chart, those of ``controllers``."""

NOT_JUDGED: Final = frozenset({"kube-system", NAMESPACE})
"""The namespaces that selectors leave out in the manifests; in the chart, those of ``excludedNamespaces`` as well."""

IMAGE: Final = "stagegate"
"""The name of the image in the manifests."""

SWITCHES: Final = {
    "cert-manager": ".Values.certManager.enabled",
    # One replica needs no second node, and a budget would block the drain of its node.
    "dev": "not (gt (int .Values.{workload}.replicas) 1)",
    "fail-open": 'or .Values.failOpen (eq .Values.enforce "warn")',
    "enforce-warn": 'eq .Values.enforce "warn"',
    "existing-namespace": 'not (eq (include "stagegate.createNamespace" .) "true")',
    "forbid-override": ".Values.forbidOverride",
    "monitoring": ".Values.monitoring.enabled",
    "no-force-delete": "not .Values.forceDelete",
    "no-stock-knative": "or (not .Values.stockKnative.enabled) (not .Values.steps)",
    "progressive": ".Values.progressive",
    "steps-off": "not .Values.steps",
    "stock-knative-namespaces": ".Values.stockKnative.labelledNamespacesOnly",
    "stock-knative-policy": ".Values.stockKnative.admissionPolicy",
    "stock-knative-strict": ".Values.stockKnative.strict",
    "web": ".Values.web.enabled",
}
"""For each component the expression that is true where it applies. ``{workload}`` is webhook, loop or web.

A component comes before those that contain it, as kustomize applies them.
"""

KINDS: Final = {
    "CustomResourceDefinition": ".Values.crds.install",
    "NetworkPolicy": ".Values.networkPolicy.enabled",
    "PriorityClass": ".Values.priorityClass.create",
}
"""Kinds that can be left out as a whole."""


class Option(NamedTuple):
    """A field of an object that values.yaml sets. ``value`` is the path there; its default is the manifests' value."""

    kind: str
    name: str
    pointer: str
    value: str
    filter: str = ""
    block: bool = False


class Addition(NamedTuple):
    """A field that the manifests do not have; it is left out while its value is empty."""

    pointer: str
    value: str


_POD: Final = "/spec/template/spec"

WORKLOADS: Final = ("webhook", "loop", "web")


def _of_workload(workload: str) -> list[Option]:
    def option(pointer: str, value: str, filter_: str = "", *, block: bool = False) -> Option:
        return Option("Deployment", f"stagegate-{workload}", pointer, value, filter_, block)

    return [
        option("/spec/replicas", f"{workload}.replicas", "int"),
        option(f"{_POD}/nodeSelector", "pod.nodeSelector", block=True),
        option(f"{_POD}/securityContext", "pod.securityContext", block=True),
        option(f"{_POD}/containers/0/imagePullPolicy", "image.pullPolicy"),
        option(f"{_POD}/containers/0/resources", f"{workload}.resources", block=True),
    ]


OPTIONS: Final = [
    *(option for workload in WORKLOADS for option in _of_workload(workload)),
    *(
        Option("Deployment", f"stagegate-{workload}", f"{_POD}/priorityClassName", "priorityClass.name", "quote")
        for workload in ("webhook", "loop")
    ),
    Option("PriorityClass", "stagegate", "/metadata/name", "priorityClass.name", "quote"),
    Option("PriorityClass", "stagegate", "/value", "priorityClass.value", "int"),
    Option(
        "NetworkPolicy",
        "stagegate-api-server",
        "/spec/egress/1/to/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name",
        "networkPolicy.dnsNamespace",
        "quote",
    ),
]

API_SERVER_PORTS: Final = Option(
    "NetworkPolicy", "stagegate-api-server", "/spec/egress/0/ports", "networkPolicy.apiServerPorts", "int"
)
"""A list with an entry for each port."""

REPLACED: Final = [
    Option(
        "Deployment",
        f"stagegate-{workload}",
        f"{_POD}/topologySpreadConstraints",
        f"{workload}.topologySpreadConstraints",
    )
    for workload in ("webhook", "loop")
]
"""Fields that a value replaces as a whole, unless it is null."""

ADDITIONS: Final = [
    Addition(f"{_POD}/affinity", "pod.affinity"),
    Addition(f"{_POD}/tolerations", "pod.tolerations"),
    Addition(f"{_POD}/imagePullSecrets", "image.pullSecrets"),
    Addition("/spec/template/metadata/annotations", "pod.annotations"),
]
"""Of every Deployment."""

KEPT: Final = {"helm.sh/resource-policy": "keep"}
"""Annotations of the Namespace, which may hold other objects: uninstalling the release must not delete those.

The manifests do not have them, since Argo CD obeys them too, and has to remove what it made.
"""
