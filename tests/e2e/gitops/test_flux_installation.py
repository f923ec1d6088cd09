"""Stagegate's own manifests under Flux, as they are: no second write, honest waiting, a removal that keeps rollouts."""

from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.e2e.administrator import REPOSITORY
from tests.e2e.cluster import ROS, Namespace, rollout
from tests.e2e.gitops import documented
from tests.e2e.gitops.artifacts import folder
from tests.e2e.gitops.conftest import STAGEGATE
from tests.e2e.gitops.flux import INSTALLER, Flux
from tests.e2e.gitops.flux_app import FluxApp
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually
from tests.rig import installation

MANIFESTS = folder(REPOSITORY / "manifests")
CRDS = [
    "customresourcedefinition.apiextensions.k8s.io/rolloutorchestrators.serving.knative.dev",
    "customresourcedefinition.apiextensions.k8s.io/stagepodautoscalers.serving.knative.dev",
]
POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/rolloutorchestrators.stagegate.dev"
KEPT = Namespace("default").path(ROS, "kept")
SPEC = {"targetRevisions": [{"revisionName": "kept-00001", "percent": 100}], "rolloutStrategy": "availability"}


@pytest.fixture
def kept(flux: Flux, stand: Stand) -> Iterator[str]:
    """The uid of a rollout that somebody else made."""
    stand.plane.admin.create(Namespace("default").path(ROS), rollout("kept", SPEC))
    yield stand.get(KEPT)["metadata"]["uid"]
    stand.plane.admin.delete(KEPT)


def test_further_passes_write_nothing(flux: Flux, stand: Stand) -> None:
    """No line of the Kustomization ignores anything, although the loop has written the caBundle of every webhook."""
    before = stand.writes([INSTALLER])
    bundles = [
        webhook["clientConfig"]["caBundle"]
        for each in stand.installation.registrations()
        for webhook in each["webhooks"]
    ]

    flux.passes(STAGEGATE, 3)

    assert {"clusterroles", "deployments", "validatingwebhookconfigurations"} <= {
        resource for _, resource, _, _ in before
    }
    assert all(bundles)
    assert stand.writes([INSTALLER]) == before
    assert "ignore" not in documented.kustomization("stagegate")


def test_the_file_for_flux_is_valid(flux: Flux, stand: Stand) -> None:
    stand.administrator.does("kubectl create namespace rollouts")

    stand.administrator.does("kubectl apply --dry-run=server --validate=strict -f manifests/gitops/flux.yaml")


def test_waiting_means_readiness_asked_of_the_process(
    flux: Flux, stand: Stand, new_app: Callable[..., FluxApp]
) -> None:
    """And what depends on Stagegate waits for it."""
    webhook = stand.installation.webhook
    assert webhook is not None
    webhook.stop(20)
    deployment = f"/apis/apps/v1/namespaces/{installation.NAMESPACE}/deployments/stagegate-webhook"
    eventually(lambda: "readyReplicas" not in stand.get(deployment)["status"], "no pod is ready")

    number = flux.request(STAGEGATE)
    eventually(lambda: flux.awaits_health(STAGEGATE), "Flux waits")
    app = new_app(dependsOn=[{"name": STAGEGATE}])
    app.keeps(app.rollout())
    app.await_message("dependency 'flux-system/stagegate' is not ready")
    stand.installation.start_webhook()
    flux.await_passed(STAGEGATE, number)

    flux.await_ready(STAGEGATE)
    assert stand.get(deployment)["status"]["readyReplicas"] == 2
    app.await_ready()


def test_pruning_and_deletion_keep_definitions_and_rollouts(flux: Flux, stand: Stand, kept: str) -> None:
    """First nothing but the definitions and the policies leaves Git, then the Kustomization goes."""
    name = "manifests/base/kustomization.yaml"
    root = yaml.safe_load(MANIFESTS[name])
    root["resources"] = [each for each in root["resources"] if each not in ("../crds", "../policies")]
    flux.commit(STAGEGATE, {**MANIFESTS, name: yaml.safe_dump(root).encode()})
    flux.await_ready(STAGEGATE)
    assert stand.get(POLICY) == {}
    assert set(CRDS) < set(left(stand))

    stand.installation.stop()
    flux.remove(STAGEGATE)

    eventually(lambda: sorted(left(stand)) == sorted(CRDS), "all else is gone", lambda: left(stand))
    assert stand.get(KEPT)["metadata"]["uid"] == kept


def left(stand: Stand) -> list[str]:
    """The objects of the manifests that are still there."""
    return stand.administrator.does("kubectl get --ignore-not-found -k manifests/ -o name").split()
