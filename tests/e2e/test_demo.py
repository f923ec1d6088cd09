"""The demo on a real API server: one of its own, and a cluster that is named."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import Binaries, ControlPlane

ENDS = [
    "default/shop: complete in 4 stages, peak 5 replicas",
    "default/hello: complete in 10 stages, peak 10 replicas",
]


@pytest.fixture
def cluster(binaries: Binaries) -> Iterator[ControlPlane]:
    """A cluster without Knative and Stagegate."""
    with ControlPlane.start(manifests=False, knative=False, controller_manager=True, binaries=binaries) as cluster:
        yield cluster


def demo(*arguments: str) -> list[str]:
    """The lines that the demo ends with, without their seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo", *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.rpartition(",")[0] for line in done.stdout.splitlines()[-2:]]


@pytest.mark.usefixtures("binaries")
def test_on_a_real_api_server_of_its_own() -> None:
    assert demo("--control-plane", "real") == ENDS


def test_on_a_cluster_that_is_named_it_takes_everything_away_again(cluster: ControlPlane) -> None:
    assert demo("--kubeconfig", str(cluster.kubeconfig), "--context", "controlplane") == ENDS

    for path in (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles?labelSelector=app.kubernetes.io/part-of=stagegate",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?labelSelector=app.kubernetes.io/part-of=stagegate",
        "/api/v1/nodes",
        "/api/v1/namespaces/default/pods",
    ):
        assert cluster.admin.get(path).body["items"] == [], path
    for name in ("stagegate-system", "knative-serving"):
        assert cluster.admin.get(f"/api/v1/namespaces/{name}").status == 404, name


def test_a_cluster_that_has_knative_is_left_alone(plane: ControlPlane, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo", "--kubeconfig", str(plane.kubeconfig), "--context", "controlplane"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
    )

    assert done.returncode == 1
    assert "context controlplane already serves rolloutorchestrators.serving.knative.dev" in done.stderr
    assert done.stdout == ""
