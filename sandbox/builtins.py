"""The built-in kinds, with as much of their schemas as field ownership and defaulting need."""

from typing import Any, Final

from sandbox.resources import Resource, Schema

FREE: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_FLAG: Final[Schema] = {"type": "boolean"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
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
        **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), _TEXT),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TEXT),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _NUMBER),
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "ownerReferences": _OWNERS,
        "managedFields": {"type": "array", "items": {"type": "object", **FREE}},
    },
}
"""The schema of ``metadata``, of custom resources too."""

_WEBHOOKS: Final[Schema] = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object",
        "properties": {
            "failurePolicy": {"type": "string", "default": "Fail"},
            "matchPolicy": {"type": "string", "default": "Equivalent"},
            "timeoutSeconds": {"type": "integer", "default": 10},
            "namespaceSelector": {"type": "object", "default": {}, **FREE},
            "objectSelector": {"type": "object", "default": {}, **FREE},
        },
        **FREE,
    },
}


def builtin_resources() -> list[Resource]:
    """Every resource the sandbox serves without a CRD."""
    admission = "admissionregistration.k8s.io"
    hooks: dict[str, Any] = {"namespaced": False, "fields": {"webhooks": _WEBHOOKS}}
    data = {"data": _TEXTS}
    return [
        _resource("", "Namespace", "namespaces", "ns", namespaced=False, status=True),
        _resource("", "Pod", "pods", "po", status=True),
        _resource("", "Event", "events", "ev"),
        _resource("", "Secret", "secrets", fields=data),
        _resource("", "ConfigMap", "configmaps", "cm", fields=data),
        _resource("", "ServiceAccount", "serviceaccounts", "sa"),
        _resource("apps", "Deployment", "deployments", "deploy", status=True),
        _resource("coordination.k8s.io", "Lease", "leases"),
        _resource(admission, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", **hooks),
        _resource(admission, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", **hooks),
        _resource(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            "crd",
            namespaced=False,
            status=True,
        ),
    ]


def _resource(group: str, kind: str, plural: str, *short: str, fields: Schema | None = None, **traits: Any) -> Resource:
    properties = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": OBJECT_META, **(fields or {})}
    schema: Schema = {"type": "object", "properties": properties, **FREE}
    return Resource(group, "v1", kind, plural, schema, short_names=short, **traits)
