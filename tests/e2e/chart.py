"""The Helm chart and Helm itself: what it renders, as Kubernetes reads it."""

import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.plane import MANIFESTS
from tests.e2e.administrator import REPOSITORY

CHART: Final = MANIFESTS / "chart"
NAMESPACE: Final = "stagegate-system"

OVERLAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "cert-manager": ("certManager.enabled=true",),
    "dev": ("webhook.replicas=1", "loop.replicas=1"),
    "enforce-warn": ("enforce=warn",),
    "existing-namespace": ("namespace.create=false",),
    "fail-open": ("failOpen=true",),
    "forbid-override": ("forbidOverride=true",),
    "monitoring": ("monitoring.enabled=true",),
    "no-force-delete": ("forceDelete=false",),
    "no-stock-knative": ("stockKnative.enabled=false",),
    "progressive": ("progressive=true",),
    "steps-off": ("steps=false",),
    "stock-knative-namespaces": ("stockKnative.labelledNamespacesOnly=true",),
    "stock-knative-policy": ("stockKnative.admissionPolicy=true",),
    "stock-knative-strict": ("stockKnative.strict=true",),
    "web": ("web.enabled=true",),
}
"""The values by which the chart installs what an overlay does."""

Wire = dict[str, Any]


class Ref(NamedTuple):
    """What tells an object from all others."""

    kind: str
    namespace: str
    name: str


class Helm:
    """Helm with folders of its own. ``kubectl`` reads its output, as it reads what people apply."""

    def __init__(self, helm: Path, kubectl: Path, folder: Path, kubeconfig: Path | None = None) -> None:
        self._helm, self._kubectl, self._folder = helm, kubectl, folder
        self._environment = os.environ | {
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
            "KUBECONFIG": str(kubeconfig or os.devnull),
        }

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self._helm, *arguments],
            cwd=REPOSITORY, env=self._environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def begin(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Run it, and do not wait."""
        return subprocess.Popen(
            [self._helm, *arguments],
            cwd=REPOSITORY, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def types(self, command: str, *options: str) -> str:
        """Run a command of the documents, with these options too; what it printed."""
        return self.does(*shlex.split(command)[1:], *options)

    def does(self, *arguments: str | Path) -> str:
        """Run what must go well; what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rendered(self, *values: str, namespace: str = NAMESPACE, options: Iterable[str] = ()) -> dict[Ref, Wire]:
        """The objects of the chart with these values."""
        sets = [word for value in values for word in ("--set", value)]
        return self.read(self.does("template", "stagegate", CHART, "-n", namespace, *sets, *options))

    def read(self, text: str) -> dict[Ref, Wire]:
        """The objects of a text, read by kubectl: what PyYAML takes for a text may be a number to Kubernetes."""
        if not any(yaml.safe_load_all(text)):
            return {}
        folder = self._folder / "read"
        folder.mkdir(exist_ok=True)
        (folder / "objects.yaml").write_text(text)
        (folder / "kustomization.yaml").write_text("resources: [objects.yaml]\n")
        return self.kustomized(folder)

    def kustomized(self, folder: Path) -> dict[Ref, Wire]:
        """What ``kubectl kustomize`` prints."""
        done = subprocess.run([self._kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {ref(each): each for each in yaml.safe_load_all(done.stdout)}


def run_hook(plane: ControlPlane, namespace: str, pod: Wire) -> "subprocess.CompletedProcess[str]":
    """Run the one container of a pod of ours as a process, under the account that the pod has there."""
    account = f"system:serviceaccount:{namespace}:{pod['serviceAccountName']}"
    (container,) = pod["containers"]
    return subprocess.run(
        [REPOSITORY / ".venv" / "bin" / "stagegate", *container["args"]],
        env=os.environ | {"KUBECONFIG": str(plane.kubeconfig_for(account))},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip


def ref(wire: Wire) -> Ref:
    metadata = wire["metadata"]
    return Ref(wire["kind"], metadata.get("namespace", ""), metadata["name"])
