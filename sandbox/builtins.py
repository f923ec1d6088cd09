"""The built-in kinds, with as much of their schemas as field ownership and defaulting need."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.resources import Resource, Schema

_FREE: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_NUMBER: Final[Schema] = {"type": "integer"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_OWNERS: Final[Schema] = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["uid"],
    "items": {
        "type": "object",
        "properties": {
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), _TEXT),
            **dict.fromkeys(("controller", "blockOwnerDeletion"), _FLAG),
        },
    },
}
OBJECT_META: Final[Schema] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"), _TEXT),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TIME),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _NUMBER),
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "ownerReferences": _OWNERS,
        "managedFields": {"type": "array", "items": {"type": "object", **_FREE}},
    },
}
"""The schema of ``metadata``, of custom resources too."""

_CONFIGURED: Final[Schema] = {
    "webhooks": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "properties": {
                "failurePolicy": {"type": "string", "default": "Fail"},
                "matchPolicy": {"type": "string", "default": "Equivalent"},
                "timeoutSeconds": {"type": "integer", "default": 10},
                "namespaceSelector": {"type": "object", "default": {}, **_FREE},
                "objectSelector": {"type": "object", "default": {}, **_FREE},
            },
            **_FREE,
        },
    }
}


def _resource(
    group: str, kind: str, plural: str, *short: str, fields: Mapping[str, Any] | None = None, **traits: Any
) -> Resource:
    properties = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": OBJECT_META, **(fields or {})}
    schema: Schema = {"type": "object", "properties": properties, **_FREE}
    return Resource(group, "v1", kind, plural, kind.lower(), schema, short_names=short, **traits)


def builtin_resources() -> list[Resource]:
    """Every resource the sandbox serves without a CRD."""
    admission, extensions = "admissionregistration.k8s.io", "apiextensions.k8s.io"
    cluster: dict[str, Any] = {"namespaced": False, "generation": True, "unconditional": False}
    return [
        _resource("", "Namespace", "namespaces", "ns", namespaced=False, status=True, returns_deleted=True),
        _resource("", "Pod", "pods", "po", status=True, graceful=True, generation=True, returns_deleted=True),
        _resource("", "Event", "events", "ev"),
        _resource("", "Secret", "secrets", fields={"data": _TEXTS}),
        _resource("", "ConfigMap", "configmaps", "cm", fields={"data": _TEXTS}),
        _resource("", "ServiceAccount", "serviceaccounts", "sa", returns_deleted=True),
        _resource("apps", "Deployment", "deployments", "deploy", status=True, generation=True),
        _resource("coordination.k8s.io", "Lease", "leases", unconditional=False),
        _resource(
            admission, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", fields=_CONFIGURED, **cluster
        ),
        _resource(
            admission,
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            fields=_CONFIGURED,
            **cluster,
        ),
        _resource(admission, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", status=True, **cluster),
        _resource(admission, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", **cluster),
        _resource(
            extensions, "CustomResourceDefinition", "customresourcedefinitions", "crd", "crds", status=True, **cluster
        ),
        _resource(
            "authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", namespaced=False, create_only=True
        ),
    ]
