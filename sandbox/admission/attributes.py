"""What is asked, as admission sees it, and which rules it matches."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.identity import User
from sandbox.objects import Object, metadata
from sandbox.resources import Resource
from sandbox.selectors import from_object, labels_of

CREATE: Final = "CREATE"
UPDATE: Final = "UPDATE"
DELETE: Final = "DELETE"
_EXEMPT: Final = frozenset(
    {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
    | {"validatingadmissionpolicies", "validatingadmissionpolicybindings"}
)


@dataclass(slots=True)
class Attributes:
    """One write before it is stored. ``warnings`` collects what the caller is to be told."""

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    object: Object | None
    old: Object | None
    options: Object
    dry_run: bool
    user: User
    namespace_object: Object | None
    warnings: list[str] = field(default_factory=list)

    @property
    def exempt(self) -> bool:
        """The configuration of admission itself is not subject to it, so that a wrong one can be mended."""
        return self.resource.group == "admissionregistration.k8s.io" and self.resource.plural in _EXEMPT

    def request(self) -> Object:
        """The ``request`` of an AdmissionReview without the objects; the uid is new every time."""
        resource = self.resource
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        plural = {"group": resource.group, "version": resource.version, "resource": resource.plural}
        request: Object = {"uid": str(uuid.uuid4()), "kind": kind, "resource": plural}
        if self.subresource:
            request["subResource"] = self.subresource
        request |= {"requestKind": kind, "requestResource": plural}
        if self.subresource:
            request["requestSubResource"] = self.subresource
        if self.name:
            request["name"] = self.name
        if self.namespace:
            request["namespace"] = self.namespace
        request |= {"operation": self.operation, "userInfo": self.user.to_dict()}
        return request | {"dryRun": self.dry_run, "options": self.options}

    def variables(self) -> dict[str, Any]:
        """What expressions may name."""
        return {
            "object": self.object,
            "oldObject": self.old,
            "request": self.request(),
            "namespaceObject": self.namespace_object,
        }


DECLARED: Final = frozenset({"object", "oldObject", "request", "namespaceObject"})


def rules_match(rules: Iterable[Mapping[str, Any]], attributes: Attributes) -> bool:
    """Whether one of the rules of a webhook or policy names this write."""
    return any(_rule_matches(rule, attributes) for rule in rules)


def _rule_matches(rule: Mapping[str, Any], attributes: Attributes) -> bool:
    resource = attributes.resource
    scope = rule.get("scope") or "*"
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("operations"), attributes.operation)
        and _has(rule.get("apiGroups"), resource.group)
        and _has(rule.get("apiVersions"), resource.version)
        and any(_resource_matches(pattern, attributes) for pattern in rule.get("resources") or ())
        and (scope == "*" or (scope == "Namespaced") == bool(attributes.namespace and resource.namespaced))
        and (not names or attributes.name in names)
    )


def _has(options: Iterable[str] | None, value: str) -> bool:
    held = list(options or ())
    return "*" in held or value in held


def _resource_matches(pattern: str, attributes: Attributes) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in ("*", attributes.resource.plural) and subresource in (
        ("*", attributes.subresource) if subresource else (attributes.subresource,)
    )


def selectors_match(settings: Mapping[str, Any], attributes: Attributes) -> bool:
    """Whether namespace and object selector let this write through; either state of the object may match."""
    by_namespace = from_object(settings.get("namespaceSelector"))
    if (attributes.resource.group, attributes.resource.plural) == ("", "namespaces"):
        if not by_namespace(labels_of(attributes.object or attributes.old or {})):
            return False
    elif attributes.resource.namespaced and not by_namespace(labels_of(attributes.namespace_object or {})):
        return False
    by_object = from_object(settings.get("objectSelector"))
    states = [state for state in (attributes.object, attributes.old) if state is not None and metadata(state)]
    return any(by_object(labels_of(state)) for state in states) or not states
