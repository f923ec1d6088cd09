"""What only some built-in kinds have: members that are filled in, and rules of their own."""

import base64
from collections.abc import Iterator

from sandbox import definitions
from sandbox.admission import policies, webhooks
from sandbox.failures import FieldError
from sandbox.objects import Object, metadata, same, with_metadata
from sandbox.resources import Resource


def completed_kind(value: Object, resource: Resource) -> Object:
    """The object with what its kind derives from what was sent."""
    if resource.custom:
        return value
    name = metadata(value).get("name")
    if resource.kind == "CustomResourceDefinition":
        return definitions.complete(value)
    if resource.kind == "Namespace" and name:
        labels = {**(metadata(value).get("labels") or {}), "kubernetes.io/metadata.name": name}
        return with_metadata(value, labels=labels)
    if resource.kind == "Secret":
        return _with_text(value)
    return value


def initial_state(value: Object, resource: Resource) -> Object:
    """A new object with the state that its kind begins in."""
    if resource.custom:
        return value
    if resource.kind == "Namespace":
        return {**value, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    if resource.kind == "Pod":
        return {**value, "status": {"phase": "Pending"}}
    return value


def accepted(value: Object, resource: Resource, live: Object | None, now: str) -> Object:
    """A definition with the status that says it is served; any other object as it is."""
    if resource.custom or resource.kind != "CustomResourceDefinition":
        return value
    changed = live is None or not same(value["spec"].get("names"), live["spec"].get("names"))
    return {**value, "status": definitions.accepted(value, now)} if changed else value


def kind_errors(value: Object, resource: Resource) -> Iterator[FieldError]:
    """What the kind's own rules find."""
    if resource.custom:
        return
    if resource.kind == "CustomResourceDefinition":
        yield from definitions.findings(value)
    elif resource.kind == "ValidatingAdmissionPolicy":
        yield from policies.findings(value)
    elif resource.kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        yield from webhooks.findings(value)


def _with_text(secret: Object) -> Object:
    texts = secret.get("stringData") or {}
    stated = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    rest = {name: member for name, member in secret.items() if name != "stringData"}
    data = {**(secret.get("data") or {}), **stated}
    return {"type": "Opaque", **rest, **({"data": data} if data else {})}
