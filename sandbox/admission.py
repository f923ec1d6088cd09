"""Admission: which registered webhooks a write goes to, and what becomes of it by their answers."""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.expressions import CompilationFailed, EvaluationFailed, compiled
from sandbox.failures import ApiError, FieldError, forbidden, internal, invalid_value, not_found, required, unsupported
from sandbox.identity import User
from sandbox.objects import Object, is_being_deleted
from sandbox.patches import json_patch
from sandbox.resources import Resource
from sandbox.selectors import from_object, labels_of
from sandbox.store import Store
from sandbox.webhook_calls import REVIEW, CallFailed, WebhookCalls

CREATE: Final = "CREATE"
UPDATE: Final = "UPDATE"
_GROUP: Final = "admissionregistration.k8s.io"

Hook = Mapping[str, Any]
"""One webhook of a configuration."""


@dataclass(slots=True)
class Write:
    """One write before it is stored. ``warnings`` collects what the caller is warned of."""

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    object: Object
    old: Object | None
    options: Object
    dry_run: bool
    user: User
    warnings: list[str] = field(default_factory=list)

    def request(self) -> Object:
        """The ``request`` of an AdmissionReview without the objects; the uid is new every time."""
        resource = self.resource
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        plural = {"group": resource.group, "version": resource.version, "resource": resource.plural}
        request: Object = {"uid": str(uuid.uuid4()), "kind": kind, "resource": plural, "subResource": self.subresource}
        request |= {"requestKind": kind, "requestResource": plural, "requestSubResource": self.subresource}
        request |= {"name": self.name, "namespace": self.namespace}
        request = {key: value for key, value in request.items() if value}
        request |= {"operation": self.operation, "userInfo": self.user.to_dict()}
        return request | {"dryRun": self.dry_run, "options": self.options}


class Admission:
    """Admission as the stored configurations describe it at the moment of a write. Each webhook is called once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = WebhookCalls()

    def mutate(self, write: Write, complete: Callable[[Object], Object]) -> None:
        """Check the namespace, then let the mutating webhooks change ``write.object``.

        ``complete`` prunes and defaults what a webhook answered. Raises ApiError.
        """
        self._check_namespace(write)
        for hook in self._hooks("mutatingwebhookconfigurations", write):
            response = self._ask(hook, write)
            if response.get("patch"):
                write.object = complete(_patched(hook, response, write.object))

    def validate(self, write: Write) -> None:
        """Ask the validating webhooks. Raises ApiError with the first denial."""
        for hook in self._hooks("validatingwebhookconfigurations", write):
            self._ask(hook, write)

    def _namespace(self, name: str) -> Object | None:
        return self._store.get(("", "namespaces"), ("", name))

    def _check_namespace(self, write: Write) -> None:
        """Nothing is created in a namespace that is absent or is being deleted. Raises ApiError."""
        if not write.resource.namespaced or write.operation != CREATE:
            return
        namespace = self._namespace(write.namespace)
        if namespace is None:
            raise not_found("namespaces", "", write.namespace)
        if is_being_deleted(namespace):
            why = f"unable to create new content in namespace {write.namespace} because it is being terminated"
            problem = forbidden(write.resource.plural, write.resource.group, write.name, why)
            cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
            problem.details = {**(problem.details or {}), "causes": [cause]}
            raise problem

    def _hooks(self, plural: str, write: Write) -> Iterator[Hook]:
        """The webhooks that this write goes to, by name of their configuration and then in its order."""
        if write.resource.group == _GROUP:
            return
        for configuration in self._store.snapshot((_GROUP, plural))[0]:
            yield from (hook for hook in configuration.get("webhooks") or () if self._applies(hook, write))

    def _applies(self, hook: Hook, write: Write) -> bool:
        if not rules_match(hook.get("rules") or (), write):
            return False
        namespace = self._namespace(write.namespace) or {}
        if write.resource.namespaced and not from_object(hook.get("namespaceSelector"))(labels_of(namespace)):
            return False
        selected = from_object(hook.get("objectSelector"))
        if not any(selected(labels_of(state)) for state in (write.object, write.old) if state is not None):
            return False
        try:
            return _conditions_hold(hook.get("matchConditions") or (), write, namespace)
        except EvaluationFailed as problem:
            if hook["failurePolicy"] == "Ignore":
                return False
            raise forbidden(write.resource.plural, write.resource.group, write.name, str(problem)) from None

    def _ask(self, hook: Hook, write: Write) -> Object:
        """The response of the webhook; an empty one if its failure is ignored. Raises ApiError, also on a denial."""
        name = hook["name"]
        request = write.request() | {"object": write.object, "oldObject": write.old}
        review = {"kind": "AdmissionReview", "apiVersion": REVIEW, "request": request}
        try:
            response = self.calls.ask(hook["clientConfig"], review, hook["timeoutSeconds"])
        except CallFailed as problem:
            if hook["failurePolicy"] == "Ignore":
                return {}
            raise internal(f'failed calling webhook "{name}": {problem}') from None
        write.warnings.extend(response.get("warnings") or ())
        if response.get("allowed") is not True:
            raise _denial(name, response.get("status") or {})
        return response


def rules_match(rules: Iterable[Mapping[str, Any]], write: Write) -> bool:
    """True if one of the rules of a webhook names this write."""
    resource = write.resource
    plural = f"{resource.plural}/{write.subresource}" if write.subresource else resource.plural
    attributes = (
        ("operations", write.operation),
        ("apiGroups", resource.group),
        ("apiVersions", resource.version),
        ("resources", plural),
    )
    return any(all({"*", value} & set(rule.get(key) or ()) for key, value in attributes) for rule in rules)


def _conditions_hold(conditions: Iterable[Mapping[str, Any]], write: Write, namespace: Object) -> bool:
    """True if all are. One that is false outweighs any that fail; otherwise raises EvaluationFailed."""
    variables = {"object": write.object, "oldObject": write.old, "request": write.request()}
    variables["namespaceObject"] = namespace
    failure = None
    for condition in conditions:
        try:
            if compiled(condition["expression"].strip()).evaluate(variables) is not True:
                return False
        except EvaluationFailed as problem:
            failure = EvaluationFailed(f"expression '{condition['expression']}' resulted in error: {problem}")
    if failure is not None:
        raise failure
    return True


def _patched(hook: Hook, response: Object, value: Object) -> Object:
    try:
        return json_patch(value, json.loads(base64.b64decode(response["patch"], validate=True)))
    except (ValueError, TypeError, binascii.Error, ApiError) as problem:
        raise internal(f'failed calling webhook "{hook["name"]}": {problem}') from None


def _denial(name: str, status: Object) -> ApiError:
    why = status.get("message") or status.get("reason")
    message = f'admission webhook "{name}" denied the request'
    message = f"{message}: {why}" if why else f"{message} without explanation"
    return ApiError(max(status.get("code") or 400, 400), status.get("reason") or "", message, status.get("details"))


def webhook_errors(configuration: Object) -> Iterator[FieldError]:
    """What keeps a webhook configuration from being stored; what the sandbox cannot call is among it."""
    for index, hook in enumerate(configuration.get("webhooks") or ()):
        path, client = f"webhooks[{index}]", hook.get("clientConfig") or {}
        if hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            yield unsupported(f"{path}.sideEffects", hook.get("sideEffects"), ("None", "NoneOnDryRun"))
        if "v1" not in (hook.get("admissionReviewVersions") or ()):
            yield required(f"{path}.admissionReviewVersions", "the sandbox sends v1 alone")
        if ("url" in client) == ("service" in client):
            yield required(f"{path}.clientConfig", "exactly one of url or service is required")
        for rule in hook.get("rules") or ():
            for operation in set(rule.get("operations") or ()) - {CREATE, UPDATE}:
                yield unsupported(f"{path}.rules.operations", operation, (CREATE, UPDATE))
        for position, condition in enumerate(hook.get("matchConditions") or ()):
            try:
                compiled(condition["expression"].strip())
            except CompilationFailed as problem:
                where = f"{path}.matchConditions[{position}].expression"
                yield invalid_value(where, condition["expression"], f"compilation failed: {problem}")
