"""Stack: manifests, webhook, loop and autoscaler on a control plane, each started when it is asked for."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from certs.directory import DirectoryStore
from certs.renewal import renew
from certs.rotation import RotationPolicy
from sandbox.autoscaler import Pace
from sandbox.controllers import KnativeControllers
from sandbox.demo.control_plane import ControlPlane, client_of
from sandbox.demo.manifest import Installation, at_url, documents
from sandbox.demo.process import Process
from sandbox.sandbox import KNATIVE_CRDS, MANIFESTS
from sandbox.simulation import Autoscaler
from webhook.admission.settings import KNATIVE_CONTROLLER

LOOP: Final = "system:serviceaccount:stagegate-system:stagegate-loop"
WEBHOOK: Final = "system:serviceaccount:stagegate-system:stagegate-webhook"
STOCK_KNATIVE: Final = Path("components") / "stock-knative"
"""What the default overlay has for rollouts of Services."""
_READY_SECONDS: Final = 30.0


class Stack:
    """What a cluster runs, on this machine: webhook and loop as processes under their own service accounts.

    Use it in a ``with``: at the end nothing of it runs. What was put into the control plane stays there, unless
    ``remove`` says otherwise. Logs and certificates lie in ``directory``. ``code`` is the root of another release whose
    programs and registrations are used.
    """

    def __init__(self, plane: ControlPlane, directory: Path, *, remove: bool = False, code: Path | None = None) -> None:
        self.plane = plane
        self.directory = directory
        self.client = client_of(plane.kubeconfig)
        self.rehearsal = client_of(plane.kubeconfig, dry_run=True)
        self.webhook_url = self.pages_url = ""
        self.webhook: Process | None = None
        self.loop: Process | None = None
        self._code = code
        self._installation = Installation(self.client)
        self._ends = ExitStack()
        if remove:
            self._ends.callback(self._installation.remove)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for process in (self.webhook, self.loop):
            # Both take a moment to end well: let it be the same moment.
            if process is not None:
                process.terminate()
        self._ends.close()

    def install(self) -> None:
        """CRDs (those of Knative too), namespace, accounts, roles and policies."""
        parts = (MANIFESTS / "base", MANIFESTS / "crds", KNATIVE_CRDS, MANIFESTS / "rbac", MANIFESTS / "policies")
        whole = documents(*parts, MANIFESTS / STOCK_KNATIVE)
        self._installation.apply(one for one in whole if "webhooks" not in one)

    def start_webhook(self, arguments: Sequence[str] = ()) -> None:
        """Make certificates, serve over HTTPS, and register. Raises ProcessFailed."""
        certificates = self.directory / "certs"
        renew(DirectoryStore(certificates), ["127.0.0.1", "localhost"], datetime.now(UTC), RotationPolicy())
        kubeconfig = self.plane.kubeconfig_for(WEBHOOK)
        # Nobody else holds connections to it, so it need not wait for them at the end.
        where = ["--host", "127.0.0.1", "--port", "0", "--pages-port", "0", "--drain", "0"]
        options = [*where, "--cert-dir", str(certificates), "--kubeconfig", str(kubeconfig)]
        self.webhook = self._start(["serve", *options, *arguments])
        urls = self.webhook.wait_for_line("serving ", _READY_SECONDS)
        self.webhook_url, _, self.pages_url = urls.partition(", pages ")
        authority = (certificates / "ca.crt").read_bytes()
        manifests = self._code / "manifests" if self._code else MANIFESTS
        whole = documents(manifests / "webhooks", manifests / STOCK_KNATIVE)
        self._installation.apply(at_url(one, self.webhook_url, authority) for one in whole if "webhooks" in one)

    def start_loop(self, arguments: Sequence[str] = ()) -> None:
        """Run the loop from now on."""
        kubeconfig = self.plane.kubeconfig_for(LOOP)
        self.loop = self._start(["loop", "--kubeconfig", str(kubeconfig), *arguments])

    def stop_loop(self) -> None:
        """Stop the loop until it is started again."""
        if self.loop is not None:
            self.loop.stop()
            self.loop = None

    def start_autoscaler(self, pace: Pace, seconds_per_tick: float, namespace: str | None = None) -> Autoscaler:
        """Move simulated replicas from now on, of one namespace or of all."""
        client = client_of(self.plane.kubeconfig, "stagegate-autoscaler")
        autoscaler = Autoscaler(client, namespace=namespace, pace=pace, seconds_per_tick=seconds_per_tick)
        return self._ends.enter_context(autoscaler)

    def start_knative(self, namespace: str) -> None:
        """Simulate Knative's controllers of Services in one namespace from now on, as the account of the real ones."""
        self._installation.apply(documents(Path(__file__).parent))
        kubeconfig = self.plane.kubeconfig_for(KNATIVE_CONTROLLER, ("system:masters",))
        self._ends.enter_context(KnativeControllers(client_of(kubeconfig, "controller"), namespace))

    def at_end(self, call: Callable[[], None]) -> None:
        """Call this at the end of the ``with``, after what is started from now on has ended."""
        self._ends.callback(call)

    def failure(self) -> str:
        """Why the stack cannot go on: a process that ended; empty while all is well."""
        for process in (self.webhook, self.loop):
            if process is not None and not process.running:
                return f"{process.name} ended: {process.last_words()}; see {process.log}"
        return ""

    def _start(self, arguments: Sequence[str]) -> Process:
        process = Process(arguments, self.directory / f"{arguments[0]}.log", self._code)
        self._ends.callback(process.stop)
        return process
