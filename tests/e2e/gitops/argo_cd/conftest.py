"""Argo CD on a stand of its own for the run of a worker, whose network every test works in."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.controlplane import Binaries
from tests.documents import section
from tests.e2e.gitops.argo_cd.argo_app import ArgoApp
from tests.e2e.gitops.argo_cd.argo_cd import ArgoCD
from tests.e2e.gitops.argo_cd.files import stagegate
from tests.e2e.gitops.conftest import open_stand
from tests.e2e.gitops.stand import Stand

STAGEGATE = "stagegate"
"""The Application of Stagegate itself."""

_NUMBERS = itertools.count()

HEALTH_CHECKS = section("GitOps", "OPERATIONS.md").command("kubectl patch configmap argocd-cm ")


@pytest.fixture(scope="session")
def running_stand(
    binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    with open_stand(binaries_with_controller_manager, tmp_path_factory.mktemp("argo-cd-stand")) as stand:
        yield stand


@pytest.fixture(scope="session")
def running_argo_cd(
    program: Callable[[str], Path],
    definitions: Callable[[str], list[Path]],
    running_stand: Stand,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ArgoCD]:
    """With the health checks of the documents; it applies nothing yet."""
    with ExitStack() as ends:
        with running_stand.inside():
            folder = tmp_path_factory.mktemp("argo-cd")
            argo_cd = ArgoCD(running_stand, program("argo-cd"), definitions("argo-cd"), folder)
            argo_cd.install()
            running_stand.administrator.does(HEALTH_CHECKS)
            ends.enter_context(argo_cd)
        yield argo_cd


@pytest.fixture(scope="session")
def argo_cd_with_stagegate(running_argo_cd: ArgoCD) -> ArgoCD:
    """Argo CD has applied the manifests as they are, and both processes run."""
    stand = running_argo_cd.stand
    with stand.inside():
        running_argo_cd.commit(STAGEGATE, stagegate())
        application = running_argo_cd.application(STAGEGATE, "stagegate-system")
        application.syncs()
        stand.await_deployments()
        stand.installation.start()
        application.await_health("Healthy")
    return running_argo_cd


@pytest.fixture
def argo_cd(stand: Stand, argo_cd_with_stagegate: ArgoCD) -> ArgoCD:
    """Argo CD and Stagegate at work; the test works in their network."""
    return argo_cd_with_stagegate


@pytest.fixture
def new_app(argo_cd: ArgoCD) -> Iterator[Callable[[str], ArgoApp]]:
    """Make an app to which one side applies. It is left alone after the test."""
    made: list[ArgoApp] = []

    def new(side: str) -> ArgoApp:
        made.append(ArgoApp(argo_cd, f"app-{next(_NUMBERS)}", side))
        return made[-1]

    yield new
    for each in made:
        argo_cd.remove(each.name)
