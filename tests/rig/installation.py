"""Installation: webhook and loop as processes under their own accounts, with the arguments of their Deployments."""

import base64
import os
import signal
import subprocess
import time
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from sandbox.demo.process import Process
from tests.controlplane import ControlPlane

NAMESPACE: Final = "stagegate-system"
REPOSITORY: Final = Path(__file__).parents[2]
LOOP: Final = f"system:serviceaccount:{NAMESPACE}:stagegate-loop"
WEBHOOK: Final = f"system:serviceaccount:{NAMESPACE}:stagegate-webhook"
_DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
_REGISTRATIONS: Final = "/apis/admissionregistration.k8s.io/v1"
_LABEL: Final = "app.kubernetes.io/part-of"
_PORT: Final = 443
_PAGES: Final = {"webhook": 8081, "loop": 8082}
_WITHIN: Final = 60.0
Wire = dict[str, Any]


class NotInForce(RuntimeError):
    """The installation does not come to work; the message says what is missing."""


class Installation:
    """Works inside a network in which addresses of services are addresses of the machine itself.

    Each process has the arguments of its Deployment, but other addresses.
    """

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.webhook: Process | None = None
        self.loop: Process | None = None
        self._folder = folder
        self._code: Path | None = None

    def start(self) -> None:
        """Loop and webhook, until every registration is answered over certificates that the loop has made."""
        self.start_loop()
        self.start_webhook()
        self.await_registrations()

    def start_webhook(self, *options: str) -> None:
        self.begin_webhook(*options).wait_for_line("serving ", _WITHIN)

    def begin_webhook(self, *options: str) -> Process:
        """Start it, and do not wait until it serves."""
        address = ["--host=0.0.0.0", f"--port={_PORT}", "--drain=0"]
        self.webhook = self._process("webhook", [*address, *options])
        return self.webhook

    def start_loop(self, *options: str) -> None:
        self.loop = self._process("loop", [f"--webhook-port={_PORT}", "--ca-settle=1", *options])

    def stop(self) -> None:
        """End both in good order."""
        for process in (self.webhook, self.loop):
            if process is not None:
                self.resume(process)
                process.terminate()
        for process in (self.webhook, self.loop):
            if process is not None:
                process.stop(20)

    def restore(self) -> None:
        """Have both run again, and answer."""
        for process in (self.webhook, self.loop):
            if process is not None and process.running:
                self.resume(process)
        if self.loop is None or not self.loop.running:
            self.start_loop()
        if self.webhook is None or not self.webhook.running:
            self.start_webhook()
        self.await_registrations()

    @staticmethod
    def kill(process: Process) -> None:
        """End it at once, as a node that loses power does."""
        os.killpg(process.pid, signal.SIGKILL)
        process.stop()

    @staticmethod
    def hang(process: Process) -> None:
        """It accepts connections and does nothing any more, until ``resume``."""
        os.killpg(process.pid, signal.SIGSTOP)

    @staticmethod
    def resume(process: Process) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)

    def pages(self, name: str) -> str:
        """The address of the pages of ``webhook`` or ``loop``."""
        return f"http://127.0.0.1:{_PAGES[name]}"

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """What kubectl printed, as the administrator in the repository."""
        done = subprocess.run(
            [str(self.plane.binaries.kubectl), f"--kubeconfig={self.plane.kubeconfig}", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise NotInForce(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def registrations(self) -> list[Wire]:
        """Ours, as they are stored."""
        return [
            each
            for kind in ("mutating", "validating")
            for each in self.plane.admin.get(f"{_REGISTRATIONS}/{kind}webhookconfigurations").body["items"]
            if each["metadata"].get("labels", {}).get(_LABEL) == "stagegate"
        ]

    def unregister(self) -> None:
        """Remove the registrations."""
        self.kubectl(
            "delete", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "-l", f"{_LABEL}=stagegate"
        )

    def await_registrations(self) -> None:
        """Until every one has the authority's certificate, and a call of the webhook succeeds. Raises NotInForce."""
        deadline = time.monotonic() + _WITHIN
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise NotInForce(f"after {_WITHIN:.0f} s: {missing}")
            time.sleep(0.1)

    def _missing(self) -> str:
        for each in self.registrations():
            for webhook in each["webhooks"]:
                if not base64.b64decode(webhook["clientConfig"].get("caBundle", "")):
                    return f"{webhook['name']} has no caBundle"
        probe = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "RolloutOrchestrator",
            "metadata": {"name": "probe"},
        }
        path = "/apis/serving.knative.dev/v1/namespaces/default/rolloutorchestrators"
        answer = self.plane.admin.create(path, probe, dryRun="All")
        if answer.status != HTTPStatus.CREATED or "labels" not in answer.body["metadata"]:
            return f"the webhook does not answer: {answer.message}"
        names = [each["metadata"]["name"] for each in self.registrations()]
        # A former release stays beside a registration that it does not answer.
        if self._code is not None or "mutate.knative.stagegate.dev" not in names or self._is_asked():
            return ""
        return "no Revision is asked about"

    def _is_asked(self) -> bool:
        """True if the API server asks the webhook about a Revision, and the webhook has Knative's objects."""
        before = self._reviews()
        revision = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {"name": "probe-00001", "labels": {"serving.knative.dev/service": "probe"}},
            "spec": {"containers": [{"image": "dev.local/probe"}]},
        }
        path = "/apis/serving.knative.dev/v1/namespaces/default/revisions"
        self.plane.admin.create(path, revision, dryRun="All")
        return self._reviews() > before and any(
            line.startswith("stagegate_knative_synced") and line.endswith(" 1.0") for line in self._metrics()
        )

    def _reviews(self) -> float:
        """How many reviews of Knative's objects the webhook has answered."""
        return sum(
            float(line.rpartition(" ")[2])
            for line in self._metrics()
            if line.startswith("stagegate_admission_reviews_total") and '/knative"' in line
        )

    def _metrics(self) -> list[str]:
        with urllib.request.urlopen(f"{self.pages('webhook')}/metrics", timeout=10) as response:
            return [line.decode().rstrip() for line in response]

    def _process(self, name: str, options: list[str]) -> Process:
        deployment = self.plane.admin.get(f"{_DEPLOYMENTS}/stagegate-{name}").body
        arguments = [
            argument.replace("$(POD_NAMESPACE)", NAMESPACE)
            for argument in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        ]
        account = f"system:serviceaccount:{NAMESPACE}:stagegate-{name}"
        kubeconfig = self.plane.kubeconfig_for(account)
        pages = ["--pages-host=127.0.0.1", f"--pages-port={_PAGES[name]}", "--log-format=text"]
        log = self._folder / f"{name}-{time.monotonic_ns()}.log"
        return Process([*arguments, f"--kubeconfig={kubeconfig}", *pages, *options], log, self._code)
