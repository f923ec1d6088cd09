"""The built-in kinds, with schemas taken from the models of the Kubernetes client."""

import functools
import types
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Union, get_args, get_origin

import yaml
from kubernetes.client import models
from pydantic import BaseModel

from sandbox.resources import Column, Resource, Schema

_RECURSIVE: Final = frozenset({"V1JSONSchemaProps"})
_FREE: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}
_SCALARS: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
}
_AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")


@functools.cache
def _overlay() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    text = files(__package__).joinpath("builtins.yaml").read_text()
    loaded: Mapping[str, Mapping[str, Mapping[str, Any]]] = yaml.safe_load(text)
    return loaded


@functools.cache
def model_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model of the client, shared between all who ask; never change it."""
    if model.__name__ in _RECURSIVE:
        return {"type": "object", **_FREE}
    overlay = _overlay().get(model.__name__, {})
    properties: dict[str, Schema] = {}
    needed = []
    for attribute, info in model.model_fields.items():
        name = info.serialization_alias or attribute
        extras = overlay.get(name, {})
        properties[name] = _extended(_type_schema(info.annotation), extras)
        if info.description:
            properties[name] = {"description": info.description} | properties[name]
        if extras.get("required"):
            needed.append(name)
    schema: Schema = {"type": "object", "properties": properties}
    if overlay.get("all", {}).get("atomic"):
        schema["x-kubernetes-map-type"] = "atomic"
    return schema | {"required": needed} if needed else schema


def _type_schema(annotation: Any) -> Schema:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        if len(options) == 1:
            return _type_schema(options[0])
        kinds = [_type_schema(option).get("type") for option in options]
        if sorted(map(str, kinds)) == ["integer", "string"]:
            return {"x-kubernetes-int-or-string": True}
        return {"type": "number"} if set(kinds) == {"integer", "number"} else dict(_FREE)
    if hasattr(annotation, "__metadata__"):
        return _type_schema(annotation.__origin__)
    if origin is list:
        return {"type": "array", "items": _type_schema(get_args(annotation)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type_schema(get_args(annotation)[1])}
    if annotation in _SCALARS:
        return dict(_SCALARS[annotation])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return model_schema(annotation)
    return dict(_FREE)


def _extended(schema: Schema, extras: Mapping[str, Any]) -> Schema:
    schema = dict(schema)
    if extras.get("keys"):
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": extras["keys"]}
        schema["x-kubernetes-patch-merge-key"] = extras.get("merge", extras["keys"][0])
    elif extras.get("set"):
        schema["x-kubernetes-list-type"] = "set"
    elif extras.get("atomic"):
        schema["x-kubernetes-list-type" if schema.get("type") == "array" else "x-kubernetes-map-type"] = "atomic"
    if extras.get("quantities"):
        schema["additionalProperties"] = {"x-kubernetes-int-or-string": True}
    if extras.get("only"):
        inner = schema.get("items")
        if inner:
            schema["items"] = {**inner, "enum": extras["only"]}
        else:
            schema["enum"] = extras["only"]
    if "default" in extras:
        schema["default"] = extras["default"]
        if extras["default"] is None:
            schema["nullable"] = True
    if extras.get("struct"):
        schema["x-stagegate-struct"] = True
    return schema


OBJECT_META: Final = model_schema(models.V1ObjectMeta)
"""The schema of ``metadata``, of custom resources too."""


def builtin_resources() -> list[Resource]:
    """Every resource the sandbox serves without a CRD."""
    admission, extensions = "admissionregistration.k8s.io", "apiextensions.k8s.io"

    def make(group: str, model: Any, kind: str, plural: str, *short: str, **traits: Any) -> Resource:
        traits.setdefault("columns", (_AGE,))
        singular = kind.lower()
        return Resource(group, "v1", kind, plural, singular, model_schema(model), short_names=short, **traits)

    phase, owner = Column("Status", "string", ".status.phase"), Column("Holder", "string", ".spec.holderIdentity")
    spec_only: dict[str, Any] = {"namespaced": False, "generation": True}
    return [
        make(
            "",
            models.V1Namespace,
            "Namespace",
            "namespaces",
            "ns",
            namespaced=False,
            status=True,
            returns_deleted=True,
            columns=(phase, _AGE),
        ),
        make(
            "",
            models.V1Pod,
            "Pod",
            "pods",
            "po",
            categories=("all",),
            status=True,
            graceful=True,
            generation=True,
            returns_deleted=True,
        ),
        make("", models.CoreV1Event, "Event", "events", "ev"),
        make("events.k8s.io", models.EventsV1Event, "Event", "events", "ev", stored_in=("", "events")),
        make("", models.V1Secret, "Secret", "secrets"),
        make("", models.V1ConfigMap, "ConfigMap", "configmaps", "cm"),
        make("", models.V1ServiceAccount, "ServiceAccount", "serviceaccounts", "sa", returns_deleted=True),
        make(
            "apps",
            models.V1Deployment,
            "Deployment",
            "deployments",
            "deploy",
            categories=("all",),
            status=True,
            generation=True,
        ),
        make(
            "coordination.k8s.io",
            models.V1Lease,
            "Lease",
            "leases",
            unconditional=False,
            create_on_update=True,
            columns=(owner, _AGE),
        ),
        make(
            admission,
            models.V1MutatingWebhookConfiguration,
            "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations",
            categories=("api-extensions",),
            unconditional=False,
            **spec_only,
        ),
        make(
            admission,
            models.V1ValidatingWebhookConfiguration,
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            categories=("api-extensions",),
            unconditional=False,
            **spec_only,
        ),
        make(
            admission,
            models.V1ValidatingAdmissionPolicy,
            "ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            categories=("api-extensions",),
            status=True,
            unconditional=False,
            **spec_only,
        ),
        make(
            admission,
            models.V1ValidatingAdmissionPolicyBinding,
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
            categories=("api-extensions",),
            unconditional=False,
            **spec_only,
        ),
        make(
            extensions,
            models.V1CustomResourceDefinition,
            "CustomResourceDefinition",
            "customresourcedefinitions",
            "crd",
            "crds",
            categories=("api-extensions",),
            status=True,
            unconditional=False,
            columns=(Column("Created At", "date", ".metadata.creationTimestamp"),),
            **spec_only,
        ),
        make(
            "authentication.k8s.io",
            models.V1SelfSubjectReview,
            "SelfSubjectReview",
            "selfsubjectreviews",
            namespaced=False,
            create_only=True,
        ),
    ]
