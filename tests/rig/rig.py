"""Rig: a control plane with Knative's own programs, and everything else of a cluster simulated."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tests.controlplane import Binaries, ControlPlane
from tests.controlplane.process import Program
from tests.controlplane.response import Response
from tests.controlplane.session import Session
from tests.rig import configuration
from tests.rig.activator import Activator
from tests.rig.ingress import Ingress
from tests.rig.kubelet import Kubelet
from tests.rig.network import SERVER, Network
from tests.rig.queue_proxy import QueueProxy
from tests.rig.release import Release, find_or_build
from tests.rig.timeline import Timeline, condition_of

CONTROLLER: Final = "system:serviceaccount:knative-serving:controller"
"""The user that all of Knative's programs are."""

_CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "replicaset-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
)
_OPTIONS: Final = (
    "--bind-address=0.0.0.0",
    f"--advertise-address={SERVER}",
    # Watches of the rig live as long as it does.
    "--min-request-timeout=86400",
)
_WITHIN: Final = 60.0
Wire = dict[str, Any]


class StartFailed(RuntimeError):
    """Knative did not come up; the message names the program or the object."""


class Rig:
    """Running Knative. Use it in a ``with``; whoever talks to it must be ``inside`` its network.

    ``plane`` is its control plane, ``timeline`` what happened to objects since the start, ``kubelet``, ``ingress`` and
    ``queue_proxy`` play their parts as a test tells them.
    """

    kubelet: Kubelet
    ingress: Ingress
    queue_proxy: QueueProxy
    timeline: Timeline
    plane: ControlPlane

    def __init__(self, release: Release, binaries: Binaries) -> None:
        self.requests: dict[tuple[str, str], float] = {}
        """Requests in flight of a service, by namespace and name; the ingress splits them."""

        self.release = release
        self.network = Network()
        self._ends = ExitStack()
        self._ends.callback(self.network.close)
        self._programs: dict[str, Program] = {}
        try:
            with self.inside():
                self._start(binaries)
        except BaseException:
            self.stop()
            raise

    @classmethod
    def start(cls) -> "Rig":
        """Start the release that KNATIVE names, else the newest; built if need be.

        Raises Unavailable of this package or of the control plane, StartFailed.
        """
        return cls(find_or_build(), Binaries.find_or_make(controller_manager=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything; safe to call twice."""
        with self.inside():
            self._ends.close()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, and what it starts, works in the network of the rig."""
        with self.network.inside():
            yield

    def session(self) -> Session:
        """Another connection of the administrator."""
        return self.plane.session("admin", ["system:masters"])

    def program(self, name: str) -> Program:
        """Knative's ``autoscaler``, ``controller`` or ``webhook``."""
        return self._programs[name]

    def route_writes(self, namespace: str) -> Counter[str]:
        """How often each user asked so far to write the spec or metadata of a Route; conflicts and denials count."""
        return Counter(
            event["user"]["username"]
            for event in self.plane.audit_events()
            if event["verb"] in ("create", "update", "patch")
            and (target := event.get("objectRef", {})).get("resource") == "routes"
            and target.get("namespace") == namespace
            and not target.get("subresource")
        )

    def _start(self, binaries: Binaries) -> None:
        self.plane = self._ends.enter_context(
            ControlPlane.start(
                manifests=False, knative=False, controllers=_CONTROLLERS, options=_OPTIONS, binaries=binaries
            )
        )
        self.plane.register_crds(configuration.definitions(self.release))
        self._create(configuration.objects(self.release))
        self._run("webhook", "--disable-ha", WEBHOOK_NAME="webhook", WEBHOOK_PORT=str(configuration.WEBHOOK_PORT))
        self._run("autoscaler", POD_IP=SERVER)
        with self.network.aside():
            self._run("controller")
        self._create(configuration.registrations(self.release))
        self.kubelet = Kubelet(self.session)
        self.ingress = Ingress(self.session)
        self.timeline = Timeline(self.session)
        # These end after the API server, on which they wait.
        for part in (self.timeline, self.ingress, self.kubelet):
            self._ends.callback(part.stop)
        self._ends.callback(self.plane.stop)
        self.queue_proxy = QueueProxy(self._concurrency)
        self._ends.callback(self.queue_proxy.stop)
        self._ends.callback(Activator().stop)
        self._await()

    def _create(self, objects: Iterable[Wire]) -> None:
        for each in objects:
            answer = create(self.plane.admin, each)
            if answer.status != HTTPStatus.CREATED:
                raise StartFailed(f"{each['kind']} {each['metadata']['name']}: {answer.message}")

    def _run(self, name: str, *options: str, **environment: str) -> None:
        kubeconfig = self._kubeconfig()
        common = {
            "SYSTEM_NAMESPACE": configuration.NAMESPACE,
            "POD_NAME": name,
            "CONFIG_LOGGING_NAME": "config-logging",
            "CONFIG_OBSERVABILITY_NAME": "config-observability",
            # Each of them listens for profilers.
            "PROFILING_PORT": str(8008 + len(self._programs)),
        }
        command: list[str | Path] = [self.release.programs / name, f"--kubeconfig={kubeconfig}", *options]
        log = self.plane.directory / f"{name}.log"
        program = self._programs[name] = Program(command, log, common | environment)
        self._ends.callback(program.kill)

    def _kubeconfig(self) -> Path:
        """Of Knative's account, at an address that both namespaces reach."""
        path = self.plane.kubeconfig_for(CONTROLLER)
        content = yaml.safe_load(path.read_text())
        cluster = content["clusters"][0]["cluster"]
        cluster |= {"server": cluster["server"].replace("127.0.0.1", SERVER), "tls-server-name": "127.0.0.1"}
        path.write_text(yaml.safe_dump(content))
        return path

    def _await(self) -> None:
        """Until Knative's webhook admits a Service; its controllers take up what they find whenever they start."""
        probe = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "probe", "namespace": "default"},
            "spec": {"template": {"spec": {"containers": [{"image": "dev.local/probe"}]}}},
        }
        deadline = time.monotonic() + _WITHIN
        while (answer := create(self.plane.admin, probe, dryRun="All")).status != HTTPStatus.CREATED:
            for name, program in self._programs.items():
                if not program.running:
                    raise StartFailed(f"Knative's {name} ended:\n{program.last_words()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"Knative admits no Service after {_WITHIN:.0f} s: {answer.message}")
            time.sleep(0.1)

    def _concurrency(self, address: str) -> float | None:
        """Its part of the requests of its service that the ingress sends to its revision now."""
        pod = self.kubelet.pod_at(address)
        if pod is None:
            return None
        namespace, labels = pod["metadata"]["namespace"], pod["metadata"]["labels"]
        service, revision = (
            labels.get("serving.knative.dev/service", ""),
            labels.get("serving.knative.dev/revision", ""),
        )
        requests = self.requests.get((namespace, service), 0.0) * self.ingress.share(namespace, service, revision) / 100
        ready = sum(condition_of(each, "Ready") == "True" for each in self.kubelet.pods_of(namespace, revision))
        return requests / max(ready, 1)


def create(session: Session, wire: Wire, **query: str) -> Response:
    """Create an object of any of the kinds whose plural ends in s."""
    group = wire["apiVersion"]
    base = f"/apis/{group}" if "/" in group else f"/api/{group}"
    plural = wire["kind"].lower() + ("" if wire["kind"].endswith("s") else "s")
    namespace = wire["metadata"].get("namespace")
    path = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
    return session.create(path, wire, **query)
