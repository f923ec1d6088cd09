"""A control plane for the whole run, with the CRDs and policies of the manifests, and a namespace for each test."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.controlplane import Binaries, ControlPlane, Unavailable
from tests.controlplane.release import DEFAULT
from tests.controlplane.session import Session
from tests.e2e.cluster import Namespace, create_namespace, install_policies
from tests.e2e.foreign import NotFetched, Parts
from tests.e2e.receiver import Receiver
from tests.e2e.registered import Registered
from tests.e2e.tenant import Tenant
from tests.rig import Rig
from tests.rig import Unavailable as NoKnative
from tests.rig.release import UnknownRelease, is_run
from tests.rig.stagegate import Stagegate

NO_CONTROL_PLANE = 3
FOREIGN = "FOREIGN"
"""The environment variable that, with the value required, makes a part of others that cannot be had a failure."""

LOOP = "system:serviceaccount:stagegate-system:stagegate-loop"
UPSTREAM = "system:serviceaccount:knative-serving:controller"


def network() -> str:
    """The network namespace of this thread; empty where there is none."""
    path = Path("/proc/thread-self/ns/net")
    return str(path.readlink()) if path.exists() else ""


NETWORK_AT_START = network()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(autouse=True)
def own_network() -> None:
    """A fixture of a module or of the session leaves the network of a rig or of a stand once it is set up.

    Else later tests of other networks would start their processes there, where nothing reaches them.
    """
    assert network() == NETWORK_AT_START


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> Binaries:
    """The programs. With ``--control-plane real`` they are made if need be; else tests skip where there are none."""
    found = programs(pytestconfig, controller_manager=False)
    if found is None:
        pytest.skip("no kube-apiserver here; --control-plane real gets one")
    return found


@pytest.fixture(scope="session")
def binaries_with_controller_manager(pytestconfig: pytest.Config) -> Binaries:
    found = programs(pytestconfig, controller_manager=True)
    if found is None or found.kube_controller_manager is None:
        pytest.skip("no kube-controller-manager here; --control-plane real gets one")
    return found


def programs(config: pytest.Config, *, controller_manager: bool) -> Binaries | None:
    try:
        if config.getoption("--control-plane") == "real":
            return Binaries.find_or_make(controller_manager=controller_manager)
        return Binaries.find()
    except Unavailable as reason:
        pytest.exit(str(reason), returncode=NO_CONTROL_PLANE)


Part = TypeVar("Part")


@pytest.fixture(scope="session")
def definitions(pytestconfig: pytest.Config) -> Callable[[str], list[Path]]:
    """The files of others' definitions. With ``--control-plane real`` they are fetched if need be."""
    parts = _parts(pytestconfig)
    return lambda name: _had(parts.definitions, name)


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """Others' programs. With ``--control-plane real`` they are built if need be."""
    parts = _parts(pytestconfig)
    return lambda name: _had(parts.program, name)


@pytest.fixture(scope="session")
def sarif_schema(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The schema of SARIF. With ``--control-plane real`` it is fetched if need be."""
    parts = _parts(pytestconfig)
    return _had(lambda _: parts.sarif_schema(), "sarif")


def _parts(config: pytest.Config) -> Parts:
    return Parts(fetch=config.getoption("--control-plane") == "real")


def _had(find: Callable[[str], Part], name: str) -> Part:
    """The part; the test is skipped where it is not to be had, and fails where it was required."""
    try:
        return find(name)
    except NotFetched as reason:
        if os.environ.get(FOREIGN) == "required":
            pytest.fail(f"{reason} ({FOREIGN}=required)")
        pytest.skip(f"{reason}; --control-plane real fetches it where Go and its module proxy are")


@pytest.fixture(scope="session")
def plane(binaries: Binaries) -> Iterator[ControlPlane]:
    with ControlPlane.start(binaries=binaries) as plane:
        install_policies(plane.admin)
        yield plane


@pytest.fixture(scope="session")
def person(plane: ControlPlane) -> Iterator[Session]:
    """Somebody who edits objects in all namespaces."""
    with plane.session("jane") as session:
        yield session


@pytest.fixture(scope="session")
def controller(plane: ControlPlane) -> Iterator[Session]:
    """Upstream's controllers, who own these objects. Their rights are Knative's business; here they are given all."""
    with plane.session(UPSTREAM, ["system:masters"]) as session:
        yield session


@pytest.fixture(scope="session")
def new_namespace(plane: ControlPlane) -> Callable[..., Namespace]:
    """Make a namespace, with these labels."""
    numbers = itertools.count()

    def new(labels: dict[str, str] | None = None) -> Namespace:
        return create_namespace(plane.admin, f"test-{next(numbers)}", labels or {})

    return new


@pytest.fixture
def namespace(new_namespace: Callable[..., Namespace]) -> Namespace:
    return new_namespace()


@pytest.fixture(scope="session")
def plane_with_own_namespace(plane: ControlPlane) -> None:
    """The namespace of Stagegate itself."""
    create_namespace(plane.admin, "stagegate-system", {})


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path) as receiver:
        yield receiver


@pytest.fixture
def register_in(
    plane: ControlPlane, person: Session, receiver: Receiver
) -> Iterator[Callable[[Namespace], Registered]]:
    """Have the webhooks called for the writes of a namespace."""
    with ExitStack() as ends:

        def register_in(namespace: Namespace) -> Registered:
            registered = Registered(plane.admin, receiver, namespace)
            ends.callback(registered.remove)
            registered.in_force(person)
            return registered

        yield register_in


@pytest.fixture
def registered(register_in: Callable[[Namespace], Registered], namespace: Namespace) -> Registered:
    return register_in(namespace)


@pytest.fixture(scope="session")
def rig(pytestconfig: pytest.Config) -> Iterator[Rig]:
    """Knative's programs for the run. Where they cannot run, tests skip, but fail in CI or for a wrong KNATIVE."""
    if pytestconfig.getoption("--control-plane") != "real":
        pytest.skip("--control-plane real runs Knative's programs")
    if not is_run():
        pytest.skip(f"Knative is run on Kubernetes {DEFAULT} only, since it accepts none that is old")
    try:
        rig = Rig.start()
    except (NoKnative, Unavailable) as reason:
        if os.environ.get("CI") or isinstance(reason, UnknownRelease):
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    with rig:
        yield rig


@pytest.fixture(scope="session")
def running_stagegate(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stagegate]:
    """Stagegate beside Knative, webhook and loop running. A test that ends one of them starts it again."""
    stagegate = Stagegate(rig, tmp_path_factory.mktemp("stagegate"))
    try:
        with rig.inside():
            stagegate.install()
            stagegate.start()
        yield stagegate
    finally:
        stagegate.stop()


@pytest.fixture
def inside(rig: Rig) -> Iterator[None]:
    """The test works in the network of the rig."""
    with rig.inside():
        yield


@pytest.fixture
def stagegate(running_stagegate: Stagegate, inside: None) -> Stagegate:
    """The same; the test works in the network of the rig."""
    return running_stagegate


@pytest.fixture
def new_tenant(rig: Rig, inside: None) -> Iterator[Callable[..., Tenant]]:
    """Make a tenant with a namespace of these labels; it goes after the test."""
    tenants: list[Tenant] = []

    def new(labels: dict[str, str] | None = None) -> Tenant:
        tenants.append(Tenant(rig, f"tenant-{next(_TENANTS)}", labels))
        return tenants[-1]

    yield new
    for each in tenants:
        each.leave()


_TENANTS = itertools.count()


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant()
