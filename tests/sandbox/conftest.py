"""A running sandbox for the tests of this folder, and ways to speak to it."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.sandbox.wire import Api, Place

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for the whole run of a worker; tests that change more than a namespace start their own."""
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def api(sandbox: Sandbox) -> Iterator[Api]:
    """The API as its administrator sees it."""
    with Api(sandbox.kubeconfig) as connection:
        yield connection


@pytest.fixture
def place(api: Api) -> Place:
    """A namespace of the test's own."""
    name = f"test-{next(_numbers)}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return Place(name)


@pytest.fixture
def kubectl(sandbox: Sandbox, place: Place, tmp_path: Path) -> Kubectl:
    """Run the installed kubectl in the test's namespace; the test is skipped where there is none."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    environment = {**os.environ, "HOME": str(tmp_path), "KUBECTL_EXTERNAL_DIFF": "diff -u"}

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [program, "--kubeconfig", str(sandbox.kubeconfig), "--namespace", place.name, *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, env=environment, check=False
        )

    return run
