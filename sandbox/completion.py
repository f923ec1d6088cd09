"""What decoding and built-in admission add to objects of built-in kinds."""

import base64

from sandbox import definitions
from sandbox.objects import Object, metadata, with_metadata
from sandbox.resources import Resource


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
        value = with_metadata(value, labels=labels)
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


def quality_of_service(spec: Object) -> str:
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


def _with_text(secret: Object) -> Object:
    stated = {key: base64.b64encode(str(text).encode()).decode() for key, text in secret["stringData"].items()}
    rest = {name: member for name, member in secret.items() if name != "stringData"}
    return {**rest, "data": {**(secret.get("data") or {}), **stated}}
