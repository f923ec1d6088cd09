"""Stand: a control plane in a network of its own, in which a sync tool installs Stagegate and its processes run."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sandbox.autoscaler import Pace
from sandbox.demo.control_plane import client_of
from sandbox.simulation import Autoscaler
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.administrator import Administrator
from tests.e2e.balancer import is_ready
from tests.e2e.kubelet import Kubelet
from tests.e2e.standing import eventually
from tests.rig.installation import NAMESPACE, Installation
from tests.rig.network import SERVER, Network
from tests.rig.rig import create

Wire = dict[str, Any]

_CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "replicaset-controller",
)
_WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
_PACE: Final = Pace(starts_per_tick=10, stable_ticks=1000)
_SECONDS_PER_TICK: Final = 0.1


class Stand:
    """Use it in a ``with``; whoever talks to it, and what they start, must be ``inside`` its network.

    ``installation`` has the two processes, which somebody starts once their Deployments are there. Their pods are made
    by Kubernetes, and ready while ``/readyz`` of the process says so. Knative's kinds are served, and a simulated
    autoscaler moves the replicas of every PodAutoscaler; Knative itself does not run.
    """

    plane: ControlPlane
    installation: Installation
    administrator: Administrator

    def __init__(self, binaries: Binaries, folder: Path) -> None:
        """Raises Unavailable (of tests.rig) where this machine gives no network of its own."""
        self.folder = folder
        self.network = Network()
        self._ends = ExitStack()
        self._ends.callback(self.network.close)
        try:
            with self.inside():
                self._start(binaries)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, and what it starts, works in the network of the stand."""
        with self.network.inside():
            yield

    def create(self, *objects: Wire) -> None:
        """Create what a test needs beside what is in Git."""
        for each in objects:
            answer = create(self.plane.admin, each)
            assert answer.status == HTTPStatus.CREATED, answer.message

    def get(self, path: str) -> Wire:
        """An object as it is stored; empty where there is none."""
        answer = self.plane.admin.get(path)
        body: Wire = answer.body if answer.status == HTTPStatus.OK else {}
        return body

    def await_deployments(self) -> None:
        """Until both Deployments are there; then the processes can be started."""
        paths = [f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/stagegate-{name}" for name in ("webhook", "loop")]
        eventually(lambda: all(self.get(path) for path in paths), "the Deployments are there")

    def writes(self, users: Sequence[str]) -> list[tuple[str, str, str, str]]:
        """Every write that one of these users asked for so far: verb, resource, namespace, name.

        Neither dry runs count, nor Events, reviews of rights, or what the tool keeps on itself.
        """
        return [
            (event["verb"], target["resource"], target.get("namespace", ""), target.get("name", ""))
            for event in self.plane.audit_events()
            if event["verb"] in _WRITES
            and event.get("impersonatedUser", event["user"])["username"] in users
            and "dryRun=" not in urlsplit(event["requestURI"]).query
            and (target := event.get("objectRef", {})).get("resource") not in ("events", "leases")
            and target.get("apiGroup") not in ("argoproj.io", "authorization.k8s.io")
            and not target.get("apiGroup", "").endswith(".fluxcd.io")
        ]

    def _start(self, binaries: Binaries) -> None:
        self.plane = self._ends.enter_context(
            ControlPlane.start(
                manifests=False,
                controllers=_CONTROLLERS,
                # There is no default route by which the API server would find its address.
                options=(f"--advertise-address={SERVER}",),
                binaries=binaries,
            )
        )
        self.installation = Installation(self.plane, self.folder)
        self._ends.callback(self.installation.stop)
        self.administrator = Administrator(self.plane)
        self._ends.enter_context(Kubelet(self.plane, NAMESPACE, self._is_ready))
        autoscaler = Autoscaler(client_of(self.plane.kubeconfig), pace=_PACE, seconds_per_tick=_SECONDS_PER_TICK)
        self._ends.enter_context(autoscaler)

    def _is_ready(self, name: str) -> bool:
        """Asks the process of a Deployment."""
        pages = urlsplit(self.installation.pages(name.removeprefix("stagegate-")))
        return is_ready(pages.hostname or "", pages.port or 0)

    def _stop(self) -> None:
        with self.inside():
            self._ends.close()
