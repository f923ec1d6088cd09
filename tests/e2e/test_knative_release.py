"""A Service released in the middle of its rollout, by command."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.e2e.administrator import REPOSITORY
from tests.e2e.progressive import NEW, OLD, complete, deployed, faults, hello, traces, under_way
from tests.e2e.tenant import Tenant
from tests.rig.stagegate import Stagegate


def stagegate_release(tenant: Tenant, *arguments: str) -> str:
    """What ``stagegate release`` printed."""
    kubeconfig = f"--kubeconfig={tenant.rig.plane.kubeconfig}"
    command = [sys.executable, "-m", "webhook", "release", *arguments, kubeconfig]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def held_services(stagegate: Stagegate) -> float:
    """What the loop's metric says of held Services."""
    with urllib.request.urlopen(f"{stagegate.pages('loop')}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    (line,) = (line for line in lines if line.startswith('stagegate_loop_held_services{phase="held"}'))
    return float(line.rpartition(" ")[2])


def test_a_released_service_gets_the_new_revision_with_its_own_minimum_first(
    stagegate: Stagegate, tenant: Tenant
) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    assert f"{tenant.name}/hello  held  to {NEW}" in stagegate_release(tenant, "--list")
    assert held_services(stagegate) >= 1

    stagegate_release(tenant, "hello", "--namespace", tenant.name)

    record = complete(tenant)
    assert record.path("hello", since)[-1] == {NEW: 100}
    assert {OLD: 25, NEW: 75} not in record.path("hello", since)
    assert faults(record, since) == []
    assert tenant.name not in stagegate_release(tenant, "--list")


def test_a_service_whose_new_revision_never_runs_is_released_with_its_own_bounds(
    stagegate: Stagegate, tenant: Tenant
) -> None:
    deployed(tenant)
    tenant.apply(hello("2", image="dev.local/no-image"))
    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)

    stagegate_release(tenant, "hello", "--namespace", tenant.name)

    state = tenant.record().end
    assert traces(state) == []
    assert state.shares("hello") == {OLD: 100}
    assert state.ready_pods() == {OLD: 4}
    tenant.eventually(lambda state: len(state.pods(NEW)) == 4)


@pytest.fixture
def refused(tenant: Tenant) -> Iterator[None]:
    """A policy of somebody else that lets nobody create a RolloutOrchestrator in the namespace."""
    admin, name = tenant.rig.plane.admin, f"no-rollouts-in-{tenant.name}"
    rule = {
        "apiGroups": ["serving.knative.dev"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["rolloutorchestrators"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "no rollouts here"}],
    }
    of_tenant = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": tenant.name}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": of_tenant}
    kinds = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    made = []
    for kind, spec in kinds.items():
        plural = f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
        made.append(f"/apis/admissionregistration.k8s.io/v1/{plural}")
        wire = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        assert admin.create(made[-1], wire).status == HTTPStatus.CREATED
    yield
    for path in made:
        admin.delete(f"{path}/{name}")


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("is_asked", [True, False], ids=["by command", "after a minute"])
def test_a_service_whose_rollout_is_refused_is_given_back(stagegate: Stagegate, tenant: Tenant, is_asked: bool) -> None:
    since = deployed(tenant)
    # A policy counts a moment after it was created.
    tenant.settle(3)
    tenant.apply(hello("2"))
    tenant.eventually(lambda _: bool(tenant.events("WriteRefused")))
    assert "no rollouts here" in tenant.events("WriteRefused")[0]
    assert tenant.record().end.shares("hello") == {OLD: 100}

    if is_asked:
        stagegate_release(tenant, "hello", "--namespace", tenant.name)

    record = complete(tenant, within=240.0)
    assert faults(record, since) == []
    assert "stagegate.dev/release" not in tenant.get("services", "hello")["metadata"]["annotations"]
    tenant.eventually(lambda _: bool(tenant.events("RolloutReleased")))
    reason = (
        "ReleaseRequested" if is_asked else "RolloutRefused: what the rollout writes has been refused for 60 s: create"
    )
    assert tenant.events("RolloutReleased")[0].startswith(reason)
