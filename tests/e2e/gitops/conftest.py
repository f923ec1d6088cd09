"""One stand for the run of a worker, the network of which every test works in, and Flux on it."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import Binaries
from tests.e2e.gitops import documented
from tests.e2e.gitops.artifacts import folder
from tests.e2e.gitops.flux import Flux
from tests.e2e.gitops.flux_app import FluxApp
from tests.e2e.gitops.stand import Stand
from tests.rig import Unavailable
from tests.rig.installation import REPOSITORY

STAGEGATE = "stagegate"
"""The Kustomization of Stagegate itself."""


@contextmanager
def open_stand(binaries: Binaries, folder: Path) -> Iterator[Stand]:
    """Nothing of Stagegate is installed. Where there is no network of its own, tests skip; in CI they fail."""
    try:
        stand = Stand(binaries, folder)
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    with stand:
        yield stand


@pytest.fixture(scope="session")
def running_stand(
    binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    with open_stand(binaries_with_controller_manager, tmp_path_factory.mktemp("stand")) as stand:
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
    options = ("--feature-gates=CancelHealthCheckOnNewRevision=true",)
    # It outlives the tests of Flux, so only its start is inside: what comes later works in another network.
    with ExitStack() as ends:
        with running_stand.inside():
            flux = ends.enter_context(
                Flux(running_stand.plane, running_stand.folder, program("kustomize-controller"), kinds, *options)
            )
            running_stand.create(*documented.accounts())
        yield flux


def install(flux: Flux, stand: Stand) -> None:
    """Have Flux apply the manifests as they are, with the rights documented for it, and start both processes.

    Does nothing where that has been done.
    """
    if flux.status(STAGEGATE):
        return
    flux.commit(STAGEGATE, folder(REPOSITORY / "manifests"))
    flux.sync(STAGEGATE, "./manifests", **documented.kustomization("stagegate"))
    stand.await_deployments()
    stand.installation.start()
    flux.await_ready(STAGEGATE)


@pytest.fixture
def flux(stand: Stand, running_flux: Flux) -> Flux:
    """Flux and Stagegate at work; the test works in their network."""
    install(running_flux, stand)
    return running_flux


@pytest.fixture(scope="session")
def new_app(running_flux: Flux, running_stand: Stand) -> Callable[..., FluxApp]:
    """Make an app that Flux is to apply, with this added to the spec of its Kustomization."""
    numbers = itertools.count(1)

    def new(**spec: Any) -> FluxApp:
        return FluxApp(running_flux, running_stand, f"app-{next(numbers)}", **spec)

    return new
