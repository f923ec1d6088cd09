"""The cluster's own roles view, edit and admin: what they allow with Stagegate's kinds once its roles are installed."""

from collections.abc import Iterator

import pytest

from tests.controlplane import Binaries, ControlPlane
from tests.e2e.cluster import documents, eventually

RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
READ = {"get", "list", "watch"}
WRITE = READ | {"create", "update", "patch", "delete", "deletecollection"}
KINDS = ("rolloutorchestrators", "stagepodautoscalers")


@pytest.fixture(scope="module")
def plane(binaries_with_controller_manager: Binaries) -> Iterator[ControlPlane]:
    aggregation = ["clusterrole-aggregation-controller"]
    with ControlPlane.start(binaries=binaries_with_controller_manager, controllers=aggregation) as plane:
        for body in documents("rbac"):
            if body["kind"] == "ClusterRole":
                plane.admin.create(RBAC, body)
        yield plane


def verbs(plane: ControlPlane, role: str, resource: str) -> set[str]:
    rules = plane.admin.get(f"{RBAC}/{role}").body["rules"] or []
    return {
        verb
        for rule in rules
        if "serving.knative.dev" in rule.get("apiGroups", ()) and resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("resource", KINDS)
@pytest.mark.parametrize(("role", "allowed"), [("view", READ), ("edit", WRITE), ("admin", WRITE)])
def test_what_a_role_of_the_cluster_allows(plane: ControlPlane, role: str, allowed: set[str], resource: str) -> None:
    eventually(lambda: verbs(plane, role, resource) == allowed)

    assert verbs(plane, role, f"{resource}/status") == READ


def test_who_may_edit_may_name_a_rollout_as_an_owner(plane: ControlPlane) -> None:
    eventually(lambda: verbs(plane, "edit", "rolloutorchestrators/finalizers") == {"update"})
    assert verbs(plane, "view", "rolloutorchestrators/finalizers") == set()
