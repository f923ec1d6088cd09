"""Stagegate is taken out in the middle of a rollout and installed again, by the documented commands."""

import os
import subprocess
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.documents import section
from tests.e2e.administrator import REPOSITORY
from tests.e2e.chart import CHART, NAMESPACE, Helm, run_hook
from tests.e2e.cluster import ROS, eventually
from tests.e2e.tenant import MIN_SCALE, Tenant, service
from tests.rig.stagegate import Stagegate
from webhook.knative.annotations import HOLD, OWN

UNINSTALL = section("Uninstall")
GIVE_BACK = UNINSTALL.command("stagegate release ")
REMOVE = [
    UNINSTALL.command("kubectl delete -l "),
    UNINSTALL.command("kubectl -n stagegate-system delete -l "),
    UNINSTALL.command("kubectl -n stagegate-system delete --ignore-not-found "),
]
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps/config-rolloutorchestrator"
JOB = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/stagegate-release"
OLD, NEW = "hello-00001", "hello-00002"
STAGES = {"stagegate.dev/progressive": "true"}
SCALING = {MIN_SCALE: "4", "rollout.knative.dev/over-consumption-ratio": "25"}


@pytest.fixture
def installed(stagegate: Stagegate) -> Iterator[Stagegate]:
    """Stagegate; what a test takes out is there again for the next one."""
    yield stagegate
    stagegate.rig.plane.admin.patch(SETTINGS, {"data": {"hold-nothing-new": None}})
    stagegate.stop()
    stagegate.install()
    stagegate.start()


def types(stagegate: Stagegate, command: str) -> None:
    """Run a line of the documents in the repository, as the administrator of the rig."""
    programs = Path(stagegate.rig.plane.binaries.kubectl).parent
    environment = os.environ | {
        "PATH": f"{programs}:{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
        "KUBECONFIG": str(stagegate.rig.plane.kubeconfig),
    }
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def edited(tenant: Tenant) -> int:
    """A Service in the middle of a rollout; the number of the write before the edit."""
    tenant.apply(service(annotations=STAGES, scaling=SCALING))
    tenant.await_ready("hello")
    before = tenant.version()
    tenant.apply(service(version="2", annotations=STAGES, scaling=SCALING))
    tenant.eventually(lambda state: len(state.shares("hello")) == 2)
    return before


def traces(tenant: Tenant) -> list[str]:
    """Where annotations of a rollout are left."""
    state = tenant.record().end
    found = [("routes", "hello", HOLD), *(("revisions", name, OWN) for name in state.all("revisions"))]
    return [f"{plural}/{name}" for plural, name, key in found if state.annotation(plural, name, key) is not None]


@pytest.mark.parametrize("is_paused", [False, True], ids=["under way", "paused"])
def test_given_back_first_nothing_is_left(installed: Stagegate, tenant: Tenant, is_paused: bool) -> None:
    before = edited(tenant)
    if is_paused:
        types(installed, f"stagegate pause hello -n {tenant.name} --reason incident")

    types(installed, GIVE_BACK)
    assert traces(tenant) == []
    installed.stop()
    for command in REMOVE:
        types(installed, command)

    tenant.eventually(lambda state: state.is_ready("hello") and state.running() == {NEW: 4})
    assert tenant.record().created(before) == {NEW: 4}
    assert [tenant.record().end.annotation("revisions", name, MIN_SCALE) for name in (OLD, NEW)] == ["4", "4"]


def test_helm_gives_back_first_and_removes_then(
    installed: Stagegate, tenant: Tenant, program: Callable[[str], Path], tmp_path: Path
) -> None:
    """The Job of the chart runs while Helm waits for it. The rollouts and their definitions stay."""
    plane = installed.rig.plane
    helm = Helm(program("helm"), plane.binaries.kubectl, tmp_path, plane.kubeconfig)
    helm.does("install", "stagegate", CHART, "-n", NAMESPACE, "--take-ownership")
    before = edited(tenant)

    with helm.begin("uninstall", "stagegate", "-n", NAMESPACE, "--timeout", "6m") as uninstallation:
        eventually(lambda: plane.admin.get(JOB).status == HTTPStatus.OK or uninstallation.poll() is not None)
        job = plane.admin.get(JOB).body
        released = run_hook(plane, NAMESPACE, job["spec"]["template"]["spec"])
        assert traces(tenant) == []
        done = plane.admin.patch(f"{JOB}/status", {"status": completed(job["metadata"]["creationTimestamp"])})
        assert done.status == HTTPStatus.OK, done.message
        assert uninstallation.wait(60) == 0

    assert (released.returncode, released.stdout) == (0, f"{tenant.name}/hello: released\n")
    installed.stop()
    tenant.eventually(lambda state: state.is_ready("hello") and state.running() == {NEW: 4})
    assert tenant.record().created(before) == {NEW: 4}
    assert tenant.record().end.shares("hello") == {NEW: 100}
    assert [tenant.record().end.annotation("revisions", name, MIN_SCALE) for name in (OLD, NEW)] == ["4", "4"]
    assert installed.rig.plane.admin.get(f"/apis/serving.knative.dev/v1/namespaces/{tenant.name}/{ROS}").body["items"]


def completed(time: str) -> dict[str, Any]:
    """What the controller of Jobs says of one that is done; it does not run here."""
    conditions = [
        {"type": each, "status": "True", "lastProbeTime": time, "lastTransitionTime": time}
        for each in ("SuccessCriteriaMet", "Complete")
    ]
    return {
        "conditions": conditions,
        "startTime": time,
        "completionTime": time,
        "succeeded": 1,
        "uncountedTerminatedPods": {},
    }


def test_without_that_a_touch_heals_the_route_and_the_next_installation_the_bounds(
    installed: Stagegate, tenant: Tenant
) -> None:
    edited(tenant)

    installed.stop()
    for command in REMOVE:
        types(installed, command)
    tenant.patch("services", "hello", {"metadata": {"annotations": {"touched": "true"}}})
    tenant.eventually(lambda state: state.shares("hello") == {NEW: 100})
    assert traces(tenant) != []

    installed.install()
    installed.start()
    tenant.eventually(lambda _: traces(tenant) == [], within=120)
    tenant.eventually(lambda state: state.is_ready("hello") and state.ready(NEW) == 4)
