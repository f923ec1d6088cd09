"""Our own manifests, as they are, kept in step by Argo CD: no drift, honest health, a removal that keeps rollouts."""

import pytest

from tests.e2e.administrator import kustomized
from tests.e2e.gitops.app import App
from tests.e2e.gitops.argo_cd import documented
from tests.e2e.gitops.argo_cd.application import FINALIZER, Application
from tests.e2e.gitops.argo_cd.argo_cd import ACCOUNT, APPLIES, ArgoCD
from tests.e2e.gitops.argo_cd.conftest import STAGEGATE
from tests.e2e.gitops.argo_cd.files import in_wave, stagegate, without
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually

CRDS = [
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.serving.knative.dev"
    for plural in ("rolloutorchestrators", "stagepodautoscalers")
]
BUDGET = "/apis/policy/v1/namespaces/stagegate-system/poddisruptionbudgets/stagegate-loop"
NAMESPACE = "/api/v1/namespaces/stagegate-system"
LATER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later", "namespace": "default"}}
LATER_PATH = "/api/v1/namespaces/default/configmaps/later"


@pytest.fixture
def application(argo_cd: ArgoCD) -> Application:
    """The Application of Stagegate itself."""
    return Application(argo_cd.stand.plane.admin, STAGEGATE)


def versions(stand: Stand) -> dict[tuple[str, str], str]:
    """The version of everything that the manifests hold."""
    found = stand.administrator.stored(kustomized(stand.administrator, "manifests/"))
    return {(each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"] for each in found}


def uids(stand: Stand, *paths: str) -> list[str]:
    return [stand.get(path).get("metadata", {}).get("uid", "") for path in paths]


@pytest.mark.parametrize("side", APPLIES)
def test_a_second_sync_changes_nothing_and_needs_no_ignored_fields(
    argo_cd: ArgoCD, application: Application, side: str
) -> None:
    application.patch({"spec": {"syncPolicy": {"syncOptions": APPLIES[side]}}})
    application.syncs()
    before, writes = versions(argo_cd.stand), argo_cd.stand.writes([ACCOUNT])

    application.refreshes()
    assert (application.sync, application.differing()) == ("Synced", [])
    assert argo_cd.stand.writes([ACCOUNT]) == writes

    assert application.syncs()["phase"] == "Succeeded"
    assert versions(argo_cd.stand) == before
    assert "ignoreDifferences" not in application.body()["spec"]


def test_health_follows_readyz(argo_cd: ArgoCD, application: Application) -> None:
    installation = argo_cd.stand.installation
    application.await_health("Healthy")
    assert installation.webhook is not None
    installation.hang(installation.webhook)
    try:
        application.await_health("Progressing")
    finally:
        installation.restore()
    application.await_health("Healthy")


def test_pruning_keeps_the_definitions(argo_cd: ArgoCD, application: Application) -> None:
    before = uids(argo_cd.stand, *CRDS)
    less = [without("CustomResourceDefinition"), without("PodDisruptionBudget", "stagegate-loop")]

    argo_cd.commit(STAGEGATE, stagegate(*less))
    pruned = application.syncs(prune=True)

    assert pruned["phase"] == "Succeeded"
    assert uids(argo_cd.stand, *CRDS, BUDGET) == [*before, ""]

    argo_cd.commit(STAGEGATE, stagegate())
    application.syncs(prune=True)
    application.refreshes()
    assert (application.sync, application.differing()) == ("Synced", [])


def test_a_removal_keeps_definitions_and_rollouts_and_a_later_wave_waits_for_the_webhook(
    argo_cd: ArgoCD, application: Application
) -> None:
    stand = argo_cd.stand
    app = App(stand, "kept")
    stand.create(app.rollout())
    eventually(lambda: "conditions" in app.stored()["status"], "the loop has seen it")
    kept = uids(stand, *CRDS, app.path)
    stand.installation.stop()

    application.patch({"metadata": {"finalizers": [FINALIZER]}})
    application.delete()
    eventually(lambda: not application.body() and not stand.get(NAMESPACE), "the removal is over")
    assert uids(stand, *CRDS, app.path) == kept

    argo_cd.commit(STAGEGATE, stagegate(later=in_wave(1, LATER)))
    argo_cd.application(STAGEGATE, "stagegate-system", syncPolicy=documented.application(STAGEGATE)["syncPolicy"])
    stand.await_deployments()
    application.await_(
        lambda body: "healthy state of apps/Deployment" in application.operation.get("message", ""), "it waits"
    )
    assert not stand.get(LATER_PATH)

    stand.installation.start()

    assert application.ended()["phase"] == "Succeeded"
    application.patch({"spec": {"syncPolicy": {"automated": None}}})
    assert stand.get(LATER_PATH)
    assert uids(stand, *CRDS, app.path) == kept
