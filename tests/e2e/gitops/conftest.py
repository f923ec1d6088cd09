"""One stand for the run of a worker, the network of which every test works in, and Flux on it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane import Binaries
from tests.e2e.gitops.artifacts import folder
from tests.e2e.gitops.flux import Flux
from tests.e2e.gitops.stand import Stand
from tests.rig import Unavailable
from tests.rig.installation import REPOSITORY

STAGEGATE = "stagegate"
"""The Kustomization of Stagegate itself."""


@pytest.fixture(scope="session")
def running_stand(
    binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """Nothing of Stagegate is installed. Where there is no network of its own, tests skip; in CI they fail."""
    try:
        stand = Stand(binaries_with_controller_manager, tmp_path_factory.mktemp("stand"))
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    with stand:
        yield stand


@pytest.fixture
def stand(running_stand: Stand) -> Iterator[Stand]:
    """The stand; the test works in its network."""
    with running_stand.inside():
        yield running_stand


@pytest.fixture(scope="session")
def running_flux(
    program: Callable[[str], Path], definitions: Callable[[str], list[Path]], running_stand: Stand
) -> Iterator[Flux]:
    """The controller runs, and applies nothing yet."""
    kinds = [*definitions("kustomize-controller"), *definitions("source-controller")]
    with running_stand.inside(), Flux(running_stand, program("kustomize-controller"), kinds) as flux:
        yield flux


@pytest.fixture(scope="session")
def flux_with_stagegate(running_stand: Stand, running_flux: Flux) -> Flux:
    """Flux has applied the manifests as they are, and both processes run."""
    with running_stand.inside():
        running_flux.commit(STAGEGATE, folder(REPOSITORY / "manifests"))
        running_flux.sync(STAGEGATE, "./manifests", wait=True)
        running_stand.await_deployments()
        running_stand.installation.start()
        running_flux.await_ready(STAGEGATE)
    return running_flux


@pytest.fixture
def flux(stand: Stand, flux_with_stagegate: Flux) -> Flux:
    """Flux and Stagegate at work; the test works in their network."""
    return flux_with_stagegate
