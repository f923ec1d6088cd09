"""Who is spared and when: webhook, match conditions, policies and bindings of one install say the same."""

from collections.abc import Mapping

import pytest

from sandbox.expressions import compiled
from sandbox.selectors import from_object
from tests.kustomize import rendered
from tests.manifests.exemption import (
    KNATIVE,
    PERSON,
    Install,
    Wire,
    leaves_out_the_same_namespaces,
    spares_the_loop,
    spares_the_same_accounts,
)
from webhook.admission import DEFAULT_CONTROLLERS, RolloutCache, judge


def installed(*chosen: str) -> Install:
    return Install(rendered(*chosen))


def test_webhook_conditions_and_policies_spare_the_same_accounts() -> None:
    spares_the_same_accounts(installed())


def test_the_loop_is_spared_under_the_account_that_it_has() -> None:
    spares_the_loop(installed(), KNATIVE)


def test_what_the_webhook_spares_by_itself_is_what_the_manifests_spare() -> None:
    assert installed().settings().controllers == DEFAULT_CONTROLLERS


def test_everything_that_judges_leaves_out_the_same_namespaces() -> None:
    leaves_out_the_same_namespaces(installed())


@pytest.mark.parametrize("label", [None, "deny", "Deny", "DENY", "warn", "Warn", "WARN", "wARN", "off"])
@pytest.mark.parametrize("chosen", [(), ("enforce-warn",)], ids=lambda chosen: "+".join(chosen) or "default")
def test_webhook_and_policies_deny_in_the_same_namespaces(chosen: tuple[str, ...], label: str | None) -> None:
    install = installed(*chosen)
    lookup = RolloutCache(lambda: 0.0)
    labels = {} if label is None else {"stagegate.dev/enforce": label}
    lookup.put_namespace("default", labels)
    review = review_of({"targetRevisions": [{"revisionName": "a", "percent": 90}]})

    allowed = judge(review, "/validate", lookup, install.settings()).allowed

    for policy in ("rolloutorchestrators.stagegate.dev", "stagepodautoscalers.stagegate.dev"):
        actions = [
            action
            for each in install.objects
            if each["kind"] == "ValidatingAdmissionPolicyBinding" and each["spec"]["policyName"] == policy
            if from_object(each["spec"]["matchResources"]["namespaceSelector"])(labels)
            for action in each["spec"]["validationActions"]
        ]
        # In a namespace that is only warned the webhook says so; a policy that did too would say it twice.
        assert actions in (["Deny"], ["Warn", "Audit"], [])
        assert ("Deny" in actions) == (not allowed)


@pytest.mark.parametrize("chosen", [(), ("forbid-override",)], ids=lambda chosen: "+".join(chosen) or "default")
def test_webhook_and_policies_let_the_same_objects_override(chosen: tuple[str, ...]) -> None:
    install = installed(*chosen)
    review = review_of({"rolloutStrategy": "fast"}, {"stagegate.dev/override": "RO009 SPA003"})

    allowed = judge(review, "/validate", RolloutCache(lambda: 0.0), install.settings()).allowed

    assert allowed == (not chosen)
    for policy in ("rolloutorchestrators.stagegate.dev", "stagepodautoscalers.stagegate.dev"):
        spec = install.one("ValidatingAdmissionPolicy", policy)["spec"]
        (override,) = (each["expression"] for each in spec["variables"] if each["name"] == "override")
        read = compiled(override.strip()).evaluate(
            {"object": review["request"]["object"], "oldObject": None, "request": {}, "namespaceObject": None}
        )
        assert read == ("RO009 SPA003" if allowed else "")


def review_of(spec: Wire, annotations: Mapping[str, str] | None = None) -> Wire:
    group, version = "serving.knative.dev", "v1"
    metadata = {"name": "hello", "namespace": "default", "annotations": annotations or {}}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "resource": {"group": group, "version": version, "resource": "rolloutorchestrators"},
            "operation": "CREATE",
            "namespace": "default",
            "userInfo": {"username": PERSON},
            "object": {
                "apiVersion": f"{group}/{version}",
                "kind": "RolloutOrchestrator",
                "metadata": metadata,
                "spec": spec,
            },
        },
    }


def test_only_a_namespace_that_is_made_is_labelled() -> None:
    def namespaces(*chosen: str) -> list[str]:
        return [each["metadata"]["name"] for each in rendered(*chosen) if each["kind"] == "Namespace"]

    assert namespaces() == ["stagegate-system"]
    assert namespaces("existing-namespace") == []


def test_network_policies_select_our_own_pods_only() -> None:
    """Others may live in the same namespace."""
    policies = [each for each in rendered() if each["kind"] == "NetworkPolicy"]
    ours = [each["spec"]["template"]["metadata"]["labels"] for each in rendered() if each["kind"] == "Deployment"]

    assert len(policies) == 4
    for policy in policies:
        selected = from_object(policy["spec"]["podSelector"])
        assert not selected({})
        assert not selected({"app.kubernetes.io/name": "postgres", "app.kubernetes.io/part-of": "shop"})
        assert any(selected(labels) for labels in ours)
    (nothing_else,) = (each for each in policies if each["metadata"]["name"] == "stagegate-nothing-else")
    assert all(from_object(nothing_else["spec"]["podSelector"])(labels) for labels in ours)


@pytest.mark.parametrize("chosen", [(), ("cert-manager", "monitoring", "enforce-warn", "forbid-override")])
def test_nothing_but_the_namespace_itself_touches_the_whole_namespace(chosen: tuple[str, ...]) -> None:
    kinds = {each["kind"] for each in rendered("existing-namespace", *chosen)}

    assert not kinds & {"Namespace", "ResourceQuota", "LimitRange"}
