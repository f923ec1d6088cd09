"""Argo CD that may read everything, and writes only as the accounts that manifests/gitops has for it."""

from collections.abc import Iterator

import pytest

from tests.e2e.administrator import kustomized
from tests.e2e.gitops.app import OLD, target
from tests.e2e.gitops.argo_cd import documented
from tests.e2e.gitops.argo_cd.application import Application
from tests.e2e.gitops.argo_cd.argo_app import ArgoApp
from tests.e2e.gitops.argo_cd.argo_cd import ACCOUNT, APPLIES, ArgoCD
from tests.e2e.gitops.argo_cd.conftest import STAGEGATE
from tests.e2e.gitops.argo_cd.files import stagegate, without

IMPERSONATION = "application.sync.impersonation.enabled"
INSTALLER, ROLLOUTS = (f"system:serviceaccount:argocd:{name}" for name in ("stagegate-installer", "rollouts"))
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/argocd-application-controller"
KEPT = {"CustomResourceDefinition", "Deployment", "Namespace", "ServiceAccount"}
"""Kinds without which the processes or the rollouts of the other tests would end."""


@pytest.fixture(scope="module")
def narrow(argo_cd_with_stagegate: ArgoCD) -> Iterator[ArgoCD]:
    """With the rights and the projects of manifests/gitops."""
    argo_cd, stand = argo_cd_with_stagegate, argo_cd_with_stagegate.stand
    with stand.inside():
        before = stand.get(ROLE)["rules"]
        stand.administrator.does(
            "kubectl apply -f manifests/gitops/installer.yaml -f manifests/gitops/argocd-rights.yaml"
        )
        stand.create(*documented.accounts())
        argo_cd.project(STAGEGATE, **documented.project(STAGEGATE))
        argo_cd.setting(IMPERSONATION, "true")
    yield argo_cd
    with stand.inside():
        argo_cd.setting(IMPERSONATION, None)
        stand.plane.admin.patch(ROLE, {"rules": before})


@pytest.mark.parametrize("side", APPLIES)
def test_rollouts_need_two_roles_in_their_namespace(narrow: ArgoCD, argo_cd: ArgoCD, side: str) -> None:
    app = ArgoApp(argo_cd, f"narrow-{side}", side)
    argo_cd.stand.create(*documented.grants(app.name))
    argo_cd.project(app.name, **documented.project("rollouts", app.name))
    before = argo_cd.stand.writes([ACCOUNT])

    app.has_revision()
    app.keeps(app.rollout(), app.spa(), app.kept("RolloutOrchestrator", "other"), project=app.name)
    app.starts()
    app.await_complete()
    revision = app.keeps(app.rollout(target(OLD)))
    app.application.await_synced(revision)

    written = {(verb, name) for verb, _, place, name in argo_cd.stand.writes([ROLLOUTS]) if place == app.name}
    assert written >= {("patch", "hello"), ("delete", "other")}
    assert argo_cd.stand.writes([ACCOUNT]) == before
    argo_cd.remove(app.name)


@pytest.mark.parametrize("side", APPLIES)
def test_the_installer_may_add_and_remove_every_kind(narrow: ArgoCD, argo_cd: ArgoCD, side: str) -> None:
    application = Application(argo_cd.stand.plane.admin, STAGEGATE)
    application.patch({"spec": {"project": STAGEGATE, "syncPolicy": {"syncOptions": APPLIES[side]}}})
    before = argo_cd.stand.writes([ACCOUNT])
    kinds = {each["kind"] for each in kustomized(argo_cd.stand.administrator, "manifests/")} - KEPT

    argo_cd.commit(STAGEGATE, stagegate(*(without(kind) for kind in sorted(kinds))))
    removed = application.syncs(prune=True)
    assert removed["phase"] == "Succeeded", application.operation["message"]
    argo_cd.commit(STAGEGATE, stagegate())
    added = application.syncs()
    assert added["phase"] == "Succeeded", application.operation["message"]

    argo_cd.stand.installation.await_registrations()
    application.await_health("Healthy")
    assert argo_cd.stand.writes([ACCOUNT]) == before
    assert argo_cd.stand.writes([INSTALLER])
