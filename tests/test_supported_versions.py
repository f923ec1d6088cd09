"""The table of supported versions in the README: what the tests run on, and nothing else."""

from importlib import metadata

from tests.controlplane import release as kubernetes
from tests.documents import section
from tests.rig import release as knative


def rows() -> list[list[str]]:
    """One for each combination that a target runs: Stagegate, Kubernetes, Knative Serving and the command."""
    default = kubernetes.version(kubernetes.DEFAULT).removeprefix("v")
    combinations = []
    for name in reversed(knative.releases()):
        command = "`make e2e`" if name == knative.NEWEST else f"`make e2e KNATIVE={name}`"
        combinations.append([default, name, command])
    for name in reversed(kubernetes.releases()):
        if name != kubernetes.DEFAULT:
            patch = kubernetes.version(name).removeprefix("v")
            combinations.append([patch, "none", f"`make e2e KUBERNETES={name}`"])
    return [[metadata.version("stagegate"), *each] for each in combinations]


def test_the_table_has_what_the_tests_run_on() -> None:
    assert section("Install").rows == rows()
