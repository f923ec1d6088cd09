"""One API server per worker, with webhook, loop and autoscaler on it; a namespace for each test."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.autoscaler import Pace
from sandbox.demo.control_plane import ControlPlane
from sandbox.demo.knative import Knative
from sandbox.demo.stack import LOOP, Stack
from tests.integration.place import ROS, Place
from tests.integration.service import Service
from tests.integration.user import User, Wire
from tests.waiting import eventually

NO_CONTROL_PLANE = 3
UPSTREAM = "system:serviceaccount:knative-serving:controller"
MASTERS = "system:masters"
HISTORY = 300
"""How many changes of a resource the sandbox remembers for watches: few, so that a test can outlive them."""

ROLLING = "rolling"
DOOMED = "doomed"
"""The namespaces in which the loop works; the second is deleted with what is inside."""

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("integration")


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest, folder: Path) -> Iterator[ControlPlane]:
    """The API server: the sandbox, or with ``--control-plane real`` a real one."""
    if request.config.getoption("--control-plane") == "sandbox":
        from sandbox import Sandbox

        with Sandbox(folder / "sandbox", history=HISTORY, bookmark_seconds=1.0) as sandbox:
            yield sandbox
        return

    from tests.controlplane import ControlPlane, Unavailable

    try:
        running = ControlPlane.start(controller_manager=True)
    except Unavailable as reason:
        pytest.exit(str(reason), returncode=NO_CONTROL_PLANE)
    with running:
        yield running


@pytest.fixture(scope="session")
def stack(plane: ControlPlane, folder: Path) -> Iterator[Stack]:
    """Manifests installed, the webhook registered and in force; the loop does not run."""
    with Stack(plane, folder) as stack:
        stack.install()
        stack.start_webhook()
        default = Place("default")
        admin = User(plane.kubeconfig, None, folder)
        rehearsal = default.rollout("rehearsal")
        eventually(
            lambda: "rolloutStrategy" in admin.create(default.path(ROS), rehearsal, dryRun="All").body.get("spec", {}),
            "the webhook is called",
        )
        admin.close()
        yield stack


@pytest.fixture(scope="session")
def running(stack: Stack, admin: User) -> Stack:
    """The same, and in the namespaces of rollouts the loop carries them, and simulated replicas move.

    In one of them Knative's controllers are played, for whatever Services a test makes.

    Elsewhere nothing moves, so that what a test writes there stays as it was written.
    """
    for name in (ROLLING, DOOMED):
        make_namespace(admin, name, {})
    Knative(stack.client, ROLLING, "any", 0).make_node()
    stack.start_knative(ROLLING)
    stack.start_autoscaler(Pace(starts_per_tick=10, stable_ticks=1000), 0.1)
    stack.start_loop(["--namespaces", f"{ROLLING},{DOOMED}", "--spa-grace", "2"])
    return stack


@pytest.fixture
def new_service(running: Stack, person: User) -> Iterator[Callable[..., Service]]:
    """Make a service whose traffic needs so many replicas; it goes at the end."""
    with ExitStack() as ends:

        def new_service(demand: int, namespace: str = ROLLING, bounds: Wire | None = None) -> Service:
            service = Service(running.client, person, Place(namespace), f"hello-{next(_numbers)}", demand, bounds)
            ends.callback(service.remove)
            return service

        yield new_service


@pytest.fixture(scope="session")
def kubectl(plane: ControlPlane) -> str | None:
    """The program that belongs to the API server, else the one that is installed; None where there is none."""
    binaries = getattr(plane, "binaries", None)
    return str(binaries.kubectl) if binaries is not None else shutil.which("kubectl")


@pytest.fixture
def needs_kubectl(kubectl: str | None) -> None:
    if kubectl is None:
        pytest.skip("kubectl is not installed")


@pytest.fixture(scope="session")
def user(stack: Stack, kubectl: str | None, folder: Path) -> Iterator[Callable[..., User]]:
    """Make a user of this name and these groups."""
    with ExitStack() as ends:

        def user(name: str, *groups: str) -> User:
            made = User(stack.plane.kubeconfig_for(name, groups), kubectl, folder)
            ends.callback(made.close)
            return made

        yield user


@pytest.fixture(scope="session")
def admin(user: Callable[..., User]) -> User:
    """Somebody who may do everything."""
    return user("admin", MASTERS)


@pytest.fixture(scope="session")
def person(user: Callable[..., User]) -> User:
    """Somebody who edits objects in all namespaces."""
    return user("jane")


@pytest.fixture(scope="session")
def loop_account(user: Callable[..., User]) -> User:
    """The companion loop's own account, with the roles of the manifests."""
    return user(LOOP)


@pytest.fixture(scope="session")
def upstream(user: Callable[..., User]) -> User:
    """Upstream's controllers, who own these objects too. Their rights are Knative's business; here they have all."""
    return user(UPSTREAM, MASTERS)


@pytest.fixture(scope="session")
def new_place(stack: Stack, admin: User) -> Callable[..., Place]:
    """Make a namespace with these labels."""

    def new_place(**labels: str) -> Place:
        return make_namespace(admin, f"test-{next(_numbers)}", labels)

    return new_place


@pytest.fixture
def place(new_place: Callable[..., Place]) -> Place:
    return new_place()


def make_namespace(admin: User, name: str, labels: dict[str, str]) -> Place:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    answer = admin.create("/api/v1/namespaces", namespace)
    assert answer.done, answer.message
    return Place(name)
