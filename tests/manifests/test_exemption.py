"""Who is spared and when: webhook, match conditions, policies and bindings of one install say the same."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest
import yaml

from sandbox.expressions import compiled
from sandbox.selectors import from_object
from webhook.admission import DEFAULT_CONTROLLERS, RolloutCache, Settings, judge
from webhook.cli import main, serve
from webhook.cli.command import Options
from webhook.cli.manifests import rendered

Wire = dict[str, Any]

KNATIVE = "system:serviceaccount:knative-serving:controller"
DEPLOYER = "system:serviceaccount:ci:deployer"
OPERATOR = "operator@example.com"
PERSON = "jane"


class Install(NamedTuple):
    """What is installed: the overlays, the namespace, and the accounts given beside the loop's."""

    chosen: tuple[str, ...] = ()
    namespace: str = "stagegate-system"
    controllers: tuple[str, ...] = ()

    def objects(self) -> list[Wire]:
        return _rendered(self)

    def one(self, kind: str, name: str) -> Wire:
        (found,) = (each for each in self.objects() if (each["kind"], each["metadata"]["name"]) == (kind, name))
        return found

    def settings(self) -> Settings:
        """What the webhook makes of its arguments, in a pod of that namespace."""
        (container,) = self.one("Deployment", "stagegate-webhook")["spec"]["template"]["spec"]["containers"]
        _, *arguments = [text.replace("$(POD_NAMESPACE)", self.namespace) for text in container["args"]]
        options = Options(**serve.command.make_context("serve", arguments).params)
        return Settings(
            enforce=options.enforce,
            allow_override=not options.forbid_override,
            controllers=frozenset(options.controller),
        )

    def conditions(self) -> dict[str, str]:
        """Every condition by which an account is spared a policy or a call, by the name of its object."""
        found = {}
        for each in self.objects():
            for condition in judging_of(each).get("matchConditions", ()):
                if "userInfo" in condition["expression"]:
                    found[each["metadata"]["name"]] = condition["expression"]
        return found


def judging_of(wire: Wire) -> Wire:
    """The webhook or the spec of a policy that judges our kinds; empty for any other object."""
    for found in (*wire.get("webhooks", ()), wire.get("spec", {})):
        rules = found.get("rules", ()) or found.get("matchConstraints", {}).get("resourceRules", ())
        if any(
            "rolloutorchestrators" in rule["resources"] or "stagepodautoscalers" in rule["resources"] for rule in rules
        ):
            return dict(found)
    return {}


@cache
def _rendered(install: Install) -> list[Wire]:
    return rendered(list(install.chosen), None, install.namespace, install.controllers)


INSTALLS = {
    "the default": Install(),
    "another namespace": Install(namespace="rollouts"),
    "other accounts": Install(controllers=(DEPLOYER, OPERATOR)),
    "other accounts in another namespace": Install(namespace="rollouts", controllers=(DEPLOYER,)),
    "an account in the usual namespace, not ours": Install(
        namespace="rollouts", controllers=("system:serviceaccount:stagegate-system:stagegate-loop",)
    ),
}
COMPLETE: Mapping[str, Any] = {
    "metadata": {"name": "hello", "labels": {"serving.knative.dev/service": "hello"}},
    "spec": {"rolloutStrategy": "availability"},
}


def is_matched(expression: str, username: str) -> bool:
    """Whether a complete RO of this writer is judged."""
    request = {"userInfo": {"username": username}, "resource": {"resource": "rolloutorchestrators"}}
    variables = {"object": COMPLETE, "oldObject": None, "request": request, "namespaceObject": None}
    matched = compiled(expression.strip()).evaluate(variables)
    assert isinstance(matched, bool)
    return matched


@pytest.mark.parametrize("install", INSTALLS.values(), ids=INSTALLS)
def test_webhook_conditions_and_policies_spare_the_same_accounts(install: Install) -> None:
    spared = install.settings().controllers
    conditions = install.conditions()

    assert sorted(conditions) == [
        "mutate.stagegate.dev",
        "rolloutorchestrators.stagegate.dev",
        "stagepodautoscalers.stagegate.dev",
        "steering.stagegate.dev",
    ]
    for account in (*spared, KNATIVE, DEPLOYER, OPERATOR, PERSON, *DEFAULT_CONTROLLERS):
        for name, expression in conditions.items():
            assert is_matched(expression, account) == (account not in spared), (name, account)


@pytest.mark.parametrize("install", INSTALLS.values(), ids=INSTALLS)
def test_the_loop_is_always_spared_under_the_account_that_it_has(install: Install) -> None:
    deployment = install.one("Deployment", "stagegate-loop")
    name = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    account = install.one("ServiceAccount", name)
    namespace = account["metadata"]["namespace"]

    assert namespace == deployment["metadata"]["namespace"] == install.namespace
    assert install.settings().controllers == {
        *(install.controllers or (KNATIVE,)),
        f"system:serviceaccount:{namespace}:{name}",
    }
    subjects = [
        (subject["name"], subject["namespace"])
        for each in install.objects()
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
    ]
    assert (name, namespace) in subjects
    assert {where for _, where in subjects} == {namespace}


def test_what_the_webhook_spares_by_itself_is_what_the_manifests_spare() -> None:
    assert Install().settings().controllers == DEFAULT_CONTROLLERS


@pytest.mark.parametrize("install", INSTALLS.values(), ids=INSTALLS)
def test_everything_that_judges_leaves_out_the_same_namespaces(install: Install) -> None:
    judging = 0
    for each in install.objects():
        if each["apiVersion"].startswith("admissionregistration") and (found := judging_of(each)):
            settings = found.get("matchConstraints", found)
            judging += 1
            judged = from_object(settings["namespaceSelector"])
            for name in ("kube-system", install.namespace, "default"):
                assert judged({"kubernetes.io/metadata.name": name}) == (name == "default")
    assert judging == 5


@pytest.mark.parametrize("label", [None, "deny", "Deny", "DENY", "warn", "Warn", "WARN", "wARN", "off"])
@pytest.mark.parametrize("chosen", [(), ("enforce-warn",)], ids=lambda chosen: "+".join(chosen) or "default")
def test_webhook_and_policies_deny_in_the_same_namespaces(chosen: tuple[str, ...], label: str | None) -> None:
    install = Install(chosen)
    lookup = RolloutCache(lambda: 0.0)
    labels = {} if label is None else {"stagegate.dev/enforce": label}
    lookup.put_namespace("default", labels)
    review = review_of({"targetRevisions": [{"revisionName": "a", "percent": 90}]})

    allowed = judge(review, "/validate", lookup, install.settings()).allowed

    for policy in ("rolloutorchestrators.stagegate.dev", "stagepodautoscalers.stagegate.dev"):
        actions = [
            action
            for each in install.objects()
            if each["kind"] == "ValidatingAdmissionPolicyBinding" and each["spec"]["policyName"] == policy
            if from_object(each["spec"]["matchResources"]["namespaceSelector"])(labels)
            for action in each["spec"]["validationActions"]
        ]
        # In a namespace that is only warned the webhook says so; a policy that did too would say it twice.
        assert actions in (["Deny"], ["Warn", "Audit"], [])
        assert ("Deny" in actions) == (not allowed)


@pytest.mark.parametrize("chosen", [(), ("forbid-override",)], ids=lambda chosen: "+".join(chosen) or "default")
def test_webhook_and_policies_let_the_same_objects_override(chosen: tuple[str, ...]) -> None:
    install = Install(chosen)
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
    def namespaces(*chosen: str, namespace: str = "stagegate-system") -> list[str]:
        return [
            each["metadata"]["name"] for each in rendered(list(chosen), None, namespace) if each["kind"] == "Namespace"
        ]

    assert namespaces() == ["stagegate-system"]
    assert namespaces("existing-namespace") == []
    assert namespaces("existing-namespace", namespace="rollouts") == []
    assert namespaces(namespace="rollouts") == ["rollouts"]


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ([], ["stagegate-system"]),
        (["--namespace=rollouts"], []),
        (["--namespace=rollouts", "--create-namespace"], ["rollouts"]),
        (["--namespace=rollouts", "--overlay=existing-namespace"], []),
        (["--overlay=existing-namespace"], []),
    ],
)
def test_another_namespace_is_made_only_if_asked_for(
    arguments: list[str], made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifests", *arguments]) == 0

    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"] == made


def test_network_policies_select_our_own_pods_only() -> None:
    """Others may live in the same namespace."""
    policies = [each for each in Install(namespace="rollouts").objects() if each["kind"] == "NetworkPolicy"]
    ours = [
        each["spec"]["template"]["metadata"]["labels"] for each in Install().objects() if each["kind"] == "Deployment"
    ]

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
    kinds = {each["kind"] for each in Install(("existing-namespace", *chosen)).objects()}

    assert not kinds & {"Namespace", "ResourceQuota", "LimitRange"}
