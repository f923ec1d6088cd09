"""Policies and webhooks."""

from typing import Any, Final

from tests.e2e.conformance.steps import (
    BINDINGS,
    HOOKS,
    POLICIES,
    SPA,
    Object,
    Step,
    apply,
    delete,
    patch,
    post,
    spa,
)

RULE: Final[Object] = {
    "apiGroups": ["serving.knative.dev"],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["stagepodautoscalers"],
}
HERE: Final[Object] = {"matchLabels": {"kubernetes.io/metadata.name": "{ns}"}}


def policy(name: str, **spec: Any) -> Object:
    constraints = {"resourceRules": [RULE], "namespaceSelector": HERE}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    return {**head, "metadata": {"name": name}, "spec": {"matchConstraints": constraints, **spec}}


def binding(*actions: str) -> Object:
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding"}
    return {**head, "metadata": {"name": "{ns}"}, "spec": {"policyName": "{ns}", "validationActions": list(actions)}}


def hooks(**settings: Any) -> Object:
    hook = {
        "name": "a.b.c",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:1/x"},
        "rules": [RULE],
        "namespaceSelector": HERE,
        **settings,
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**head, "metadata": {"name": "{ns}"}, "webhooks": [hook]}


ADMISSION: Final = [
    post(
        POLICIES,
        policy(
            "{ns}",
            validations=[
                {
                    "expression": "!has(object.spec.stageMinScale) || object.spec.stageMinScale < 5",
                    "message": "too high",
                },
                {
                    "expression": "object.metadata.name != 'bad'",
                    "messageExpression": "'it is ' + object.metadata.name",
                    "reason": "Forbidden",
                },
            ],
            variables=[{"name": "n", "expression": "object.metadata.name"}],
        ),
    ),
    post(BINDINGS, binding("Deny")),
    post(POLICIES, policy("x{ns}", validations=[{"expression": "nope.x"}])),
    post(POLICIES, policy("x{ns}", validations=[{"expression": "1 +"}])),
    Step("POST", f"{SPA}?dryRun=All", spa("a", {"stageMinScale": 7}), until=422),
    post(SPA, spa("bad", {"stageMinScale": 1})),
    post(SPA, spa("bad", {"stageMinScale": 7})),
    post(SPA, spa("ok", {"stageMinScale": 1})),
    patch(f"{SPA}/ok", {"spec": {"stageMinScale": 8}}),
    apply(f"{SPA}/ok", spa("ok", {"stageMaxScale": 9})),
    delete(f"{BINDINGS}/{{ns}}"),
    Step("POST", f"{SPA}?dryRun=All", spa("a", {"stageMinScale": 7}), until=201),
    post(BINDINGS, binding("Warn")),
    post(HOOKS, hooks(sideEffects="Some")),
    post(HOOKS, hooks(clientConfig={})),
    post(HOOKS, hooks(matchConditions=[{"name": "x", "expression": "bad.x"}])),
    post(HOOKS, hooks()),
    Step("POST", f"{SPA}?dryRun=All", spa("b", {}), until=500),
    delete(f"{HOOKS}/{{ns}}"),
    delete(f"{BINDINGS}/{{ns}}"),
    delete(f"{POLICIES}/{{ns}}"),
]
