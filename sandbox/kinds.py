"""What only some built-in kinds have: completion and rules of their own."""

from collections.abc import Iterator

from sandbox import definitions
from sandbox.admission import policies, webhooks
from sandbox.failures import FieldError, forbidden_field, invalid_value
from sandbox.objects import Object, same
from sandbox.resources import Resource


def complete_kind(value: Object, resource: Resource, live: Object | None, now: str) -> Object:
    """The object with what its kind's own controller or strategy adds."""
    if resource.custom:
        return value
    if resource.kind == "CustomResourceDefinition":
        changed = live is None or not same(value["spec"].get("names"), live["spec"].get("names"))
        return {**value, "status": definitions.accepted(value, now)} if changed else value
    return value


def kind_errors(value: Object, resource: Resource, live: Object | None) -> Iterator[FieldError]:
    """What the kind's own rules find."""
    if resource.custom:
        return
    if resource.kind == "CustomResourceDefinition":
        yield from definitions.findings(value)
    elif resource.kind == "ValidatingAdmissionPolicy":
        yield from policies.findings(value)
    elif resource.kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        yield from webhooks.findings(value)
    elif resource.kind == "Secret" and live is not None and value.get("type") != live.get("type"):
        yield invalid_value("type", value.get("type"), "field is immutable")
    elif resource.kind == "Pod" and live is not None:
        yield from _pod_errors(value, live)


def _pod_errors(value: Object, live: Object) -> Iterator[FieldError]:
    before, after = _fixed(live["spec"]), _fixed(value["spec"])
    if not same(before, after):
        yield forbidden_field(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _fixed(spec: Object) -> Object:
    kept = {name: member for name, member in spec.items() if name not in ("activeDeadlineSeconds", "tolerations")}
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [{k: v for k, v in container.items() if k != "image"} for container in kept[name]]
    if not spec.get("nodeName"):
        kept.pop("schedulingGates", None)
    return kept
