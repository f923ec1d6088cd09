"""The component stock-knative: what causes a call, what its absence means, and for whom it is."""

from typing import Any

import pytest

from certs.ca_injection import CONFIGURATIONS
from sandbox.expressions import compiled
from sandbox.selectors import from_object
from tests.kustomize import by_name
from webhook.knative.hold import HELD, Hold
from webhook.planning.config import parse_boolean

Wire = dict[str, Any]

CONFIGURATION = "mutate.knative.stagegate.dev"
REVISIONS, ROUTES = "revisions.knative.stagegate.dev", "routes.knative.stagegate.dev"
KNATIVE = "system:serviceaccount:knative-serving:controller"
NAMESPACE = "kubernetes.io/metadata.name"
HOLD = {"stagegate.dev/hold": Hold(HELD, {"hello-00001": 100}, "hello-00002", "uid").to_annotation()}
OWNER = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello", "uid": "uid", "controller": True}
SPELT = ["true", "True", "TRUE", "t", "T", "1", "tRUE", "false", "0", ""]
PINNED = [{"revisionName": "hello-00001", "percent": 100}]
LATEST = [{"latestRevision": True, "percent": 100}]


def hooks(*chosen: str) -> dict[str, Wire]:
    found = by_name(*chosen)["MutatingWebhookConfiguration", CONFIGURATION]
    return {hook["name"]: hook for hook in found["webhooks"]}


def route(annotations: Wire | None, traffic: list[Wire], **metadata: Any) -> Wire:
    noted = {} if annotations is None else {"annotations": annotations}
    owned = {"name": "hello", "ownerReferences": [OWNER]}
    return {"metadata": {**owned, **noted, **metadata}, "spec": {"traffic": traffic}}


@pytest.mark.parametrize(
    ("name", "resource", "operation", "policy", "effects", "seconds"),
    [
        (REVISIONS, "revisions", "CREATE", "Ignore", "NoneOnDryRun", 2),
        (ROUTES, "routes", "UPDATE", "Fail", "None", 1),
    ],
)
def test_what_is_registered(name: str, resource: str, operation: str, policy: str, effects: str, seconds: int) -> None:
    hook = hooks()[name]

    (rule,) = hook["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["serving.knative.dev"], [resource])
    assert (rule["operations"], hook["failurePolicy"]) == ([operation], policy)
    assert (hook["sideEffects"], hook["timeoutSeconds"]) == (effects, seconds)
    assert hook["clientConfig"]["service"]["path"] == "/knative"


@pytest.mark.parametrize(
    ("chosen", "labels", "called"),
    [
        ((), {}, True),
        ((), {"stagegate.dev/progressive": "true"}, True),
        # The annotation of a Service counts more than the label of its namespace.
        ((), {"stagegate.dev/progressive": "false"}, True),
        ((), {NAMESPACE: "kube-system"}, False),
        ((), {NAMESPACE: "stagegate-system", "stagegate.dev/progressive": "true"}, False),
        (("stock-knative-namespaces",), {}, False),
        (("stock-knative-namespaces",), {"stagegate.dev/progressive": "false"}, False),
        *((("stock-knative-namespaces",), {"stagegate.dev/progressive": text}, parse_boolean(text)) for text in SPELT),
        (("stock-knative-namespaces",), {NAMESPACE: "kube-system", "stagegate.dev/progressive": "true"}, False),
    ],
)
def test_revisions_of_which_namespaces_cause_a_call(chosen: tuple[str, ...], labels: Wire, called: bool) -> None:
    selector = from_object(hooks(*chosen)[REVISIONS]["namespaceSelector"])

    assert selector({NAMESPACE: "default", **labels}) == bool(called)


@pytest.mark.parametrize(("labels", "called"), [({"serving.knative.dev/service": "hello"}, True), ({}, False)])
def test_only_a_revision_of_a_service_causes_a_call(labels: Wire, called: bool) -> None:
    assert from_object(hooks()[REVISIONS]["objectSelector"])(labels) == called


WRITES = {
    "Knative writes the Service's traffic and no hold": (
        route(HOLD, PINNED), route(None, LATEST), KNATIVE, True),
    "the hold is taken away": (route(HOLD, PINNED), route({}, PINNED), "jane", True),
    "the hold is changed": (route(HOLD, PINNED), route({"stagegate.dev/hold": "{}"}, PINNED), "jane", True),
    "the traffic is changed": (route(HOLD, PINNED), route(HOLD, LATEST), "jane", True),
    "only another annotation is changed": (route(HOLD, PINNED), route({**HOLD, "note": "a"}, PINNED), "jane", False),
    "nothing is held": (route({"note": "a"}, PINNED), route({"note": "a"}, LATEST), KNATIVE, False),
    "nothing is held, without annotations": (route(None, PINNED), route(None, LATEST), KNATIVE, False),
    "a hold is added": (route(None, LATEST), route(HOLD, PINNED), "jane", False),
    "the Route is going away": (
        route(HOLD, PINNED), route(None, PINNED, deletionTimestamp="2030-01-01T00:00:00Z"), KNATIVE, False),
    "the hold came back with a backup": (
        route(HOLD, PINNED, ownerReferences=[{**OWNER, "uid": "another"}]), route(None, LATEST), KNATIVE, False),
    "the Route belongs to no Service": (route(HOLD, PINNED, ownerReferences=[]), route(None, LATEST), KNATIVE, False),
    "the hold cannot be read": (
        route({"stagegate.dev/hold": '{"since":"uid"}'}, PINNED), route(None, LATEST), KNATIVE, False),
    "the loop moves traffic": (
        route(HOLD, PINNED), route(HOLD, LATEST), "system:serviceaccount:{}:stagegate-loop", False),
    "the loop takes the hold away": (
        route(HOLD, PINNED), route(None, PINNED), "system:serviceaccount:{}:stagegate-loop", False),
    "the webhook pins anew": (
        route(HOLD, PINNED), route(HOLD, LATEST), "system:serviceaccount:{}:stagegate-webhook", False),
    "the loop of another namespace is nobody": (
        route(HOLD, PINNED), route(None, LATEST), "system:serviceaccount:another:stagegate-loop", True),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "user", "called"), WRITES.values(), ids=WRITES)
def test_writes_of_a_route_that_cause_a_call(old: Wire, new: Wire, user: str, called: bool) -> None:
    request = {"userInfo": {"username": user.format("stagegate-system")}}
    variables = {"object": new, "oldObject": old, "request": request, "namespaceObject": None}

    conditions = hooks()[ROUTES]["matchConditions"]

    met = [compiled(each["expression"].strip()).evaluate(variables) for each in reversed(conditions)]
    assert all(met) == called


def test_the_accounts_that_are_never_guarded_are_the_same_everywhere() -> None:
    found = by_name()
    (container,) = found["Deployment", "stagegate-webhook"]["spec"]["template"]["spec"]["containers"]
    flags = [each.partition("=")[2] for each in container["args"] if each.startswith("--own-account=")]
    ours = sorted(each.replace("$(POD_NAMESPACE)", "stagegate-system") for each in flags)
    conditions = {each["name"]: each["expression"] for each in hooks()[ROUTES]["matchConditions"]}
    policy = found["ValidatingAdmissionPolicy", ROUTES]["spec"]

    assert ours == [f"system:serviceaccount:stagegate-system:stagegate-{name}" for name in ("loop", "webhook")]
    assert accounts_in(conditions["written-by-others"]) == ours
    assert accounts_in(policy["matchConditions"][0]["expression"]) == ours


def accounts_in(expression: str) -> list[str]:
    return sorted(part for part in expression.split("'") if part.startswith("system:"))


def test_the_loop_trusts_and_may_write_every_registration() -> None:
    registered = [name for kind, name in by_name() if kind.endswith("WebhookConfiguration")]
    (container,) = by_name()["Deployment", "stagegate-loop"]["spec"]["template"]["spec"]["containers"]
    flags = [each.removeprefix("--webhook-configuration=") for each in container["args"] if "configuration=" in each]
    role = by_name()["ClusterRole", "stagegate-certificates"]
    writable = [name for rule in role["rules"] for name in rule["resourceNames"]]

    assert sorted(registered) == sorted(flags) == sorted(writable) == sorted(CONFIGURATIONS)


def test_with_cert_manager_its_injector_writes_every_registration() -> None:
    found = by_name("cert-manager")

    for kind, name in found:
        if kind.endswith("WebhookConfiguration"):
            annotations = found[kind, name]["metadata"]["annotations"]
            assert annotations == {"cert-manager.io/inject-ca-from": "stagegate-system/stagegate-webhook"}


def test_strict_sites_refuse_a_revision_without_an_answer() -> None:
    assert {name: hook["failurePolicy"] for name, hook in hooks("stock-knative-strict").items()} == {
        REVISIONS: "Fail",
        ROUTES: "Fail",
    }


def test_the_policy_stands_in_place_of_the_call_and_matches_what_it_matched() -> None:
    call = hooks()[ROUTES]
    policy = by_name("stock-knative-policy")["MutatingAdmissionPolicy", ROUTES]["spec"]

    assert hooks("stock-knative-policy").keys() == {REVISIONS}
    assert policy["matchConstraints"]["resourceRules"] == call["rules"]
    assert policy["matchConstraints"]["namespaceSelector"] == call["namespaceSelector"]
    narrower = [each for each in call["matchConditions"] if each["name"] != "changed"]
    assert policy["matchConditions"] == narrower
    assert policy["failurePolicy"] == call["failurePolicy"]


@pytest.mark.parametrize("overlay", ["no-stock-knative", "steps-off"])
@pytest.mark.parametrize("other", ["cert-manager", "monitoring", "dev"])
def test_without_it_nothing_of_knative_is_written_whatever_the_order(overlay: str, other: str) -> None:
    found = by_name(overlay, other)

    assert found == by_name(other, overlay)
    assert [name for _, name in found if "stock-knative" in name or ".knative.stagegate" in name] == []
    for wire in found.values():
        for rule in wire.get("rules", ()) if wire["kind"] in ("Role", "ClusterRole") else ():
            assert {"routes", "revisions", "services"}.isdisjoint(rule["resources"]) or set(rule["verbs"]) <= {
                "get", "list", "watch",
            }  # fmt: skip
