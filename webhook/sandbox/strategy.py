"""What a server does to metadata, status and generation before it stores an object, and what it insists on."""

import re
import uuid
from collections.abc import Iterator
from typing import Any, Final

from webhook.sandbox import definitions
from webhook.sandbox.failures import FieldError, bad_request, forbidden_field, invalid_value, required
from webhook.sandbox.objects import Object, generated_name, go_value, metadata, same
from webhook.sandbox.resources import Resource

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LARGEST_ANNOTATIONS: Final = 256 * 1024
_OWNED_BY_SERVER: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def merged_metadata(value: Object, **members: Any) -> Object:
    """The object with these members of its metadata; None removes one."""
    changed = {**metadata(value), **members}
    return {**value, "metadata": {name: member for name, member in changed.items() if member is not None}}


def place_in(value: Object, resource: Resource, namespace: str) -> Object:
    """The object in the namespace of the request. Raises ApiError 400 if it says another."""
    stated = metadata(value).get("namespace") or ""
    if not resource.namespaced:
        return merged_metadata(value, namespace=None)
    if stated and stated != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return merged_metadata(value, namespace=namespace)


def begin(value: Object, now: str) -> Object:
    """What a new object gets after the mutating webhooks: name, uid and time of creation."""
    meta = metadata(value)
    name = meta.get("name") or (generated_name(meta["generateName"]) if meta.get("generateName") else None)
    removed = dict.fromkeys(("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"))
    return merged_metadata(value, **removed, name=name, uid=str(uuid.uuid4()), creationTimestamp=now)


def prepare_create(value: Object, resource: Resource) -> Object:
    """The object as it is first stored: no status of its own making, generation 1."""
    value = merged_metadata(value, generation=1 if resource.generation else None)
    if resource.status:
        value = {name: member for name, member in value.items() if name != "status"}
    if resource.kind == "Namespace" and not resource.group:
        value = {**value, "spec": {"finalizers": ["kubernetes"]}}
    if resource.kind == "Pod" and not resource.custom:
        value = {**value, "status": {"phase": "Pending", "qosClass": _quality(value.get("spec") or {})}}
    return value


def _quality(spec: Object) -> str:
    """The quality of service that the resources of its containers give a pod."""
    stated = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(resources.get("requests") or resources.get("limits") for resources in stated):
        return "BestEffort"
    whole = all(
        {"cpu", "memory"} <= (resources.get("limits") or {}).keys()
        and (resources.get("requests") or resources["limits"]) == resources["limits"]
        for resources in stated
    )
    return "Guaranteed" if whole else "Burstable"


def decoded(value: Object, resource: Resource) -> Object:
    """A built-in object with what its decoding adds: a namespace's name as label, a secret's text as data."""
    if resource.kind == "CustomResourceDefinition" and not resource.custom:
        return definitions.complete(value)
    if resource.kind == "Deployment" and resource.group == "apps":
        spec = value.get("spec") or {}
        template = spec.get("template") or {}
        inner = {**template, "spec": _pulled(template.get("spec") or {})}
        return {**value, "spec": {**spec, "template": inner}}
    if resource.custom or resource.group:
        return value
    if resource.kind == "Pod":
        value = {**value, "spec": {"enableServiceLinks": True, **_pulled(value.get("spec") or {})}}
    if resource.kind == "Namespace" and metadata(value).get("name"):
        labels = {**(metadata(value).get("labels") or {}), "kubernetes.io/metadata.name": metadata(value).get("name")}
        value = merged_metadata(value, labels=labels)
    if resource.kind == "Secret" and value.get("stringData"):
        value = _with_text(value)
    return value


def _pulled(spec: Object) -> Object:
    """A pod's spec in which every container says when its image is pulled: always, unless a tag pins it."""
    changed = dict(spec)
    for name in ("initContainers", "containers"):
        if isinstance(spec.get(name), list):
            changed[name] = [_with_policy(container) for container in spec[name]]
    return changed


def _with_policy(container: Object) -> Object:
    tag = str(container.get("image") or "").rpartition("/")[2].partition(":")[2] or "latest"
    pinned = tag != "latest" or "@" in str(container.get("image"))
    return {"imagePullPolicy": "IfNotPresent" if pinned else "Always", **container}


def admitted(value: Object, resource: Resource) -> Object:
    """A new pod with what a real API server's own admission adds: priority and two tolerations."""
    if resource.kind != "Pod" or resource.custom:
        return value
    spec = {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", **(value.get("spec") or {})}
    spec["tolerations"] = list(spec.get("tolerations") or ())
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(toleration.get("key") in (None, key) for toleration in spec["tolerations"]):
            added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec["tolerations"].append(added)
    return {**value, "spec": spec}


def _with_text(secret: Object) -> Object:
    import base64

    stated = {key: base64.b64encode(str(text).encode()).decode() for key, text in secret["stringData"].items()}
    rest = {name: member for name, member in secret.items() if name != "stringData"}
    return {**rest, "data": {**(secret.get("data") or {}), **stated}}


def prepare_update(value: Object, live: Object, resource: Resource, subresource: str) -> Object:
    """The new object with everything this write cannot touch taken from the live one."""
    if subresource == "status":
        return _status_update(value, live, resource)
    if resource.status:
        value = {name: member for name, member in value.items() if name != "status"}
        if "status" in live:
            value["status"] = live["status"]
    kept = {name: metadata(live).get(name) for name in _OWNED_BY_SERVER}
    if metadata(value).get("uid"):
        kept.pop("uid")
    value = merged_metadata(value, **kept, generation=metadata(live).get("generation"))
    if resource.generation and _spec_differs(value, live, resource):
        value = merged_metadata(value, generation=int(metadata(live).get("generation") or 0) + 1)
    return value


def _status_update(value: Object, live: Object, resource: Resource) -> Object:
    result = {name: member for name, member in live.items() if name != "status"}
    if "status" in value:
        result["status"] = value["status"]
    kept: Object = {"managedFields": metadata(value).get("managedFields")}
    if not resource.custom:
        kept |= {name: metadata(value).get(name) for name in ("labels", "annotations", "finalizers")}
    return merged_metadata(result, **kept, resourceVersion=metadata(value).get("resourceVersion"))


def _spec_differs(value: Object, live: Object, resource: Resource) -> bool:
    beside = {"metadata", "status"} if resource.status or not resource.custom else {"metadata"}
    return not same(
        {name: member for name, member in value.items() if name not in beside},
        {name: member for name, member in live.items() if name not in beside},
    )


def metadata_errors(value: Object, resource: Resource, live: Object | None = None) -> Iterator[FieldError]:
    """What is wrong with the metadata of an object that is about to be stored."""
    meta = metadata(value)
    if live is None:
        yield from _name_errors(meta, resource)
    else:
        found = list(_update_errors(meta, metadata(live)))
        yield from found * 2 if resource.custom else found  # custom resources are checked twice, and say so
    yield from _label_errors(meta.get("labels") or {})
    yield from _annotation_errors(meta.get("annotations") or {})
    yield from _owner_errors(meta.get("ownerReferences") or [])
    for finalizer in meta.get("finalizers") or []:
        if not _is_qualified(str(finalizer)):
            yield invalid_value("metadata.finalizers", finalizer, _QUALIFIED_TEXT)


def finalizer_warnings(value: Object, live: Object | None) -> list[str]:
    """What a custom object's new finalizers deserve to be told."""
    before = metadata(live).get("finalizers") or () if live is not None else ()
    return [
        f"metadata.finalizers: {go_value(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental "
        "conflicts with other finalizer writers"
        for finalizer in metadata(value).get("finalizers") or ()
        if "/" not in finalizer and finalizer not in (*before, "orphan", "foregroundDeletion")
    ]


def _name_errors(meta: Object, resource: Resource) -> Iterator[FieldError]:
    name = str(meta.get("name") or "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource.kind == "Namespace":
        if not re.fullmatch(_LABEL, name) or len(name) > 63:
            yield invalid_value("metadata.name", name, _LABEL_TEXT)
    elif len(name) > 253:
        yield invalid_value("metadata.name", name, "must be no more than 253 bytes")
    elif not re.fullmatch(_SUBDOMAIN, name):
        yield invalid_value("metadata.name", name, _SUBDOMAIN_TEXT)


def _update_errors(meta: Object, live: Object) -> Iterator[FieldError]:
    if "deletionTimestamp" in live:
        new = [f for f in meta.get("finalizers") or [] if f not in (live.get("finalizers") or [])]
        if new:
            listed = ", ".join(go_value(f) for f in new)
            yield forbidden_field(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}",
            )
    for member in ("namespace", "uid"):
        if meta.get(member) != live.get(member):
            yield invalid_value(f"metadata.{member}", meta.get(member) or "", "field is immutable")


def _label_errors(labels: Object) -> Iterator[FieldError]:
    for key, value in labels.items():
        if not _is_qualified(key):
            yield invalid_value("metadata.labels", key, _QUALIFIED_TEXT)
        text = str(value)
        if len(text) > 63:
            yield invalid_value("metadata.labels", text, "must be no more than 63 bytes")
        if not re.fullmatch(rf"({_QUALIFIED})?", text):
            yield invalid_value("metadata.labels", text, _LABEL_VALUE_TEXT)


def _annotation_errors(annotations: Object) -> Iterator[FieldError]:
    for key in annotations:
        if not _is_qualified(key.lower()):
            yield invalid_value("metadata.annotations", key, _QUALIFIED_TEXT)
    if (
        sum(len(str(key).encode()) + len(str(text).encode()) for key, text in annotations.items())
        > _LARGEST_ANNOTATIONS
    ):
        yield FieldError("Too long", "metadata.annotations", "", f"may not be more than {_LARGEST_ANNOTATIONS} bytes")


def _owner_errors(owners: list[Object]) -> Iterator[FieldError]:
    controllers = []
    for owner in owners:
        path = "metadata.ownerReferences"
        for member in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(member):
                yield invalid_value(f"{path}.{member}", owner.get(member) or "", "must not be empty")
        if owner.get("controller"):
            controllers.append(owner)
    if len(controllers) > 1:
        names = " and ".join(f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        yield invalid_value(
            "metadata.ownerReferences",
            owners,
            f'Only one reference can have Controller set to true. Found "true" in references for {names}',
        )


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not re.fullmatch(_SUBDOMAIN, prefix)):
        return False
    return len(name) <= 63 and re.fullmatch(_QUALIFIED, name) is not None


_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
