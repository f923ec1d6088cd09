"""Calling the registered webhooks and taking their answers."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.admission.attributes import DECLARED, Attributes, rules_match, selectors_match
from sandbox.admission.conditions import conditions_hold
from sandbox.admission.policies import expression_findings
from sandbox.admission.transport import CallFailed, Transport
from sandbox.expressions import EvaluationFailed
from sandbox.failures import ApiError, FieldError, StatusError, internal, required, unsupported
from sandbox.objects import Object, name_of
from sandbox.patches import json_patch

_REVIEW: Final = "admission.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of one configuration."""

    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.settings["name"])

    @property
    def ignores_failure(self) -> bool:
        return self.settings.get("failurePolicy") == "Ignore"

    @property
    def reinvoked(self) -> bool:
        return self.settings.get("reinvocationPolicy") == "IfNeeded"


def hooks_of(configurations: Sequence[Object]) -> list[Hook]:
    """All webhooks, by name of their configuration and then in its order."""
    ordered = sorted(configurations, key=name_of)
    return [Hook(settings) for configuration in ordered for settings in configuration.get("webhooks") or ()]


def applies(hook: Hook, attributes: Attributes) -> bool:
    """Whether this write is sent to the webhook. Raises ApiError where a condition fails and the policy is Fail."""
    if attributes.exempt or not rules_match(hook.settings.get("rules") or (), attributes):
        return False
    if not selectors_match(hook.settings, attributes):
        return False
    try:
        return conditions_hold(hook.settings.get("matchConditions") or (), attributes)
    except EvaluationFailed as problem:
        if hook.ignores_failure:
            return False
        resource = attributes.resource
        raise ApiError(
            403,
            "Forbidden",
            f'{resource.qualified} "{attributes.name}" is forbidden: {problem}',
            {"name": attributes.name, "group": resource.group, "kind": resource.plural},
        ) from None


def validate(hooks: Sequence[Hook], attributes: Attributes, transport: Transport) -> None:
    """Ask every validating webhook. Raises ApiError with the first denial."""
    for hook in hooks:
        if applies(hook, attributes):
            _ask(hook, attributes, transport)


def mutate(hooks: Sequence[Hook], attributes: Attributes, transport: Transport) -> Iterator[Object]:
    """Ask every mutating webhook in turn; yields each changed object, which the caller completes and puts back.

    Those with reinvocation policy IfNeeded are asked once more if a later one changed the object.
    """
    asked: list[Hook] = []
    again: list[Hook] = []
    for hook in hooks:
        if not applies(hook, attributes):
            continue
        changed = _patched(hook, attributes, transport)
        if changed is not None:
            again = [earlier for earlier in asked if earlier.reinvoked]
            yield changed
        asked.append(hook)
    for hook in again:
        if applies(hook, attributes):
            changed = _patched(hook, attributes, transport)
            if changed is not None:
                yield changed


def _patched(hook: Hook, attributes: Attributes, transport: Transport) -> Object | None:
    response = _ask(hook, attributes, transport)
    if not response or not response.get("patch") or attributes.object is None:
        return None
    try:
        if response.get("patchType") != "JSONPatch":
            raise ValueError(f"webhook returned response.patchType={response.get('patchType')!r}, expected JSONPatch")
        operations = json.loads(base64.b64decode(response["patch"], validate=True))
        changed = json_patch(attributes.object, operations)
    except (ValueError, TypeError, binascii.Error, ApiError) as problem:
        raise internal(f"failed calling webhook {json.dumps(hook.name)}: {problem}") from None
    return changed if changed != attributes.object else None


def _ask(hook: Hook, attributes: Attributes, transport: Transport) -> Object | None:
    """The response of the webhook; None if its failure is ignored. Raises ApiError on denial and failure."""
    if attributes.dry_run and hook.settings.get("sideEffects") not in ("None", "NoneOnDryRun"):
        raise ApiError(
            400,
            "BadRequest",
            f'admission webhook "{hook.name}" does not support dry run',
        )
    request = attributes.request()
    request |= {"object": attributes.object, "oldObject": attributes.old}
    review = {"kind": "AdmissionReview", "apiVersion": _REVIEW, "request": request}
    try:
        answer = transport.call(hook.settings["clientConfig"], review, hook.settings.get("timeoutSeconds") or 10)
        response = _response(answer, request["uid"])
    except CallFailed as problem:
        if hook.ignores_failure:
            return None
        raise internal(f'failed calling webhook "{hook.name}": {problem}') from None
    warnings = response.get("warnings")
    attributes.warnings.extend(w for w in warnings if isinstance(w, str)) if isinstance(warnings, list) else None
    if response.get("allowed") is not True:
        raise _denial(hook.name, response.get("status"))
    return response


def _response(answer: Any, uid: str) -> Object:
    if not isinstance(answer, dict) or (answer.get("apiVersion"), answer.get("kind")) != (_REVIEW, "AdmissionReview"):
        raise CallFailed(
            f"received invalid webhook response: expected webhook response of {_REVIEW}, Kind=AdmissionReview"
        )
    response = answer.get("response")
    if not isinstance(response, dict):
        raise CallFailed("received invalid webhook response: webhook response was absent")
    if response.get("uid") != uid:
        raise CallFailed(
            f'received invalid webhook response: expected response.uid="{uid}", got "{response.get("uid") or ""}"'
        )
    return response


def _denial(name: str, status: Any) -> StatusError:
    told = f'admission webhook "{name}" denied the request'
    result: Object = dict(status) if isinstance(status, dict) else {}
    code = result.get("code")
    result["code"] = code if isinstance(code, int) and code >= 400 else 400
    if result.get("status") in (None, "", "Success"):
        result["status"] = "Failure"
    why = result.get("message") or result.get("reason")
    result["message"] = f"{told}: {why}" if why else f"{told} without explanation"
    return StatusError(result)


def findings(configuration: Object) -> Iterator[FieldError]:
    """What keeps a webhook configuration from being stored; what the sandbox cannot call is among it."""
    for index, settings in enumerate(configuration.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        if settings.get("sideEffects") not in ("None", "NoneOnDryRun"):
            yield unsupported(f"{path}.sideEffects", settings.get("sideEffects"), ("None", "NoneOnDryRun"))
        if "v1" not in (settings.get("admissionReviewVersions") or ()):
            yield required(f"{path}.admissionReviewVersions", "the sandbox sends v1 alone")
        client = settings.get("clientConfig") or {}
        if ("url" in client) == ("service" in client):
            yield required(f"{path}.clientConfig", "exactly one of url or service is required")
        for position, condition in enumerate(settings.get("matchConditions") or ()):
            yield from expression_findings(f"{path}.matchConditions[{position}]", condition, DECLARED)
