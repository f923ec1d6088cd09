"""Break-glass while the webhook is down, and uninstallation: the documented commands, as they are written."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane import Binaries, ControlPlane
from tests.documents import section
from tests.e2e.administrator import Administrator, kustomized
from tests.e2e.cluster import ROS, Namespace, eventually, refused, rollout
from tests.kustomize import rendered

ROLLOUTS = "/api/v1/namespaces/rollouts"
OF_THE_CLUSTER = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
"""What the controller manager puts into every namespace."""
DEFAULT = Namespace("default")
GOOD = {"targetRevisions": [{"revisionName": "hello-00001", "percent": 100}], "rolloutStrategy": "availability"}
BAD = {"targetRevisions": [{"revisionName": "hello-00001", "percent": 90}], "rolloutStrategy": "availability"}

BREAK_GLASS, REMOVAL = section("Break-glass"), section("Uninstall")
OPEN = BREAK_GLASS.command("kubectl patch ")
REMOVE_WEBHOOKS = BREAK_GLASS.command("kubectl delete validatingwebhookconfiguration/")
REMOVE_POLICIES = BREAK_GLASS.command("kubectl delete validatingadmissionpolicybindings ")
CLOSE = BREAK_GLASS.command("kubectl apply ")
INTO_ANOTHER = section("Namespaces and networks").command("helm template ")
UNINSTALL = REMOVAL.command("kubectl delete -l ")
EMPTY = REMOVAL.command("kubectl -n stagegate-system delete -l ")
RELEASE = REMOVAL.command("kubectl -n stagegate-system delete --ignore-not-found ")
ON_KNATIVE = {REMOVAL.command("stagegate release ")}
"""Run on stock Knative."""
REMOVE_NAMESPACE = REMOVAL.command("kubectl delete namespace ")
FORGET = REMOVAL.command("kubectl delete -f ")


@pytest.fixture(scope="module")
def administrator(binaries_with_controller_manager: Binaries) -> Iterator[Administrator]:
    """A cluster in which Stagegate is installed and none of its pods can run."""
    binaries = binaries_with_controller_manager
    with ControlPlane.start(binaries=binaries, manifests=False, knative=False, controller_manager=True) as plane:
        yield Administrator(plane)


@pytest.fixture
def stuck(administrator: Administrator) -> Administrator:
    """The webhooks are registered, and no webhook runs."""
    administrator.does(CLOSE)
    eventually(lambda: "failed calling webhook" in write(administrator, GOOD).message)
    return administrator


def write(administrator: Administrator, spec: dict[str, Any]) -> Any:
    return administrator.api.create(DEFAULT.path(ROS), rollout("hello", spec), dryRun="All")


def passes(administrator: Administrator, spec: dict[str, Any]) -> bool:
    return bool(write(administrator, spec).status == HTTPStatus.CREATED)


def test_every_command_is_run_here() -> None:
    run = {
        OPEN,
        REMOVE_WEBHOOKS,
        REMOVE_POLICIES,
        CLOSE,
        UNINSTALL,
        EMPTY,
        RELEASE,
        REMOVE_NAMESPACE,
        FORGET,
        *ON_KNATIVE,
    }

    assert {*BREAK_GLASS.commands, *REMOVAL.commands} == run


def test_the_runbook_stops_enforcing_as_documented() -> None:
    rules = {each["kind"]: each for each in rendered("monitoring")}["PrometheusRule"]
    runbooks = {
        rule["alert"]: rule["annotations"]["runbook"] for group in rules["spec"]["groups"] for rule in group["rules"]
    }

    assert OPEN in runbooks["StagegateWebhookDown"]


def test_while_no_webhook_answers_nothing_is_written(stuck: Administrator) -> None:
    answer = write(stuck, GOOD)

    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert 'failed calling webhook "validate.stagegate.dev"' in answer.message


def test_the_gate_is_opened_and_policies_still_judge(stuck: Administrator) -> None:
    stuck.does(OPEN)

    eventually(lambda: passes(stuck, GOOD))
    eventually(lambda: refused(write(stuck, BAD)))


def test_the_gate_is_removed_and_policies_still_judge(stuck: Administrator) -> None:
    stuck.does(REMOVE_WEBHOOKS)

    eventually(lambda: passes(stuck, GOOD))
    eventually(lambda: refused(write(stuck, BAD)))


def test_the_policies_are_removed_too(stuck: Administrator) -> None:
    stuck.does(REMOVE_WEBHOOKS)
    stuck.does(REMOVE_POLICIES)

    eventually(lambda: passes(stuck, BAD))


def test_applying_again_enforces_again(stuck: Administrator) -> None:
    stuck.does(OPEN)
    eventually(lambda: passes(stuck, GOOD))

    stuck.does(CLOSE)

    eventually(lambda: "failed calling webhook" in write(stuck, GOOD).message)


def test_uninstalling_leaves_the_rollouts_and_nothing_else(stuck: Administrator) -> None:
    stuck.does(REMOVE_WEBHOOKS)
    eventually(lambda: passes(stuck, GOOD))
    stuck.api.create(DEFAULT.path(ROS), rollout("hello", GOOD))
    stuck.does(CLOSE)
    installed = kustomized(stuck, "manifests/")

    for command in (UNINSTALL, EMPTY, RELEASE, REMOVE_NAMESPACE):
        stuck.does(command)

    left = stuck.does("kubectl get --ignore-not-found -k manifests/ -o name").split()
    assert sorted(left) == [
        "customresourcedefinition.apiextensions.k8s.io/rolloutorchestrators.serving.knative.dev",
        "customresourcedefinition.apiextensions.k8s.io/stagepodautoscalers.serving.knative.dev",
    ]
    assert stuck.api.get(DEFAULT.path(ROS, "hello")).body["spec"] == GOOD
    assert stuck.api.patch(DEFAULT.path(ROS, "hello"), {"spec": BAD}).status == HTTPStatus.OK
    assert order_of_deletion(stuck)[:4] == [
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicies",
    ]
    kinds = {each["kind"] for each in installed}
    assert {"Namespace", "ClusterRole", "PriorityClass", "ValidatingAdmissionPolicy"} <= kinds

    stuck.does(FORGET)
    eventually(lambda: stuck.api.get(DEFAULT.path(ROS)).status == HTTPStatus.NOT_FOUND)


def test_a_namespace_of_others_is_left_as_it_was(administrator: Administrator, program: Callable[[str], Path]) -> None:
    """Neither the install nor its removal touches other objects in the namespace."""
    administrator.has(program("helm"))
    administrator.does("kubectl create namespace rollouts")
    administrator.does("kubectl -n rollouts create configmap theirs")
    administrator.does("kubectl -n rollouts create role theirs --verb=get --resource=pods")
    before = administrator.api.get(ROLLOUTS).body

    administrator.does(INTO_ANOTHER)

    assert administrator.api.get(ROLLOUTS).body == before
    objects = list(yaml.safe_load_all(administrator.does(INTO_ANOTHER.partition(" |")[0])))
    assert {each["metadata"]["namespace"] for each in objects if "namespace" in each["metadata"]} == {"rollouts"}
    for each in administrator.stored(each for each in objects if each["kind"] == "NetworkPolicy"):
        assert any(key.startswith("app.kubernetes.io/") for key in each["spec"]["podSelector"]["matchLabels"])

    for command in (UNINSTALL, EMPTY, RELEASE):
        administrator.does(command.replace("-n stagegate-system", "-n rollouts"))

    assert administrator.api.get(ROLLOUTS).body == before
    left = administrator.does(
        "kubectl -n rollouts get -o name "
        "deployments,poddisruptionbudgets,services,networkpolicies,rolebindings,roles,serviceaccounts,secrets,configmaps"
    )
    assert set(left.split()) - OF_THE_CLUSTER == {"configmap/theirs", "role.rbac.authorization.k8s.io/theirs"}
    for command in (UNINSTALL, FORGET):
        administrator.types(command)


def order_of_deletion(administrator: Administrator) -> list[str]:
    """The resources that kubectl deleted after it had last created something, in its order."""
    events = [event for event in administrator.plane.audit_events() if event["user"]["username"] == "admin"]
    last = max(index for index, event in enumerate(events) if event["verb"] == "create")
    return list(dict.fromkeys(event["objectRef"]["resource"] for event in events[last:] if event["verb"] == "delete"))
