"""Install: who is spared in an installation, by its webhook, match conditions and policies."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sandbox.expressions import compiled
from sandbox.selectors import from_object
from webhook.admission import DEFAULT_CONTROLLERS, Settings
from webhook.cli import serve
from webhook.cli.command import Options

Wire = dict[str, Any]

KNATIVE: Final = "system:serviceaccount:knative-serving:controller"
DEPLOYER: Final = "system:serviceaccount:ci:deployer"
OPERATOR: Final = "operator@example.com"
PERSON: Final = "jane"
COMPLETE: Final[Mapping[str, Any]] = {
    "metadata": {"name": "hello", "labels": {"serving.knative.dev/service": "hello"}},
    "spec": {"rolloutStrategy": "availability"},
}


class Install(NamedTuple):
    """The objects of an installation, and its namespace."""

    objects: list[Wire]
    namespace: str = "stagegate-system"

    def one(self, kind: str, name: str) -> Wire:
        (found,) = (each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
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
        for each in self.objects:
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


def is_matched(expression: str, username: str) -> bool:
    """Whether a complete RO of this writer is judged."""
    request = {"userInfo": {"username": username}, "resource": {"resource": "rolloutorchestrators"}}
    variables = {"object": COMPLETE, "oldObject": None, "request": request, "namespaceObject": None}
    matched = compiled(expression.strip()).evaluate(variables)
    assert isinstance(matched, bool)
    return matched


def spares_the_same_accounts(install: Install) -> None:
    """Of the webhook, of its match conditions and of the policies. Raises AssertionError, as the others here."""
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


def spares_the_loop(install: Install, *others: str) -> None:
    """Under the account that it has, and these accounts."""
    deployment = install.one("Deployment", "stagegate-loop")
    name = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    account = install.one("ServiceAccount", name)
    namespace = account["metadata"]["namespace"]

    assert namespace == deployment["metadata"]["namespace"] == install.namespace
    assert install.settings().controllers == {
        *others,
        f"system:serviceaccount:{namespace}:{name}",
    }
    subjects = [
        (subject["name"], subject["namespace"])
        for each in install.objects
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
    ]
    assert (name, namespace) in subjects
    assert {where for _, where in subjects} == {namespace}


def leaves_out_the_same_namespaces(install: Install) -> None:
    """Everything that judges."""
    judging = 0
    for each in install.objects:
        if each["apiVersion"].startswith("admissionregistration") and (found := judging_of(each)):
            settings = found.get("matchConstraints", found)
            judging += 1
            judged = from_object(settings["namespaceSelector"])
            for name in ("kube-system", install.namespace, "default"):
                assert judged({"kubernetes.io/metadata.name": name}) == (name == "default")
    assert judging == 5
